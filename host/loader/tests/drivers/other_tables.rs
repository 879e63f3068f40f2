//! A driver whose tables are those of another ABI.
#![allow(missing_docs, reason = "a test driver")]
#![allow(non_local_definitions, reason = "abi_stable's derives of 0.11 expand to such items")]

#[path = "export.rs"]
#[allow(dead_code, reason = "the module is another one")]
mod export;

use montrs_driver_abi::abi_stable::{
    self, StableAbi, library::RootModule, package_version_strings, prefix_type::PrefixTypeTrait,
    sabi_types::VersionStrings,
};

#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = DriverModuleRef, prefix_fields = DriverModulePrefix)))]
pub struct DriverModule {
    #[sabi(last_prefix_field)]
    pub redact: extern "C" fn(url: u32) -> u64,
}

impl RootModule for DriverModuleRef {
    abi_stable::declare_root_module_statics! {DriverModuleRef}
    const BASE_NAME: &'static str = "montrs_driver";
    const NAME: &'static str = "montrs_driver";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}

extern "C" fn redact(_: u32) -> u64 {
    0
}

fn module() -> DriverModuleRef {
    DriverModule { redact }.leak_into_prefix()
}

export::export_module!(DriverModuleRef, export::CheckTypeLayout::Yes, module);
