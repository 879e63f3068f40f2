//! A driver that returns an error when it is started.
#![allow(missing_docs, reason = "a test driver")]

#[path = "export.rs"]
mod export;

use montrs_driver_abi::abi_stable::std_types::RBoxError;

fn module() -> Result<montrs_driver_abi::DriverModuleRef, RBoxError> {
    if export::FIELDS.is_empty() {
        Ok(export::module())
    } else {
        Err(RBoxError::from_fmt(&"the licence key is missing\n\n"))
    }
}

export::export_module!(montrs_driver_abi::DriverModuleRef, export::CheckTypeLayout::Yes, module);
