//! The owner rule: code is taken only from files that nobody but the user and root can change.
//!
//! A file or directory is refused if it belongs to neither the effective user nor root, or if its group or others can
//! write to it. The same holds for every directory on the way from `/`, and for the owner of every symbolic link on
//! that way, because who can rename a directory can replace what is in it. One thing is allowed on the way that is not
//! allowed at its end: a directory with the sticky bit, such as `/tmp`, may be writable by all, because there nobody
//! can replace what belongs to the user or to root. OpenSSH's `StrictModes` is the model.
//!
//! The way is checked from the root downwards: once a directory has passed, nobody else can change what it leads to
//! while the rest is checked. The file at the end is judged by its open descriptor.
//!
//! Only Unix has this rule. On other systems everything passes, and who may write to the plugin directories is the
//! administrator's care.

use crate::Refusal;
use std::fs::Metadata;
use std::path::Path;

/// Checks a directory and the whole way to it; symbolic links on the way are followed.
pub(crate) fn check_directory(directory: &Path) -> Result<(), Refusal> {
    imp::check_way(directory, true)
}

/// Checks a directory in which the user is about to make one of their own.
pub(crate) fn check_way_to_new(directory: &Path) -> Result<(), Refusal> {
    imp::check_way(directory, false)
}

/// Checks the way to a file; the file itself is for [`check_open_file`].
pub(crate) fn check_way_to_file(file: &Path) -> Result<(), Refusal> {
    imp::check_way(file, true)
}

/// Checks the file itself; `metadata` comes from its open descriptor.
pub(crate) fn check_open_file(path: &Path, metadata: &Metadata) -> Result<(), Refusal> {
    imp::check_open_file(path, metadata)
}

#[cfg(unix)]
mod imp {
    use super::{Metadata, Path, Refusal};
    use crate::RefusalKind;
    use crate::refusal::shell_word;
    use std::ffi::OsString;
    use std::fs;
    use std::os::unix::fs::MetadataExt;
    use std::path::{Component, PathBuf};

    /// The kernel's own bound for one path.
    const MAX_LINKS: usize = 40;

    const GROUP_WRITE: u32 = 0o020;
    const OTHERS_WRITE: u32 = 0o002;
    const STICKY: u32 = 0o1000;

    /// `holds_files` says that the last directory holds what is judged, so that the sticky bit does not excuse it.
    pub(super) fn check_way(path: &Path, holds_files: bool) -> Result<(), Refusal> {
        let path = std::path::absolute(path).map_err(|e| unreadable(path, &e))?;
        let judge = Judge::of_this_process();
        let mut faults = Vec::new();
        let steps = walk(&path)?;
        let last_directory = steps.iter().rposition(|step| step.metadata.is_dir());
        for (i, step) in steps.iter().enumerate() {
            let on_the_way = !holds_files || Some(i) != last_directory;
            if step.metadata.is_symlink() {
                faults.extend(judge.owner(&step.path, &step.metadata));
            } else if step.metadata.is_dir() {
                faults.extend(judge.owner(&step.path, &step.metadata));
                let protected = on_the_way && step.metadata.mode() & STICKY != 0;
                faults.extend(if protected { None } else { judge.writers(&step.path, &step.metadata) });
            }
        }
        refuse(&path, faults, judge.user)
    }

    pub(super) fn check_open_file(path: &Path, metadata: &Metadata) -> Result<(), Refusal> {
        let judge = Judge::of_this_process();
        let faults = judge.owner(path, metadata).into_iter().chain(judge.writers(path, metadata)).collect();
        refuse(path, faults, judge.user)
    }

    /// A file, link or directory that a path goes through, by its own name, not that of what it points to.
    struct Step {
        path: PathBuf,
        metadata: Metadata,
    }

    /// Resolves an absolute path as the kernel does, and notes everything that it goes through in that order.
    fn walk(path: &Path) -> Result<Vec<Step>, Refusal> {
        let look_at = |path: &Path| -> Result<Step, Refusal> {
            let metadata = fs::symlink_metadata(path).map_err(|e| unreadable(path, &e))?;
            Ok(Step { path: path.to_path_buf(), metadata })
        };
        let mut at = PathBuf::from("/");
        let mut steps = vec![look_at(&at)?];
        let mut rest: Vec<OsString> = Vec::new();
        push_components(&mut rest, path);
        let mut links = 0;
        while let Some(component) = rest.pop() {
            if component == ".." {
                at.pop();
                continue;
            }
            let step = look_at(&at.join(&component))?;
            if step.metadata.is_symlink() {
                links += 1;
                if links > MAX_LINKS {
                    return Err(Refusal::new(RefusalKind::Unreadable, "it leads through too many symbolic links"));
                }
                let target = fs::read_link(&step.path).map_err(|e| unreadable(&step.path, &e))?;
                if target.is_absolute() {
                    at = PathBuf::from("/");
                }
                push_components(&mut rest, &target);
            } else {
                at.clone_from(&step.path);
            }
            steps.push(step);
        }
        Ok(steps)
    }

    fn push_components(rest: &mut Vec<OsString>, path: &Path) {
        rest.extend(path.components().rev().filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_os_string()),
            Component::ParentDir => Some("..".into()),
            _ => None,
        }));
    }

    struct Judge {
        user: u32,
    }

    impl Judge {
        fn of_this_process() -> Self {
            Self { user: rustix::process::geteuid().as_raw() }
        }

        fn owner(&self, path: &Path, metadata: &Metadata) -> Option<Fault> {
            let owner = metadata.uid();
            let link = metadata.is_symlink();
            (owner != 0 && owner != self.user).then(|| Fault::Owner { path: path.into(), owner, link })
        }

        fn writers(&self, path: &Path, metadata: &Metadata) -> Option<Fault> {
            let group = (metadata.mode() & GROUP_WRITE != 0).then_some(metadata.gid());
            let others = metadata.mode() & OTHERS_WRITE != 0;
            (group.is_some() || others).then(|| Fault::Writers { path: path.into(), group, others })
        }
    }

    enum Fault {
        Owner { path: PathBuf, owner: u32, link: bool },
        Writers { path: PathBuf, group: Option<u32>, others: bool },
    }

    impl Fault {
        fn path(&self) -> &Path {
            match self {
                Self::Owner { path, .. } | Self::Writers { path, .. } => path,
            }
        }

        /// The sentence, given the path that is judged because of this fault.
        fn sentence(&self, judged: &Path) -> String {
            let whose = self.path().display();
            let own = self.path() == judged;
            match self {
                Self::Owner { owner, .. } if own => format!("it belongs to user {owner}, not to you or root"),
                Self::Owner { owner, .. } => format!("{whose} belongs to user {owner}, not to you or root"),
                Self::Writers { group, others, .. } => {
                    let who = match (group, others) {
                        (Some(group), true) => format!("group {group} and all others"),
                        (Some(group), false) => format!("group {group}"),
                        (None, _) => "others".into(),
                    };
                    if own { format!("{who} can write to it") } else { format!("{who} can write to {whose}") }
                }
            }
        }
    }

    /// One refusal for all faults, whose command mends them all.
    fn refuse(judged: &Path, faults: Vec<Fault>, user: u32) -> Result<(), Refusal> {
        let Some(first) = faults.first() else { return Ok(()) };
        let mut reason = first.sentence(judged);
        if faults.len() > 1 {
            reason.push_str(&format!(", and {} more such fault(s) on the way to it", faults.len() - 1));
        }
        let mend = [
            command("chmod go-w", faults.iter().filter(|fault| matches!(fault, Fault::Writers { .. }))),
            command(
                &format!("chown {user}"),
                faults.iter().filter(|fault| matches!(fault, Fault::Owner { link: false, .. })),
            ),
            command(
                &format!("chown -h {user}"),
                faults.iter().filter(|fault| matches!(fault, Fault::Owner { link: true, .. })),
            ),
        ];
        let mend: Vec<String> = mend.into_iter().flatten().collect();
        Err(Refusal::new(RefusalKind::Untrusted, reason).mended_by(mend.join(" && ")))
    }

    fn command<'a>(command: &str, faults: impl Iterator<Item = &'a Fault>) -> Option<String> {
        let paths: Vec<String> = faults.map(|fault| shell_word(fault.path())).collect();
        (!paths.is_empty()).then(|| format!("{command} {}", paths.join(" ")))
    }

    fn unreadable(path: &Path, error: &std::io::Error) -> Refusal {
        Refusal::unreadable(format_args!("{} cannot be looked at", path.display()), error)
    }
}

#[cfg(not(unix))]
mod imp {
    use super::{Metadata, Path, Refusal};

    pub(super) fn check_way(_: &Path, _: bool) -> Result<(), Refusal> {
        Ok(())
    }

    pub(super) fn check_open_file(_: &Path, _: &Metadata) -> Result<(), Refusal> {
        Ok(())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::RefusalKind;
    use std::fs::{self, File, Permissions};
    use std::os::unix::fs::{PermissionsExt, chown, symlink};
    use std::path::PathBuf;

    /// A directory of this user alone, whatever the umask is.
    fn private_directory() -> tempfile::TempDir {
        tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir().unwrap()
    }

    fn make_directory(path: PathBuf, mode: u32) -> PathBuf {
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }

    fn make_file(path: PathBuf, mode: u32) -> File {
        let file = File::create(path).unwrap();
        file.set_permissions(Permissions::from_mode(mode)).unwrap();
        file
    }

    /// Another user's uid, where this test may give things away.
    fn another_user() -> Option<u32> {
        rustix::process::geteuid().is_root().then_some(65534)
    }

    #[test]
    fn a_directory_of_the_user_below_the_sticky_tmp_passes() {
        let temp = private_directory();
        check_directory(temp.path()).unwrap();
        check_directory(&temp.path().join("../").join(temp.path().file_name().unwrap())).unwrap();
    }

    #[test]
    fn a_directory_that_others_can_write_is_refused_with_the_command_that_mends_it() {
        let temp = private_directory();
        for mode in [0o775, 0o777, 0o757, 0o1777] {
            let open = make_directory(temp.path().join(format!("d{mode:o}")), mode);
            let refusal = check_directory(&open).unwrap_err();
            assert_eq!(refusal.kind(), RefusalKind::Untrusted);
            assert!(refusal.reason().ends_with("can write to it"), "{refusal}");
            assert_eq!(refusal.mend().unwrap(), format!("chmod go-w {}", open.display()));
        }
    }

    #[test]
    fn a_writable_directory_on_the_way_is_refused_unless_it_is_sticky() {
        let temp = private_directory();
        let parent = make_directory(temp.path().join("parent"), 0o777);
        let plugins = make_directory(parent.join("plugins"), 0o755);
        let refusal = check_directory(&plugins).unwrap_err();
        assert!(refusal.reason().contains(&format!("can write to {}", parent.display())), "{refusal}");
        assert_eq!(refusal.mend().unwrap(), format!("chmod go-w {}", parent.display()));
        fs::set_permissions(&parent, Permissions::from_mode(0o1777)).unwrap();
        check_directory(&plugins).unwrap();
        check_way_to_new(&parent).unwrap();
        assert!(check_directory(&parent).is_err());
    }

    #[test]
    fn one_command_mends_several_faults() {
        let temp = private_directory();
        let parent = make_directory(temp.path().join("parent"), 0o775);
        let plugins = make_directory(parent.join("plugins"), 0o775);
        let refusal = check_directory(&plugins).unwrap_err();
        assert_eq!(refusal.mend().unwrap(), format!("chmod go-w {} {}", parent.display(), plugins.display()));
    }

    #[test]
    fn a_link_is_judged_by_what_it_leads_through() {
        let temp = private_directory();
        let open = make_directory(temp.path().join("open"), 0o777);
        let plugins = make_directory(open.join("plugins"), 0o755);
        let link = temp.path().join("link");
        symlink(&plugins, &link).unwrap();
        assert!(check_directory(&link).unwrap_err().reason().contains("/open"));
        symlink("loop", temp.path().join("loop")).unwrap();
        assert!(check_directory(&temp.path().join("loop")).unwrap_err().reason().contains("too many symbolic links"));
    }

    #[test]
    fn what_belongs_to_another_user_is_refused_with_the_command_that_mends_it() {
        let Some(other) = another_user() else { return };
        let temp = private_directory();
        let plugins = make_directory(temp.path().join("plugins"), 0o755);
        let file = make_file(plugins.join("liba.so"), 0o644);
        chown(plugins.join("liba.so"), Some(other), None).unwrap();
        let refusal = check_open_file(&plugins.join("liba.so"), &file.metadata().unwrap()).unwrap_err();
        assert!(refusal.reason().contains("belongs to user 65534"), "{refusal}");
        assert_eq!(refusal.mend().unwrap(), format!("chown 0 {}", plugins.join("liba.so").display()));
        chown(&plugins, Some(other), None).unwrap();
        assert!(check_directory(&plugins).unwrap_err().mend().unwrap().starts_with("chown 0 "));
    }

    #[test]
    fn a_link_of_another_user_is_refused() {
        let Some(other) = another_user() else { return };
        let temp = private_directory();
        let plugins = make_directory(temp.path().join("plugins"), 0o755);
        let link = temp.path().join("link");
        symlink(&plugins, &link).unwrap();
        std::os::unix::fs::lchown(&link, Some(other), None).unwrap();
        assert_eq!(check_directory(&link).unwrap_err().mend().unwrap(), format!("chown -h 0 {}", link.display()));
    }

    #[test]
    fn a_file_that_others_can_write_is_refused() {
        let temp = private_directory();
        let path = temp.path().join("liba.so");
        for (mode, trusted) in [(0o644, true), (0o755, true), (0o400, true), (0o664, false), (0o646, false)] {
            let _ = fs::remove_file(&path);
            let file = make_file(path.clone(), mode);
            assert_eq!(check_open_file(&path, &file.metadata().unwrap()).is_ok(), trusted, "{mode:o}");
        }
    }
}
