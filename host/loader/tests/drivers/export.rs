//! What `export_driver!` of the SDK does, with each part replaceable: the loader is tested against bad drivers too.

pub(crate) use montrs_driver_abi::abi_stable::library::{__call_root_module_loader, CheckTypeLayout, RootModuleResult};
pub(crate) use montrs_driver_abi::abi_stable::std_types::{RStr, RString};
use montrs_driver_abi::{
    ABI_MIN_VERSION, ABI_VERSION, DatabaseObject, DriverModule, DriverModuleRef, HostServices, Reply,
    abi_stable::prefix_type::PrefixTypeTrait,
    record::{self, key},
};

/// The module of a driver whose databases nobody opens.
pub(crate) fn module() -> DriverModuleRef {
    DriverModule { open, redact }.leak_into_prefix()
}

unsafe extern "C" fn open(_: RStr<'_>, _: HostServices) -> Reply<DatabaseObject> {
    unreachable!("no test opens a database")
}

unsafe extern "C" fn redact(url: RStr<'_>) -> RString {
    url.split(':').next().unwrap_or_default().to_uppercase().into()
}

pub(crate) const FIELDS: &[(&str, &str)] = &[
    (key::NAME, "loader-test"),
    (key::VERSION, "1.0.0"),
    (key::SCHEMES, "loader-test"),
    (key::ABI, ABI_VERSION),
    (key::ABI_MIN, ABI_MIN_VERSION),
    (key::TARGET, record::TARGET),
    (key::PANIC, "unwind"),
    (key::TRAITS, record::trait_word::ONE_COPY_PER_PROCESS),
];

#[used]
#[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__montrs_driver"))]
#[cfg_attr(windows, unsafe(link_section = ".montrs"))]
#[cfg_attr(not(any(target_vendor = "apple", windows)), unsafe(link_section = ".montrs_driver"))]
static RECORD: [u8; record::encoded_len(FIELDS)] = record::encode(FIELDS);

/// Exports the header of a library whose root module comes from this function.
macro_rules! export_module {
    ($module:ty, $check:expr, $make:expr) => {
        #[unsafe(export_name = "_1as_0lib_1header_0root_bmodule_bloader")]
        pub static HEADER: montrs_driver_abi::abi_stable::library::LibHeader = {
            extern "C" fn make() -> export::RootModuleResult {
                export::__call_root_module_loader($make)
            }
            // SAFETY: `make` returns a module of this type.
            unsafe { montrs_driver_abi::abi_stable::library::LibHeader::from_constructor::<$module>(make, $check) }
        };
    };
}
pub(crate) use export_module;
