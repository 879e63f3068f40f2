//! Opening real libraries, good and bad.
#![cfg(target_os = "linux")]

mod support;

use montrs_driver_abi::abi_stable::std_types::RStr;
use montrs_driver_loader::{ContentHash, LoadError, LoadErrorKind, LoadedDriver, Loader};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::symlink;
use support::{Plugins, again, driver, is_child};

const URL: &str = "loader-test://ada:secret@host/db";

fn load(library: &str) -> Result<LoadedDriver, LoadError> {
    let plugins = Plugins::new();
    plugins.put("liba.so", &driver(library));
    plugins.loader().load_for_url(URL)
}

fn call(driver: &LoadedDriver) -> String {
    let redact = driver.module().redact();
    // SAFETY: the slot takes any text and is called with the arguments of its type.
    unsafe { redact(RStr::from("loader-test:x")) }.into()
}

/// The same driver under another hash. What follows the section headers means nothing.
fn another_build(of: &[u8], build: u8) -> Vec<u8> {
    [of, &[build]].concat()
}

#[test]
fn a_driver_is_opened_and_can_be_called() {
    let plugins = Plugins::new();
    let path = plugins.put("liba.so", &driver("good"));
    let loaded = plugins.loader().load_for_url(URL).unwrap();
    assert_eq!((loaded.path(), loaded.record().name.as_str()), (&*path, "loader-test"));
    assert_eq!(loaded.hash(), ContentHash::of(&driver("good")));
    assert_eq!(call(&loaded), "LOADER-TEST");
    assert_eq!(Loader::read_record(&path).unwrap(), *loaded.record());
    assert_eq!(Loader::load_file(&path).unwrap().hash(), loaded.hash());
}

#[test]
fn the_same_bytes_are_opened_once_wherever_they_are_and_other_bytes_are_another_driver() {
    let same = |a: &LoadedDriver, b: &LoadedDriver| std::ptr::eq(table(a), table(b));
    let one = load("good").unwrap();
    assert!(same(&one, &load("good").unwrap()));
    let plugins = Plugins::new();
    plugins.put("liba.so", &another_build(&driver("good"), 1));
    let other = plugins.loader().load_for_url(URL).unwrap();
    assert!(!same(&one, &other));
    assert_eq!((call(&one), call(&other)), (call(&other), call(&one)));
}

fn table(driver: &LoadedDriver) -> *const () {
    driver.module().redact() as *const ()
}

#[test]
fn a_driver_works_on_when_its_file_is_overwritten_replaced_or_removed() {
    let plugins = Plugins::new();
    let path = plugins.put("liba.so", &driver("good"));
    let loaded = plugins.loader().load_for_url(URL).unwrap();
    plugins.put("liba.so", &[0; 100]);
    assert_eq!(call(&loaded), "LOADER-TEST");
    fs::remove_file(&path).unwrap();
    assert_eq!(call(&loaded), "LOADER-TEST");
    assert_eq!(plugins.loader().load_for_url(URL).unwrap_err().kind(), LoadErrorKind::NoDriver);
    let next = plugins.put("next", &another_build(&driver("good"), 2));
    fs::rename(next, &path).unwrap();
    let upgraded = plugins.loader().load_for_url(URL).unwrap();
    assert_ne!(upgraded.hash(), loaded.hash());
    assert_eq!((call(&loaded), call(&upgraded)), ("LOADER-TEST".into(), "LOADER-TEST".into()));
}

#[test]
fn a_driver_that_is_a_link_is_opened() {
    let (plugins, elsewhere) = (Plugins::new(), Plugins::new());
    let target = elsewhere.put("liba.so.1", &driver("good"));
    symlink(target, plugins.path().join("liba.so")).unwrap();
    assert_eq!(call(&plugins.loader().load_for_url(URL).unwrap()), "LOADER-TEST");
}

#[test]
fn while_databases_of_one_copy_are_open_another_copy_is_refused() {
    let plugins = Plugins::new();
    plugins.put("liba.so", &driver("good"));
    let old = plugins.loader().load_for_url(URL).unwrap();
    let guard = old.open_guard().unwrap();
    plugins.put("liba.so", &another_build(&driver("good"), 3));
    let new = plugins.loader().load_for_url(URL).unwrap();
    assert_eq!(new.open_guard().unwrap_err().kind(), LoadErrorKind::AnotherCopyInUse);
    let second = old.open_guard().unwrap();
    drop(guard);
    assert!(new.open_guard().is_err());
    drop(second);
    assert!(new.open_guard().is_ok());
}

#[test]
fn many_threads_open_one_driver_once() {
    let plugins = Plugins::new();
    plugins.put("liba.so", &another_build(&driver("good"), 4));
    let tables: Vec<usize> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..8).map(|_| scope.spawn(|| table(&plugins.loader().load_for_url(URL).unwrap()).addr())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(tables.iter().all(|table| *table == tables[0]));
}

#[test]
fn a_driver_that_panics_on_start_is_an_error() {
    let error = load("panics").unwrap_err();
    assert_eq!(error.kind(), LoadErrorKind::Panicked);
    assert!(error.message().contains("liba.so") && error.message().contains("panicked"), "{error}");
}

#[test]
fn a_driver_that_fails_on_start_is_an_error_with_its_reason() {
    let error = load("fails").unwrap_err();
    assert_eq!(error.kind(), LoadErrorKind::StartFailed);
    assert!(error.message().ends_with("the licence key is missing"), "{error}");
}

#[test]
fn a_library_with_a_record_and_no_module_is_an_error() {
    let error = load("no_module").unwrap_err();
    assert_eq!(error.kind(), LoadErrorKind::OpenFailed);
    assert!(error.message().contains("no driver module"), "{error}");
}

#[test]
fn a_missing_function_is_an_error_when_the_driver_is_opened_and_not_when_it_is_called() {
    let error = load("unresolved").unwrap_err();
    assert_eq!(error.kind(), LoadErrorKind::OpenFailed);
    assert!(error.message().contains("montrs_test_function_that_no_library_has"), "{error}");
}

#[test]
fn a_driver_that_hides_its_tables_is_refused() {
    let error = load("no_layout").unwrap_err();
    assert_eq!(error.kind(), LoadErrorKind::Incompatible);
    assert!(error.message().contains("cannot be checked"), "{error}");
}

#[test]
fn other_tables_are_refused_with_their_causes_in_a_few_lines() {
    let error = load("other_tables").unwrap_err();
    assert_eq!(error.kind(), LoadErrorKind::Incompatible);
    let text = error.to_string();
    assert!(text.contains("expected") && text.contains("found") && text.contains("help: "), "{text}");
    assert!(text.len() < 3000 && text.lines().count() < 12, "{} bytes:\n{text}", text.len());
}

#[test]
fn a_real_driver_cut_anywhere_is_refused() {
    let plugins = Plugins::new();
    let whole = driver("good");
    let path = plugins.put("liba.so", &whole);
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    // Every byte of the section headers at the end and of the headers at the start, and 1000 places between them.
    let (start, end) = (1000, whole.len() - 1000);
    for len in (end..whole.len()).rev().chain((start..end).rev().step_by(whole.len() / 1000)).chain((0..start).rev()) {
        file.set_len(len as u64).unwrap();
        assert!(Loader::read_record(&path).is_err(), "cut at {len} of {}", whole.len());
        if len % 100 == 0 {
            assert_eq!(Loader::load_file(&path).unwrap_err().kind(), LoadErrorKind::Refused);
        }
    }
}

#[test]
fn without_a_private_directory_a_driver_is_opened_from_memory() {
    if !is_child() {
        return again("without_a_private_directory_a_driver_is_opened_from_memory", |command| {
            command.env("XDG_CACHE_HOME", "/proc/none").env("XDG_RUNTIME_DIR", "/proc/none");
        });
    }
    let drivers = [load("good"), load("fails"), load("good")];
    assert_eq!(call(drivers[0].as_ref().unwrap()), "LOADER-TEST");
    assert_eq!(drivers[1].as_ref().unwrap_err().kind(), LoadErrorKind::StartFailed);
    let plugins = Plugins::new();
    plugins.put("liba.so", &another_build(&driver("good"), 5));
    assert_eq!(call(&plugins.loader().load_for_url(URL).unwrap()), "LOADER-TEST");
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    assert!(maps.contains("memfd:loader-test"), "{maps}");
}
