//! A driver that needs a function which no library has.
#![allow(missing_docs, reason = "a test driver")]

#[path = "export.rs"]
mod export;

unsafe extern "C" {
    safe fn montrs_test_function_that_no_library_has() -> u32;
}

fn module() -> montrs_driver_abi::DriverModuleRef {
    assert_ne!(montrs_test_function_that_no_library_has(), 0);
    export::module()
}

export::export_module!(montrs_driver_abi::DriverModuleRef, export::CheckTypeLayout::Yes, module);
