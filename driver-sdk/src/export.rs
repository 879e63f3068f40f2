//! What `export_driver!` expands to.

use crate::{Driver, driver::Slots};
pub use montrs_driver_abi::{ABI_MIN_VERSION, ABI_VERSION, abi_stable::library::LibHeader, record};
use montrs_driver_abi::{
    DriverModuleRef,
    abi_stable::library::{__call_root_module_loader, CheckTypeLayout, RootModuleResult},
};

/// The SDK's version, for the record.
pub const SDK_VERSION: &str = env!("CARGO_PKG_VERSION");

/// The header that abi_stable looks for in a library.
pub const fn header<D: Driver>() -> LibHeader {
    // SAFETY: `root_module` returns a `DriverModuleRef`.
    unsafe { LibHeader::from_constructor::<DriverModuleRef>(root_module::<D>, CheckTypeLayout::Yes) }
}

extern "C" fn root_module<D: Driver>() -> RootModuleResult {
    __call_root_module_loader(|| Slots::<D>::MODULE)
}

/// Makes the library a driver: exports its root module and writes its metadata record.
///
/// ```text
/// export_driver! {
///     driver: MyDriver,                   // a type that implements `Driver`
///     name: "mine",                       // the driver's name
///     schemes: ["mine", "mine+tls"],      // the URL schemes that it serves, in lower case
///     traits: ["one-copy-per-process"],   // optional: see `record::trait_word`
/// }
/// ```
///
/// Version, licence and description come from the crate's `Cargo.toml`. The crate must be of type `cdylib`, and be
/// compiled with unwinding panics. An example that compiles is in the [crate's documentation](crate).
#[macro_export]
macro_rules! export_driver {
    (
        driver: $driver:ty,
        name: $name:literal,
        schemes: [$scheme:literal $(, $more_schemes:literal)* $(,)?]
        $(, traits: [$($trait:literal),* $(,)?])? $(,)?
    ) => {
        #[doc(hidden)]
        #[unsafe(export_name = "_1as_0lib_1header_0root_bmodule_bloader")]
        pub static MONTRS_DRIVER_HEADER: $crate::export::LibHeader = $crate::export::header::<$driver>();

        const _: () = {
            const FIELDS: &[(&str, &str)] = &[
                ($crate::record::key::NAME, $name),
                ($crate::record::key::VERSION, env!("CARGO_PKG_VERSION")),
                ($crate::record::key::SCHEMES, concat!($scheme $(, ",", $more_schemes)*)),
                ($crate::record::key::ABI, $crate::export::ABI_VERSION),
                ($crate::record::key::ABI_MIN, $crate::export::ABI_MIN_VERSION),
                ($crate::record::key::SDK, $crate::export::SDK_VERSION),
                ($crate::record::key::TARGET, $crate::record::TARGET),
                ($crate::record::key::PANIC, if cfg!(panic = "unwind") { "unwind" } else { "abort" }),
                ($crate::record::key::TRAITS, concat!($($($trait, ",",)*)?)),
                ($crate::record::key::LICENSE, env!("CARGO_PKG_LICENSE")),
                ($crate::record::key::DESCRIPTION, env!("CARGO_PKG_DESCRIPTION")),
            ];

            #[used]
            #[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__montrs_driver"))]
            #[cfg_attr(windows, unsafe(link_section = ".montrs"))]
            #[cfg_attr(
                not(any(target_vendor = "apple", windows)),
                unsafe(link_section = ".montrs_driver")
            )]
            static RECORD: [u8; $crate::record::encoded_len(FIELDS)] = $crate::record::encode(FIELDS);
        };
    };
}
