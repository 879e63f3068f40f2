//! Choosing the driver for a URL scheme among those that were found.

use crate::{
    Candidate, Contents, DirectoryOutcome, DriverRecord, LoadError, LoadErrorKind, PanicStrategy, Refusal, RefusalKind,
    Scan, ScannedDirectory, Scheme, Source,
};
use std::fmt::Write;
use std::path::Path;

/// The driver that serves a scheme: of one name the newest version that this application can use, and of one version
/// the first in the search path.
///
/// # Errors
///
/// [`LoadErrorKind::NoDriver`], [`LoadErrorKind::Refused`], [`LoadErrorKind::Incompatible`] or
/// [`LoadErrorKind::Ambiguous`].
pub(crate) fn select<'scan>(
    scan: &'scan Scan,
    scheme: &Scheme,
) -> Result<(&'scan Path, &'scan DriverRecord), LoadError> {
    let serving: Vec<_> = scan.drivers().filter(|(_, record)| record.serves(scheme)).collect();
    if serving.is_empty() {
        return Err(no_driver(scan, scheme));
    }
    let usable = || serving.iter().copied().filter(|(_, record)| record.incompatibility().is_none());
    let Some(first) = usable().next() else {
        return Err(incompatible(&serving, scheme));
    };
    if usable().any(|(_, record)| record.name != first.1.name) {
        return Err(ambiguous(&usable().collect::<Vec<_>>(), scheme));
    }
    Ok(usable().fold(
        first,
        |best, other| {
            if other.1.version.cmp_precedence(&best.1.version).is_gt() { other } else { best }
        },
    ))
}

/// No more files of one sort are listed one by one.
const MAX_LISTED: usize = 10;

fn no_driver(scan: &Scan, scheme: &Scheme) -> LoadError {
    let mut message = format!("no driver serves `{scheme}:` URLs; searched, in this order:");
    for directory in &scan.directories {
        describe(&mut message, directory);
    }
    if scan.directories.is_empty() {
        message.push_str("\n  nothing: the search path is empty");
    }
    for ignored in &scan.ignored {
        let _ = write!(message, "\n  ignored: directories {}, because {}", ignored.source, ignored.reason);
    }
    // A file that is there and is not taken is the likeliest cause.
    let refused = refusals(scan, scheme);
    if !refused.is_empty() {
        let error = LoadError::new(LoadErrorKind::Refused, message);
        return refused.iter().take(MAX_LISTED).fold(error, |error, (path, refusal)| {
            let is_directory = scan.directories.iter().any(|directory| directory.path == *path);
            let condition = match is_directory {
                true => format!(", if the driver is in {}", path.display()),
                false => format!(", if {} is the driver", path.display()),
            };
            error.fixed_by(refusal.fix(path, &condition))
        });
    }
    let error = LoadError::new(LoadErrorKind::NoDriver, message);
    let error = match nearest(scan, scheme) {
        Some(nearest) => error.fixed_by(format!("there is a driver for `{nearest}:`; is the scheme misspelt?")),
        None => error,
    };
    let library = format!(
        "{}montrs_driver_{}{}",
        std::env::consts::DLL_PREFIX,
        in_file_name(scheme),
        std::env::consts::DLL_SUFFIX,
    );
    // Where only the named directories are searched, the variable changes nothing.
    let is_standard = scan.directories.iter().any(|directory| directory.source != Source::Given);
    let or_variable = if is_standard { ", or name its directory in MONTRS_PLUGINS" } else { "" };
    error
        .fixed_by(format!("copy the driver's library, such as `{library}`, into one of these directories{or_variable}"))
        .fixed_by("run `montrs-db drivers` to see what is found where")
}

/// What was there, could serve the scheme by its name, and was not taken: files, and whole directories.
fn refusals<'scan>(scan: &'scan Scan, scheme: &Scheme) -> Vec<(&'scan Path, &'scan Refusal)> {
    let mut refused = Vec::new();
    for directory in &scan.directories {
        match &directory.outcome {
            DirectoryOutcome::Missing => {}
            DirectoryOutcome::Refused(refusal) => refused.push((directory.path.as_path(), refusal)),
            DirectoryOutcome::Searched(contents) => {
                let named_so = |candidate: &&Candidate| {
                    let name = candidate.path.file_name().unwrap_or_default().to_string_lossy();
                    name.contains(&in_file_name(scheme))
                };
                let candidates = contents.candidates.iter().filter(named_so);
                refused.extend(candidates.filter_map(|c| Some((c.path.as_path(), c.record.as_ref().err()?))));
            }
        }
    }
    refused
}

/// The scheme as it stands in the name of a library.
fn in_file_name(scheme: &Scheme) -> String {
    scheme.as_str().replace(|c: char| !c.is_ascii_alphanumeric(), "_")
}

fn describe(message: &mut String, directory: &ScannedDirectory) {
    let _ = write!(message, "\n  {} ({}): ", directory.path.display(), directory.source);
    match &directory.outcome {
        DirectoryOutcome::Missing => message.push_str("it does not exist"),
        DirectoryOutcome::Refused(refusal) => {
            let _ = write!(message, "not searched: {refusal}");
        }
        DirectoryOutcome::Searched(contents) => describe_contents(message, contents),
    }
}

fn describe_contents(message: &mut String, contents: &Contents) {
    let drivers = contents.candidates.iter().filter(|candidate| candidate.record.is_ok()).count();
    let _ = write!(message, "{}", counted(drivers, "driver"));
    // A build directory holds many libraries that are no drivers and were never meant to be.
    let strangers = contents.candidates.iter().filter(|candidate| is_stranger(candidate)).count();
    if strangers > 0 {
        let _ = write!(
            message,
            ", {} that {} no driver",
            counted(strangers, "library"),
            if strangers == 1 { "is" } else { "are" }
        );
    }
    if contents.others > 0 {
        let _ = write!(message, ", {} of other kinds", counted(contents.others, "entry"));
    }
    if contents.cut {
        message.push_str(", and more than are looked at");
    }
    let telling = || contents.candidates.iter().filter(|candidate| !is_stranger(candidate));
    for candidate in telling().take(MAX_LISTED) {
        let name = candidate.path.file_name().unwrap_or_default().display();
        let _ = match &candidate.record {
            Ok(record) => write!(message, "\n    {name}: {record} serves {}", schemes(record)),
            Err(refusal) => write!(message, "\n    {name}: not used: {refusal}"),
        };
    }
    if telling().count() > MAX_LISTED {
        let _ = write!(message, "\n    … and {} more", telling().count() - MAX_LISTED);
    }
}

fn is_stranger(candidate: &Candidate) -> bool {
    let named_so = candidate.path.file_name().is_some_and(|name| name.to_string_lossy().contains("montrs_driver"));
    !named_so && candidate.record.as_ref().is_err_and(|refusal| refusal.kind() == RefusalKind::NotADriver)
}

fn counted(n: usize, what: &str) -> String {
    match (n, what.strip_suffix('y')) {
        (0, Some(stem)) => format!("no {stem}ies"),
        (0, None) => format!("no {what}s"),
        (1, _) => format!("1 {what}"),
        (_, Some(stem)) => format!("{n} {stem}ies"),
        (_, None) => format!("{n} {what}s"),
    }
}

fn schemes(record: &DriverRecord) -> String {
    let quoted: Vec<String> = record.schemes.iter().map(|scheme| format!("`{scheme}:`")).collect();
    quoted.join(", ")
}

/// The scheme of a driver that differs by a slip or two.
fn nearest<'scan>(scan: &'scan Scan, scheme: &Scheme) -> Option<&'scan Scheme> {
    let allowed = (scheme.as_str().len() / 3).clamp(1, 3);
    scan.drivers()
        .flat_map(|(_, record)| &record.schemes)
        .map(|other| (strsim::damerau_levenshtein(scheme.as_str(), other.as_str()), other))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, other)| other)
}

fn incompatible(serving: &[(&Path, &DriverRecord)], scheme: &Scheme) -> LoadError {
    let mut message = format!("no driver for `{scheme}:` URLs fits this application:");
    for (path, record) in serving.iter().take(MAX_LISTED) {
        let reason = record.incompatibility().unwrap_or_default();
        let _ = write!(message, "\n  {}: {record}: {reason}", path.display());
    }
    let mut fixes: Vec<String> = serving.iter().map(|(_, record)| fix_of(record)).collect();
    fixes.sort_unstable();
    fixes.dedup();
    fixes.into_iter().fold(LoadError::new(LoadErrorKind::Incompatible, message), LoadError::fixed_by)
}

/// What helps against what the record says.
pub(crate) fn fix_of(record: &DriverRecord) -> String {
    match record.panic {
        PanicStrategy::Abort if record.target == montrs_driver_abi::record::TARGET => {
            "build the driver anew with `panic = \"unwind\"`, which is the default: take `panic = \"abort\"` out of the \
             profile in its Cargo.toml"
                .into()
        }
        _ => incompatible_fix(),
    }
}

/// What helps against what does not fit.
pub(crate) fn incompatible_fix() -> String {
    format!(
        "install a driver that is built for {} and version {} of the driver ABI",
        montrs_driver_abi::record::TARGET,
        montrs_driver_abi::ABI_VERSION
    )
}

fn ambiguous(usable: &[(&Path, &DriverRecord)], scheme: &Scheme) -> LoadError {
    let mut message = format!("several drivers serve `{scheme}:` URLs:");
    for (path, record) in usable.iter().take(MAX_LISTED) {
        let _ = write!(message, "\n  {record}: {}", path.display());
    }
    LoadError::new(LoadErrorKind::Ambiguous, message)
        .fixed_by("remove all but one of them, or search only the directory that holds the one you want")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::IgnoredSource;
    use semver::Version;

    fn record(name: &str, version: &str, schemes: &[&str]) -> DriverRecord {
        let abi = Version::parse(montrs_driver_abi::ABI_VERSION).unwrap();
        DriverRecord {
            name: name.into(),
            version: Version::parse(version).unwrap(),
            schemes: schemes.iter().map(|scheme| Scheme::new(scheme).unwrap()).collect(),
            abi: abi.clone(),
            abi_min: abi,
            sdk: None,
            target: montrs_driver_abi::record::TARGET.into(),
            panic: PanicStrategy::Unwind,
            traits: vec![],
            license: None,
            description: None,
        }
    }

    fn scan(records: Vec<DriverRecord>) -> Scan {
        let candidates = records
            .into_iter()
            .enumerate()
            .map(|(i, record)| Candidate { path: format!("/plugins/lib{i}.so").into(), record: Ok(record) })
            .collect();
        scan_of(Contents { candidates, ..Contents::default() })
    }

    fn scan_of(contents: Contents) -> Scan {
        let outcome = DirectoryOutcome::Searched(contents);
        let directory = ScannedDirectory { path: "/plugins".into(), source: Source::Environment, outcome };
        Scan { directories: vec![directory], ignored: vec![] }
    }

    fn scheme(text: &str) -> Scheme {
        Scheme::new(text).unwrap()
    }

    #[test]
    fn the_newest_version_that_fits_serves() {
        let unfit = DriverRecord { abi: Version::new(99, 0, 0), ..record("toy", "9.0.0", &["toy"]) };
        let scan = scan(vec![
            record("toy", "1.9.0", &["toy"]),
            record("toy", "1.10.0", &["toy"]),
            record("toy", "1.10.0-beta.1", &["toy"]),
            unfit,
            record("other", "3.0.0", &["other"]),
        ]);
        let (path, record) = select(&scan, &scheme("TOY")).unwrap();
        assert_eq!((path, record.version.to_string()), (Path::new("/plugins/lib1.so"), "1.10.0".into()));
    }

    #[test]
    fn of_two_equal_versions_the_first_in_the_search_path_serves() {
        let scan = scan(vec![record("toy", "1.0.0+a", &["toy"]), record("toy", "1.0.0+b", &["toy"])]);
        assert_eq!(select(&scan, &scheme("toy")).unwrap().0, Path::new("/plugins/lib0.so"));
    }

    #[test]
    fn two_names_for_one_scheme_are_an_error_that_names_both_and_their_files() {
        let scan = scan(vec![record("toy", "1.0.0", &["toy"]), record("toys", "2.0.0", &["x", "toy"])]);
        let error = select(&scan, &scheme("toy")).unwrap_err();
        assert_eq!(error.kind(), LoadErrorKind::Ambiguous);
        let text = error.to_string();
        for part in ["toy 1.0.0", "toys 2.0.0", "/plugins/lib0.so", "/plugins/lib1.so"] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn an_incompatible_driver_of_another_name_does_not_make_a_choice_ambiguous() {
        let unfit = DriverRecord { target: "vax-vms".into(), ..record("toys", "1.0.0", &["toy"]) };
        assert!(select(&scan(vec![unfit, record("toy", "1.0.0", &["toy"])]), &scheme("toy")).is_ok());
    }

    #[test]
    fn drivers_that_do_not_fit_are_listed_with_the_reason() {
        let unfit = DriverRecord { abi: Version::new(99, 0, 0), ..record("toy", "1.0.0", &["toy"]) };
        let error = select(&scan(vec![unfit]), &scheme("toy")).unwrap_err();
        assert_eq!(error.kind(), LoadErrorKind::Incompatible);
        assert!(error.message().contains("99.0.0") && error.message().contains("/plugins/lib0.so"), "{error}");
        assert!(error.fixes()[0].contains(montrs_driver_abi::ABI_VERSION));
        let aborting = DriverRecord { panic: PanicStrategy::Abort, ..record("toy", "1.0.0", &["toy"]) };
        let error = select(&scan(vec![aborting.clone(), aborting]), &scheme("toy")).unwrap_err();
        assert!(matches!(error.fixes(), [fix] if fix.contains("unwind")), "{error}");
    }

    #[test]
    fn no_driver_says_where_was_searched_and_what_was_there() {
        let refused = |name: &str, kind, reason: &str| Candidate {
            path: format!("/plugins/{name}").into(),
            record: Err(Refusal::new(kind, reason)),
        };
        let mut scan = scan_of(Contents {
            candidates: vec![
                Candidate { path: "/plugins/liba.so".into(), record: Ok(record("pg", "1.0.0", &["postgres"])) },
                refused("libb.so", RefusalKind::Untrusted, "others can write to it"),
                refused("libserde.so", RefusalKind::NotADriver, "it has no metadata record"),
                refused("libmontrs_driver_x.so", RefusalKind::NotADriver, "it is empty"),
            ],
            others: 3,
            cut: true,
        });
        scan.directories.push(ScannedDirectory {
            path: "/none".into(),
            source: Source::Given,
            outcome: DirectoryOutcome::Missing,
        });
        scan.ignored.push(IgnoredSource { source: Source::User, reason: "the process is setuid".into() });
        let error = select(&scan, &scheme("mysql")).unwrap_err();
        assert_eq!(error.kind(), LoadErrorKind::NoDriver);
        let text = error.to_string();
        for part in [
            "`mysql:`",
            "/plugins (from MONTRS_PLUGINS): 1 driver, 1 library that is no driver, 3 entries of other kinds",
            "liba.so: pg 1.0.0 serves `postgres:`",
            "libb.so: not used: others can write to it",
            "libmontrs_driver_x.so: not used: it is empty",
            "/none (given by the application): it does not exist",
            "in the user's data directory, because the process is setuid",
            "montrs_driver_mysql",
            "MONTRS_PLUGINS",
        ] {
            assert!(text.contains(part), "{part:?} is not in:\n{text}");
        }
        assert!(!text.contains("libserde") && !text.contains("misspelt"), "{text}");
    }

    #[test]
    fn the_nearest_scheme_is_named_if_it_is_near() {
        let scan = scan(vec![record("pg", "1.0.0", &["postgresql", "postgres"]), record("s", "1.0.0", &["sqlite"])]);
        for (typed, near) in [("postgers", Some("postgres")), ("sqlite3", Some("sqlite")), ("mysql", None)] {
            assert_eq!(nearest(&scan, &scheme(typed)).map(Scheme::as_str), near, "{typed}");
        }
    }

    #[test]
    fn an_empty_search_path_is_said() {
        let scan = Scan { directories: vec![], ignored: vec![] };
        assert!(select(&scan, &scheme("toy")).unwrap_err().message().contains("search path is empty"));
    }
}
