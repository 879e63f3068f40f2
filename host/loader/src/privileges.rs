//! Whether the process has more rights than the user who started it.
//!
//! Such a process must not take code from places that this user names.

/// Why the environment and the user's directories cannot be believed, as the end of a sentence that starts with
/// "because"; `None` in an ordinary process.
pub(crate) fn raised() -> Option<&'static str> {
    imp::raised()
}

#[cfg(unix)]
mod imp {
    use rustix::process::{getegid, geteuid, getgid, getuid};

    pub(super) fn raised() -> Option<&'static str> {
        if getuid() != geteuid() {
            return Some("the process runs with the rights of another user (setuid)");
        }
        if getgid() != getegid() {
            return Some("the process runs with the rights of another group (setgid)");
        }
        secure_execution().then_some("the process was started with raised privileges (file capabilities)")
    }

    /// What the C library's `secure_getenv` asks. Neither std nor the stable part of rustix offers it, and
    /// `/proc/self/auxv` is not readable in just those processes.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn secure_execution() -> bool {
        // SAFETY: `getauxval` takes any number, reads memory that the kernel filled before the process started, and
        // returns 0 for entries that are not there.
        let secure = unsafe { libc::getauxval(libc::AT_SECURE) };
        secure != 0
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn secure_execution() -> bool {
        false
    }
}

#[cfg(not(unix))]
mod imp {
    pub(super) fn raised() -> Option<&'static str> {
        None
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_test_runs_without_raised_privileges() {
        assert_eq!(super::raised(), None);
    }
}
