//! Looking for drivers: which files of the search path are drivers, found without running any of them.

use crate::{
    DriverRecord, IgnoredSource, Refusal, RefusalKind, SearchDirectory, SearchPath, Source, candidate, image, trust,
};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// No more libraries are read in one directory.
pub const MAX_CANDIDATES: usize = 1024;
/// No more entries of one directory are listed. Build directories have thousands.
pub const MAX_ENTRIES: usize = 65_536;

/// What a search path holds.
#[derive(Clone, Debug)]
pub struct Scan {
    /// The directories in the order of the search path.
    pub directories: Vec<ScannedDirectory>,
    /// The sources of directories that were left out.
    pub ignored: Vec<IgnoredSource>,
}

/// What one directory of the search path holds.
#[derive(Clone, Debug)]
pub struct ScannedDirectory {
    /// The directory.
    pub path: PathBuf,
    /// Where it comes from.
    pub source: Source,
    /// What came of looking into it.
    pub outcome: DirectoryOutcome,
}

/// What came of looking into a directory.
#[derive(Clone, Debug)]
pub enum DirectoryOutcome {
    /// There is no such directory.
    Missing,
    /// It was not looked into.
    Refused(Refusal),
    /// It was looked into.
    Searched(Contents),
}

/// What was found in a directory.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// The files that are named like a library of this system, in the order of their names.
    pub candidates: Vec<Candidate>,
    /// How many entries are named otherwise and were not looked at.
    pub others: usize,
    /// Whether there are more entries or libraries than [`MAX_ENTRIES`] and [`MAX_CANDIDATES`] allow.
    pub cut: bool,
}

/// A file that is named like a library.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The file.
    pub path: PathBuf,
    /// Its record, or why it is not used.
    pub record: Result<DriverRecord, Refusal>,
}

impl Scan {
    /// Looks for drivers in a search path.
    pub fn of(search_path: &SearchPath) -> Self {
        Self {
            directories: search_path.directories().iter().map(ScannedDirectory::look_into).collect(),
            ignored: search_path.ignored().to_vec(),
        }
    }

    /// The drivers, in the order of the search path, whether this application can use them or not.
    pub fn drivers(&self) -> impl Iterator<Item = (&Path, &DriverRecord)> {
        self.candidates().filter_map(|candidate| Some((&*candidate.path, candidate.record.as_ref().ok()?)))
    }

    /// The files that are named like a library and are not used, with the reason.
    pub fn refused(&self) -> impl Iterator<Item = (&Path, &Refusal)> {
        self.candidates().filter_map(|candidate| Some((&*candidate.path, candidate.record.as_ref().err()?)))
    }

    fn candidates(&self) -> impl Iterator<Item = &Candidate> {
        self.directories.iter().flat_map(|directory| match &directory.outcome {
            DirectoryOutcome::Searched(contents) => &contents.candidates[..],
            _ => &[],
        })
    }
}

impl ScannedDirectory {
    fn look_into(directory: &SearchDirectory) -> Self {
        Self { path: directory.path.clone(), source: directory.source, outcome: outcome(&directory.path) }
    }
}

/// Reads the record of one file that may be a driver.
pub(crate) fn read_record(path: &Path) -> Result<DriverRecord, Refusal> {
    image::record_of_file(candidate::open(path)?)
}

fn outcome(directory: &Path) -> DirectoryOutcome {
    match fs::metadata(directory) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return DirectoryOutcome::Missing,
        Err(e) => return DirectoryOutcome::Refused(unreadable(&e)),
        Ok(metadata) if !metadata.is_dir() => {
            let refusal = Refusal::new(RefusalKind::NotADirectory, "it is not a directory");
            return DirectoryOutcome::Refused(refusal);
        }
        Ok(_) => {}
    }
    match trust::check_directory(directory).and_then(|()| list(directory).map_err(|e| unreadable(&e))) {
        Ok(contents) => DirectoryOutcome::Searched(contents),
        Err(refusal) => DirectoryOutcome::Refused(refusal),
    }
}

fn list(directory: &Path) -> io::Result<Contents> {
    let mut contents = Contents::default();
    let mut paths = Vec::new();
    for (i, entry) in fs::read_dir(directory)?.enumerate() {
        if i == MAX_ENTRIES {
            contents.cut = true;
            break;
        }
        let path = entry?.path();
        if is_named_like_a_library(&path) {
            paths.push(path);
        } else {
            contents.others += 1;
        }
    }
    paths.sort();
    contents.cut |= paths.len() > MAX_CANDIDATES;
    paths.truncate(MAX_CANDIDATES);
    contents.candidates = paths.into_iter().map(|path| Candidate { record: read_record(&path), path }).collect();
    Ok(contents)
}

/// Hidden files are left out: copying tools write them first and rename them when they are whole.
fn is_named_like_a_library(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden && path.extension() == Some(OsStr::new(std::env::consts::DLL_EXTENSION))
}

fn unreadable(error: &io::Error) -> Refusal {
    Refusal::unreadable(format_args!("it cannot be read"), error)
}
