//! The metadata record: what a driver file says of itself without being run.
//!
//! Every driver library carries one record in a section of its own, such as [`SECTION_ELF`]. A host reads the section from
//! the file, so that it knows name, version, URL schemes and ABI of a driver before any of its code is mapped.
//!
//! The record is a sequence of `key=value` strings, each ended by a NUL byte: the form of the Linux kernel's
//! `.modinfo` section. The first string is [`MAGIC`]. Readers skip keys that they do not know, so keys can be added.

/// The section's name in an ELF library.
pub const SECTION_ELF: &str = ".montrs_driver";
/// The section's name in a Mach-O library, inside the segment `__DATA`.
pub const SECTION_MACHO: &str = "__montrs_driver";
/// The section's name in a PE library, where eight bytes are all there is.
pub const SECTION_PE: &str = ".montrs";

/// The first string of every record; the number grows when the form of the record changes.
pub const MAGIC: &str = "montrs-driver-record=1";

/// A record is never longer than this many bytes, so that a reader can refuse what is.
pub const MAX_LEN: usize = 16 * 1024;

/// The keys of a record.
pub mod key {
    /// The driver's name, such as `sqlite`. Required.
    pub const NAME: &str = "name";
    /// The driver's version, as Semantic Versioning 2.0 has it. Required.
    pub const VERSION: &str = "version";
    /// The URL schemes that the driver serves, separated by commas. Required.
    pub const SCHEMES: &str = "schemes";
    /// The version of the ABI that the driver was compiled against. Required.
    pub const ABI: &str = "abi";
    /// The oldest version of the ABI whose hosts can use the driver. Required.
    pub const ABI_MIN: &str = "abi-min";
    /// The version of the SDK, where the driver was made with one.
    pub const SDK: &str = "sdk";
    /// Architecture, operating system and environment, such as `x86_64-linux-gnu`. Required.
    pub const TARGET: &str = "target";
    /// The panic strategy: `unwind` or `abort`. Required: a driver that aborts cannot keep its panics to itself.
    pub const PANIC: &str = "panic";
    /// What is always true of the driver, as words separated by commas; see [`trait_word`](super::trait_word).
    pub const TRAITS: &str = "traits";
    /// The licence, as an SPDX expression.
    pub const LICENSE: &str = "license";
    /// One sentence for people.
    pub const DESCRIPTION: &str = "description";
}

/// The words that may stand under [`key::TRAITS`].
pub mod trait_word {
    /// Two copies of this driver's database library in one process must not have one database file open. The host
    /// keeps the copies apart: while databases of one version are open, another version of the driver is not used.
    pub const ONE_COPY_PER_PROCESS: &str = "one-copy-per-process";
}

/// The target that this crate is compiled for, in the form of [`key::TARGET`].
pub const TARGET: &str = {
    const PARTS: &[&str] = &[ARCH, "-", std::env::consts::OS, if ENV.is_empty() { "" } else { "-" }, ENV];
    const BYTES: [u8; concatenated_len(PARTS)] = concatenated(PARTS);
    match std::str::from_utf8(&BYTES) {
        Ok(text) => text,
        Err(_) => panic!("the names of targets are ASCII"),
    }
};

const ARCH: &str = std::env::consts::ARCH;

const ENV: &str = if cfg!(target_env = "gnu") {
    "gnu"
} else if cfg!(target_env = "musl") {
    "musl"
} else if cfg!(target_env = "msvc") {
    "msvc"
} else {
    ""
};

const fn concatenated_len(parts: &[&str]) -> usize {
    let mut len = 0;
    let mut i = 0;
    while i < parts.len() {
        len += parts[i].len();
        i += 1;
    }
    len
}

const fn concatenated<const N: usize>(parts: &[&str]) -> [u8; N] {
    let mut out = [0; N];
    let (mut at, mut i) = (0, 0);
    while i < parts.len() {
        at = copy(parts[i].as_bytes(), &mut out, at);
        i += 1;
    }
    out
}

const fn copy(from: &[u8], to: &mut [u8], mut at: usize) -> usize {
    let mut i = 0;
    while i < from.len() {
        to[at] = from[i];
        at += 1;
        i += 1;
    }
    at
}

/// The length of the record that [`encode`] makes of these fields.
pub const fn encoded_len(fields: &[(&str, &str)]) -> usize {
    let mut len = MAGIC.len() + 1;
    let mut i = 0;
    while i < fields.len() {
        len += fields[i].0.len() + fields[i].1.len() + 2;
        i += 1;
    }
    len
}

/// Makes a record at compile time; `N` must be [`encoded_len`] of the same fields.
///
/// ```
/// use montrs_driver_abi::record::{self, key};
/// const FIELDS: &[(&str, &str)] = &[(key::NAME, "toy"), (key::VERSION, "1.0.0")];
/// const RECORD: [u8; record::encoded_len(FIELDS)] = record::encode(FIELDS);
/// assert_eq!(record::parse(&RECORD).unwrap(), FIELDS);
/// ```
///
/// # Panics
///
/// At compile time, if a key or value contains a NUL byte or a key contains `=`, or if `N` is wrong.
pub const fn encode<const N: usize>(fields: &[(&str, &str)]) -> [u8; N] {
    let mut out = [0; N];
    let mut at = copy(MAGIC.as_bytes(), &mut out, 0) + 1;
    let mut i = 0;
    while i < fields.len() {
        let (key, value) = (fields[i].0.as_bytes(), fields[i].1.as_bytes());
        assert!(!contains(key, 0) && !contains(value, 0), "a record field contains a NUL byte");
        assert!(!contains(key, b'='), "a record key contains '='");
        at = copy(key, &mut out, at);
        out[at] = b'=';
        at = copy(value, &mut out, at + 1) + 1;
        i += 1;
    }
    assert!(at == N, "N is not the record's encoded length");
    out
}

const fn contains(bytes: &[u8], byte: u8) -> bool {
    let mut i = 0;
    while i < bytes.len() {
        if bytes[i] == byte {
            return true;
        }
        i += 1;
    }
    false
}

/// Reads a record, in the order of its fields.
///
/// Linkers may pad a section, so NUL bytes after the last field are skipped.
///
/// # Errors
///
/// A sentence that says what is wrong, when the bytes are not a record in the form that this version reads.
pub fn parse(section: &[u8]) -> Result<Vec<(&str, &str)>, String> {
    if section.len() > MAX_LEN {
        return Err(format!("its metadata record has {} bytes; {MAX_LEN} are allowed", section.len()));
    }
    let text = std::str::from_utf8(section).map_err(|e| format!("its metadata record is not UTF-8: {e}"))?;
    let Some(rest) = text.strip_prefix(MAGIC).and_then(|rest| rest.strip_prefix('\0')) else {
        let first: String = text.chars().take_while(|c| *c != '\0').take(40).collect();
        return Err(format!("its metadata record starts with {first:?} where {MAGIC:?} is expected"));
    };
    let Some(fields) = rest.trim_end_matches('\0').is_empty().then_some("").or(rest.strip_suffix('\0')) else {
        return Err("its metadata record ends in the middle of a field".into());
    };
    fields
        .trim_end_matches('\0')
        .split('\0')
        .filter(|field| !field.is_empty())
        .map(|field| {
            field.split_once('=').ok_or_else(|| format!("its metadata record has a field without '=': {field:?}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FIELDS: &[(&str, &str)] = &[(key::NAME, "toy"), (key::DESCRIPTION, "a = b, \"quoted\"\nline")];
    const RECORD: [u8; encoded_len(FIELDS)] = encode(FIELDS);

    #[test]
    fn a_record_reads_back_also_when_padded() {
        assert_eq!(parse(&RECORD).unwrap(), FIELDS);
        let mut padded = RECORD.to_vec();
        padded.extend([0; 7]);
        assert_eq!(parse(&padded).unwrap(), FIELDS);
    }

    #[test]
    fn a_record_cut_anywhere_is_an_error_or_has_fewer_fields() {
        for end in 0..RECORD.len() {
            if let Ok(fields) = parse(&RECORD[..end]) {
                assert!(fields.len() < FIELDS.len(), "cut at {end}: {fields:?}");
            }
        }
    }

    #[test]
    fn the_target_names_architecture_and_system() {
        assert!(TARGET.starts_with(std::env::consts::ARCH));
        assert!(TARGET.contains(std::env::consts::OS));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
            let mut framed = format!("{MAGIC}\0").into_bytes();
            framed.extend(bytes);
            let _ = parse(&framed);
        }
    }
}
