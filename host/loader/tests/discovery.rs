//! What is found in plugin directories, and what is refused with which reason.
#![cfg(target_os = "linux")]

mod support;

use montrs_driver_abi::record::key;
use montrs_driver_loader::{
    DirectoryOutcome, LoadErrorKind, Loader, PLUGINS_VARIABLE, Refusal, RefusalKind, Scan, SearchPath, Source,
};
use rustix::process::geteuid;
use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::path::Path;
use support::library::{elf, elf_32, elf_with_section, fields, mach_o, record_bytes};
use support::{Plugins, again, again_without_rights, is_child, set_mode};

fn toy() -> Vec<u8> {
    elf(&record_bytes(&fields("toy", "1.0.0", "toy")))
}

/// The refusal of the only candidate in a directory.
fn refusal(plugins: &Plugins) -> Refusal {
    let scan = plugins.loader().scan();
    let mut refused = scan.refused();
    let (_, refusal) = refused.next().unwrap_or_else(|| panic!("nothing is refused: {scan:?}"));
    assert!(refused.next().is_none() && scan.drivers().next().is_none(), "{scan:?}");
    // What is refused in a listing is not opened by its path either, and is named where a driver is missed.
    let (path, _) = scan.refused().next().unwrap();
    assert_eq!(Loader::load_file(path).unwrap_err().kind(), LoadErrorKind::Refused);
    let error = plugins.loader().load_for_url("toy://ada:hunter2@h").unwrap_err();
    // It may be the driver that is missed, where its name says so.
    let named_so = path.file_name().unwrap().to_string_lossy().contains("toy");
    assert_eq!(error.kind(), if named_so { LoadErrorKind::Refused } else { LoadErrorKind::NoDriver });
    assert!(!error.to_string().contains("hunter2"), "{error}");
    refusal.clone()
}

#[track_caller]
fn assert_refused(content: &[u8], kind: RefusalKind, reason: &str) {
    let plugins = Plugins::new();
    plugins.put("libmontrs_driver_toy.so", content);
    let refusal = refusal(&plugins);
    assert_eq!(refusal.kind(), kind, "{refusal}");
    assert!(refusal.reason().contains(reason), "{refusal}");
    let error = plugins.loader().load_for_url("toy:x").unwrap_err();
    assert!(error.message().contains(&format!("libmontrs_driver_toy.so: not used: {}", refusal.reason())), "{error}");
}

fn drivers(scan: &Scan) -> Vec<String> {
    scan.drivers().map(|(_, record)| record.to_string()).collect()
}

fn outcome(path: &Path) -> DirectoryOutcome {
    let scan = Loader::new(SearchPath::only([path])).scan();
    scan.directories[0].outcome.clone()
}

#[test]
fn drivers_are_found_in_the_order_of_the_search_path_and_of_their_names() {
    let (first, second) = (Plugins::new(), Plugins::new());
    second.put_record("liba.so", &fields("a", "1.0.0", "a"));
    first.put_record("libz.so", &fields("z", "1.0.0", "z"));
    first.put_record("libb.so", &fields("b", "1.0.0", "b"));
    let scan = Loader::new(SearchPath::only([first.path(), second.path()])).scan();
    assert_eq!(drivers(&scan), ["b 1.0.0", "z 1.0.0", "a 1.0.0"]);
}

#[test]
fn files_that_are_not_named_like_a_library_are_counted_and_not_read() {
    let plugins = Plugins::new();
    for name in ["liba.so.1", ".libb.so", "libc.dll", "README"] {
        plugins.put(name, &toy());
    }
    let DirectoryOutcome::Searched(contents) = outcome(plugins.path()) else { panic!("the directory is searched") };
    assert_eq!((contents.candidates.len(), contents.others, contents.cut), (0, 4, false));
}

#[test]
fn what_is_no_library_is_refused() {
    assert_refused(b"", RefusalKind::NotADriver, "empty");
    assert_refused(b"#!/bin/sh\n", RefusalKind::NotADriver, "no library");
    assert_refused(&[0; 4096], RefusalKind::NotADriver, "no library");
    assert_refused(&toy()[..60], RefusalKind::Damaged, "cut short");
    let mut executable = toy();
    executable[16] = 2;
    assert_refused(&executable, RefusalKind::NotADriver, "not a shared library");
}

#[test]
fn a_library_that_is_no_driver_is_refused() {
    assert_refused(&elf_with_section(".data", b"x"), RefusalKind::NotADriver, "no metadata record");
}

#[test]
fn a_library_for_another_machine_is_refused() {
    let mut s390 = toy();
    s390[18] = 22;
    assert_refused(&s390, RefusalKind::Foreign, "S390x");
    assert_refused(&elf_32(), RefusalKind::Foreign, "32-bit");
    let record = record_bytes(&fields("toy", "1.0.0", "toy"));
    assert_refused(&mach_o(&record), RefusalKind::Foreign, "macOS");
}

#[test]
fn a_record_that_lacks_something_is_refused() {
    assert_refused(&elf(b"GARBAGE"), RefusalKind::Record, "GARBAGE");
    let without_schemes: Vec<_> =
        fields("toy", "1.0.0", "toy").into_iter().filter(|(own, _)| *own != key::SCHEMES).collect();
    assert_refused(&elf(&record_bytes(&without_schemes)), RefusalKind::Record, "\"schemes\"");
}

#[test]
fn a_driver_for_another_abi_is_listed_and_not_used() {
    let plugins = Plugins::new();
    let mut other = fields("toy", "1.0.0", "toy");
    for (own, value) in &mut other {
        if *own == key::ABI {
            *value = "99.0.0";
        }
    }
    let path = plugins.put_record("liba.so", &other);
    assert_eq!(drivers(&plugins.loader().scan()), ["toy 1.0.0"]);
    for error in [plugins.loader().load_for_url("toy:").unwrap_err(), Loader::load_file(path).unwrap_err()] {
        assert_eq!(error.kind(), LoadErrorKind::Incompatible);
        assert!(error.message().contains("99.0.0") && error.message().contains("liba.so"), "{error}");
    }
}

#[test]
fn links_that_lead_nowhere_are_refused() {
    let dangling = Plugins::new();
    symlink("/nonexistent/liba.so", dangling.path().join("liba.so")).unwrap();
    assert!(refusal(&dangling).reason().contains("/nonexistent/liba.so, which does not exist"));
    let looping = Plugins::new();
    symlink("libb.so", looping.path().join("liba.so")).unwrap();
    symlink("liba.so", looping.path().join("libb.so")).unwrap();
    let scan = looping.loader().scan();
    assert_eq!(scan.refused().count(), 2);
    assert!(scan.refused().all(|(_, refusal)| refusal.reason().contains("leads back to itself")));
}

#[test]
fn a_link_to_a_driver_is_followed_and_judged_where_it_leads() {
    let (plugins, elsewhere) = (Plugins::new(), Plugins::new());
    let target = elsewhere.put("toy-1.0", &toy());
    symlink(&target, plugins.path().join("liba.so")).unwrap();
    assert_eq!(drivers(&plugins.loader().scan()), ["toy 1.0.0"]);
    set_mode(elsewhere.path(), 0o777);
    assert!(refusal(&plugins).mend().unwrap().contains(elsewhere.path().to_str().unwrap()));
}

#[test]
fn what_is_no_file_is_refused_without_waiting_for_it() {
    let pipe = Plugins::new();
    let made = std::process::Command::new("mkfifo").arg(pipe.path().join("liba.so")).status();
    assert!(made.is_ok_and(|status| status.success()), "mkfifo is there");
    assert!(refusal(&pipe).reason().contains("named pipe"));
    let directory = Plugins::new();
    fs::create_dir(directory.path().join("liba.so")).unwrap();
    assert!(refusal(&directory).reason().contains("a directory"));
    let device = Plugins::new();
    symlink("/dev/zero", device.path().join("liba.so")).unwrap();
    assert!(refusal(&device).reason().contains("a device"));
}

#[test]
fn a_file_that_is_too_large_is_refused_unread() {
    let plugins = Plugins::new();
    let path = plugins.put("liba.so", &toy());
    fs::OpenOptions::new().write(true).open(path).unwrap().set_len(1 << 40).unwrap();
    assert!(refusal(&plugins).reason().contains("at most"));
}

#[test]
fn a_file_that_others_can_write_is_refused_with_the_command_that_mends_it() {
    let plugins = Plugins::new();
    let path = plugins.put("liba.so", &toy());
    for mode in [0o666, 0o664] {
        set_mode(&path, mode);
        let refusal = refusal(&plugins);
        assert_eq!(refusal.kind(), RefusalKind::Untrusted);
        assert_eq!(refusal.mend().unwrap(), format!("chmod go-w {}", path.display()));
    }
    set_mode(&path, 0o644);
    assert_eq!(drivers(&plugins.loader().scan()), ["toy 1.0.0"]);
}

#[test]
fn a_file_of_another_user_is_refused() {
    if !geteuid().is_root() {
        return;
    }
    let plugins = Plugins::new();
    let path = plugins.put("liba.so", &toy());
    chown(&path, Some(65534), None).unwrap();
    let refusal = refusal(&plugins);
    assert!(refusal.reason().contains("user 65534"), "{refusal}");
    assert!(refusal.mend().unwrap().starts_with("chown "), "{refusal}");
}

#[test]
fn a_directory_that_others_can_write_is_not_searched() {
    let plugins = Plugins::new();
    plugins.put("liba.so", &toy());
    set_mode(plugins.path(), 0o777);
    let DirectoryOutcome::Refused(refusal) = outcome(plugins.path()) else { panic!("the directory is refused") };
    assert_eq!(refusal.kind(), RefusalKind::Untrusted);
    let error = plugins.loader().load_for_url("toy:").unwrap_err();
    let directory = plugins.path().display();
    assert!(error.message().contains(&format!("chmod go-w {directory}")), "{error}");
    assert_eq!(error.fixes(), [format!("run `chmod go-w {directory}`, if the driver is in {directory}")]);
}

#[test]
fn what_is_no_directory_is_said() {
    let plugins = Plugins::new();
    let file = plugins.put("plugins", b"x");
    assert!(matches!(outcome(&plugins.path().join("none")), DirectoryOutcome::Missing));
    let DirectoryOutcome::Refused(refusal) = outcome(&file) else { panic!("a file is not searched") };
    assert!(refusal.reason().contains("not a directory"));
    let error = Loader::new(SearchPath::only([&file])).load_for_url("toy:").unwrap_err();
    assert!(error.fixes()[0].starts_with(&format!("name the directory that holds {}", file.display())), "{error}");
}

#[test]
fn directories_and_files_without_permission_are_refused() {
    if geteuid().is_root() {
        return again_without_rights("directories_and_files_without_permission_are_refused", |_| {});
    }
    let plugins = Plugins::new();
    let driver = plugins.put("libtoy.so", &toy());
    set_mode(&driver, 0);
    assert_eq!(refusal(&plugins).kind(), RefusalKind::Denied);
    let error = plugins.loader().load_for_url("toy:").unwrap_err();
    let fix = format!("let the user that runs this program read {}, if ", driver.display());
    assert!(error.fixes()[0].starts_with(&fix) && error.fixes()[0].contains("ermission denied"), "{error}");
    for (path, mode) in [(plugins.path().to_path_buf(), 0), (plugins.path().join("below"), 0)] {
        set_mode(plugins.path(), mode);
        let DirectoryOutcome::Refused(refusal) = outcome(&path) else { panic!("{} is refused", path.display()) };
        assert_eq!(refusal.kind(), RefusalKind::Denied);
        assert!(refusal.reason().contains("ermission denied"), "{refusal}");
    }
    set_mode(plugins.path(), 0o700);
}

#[test]
fn a_driver_of_root_is_trusted_by_everybody() {
    const DIRECTORY: &str = "MONTRS_LOADER_TEST_DIRECTORY";
    if geteuid().is_root() {
        let plugins = Plugins::new();
        set_mode(plugins.path(), 0o755);
        plugins.put("liba.so", &toy());
        again_without_rights("a_driver_of_root_is_trusted_by_everybody", |command| {
            command.env(DIRECTORY, plugins.path());
        });
    } else if is_child() {
        let directory = std::env::var_os(DIRECTORY).unwrap();
        assert_eq!(drivers(&Loader::new(SearchPath::only([directory])).scan()), ["toy 1.0.0"]);
    }
}

#[test]
fn two_drivers_for_one_scheme_are_an_error_that_names_both() {
    let plugins = Plugins::new();
    plugins.put_record("liba.so", &fields("mysql", "1.0.0", "mysql,mariadb"));
    plugins.put_record("libb.so", &fields("mariadb", "1.0.0", "mariadb"));
    let error = plugins.loader().load_for_url("mariadb://h").unwrap_err();
    assert_eq!(error.kind(), LoadErrorKind::Ambiguous);
    for part in ["mysql 1.0.0", "mariadb 1.0.0", "liba.so", "libb.so"] {
        assert!(error.message().contains(part), "{error}");
    }
}

#[test]
fn a_misspelt_scheme_is_recognised() {
    let plugins = Plugins::new();
    plugins.put_record("liba.so", &fields("postgres", "1.0.0", "postgres,postgresql"));
    let error = plugins.loader().load_for_url("postgress://ada:hunter2@h").unwrap_err();
    assert!(error.fixes()[0].contains("`postgres:`"), "{error}");
    assert!(!error.to_string().contains("hunter2"));
}

#[test]
fn montrs_plugins_is_a_list_whose_order_is_kept() {
    if !is_child() {
        let (first, second) = (Plugins::new(), Plugins::new());
        first.put_record("liba.so", &fields("first", "1.0.0", "toy"));
        second.put_record("liba.so", &fields("second", "1.0.0", "toy"));
        return again("montrs_plugins_is_a_list_whose_order_is_kept", |command| {
            command.env(PLUGINS_VARIABLE, std::env::join_paths([first.path(), second.path()]).unwrap());
        });
    }
    let search_path = SearchPath::with(["/nonexistent"]);
    let sources: Vec<Source> = search_path.directories().iter().map(|directory| directory.source).collect();
    assert_eq!(sources[..4], [Source::Given, Source::Environment, Source::Environment, Source::Executable]);
    assert_eq!(drivers(&Loader::new(search_path).scan()), ["first 1.0.0", "second 1.0.0"]);
    let error = Loader::default().load_for_url("other:").unwrap_err();
    assert!(error.message().contains("(from MONTRS_PLUGINS): 1 driver"), "{error}");
}
