//! The drivers that were found, for people.

use crate::{
    printable,
    table::{Look, counted},
};
use montrs_orm::drivers::{Contents, DirectoryOutcome, DriverRecord, Refusal, Scan, ScannedDirectory};
use std::path::Path;

const HEADS: [&str; 7] = ["driver", "version", "schemes", "ABI", "target", "file", "description"];

/// What each directory holds, and what to do if nothing was found.
pub(crate) fn text(scan: &Scan) -> String {
    let look = Look::of_standard_output();
    let mut out: String = scan.directories.iter().map(|found| directory(found, look)).collect();
    for ignored in &scan.ignored {
        out.push_str(&format!("Ignored: directories {}, because {}\n", ignored.source, ignored.reason));
    }
    if scan.drivers().next().is_none() {
        out.push_str(
            "No driver was found. Copy a driver's library into one of these directories, or name its directory with \
             --plugins or in MONTRS_PLUGINS.\n",
        );
    }
    out
}

fn directory(directory: &ScannedDirectory, look: Look) -> String {
    let heading = format!("{} ({})", shown(&directory.path), directory.source);
    match &directory.outcome {
        DirectoryOutcome::Missing => format!("{heading}: it does not exist\n"),
        DirectoryOutcome::Refused(refusal) => format!("{heading}: not searched: {}\n", refused(refusal, "  ")),
        DirectoryOutcome::Searched(contents) => format!("{heading}: {}", searched(contents, look)),
    }
}

fn searched(contents: &Contents, look: Look) -> String {
    let drivers: Vec<(&Path, &DriverRecord)> = contents
        .candidates
        .iter()
        .filter_map(|candidate| Some((&*candidate.path, candidate.record.as_ref().ok()?)))
        .collect();
    let mut out = format!("{}\n", counted(drivers.len() as u64, "driver"));
    if !drivers.is_empty() {
        let mut table = look.table();
        table.set_header(HEADS.map(|name| look.head(name)));
        table.add_rows(drivers.iter().map(|(file, record)| fields(file, record)));
        out.push_str(&format!("{table}\n"));
    }
    for (file, record) in drivers {
        if let Some(reason) = record.incompatibility() {
            out.push_str(&format!("  {}: this program cannot use it: {}\n", name(file), printable::line(&reason)));
        }
    }
    for candidate in &contents.candidates {
        if let Err(refusal) = &candidate.record {
            out.push_str(&format!("  {}: not used: {}\n", name(&candidate.path), refused(refusal, "    ")));
        }
    }
    if contents.cut {
        out.push_str("  and more than are looked at\n");
    }
    out
}

fn fields(file: &Path, record: &DriverRecord) -> [String; 7] {
    let schemes: Vec<String> = record.schemes.iter().map(|scheme| format!("{scheme}:")).collect();
    [
        record.name.clone(),
        record.version.to_string(),
        schemes.join(" "),
        record.abi.to_string(),
        record.target.clone(),
        name(file),
        printable::line(record.description.as_deref().unwrap_or_default()).into_owned(),
    ]
}

/// The sentence, and the command that mends it on a line of its own, so that it can be copied.
fn refused(refusal: &Refusal, indent: &str) -> String {
    let reason = printable::line(refusal.reason());
    match refusal.mend() {
        Some(mend) => format!("{reason}; mend it with:\n{indent}{}", printable::line(mend)),
        None => reason.into_owned(),
    }
}

fn name(file: &Path) -> String {
    shown(Path::new(file.file_name().unwrap_or_default()))
}

fn shown(path: &Path) -> String {
    printable::line(&path.display().to_string()).into_owned()
}
