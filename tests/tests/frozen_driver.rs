//! A driver that was built for version 1.0 of the ABI works with the host of today. The file is never built anew; see
//! `fixtures/README.md`.

#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]

mod external;

use external::{exercise, open};
use montrs_tests::{install, private_dir};
use std::path::Path;

#[tokio::test]
async fn a_driver_of_version_1_0_is_loaded_and_answers_as_ever() {
    let library = "libmontrs_driver_external.so";
    let plugins = private_dir();
    install(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/abi-1.0").join(library),
        &plugins.path().join(library),
    );
    let db = open(plugins.path()).await;
    let record = db.driver();
    assert_eq!((record.abi.to_string().as_str(), record.version.to_string().as_str()), ("1.0.0", "3.2.1"));
    exercise(&db).await;
}
