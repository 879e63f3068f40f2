//! `montrs-db drivers`.

use crate::{args::DriversFormat, drivers_table, failure::Failure};
use montrs_orm::drivers::{
    Contents, DirectoryOutcome, DriverRecord, PanicStrategy, Refusal, Scan, ScannedDirectory, SearchPath,
};
use serde_json::{Value, json};
use std::{
    io::{self, Write},
    path::Path,
};

/// Lists what the search path holds, without opening any driver.
pub(crate) fn list(search_path: &SearchPath, format: DriversFormat) -> Result<(), Failure> {
    let scan = Scan::of(search_path);
    let text = match format {
        DriversFormat::Json => format!("{:#}\n", to_json(&scan)),
        DriversFormat::Table => drivers_table::text(&scan),
    };
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes())?;
    Ok(output.flush()?)
}

fn to_json(scan: &Scan) -> Value {
    let ignored =
        scan.ignored.iter().map(|ignored| json!({ "source": ignored.source.to_string(), "reason": ignored.reason }));
    json!({
        "directories": scan.directories.iter().map(directory).collect::<Vec<_>>(),
        "ignored": ignored.collect::<Vec<_>>(),
    })
}

fn directory(directory: &ScannedDirectory) -> Value {
    let nothing = Contents::default();
    let (state, refusal, contents) = match &directory.outcome {
        DirectoryOutcome::Missing => ("missing", None, &nothing),
        DirectoryOutcome::Refused(refusal) => ("refused", Some(refusal), &nothing),
        DirectoryOutcome::Searched(contents) => ("searched", None, contents),
    };
    let (mut drivers, mut refused) = (Vec::new(), Vec::new());
    for candidate in &contents.candidates {
        match &candidate.record {
            Ok(record) => drivers.push(driver(&candidate.path, record)),
            Err(refusal) => refused.push(refused_file(&candidate.path, refusal)),
        }
    }
    json!({
        "path": path(&directory.path),
        "source": directory.source.to_string(),
        "state": state,
        "reason": refusal.map(Refusal::reason),
        "mend": refusal.and_then(Refusal::mend),
        "drivers": drivers,
        "refused": refused,
        "other_entries": contents.others,
        "is_cut": contents.cut,
    })
}

fn driver(file: &Path, record: &DriverRecord) -> Value {
    json!({
        "name": record.name,
        "version": record.version.to_string(),
        "schemes": record.schemes.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "abi": record.abi.to_string(),
        "abi_min": record.abi_min.to_string(),
        "sdk": record.sdk,
        "target": record.target,
        "panic": match record.panic {
            PanicStrategy::Unwind => "unwind",
            PanicStrategy::Abort => "abort",
        },
        "traits": record.traits,
        "license": record.license,
        "description": record.description,
        "file": path(file),
        "incompatibility": record.incompatibility(),
    })
}

fn refused_file(file: &Path, refusal: &Refusal) -> Value {
    json!({
        "file": path(file),
        "kind": format!("{:?}", refusal.kind()),
        "reason": refusal.reason(),
        "mend": refusal.mend(),
    })
}

fn path(path: &Path) -> String {
    path.display().to_string()
}
