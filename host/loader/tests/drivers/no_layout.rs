//! A driver whose author left out the description of its tables.
#![allow(missing_docs, reason = "a test driver")]

#[path = "export.rs"]
mod export;

export::export_module!(montrs_driver_abi::DriverModuleRef, export::CheckTypeLayout::No, export::module);
