//! Who may use a file with a secret, by libpq's rules.

use std::fs::Metadata;

/// Whether anybody but its owner may.
pub(crate) fn others_may_use(metadata: &Metadata) -> bool {
    mode(metadata) & 0o077 != 0
}

/// The same of a private key. One of the system administrator's may be readable by a group, which the program is in.
pub(crate) fn others_may_use_key(metadata: &Metadata) -> bool {
    let forbidden = if is_of_root(metadata) { 0o037 } else { 0o077 };
    mode(metadata) & forbidden != 0
}

#[cfg(unix)]
fn mode(metadata: &Metadata) -> u32 {
    std::os::unix::fs::MetadataExt::mode(metadata)
}

#[cfg(unix)]
fn is_of_root(metadata: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::uid(metadata) == 0
}

#[cfg(not(unix))]
fn mode(_metadata: &Metadata) -> u32 {
    0
}

#[cfg(not(unix))]
fn is_of_root(_metadata: &Metadata) -> bool {
    false
}
