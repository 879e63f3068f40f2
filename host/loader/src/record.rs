//! What a driver says of itself, read from its file without running it.

use crate::{Refusal, RefusalKind, Scheme};
use montrs_driver_abi::record::{self, key};
use semver::Version;
use std::fmt;

/// The metadata record of a driver; see [`montrs_driver_abi::record`] for its form in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DriverRecord {
    /// The driver's name, such as `sqlite`.
    pub name: String,
    /// The driver's version.
    pub version: Version,
    /// The URL schemes that it serves, at least one.
    pub schemes: Vec<Scheme>,
    /// The version of the ABI that it was compiled against.
    pub abi: Version,
    /// The oldest version of the ABI whose hosts can use it.
    pub abi_min: Version,
    /// The version of the SDK, where it was made with one.
    pub sdk: Option<String>,
    /// Architecture, operating system and environment, such as `x86_64-linux-gnu`.
    pub target: String,
    /// What a panic does in it.
    pub panic: PanicStrategy,
    /// What is always true of it; see [`montrs_driver_abi::record::trait_word`].
    pub traits: Vec<String>,
    /// Its licence, as an SPDX expression.
    pub license: Option<String>,
    /// One sentence for people.
    pub description: Option<String>,
}

/// What a panic does in a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PanicStrategy {
    /// It unwinds, so the driver can turn it into an error.
    Unwind,
    /// It ends the process.
    Abort,
}

impl DriverRecord {
    /// Reads the record in the bytes of its section.
    ///
    /// # Errors
    ///
    /// A refusal of kind [`RefusalKind::Record`] whose sentence names the field that is missing or invalid.
    pub fn parse(section: &[u8]) -> Result<Self, Refusal> {
        Self::read(section).map_err(|reason| Refusal::new(RefusalKind::Record, reason))
    }

    /// Whether the driver serves URLs of this scheme.
    pub fn serves(&self, scheme: &Scheme) -> bool {
        self.schemes.contains(scheme)
    }

    /// Whether the driver has a trait, one of [`montrs_driver_abi::record::trait_word`].
    pub fn has_trait(&self, word: &str) -> bool {
        self.traits.iter().any(|own| own == word)
    }

    /// Why this application cannot use the driver, in one sentence; `None` if nothing in the record speaks against it.
    ///
    /// The comparison of the ABI's layouts, when the driver is opened, has the last word.
    pub fn incompatibility(&self) -> Option<String> {
        if self.target != record::TARGET {
            return Some(format!("it is made for {}, this application for {}", self.target, record::TARGET));
        }
        if self.panic == PanicStrategy::Abort {
            return Some(
                "it is compiled with `panic = \"abort\"`, so a panic in it would end the application; a driver needs \
                 `panic = \"unwind\"`"
                    .into(),
            );
        }
        let host = Version::parse(montrs_driver_abi::ABI_VERSION).expect("Cargo accepts only such versions");
        abi_incompatibility(&host, &self.abi, &self.abi_min)
    }

    fn read(section: &[u8]) -> Result<Self, String> {
        let fields = Fields(record::parse(section)?);
        fields.check_unique()?;
        Ok(Self {
            name: name(fields.required(key::NAME)?)?,
            version: fields.version(key::VERSION)?,
            schemes: schemes(fields.required(key::SCHEMES)?)?,
            abi: fields.version(key::ABI)?,
            abi_min: fields.version(key::ABI_MIN)?,
            sdk: fields.optional(key::SDK).map(printable),
            target: printable(fields.required(key::TARGET)?),
            panic: match fields.required(key::PANIC)? {
                "unwind" => PanicStrategy::Unwind,
                "abort" => PanicStrategy::Abort,
                other => return Err(format!("its panic strategy is {other:?}, which is neither unwind nor abort")),
            },
            traits: fields.optional(key::TRAITS).map(|words| list(words).map(printable).collect()).unwrap_or_default(),
            license: fields.optional(key::LICENSE).map(printable),
            description: fields.optional(key::DESCRIPTION).map(printable),
        })
    }
}

impl fmt::Display for DriverRecord {
    /// Name and version.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

/// Semantic Versioning's rule: below 1.0 a minor version breaks, from 1.0 on a major one.
fn abi_incompatibility(host: &Version, driver: &Version, driver_min: &Version) -> Option<String> {
    let same_line = host.major == driver.major && (host.major > 0 || host.minor == driver.minor);
    if !same_line {
        return Some(format!("it is made for version {driver} of the driver ABI, this application for {host}"));
    }
    host.cmp_precedence(driver_min)
        .is_lt()
        .then(|| format!("it needs version {driver_min} or later of the driver ABI, this application has {host}"))
}

struct Fields<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Fields<'a> {
    /// Two drivers linked into one library leave their two records in one section.
    fn check_unique(&self) -> Result<(), String> {
        for (i, (key, _)) in self.0.iter().enumerate() {
            if self.0[..i].iter().any(|(earlier, _)| earlier == key) {
                return Err(format!(
                    "its metadata record has the field {key:?} twice; a library contains exactly one driver"
                ));
            }
        }
        Ok(())
    }

    fn optional(&self, key: &str) -> Option<&'a str> {
        self.0.iter().find(|(own, _)| *own == key).map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    fn required(&self, key: &str) -> Result<&'a str, String> {
        self.optional(key).ok_or_else(|| format!("its metadata record lacks the field {key:?}"))
    }

    fn version(&self, key: &str) -> Result<Version, String> {
        let text = self.required(key)?;
        Version::parse(text).map_err(|e| format!("its metadata record has {text:?} as {key:?}: {e}"))
    }
}

fn name(text: &str) -> Result<String, String> {
    let valid = text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte));
    if valid {
        Ok(text.into())
    } else {
        Err(format!("its name is {text:?}; a name has at most 64 lower-case letters, digits, '-' and '_'"))
    }
}

fn schemes(text: &str) -> Result<Vec<Scheme>, String> {
    let mut schemes = Vec::new();
    for word in list(text) {
        let scheme = Scheme::new(word).ok_or_else(|| format!("its metadata record names {word:?} as a URL scheme"))?;
        if !schemes.contains(&scheme) {
            schemes.push(scheme);
        }
    }
    if schemes.is_empty() { Err("its metadata record names no URL scheme".into()) } else { Ok(schemes) }
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty())
}

/// Text of a file is shown on terminals, so it may not carry their escape sequences.
fn printable(text: &str) -> String {
    text.replace(char::is_control, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &[(&str, &str)] = &[
        (key::NAME, "toy"),
        (key::VERSION, "1.2.3"),
        (key::SCHEMES, "Toy, toy+tls,toy"),
        (key::ABI, montrs_driver_abi::ABI_VERSION),
        (key::ABI_MIN, montrs_driver_abi::ABI_MIN_VERSION),
        (key::TARGET, record::TARGET),
        (key::PANIC, "unwind"),
        (key::TRAITS, record::trait_word::ONE_COPY_PER_PROCESS),
        (key::DESCRIPTION, "a toy\u{1b}[31m"),
        ("from-the-future", "ignored"),
    ];

    fn section(fields: &[(&str, &str)]) -> Vec<u8> {
        let mut bytes = format!("{}\0", record::MAGIC).into_bytes();
        for (key, value) in fields {
            bytes.extend(format!("{key}={value}\0").bytes());
        }
        bytes
    }

    fn with(key: &str, value: &str) -> Result<DriverRecord, Refusal> {
        let fields: Vec<_> = VALID.iter().map(|(k, v)| (*k, if *k == key { value } else { v })).collect();
        DriverRecord::parse(&section(&fields))
    }

    #[test]
    fn a_complete_record_is_read() {
        let record = DriverRecord::parse(&section(VALID)).unwrap();
        assert_eq!(record.to_string(), "toy 1.2.3");
        assert_eq!(record.schemes.iter().map(Scheme::as_str).collect::<Vec<_>>(), ["toy", "toy+tls"]);
        assert!(record.serves(&Scheme::new("TOY").unwrap()));
        assert!(record.has_trait(record::trait_word::ONE_COPY_PER_PROCESS));
        assert_eq!(record.description.as_deref(), Some("a toy [31m"));
        assert_eq!(record.incompatibility(), None);
    }

    #[test]
    fn every_required_field_is_missed_by_name() {
        for key in [key::NAME, key::VERSION, key::SCHEMES, key::ABI, key::ABI_MIN, key::TARGET, key::PANIC] {
            let fields: Vec<_> = VALID.iter().copied().filter(|(own, _)| *own != key).collect();
            let refusal = DriverRecord::parse(&section(&fields)).unwrap_err();
            assert_eq!(refusal.kind(), RefusalKind::Record);
            assert!(refusal.reason().contains(&format!("{key:?}")), "{refusal}");
            assert!(with(key, " ").is_err());
        }
    }

    #[test]
    fn invalid_values_are_refused_with_the_value() {
        for (key, value) in [
            (key::NAME, "../evil"),
            (key::NAME, "Toy"),
            (key::VERSION, "1.2"),
            (key::SCHEMES, "toy,1toy"),
            (key::ABI, "one"),
            (key::ABI_MIN, ">=1"),
            (key::PANIC, "immediate"),
        ] {
            let refusal = with(key, value).unwrap_err();
            assert!(refusal.reason().contains(value.rsplit(',').next().unwrap()), "{refusal}");
        }
        assert!(with(key::SCHEMES, ",").unwrap_err().reason().contains("no URL scheme"));
    }

    #[test]
    fn two_records_in_one_section_are_refused() {
        let both: Vec<_> = VALID.iter().chain(VALID).copied().collect();
        assert!(DriverRecord::parse(&section(&both)).unwrap_err().reason().contains("exactly one driver"));
    }

    #[test]
    fn another_target_and_a_driver_that_aborts_are_incompatible() {
        let reason = with(key::TARGET, "pdp11-unix").unwrap().incompatibility().unwrap();
        assert!(reason.contains("pdp11-unix") && reason.contains(record::TARGET), "{reason}");
        assert!(with(key::PANIC, "abort").unwrap().incompatibility().unwrap().contains("unwind"));
    }

    #[test]
    fn abi_versions_are_compared_by_the_rules_of_semantic_versioning() {
        let version = |text| Version::parse(text).unwrap();
        for (host, driver, driver_min, compatible) in [
            ("0.1.0", "0.1.0", "0.1.0", true),
            ("0.1.0", "0.1.7", "0.1.0", true),
            ("0.1.0", "0.1.7", "0.1.5", false),
            ("0.1.0", "0.2.0", "0.1.0", false),
            ("0.2.0", "0.1.0", "0.1.0", false),
            ("1.0.0", "0.9.0", "0.9.0", false),
            ("1.0.0", "1.4.0", "1.0.0", true),
            ("1.0.0", "1.4.0", "1.3.0", false),
            ("1.4.0", "1.0.0", "1.0.0", true),
            ("2.0.0", "1.4.0", "1.0.0", false),
        ] {
            let reason = abi_incompatibility(&version(host), &version(driver), &version(driver_min));
            assert_eq!(reason.is_none(), compatible, "host {host}, driver {driver} from {driver_min}: {reason:?}");
        }
    }
}
