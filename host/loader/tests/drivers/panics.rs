//! A driver that panics when it is started.
#![allow(missing_docs, reason = "a test driver")]

#[path = "export.rs"]
mod export;

fn module() -> montrs_driver_abi::DriverModuleRef {
    if export::FIELDS.is_empty() { export::module() } else { panic!("this driver panics on purpose") }
}

export::export_module!(montrs_driver_abi::DriverModuleRef, export::CheckTypeLayout::Yes, module);
