//! A driver that starts.
#![allow(missing_docs, reason = "a test driver")]

#[path = "export.rs"]
mod export;

export::export_module!(montrs_driver_abi::DriverModuleRef, export::CheckTypeLayout::Yes, export::module);
