//! The root module: what a driver library exports.

use crate::{DatabaseObject, HostServices, Reply};
use abi_stable::{
    StableAbi,
    library::RootModule,
    package_version_strings,
    sabi_types::VersionStrings,
    std_types::{RStr, RString},
};

/// The root module of a driver library.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = DriverModuleRef, prefix_fields = DriverModulePrefix)))]
pub struct DriverModule {
    /// Makes a database of a URL: reads its options and prepares what all connections share. Whether the database can
    /// be reached shows with the first `connect`.
    ///
    /// Called by the host once for each `Database` it builds; calls may overlap. `url` is borrowed for the call. The
    /// driver owns its handle on `services` and drops it with the database. An error leaves nothing behind.
    pub open: unsafe extern "C" fn(url: RStr<'_>, services: HostServices) -> Reply<DatabaseObject>,

    /// The URL with every secret in it replaced, for people to read. Never fails: what cannot be parsed comes back as
    /// its scheme and `…`.
    ///
    /// Called from any thread, also before `open`. The host owns the text.
    #[sabi(last_prefix_field)]
    pub redact: unsafe extern "C" fn(url: RStr<'_>) -> RString,
}

impl RootModule for DriverModuleRef {
    abi_stable::declare_root_module_statics! {DriverModuleRef}
    const BASE_NAME: &'static str = "montrs_driver";
    const NAME: &'static str = "montrs_driver";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}
