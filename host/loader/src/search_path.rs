//! The directories in which drivers are looked for, in order.

use crate::privileges;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// The environment variable that names plugin directories, separated as in `PATH`.
pub const PLUGINS_VARIABLE: &str = "MONTRS_PLUGINS";

/// The directories in which drivers are looked for, in order, each with where it comes from.
///
/// The standard order is:
///
/// 1. directories given in code;
/// 2. the directories in [`MONTRS_PLUGINS`](PLUGINS_VARIABLE), separated as in `PATH`;
/// 3. `plugins` beside the executable;
/// 4. `montrs/plugins` in the user's data directory (`$XDG_DATA_HOME`, or else `~/.local/share`);
/// 5. `/usr/local/lib/montrs/plugins` and `/usr/lib/montrs/plugins`.
///
/// A process with raised privileges (setuid, setgid, file capabilities) leaves out 2 and 4, which the user who started
/// it controls; [`ignored`](Self::ignored) says so. A directory that is named twice is searched once, at its first
/// place.
#[derive(Clone, Debug)]
pub struct SearchPath {
    directories: Vec<SearchDirectory>,
    ignored: Vec<IgnoredSource>,
}

/// A directory of a [`SearchPath`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchDirectory {
    /// The directory, as an absolute path.
    pub path: PathBuf,
    /// Where it comes from.
    pub source: Source,
}

/// Where a directory of the search path comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// It was given in code, in a configuration file or on the command line.
    Given,
    /// The environment variable [`MONTRS_PLUGINS`](PLUGINS_VARIABLE).
    Environment,
    /// It is `plugins` beside the executable.
    Executable,
    /// It is in the user's data directory.
    User,
    /// It is a directory of the system.
    System,
}

/// A source of directories that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoredSource {
    /// What was left out.
    pub source: Source,
    /// Why, as the end of a sentence that starts with "because".
    pub reason: String,
}

impl SearchPath {
    /// The standard search path, without directories given in code.
    pub fn standard() -> Self {
        Self::with(std::iter::empty::<PathBuf>())
    }

    /// The given directories, then the rest of the standard search path.
    pub fn with(directories: impl IntoIterator<Item = impl Into<PathBuf>>) -> Self {
        Self::assemble(directories.into_iter().map(Into::into).collect(), Surroundings::of_this_process())
    }

    /// The given directories and no other.
    ///
    /// ```
    /// use montrs_driver_loader::SearchPath;
    /// let search_path = SearchPath::only(["/opt/app/plugins"]);
    /// assert_eq!(search_path.directories().len(), 1);
    /// ```
    pub fn only(directories: impl IntoIterator<Item = impl Into<PathBuf>>) -> Self {
        let mut search_path = Self { directories: Vec::new(), ignored: Vec::new() };
        search_path.extend(Source::Given, directories.into_iter().map(Into::into));
        search_path
    }

    /// The directories, in the order in which they are searched.
    pub fn directories(&self) -> &[SearchDirectory] {
        &self.directories
    }

    /// The sources that were left out, with the reason.
    pub fn ignored(&self) -> &[IgnoredSource] {
        &self.ignored
    }

    fn assemble(given: Vec<PathBuf>, surroundings: Surroundings) -> Self {
        let mut search_path = Self::only(given);
        let environment = surroundings.plugins_variable.iter().flat_map(std::env::split_paths);
        search_path.extend_unless(surroundings.raised, Source::Environment, environment);
        search_path.extend(
            Source::Executable,
            surroundings.executable.as_deref().and_then(Path::parent).map(|directory| directory.join("plugins")),
        );
        let user = surroundings.user_data.iter().map(|directory| directory.join("montrs/plugins"));
        search_path.extend_unless(surroundings.raised, Source::User, user);
        search_path.extend(Source::System, SYSTEM_DIRECTORIES.iter().map(PathBuf::from));
        search_path
    }

    fn extend_unless(&mut self, raised: Option<&str>, source: Source, directories: impl IntoIterator<Item = PathBuf>) {
        match raised {
            None => self.extend(source, directories),
            Some(reason) if directories.into_iter().next().is_some() => {
                self.ignored.push(IgnoredSource { source, reason: reason.into() });
            }
            Some(_) => {}
        }
    }

    fn extend(&mut self, source: Source, directories: impl IntoIterator<Item = PathBuf>) {
        for path in directories {
            // An empty entry means the current directory in `PATH`; here it is a slip, such as a trailing colon.
            if path.as_os_str().is_empty() {
                continue;
            }
            let path = std::path::absolute(&path).unwrap_or(path);
            let real = identity(&path);
            if !self.directories.iter().any(|earlier| identity(&earlier.path) == real) {
                self.directories.push(SearchDirectory { path, source });
            }
        }
    }
}

impl Default for SearchPath {
    fn default() -> Self {
        Self::standard()
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Given => "given by the application",
            Self::Environment => "from MONTRS_PLUGINS",
            Self::Executable => "beside the executable",
            Self::User => "in the user's data directory",
            Self::System => "of the system",
        })
    }
}

#[cfg(unix)]
const SYSTEM_DIRECTORIES: &[&str] = &["/usr/local/lib/montrs/plugins", "/usr/lib/montrs/plugins"];
#[cfg(not(unix))]
const SYSTEM_DIRECTORIES: &[&str] = &[];

/// What the standard search path is made of.
struct Surroundings {
    plugins_variable: Option<OsString>,
    executable: Option<PathBuf>,
    user_data: Option<PathBuf>,
    raised: Option<&'static str>,
}

impl Surroundings {
    fn of_this_process() -> Self {
        use etcetera::BaseStrategy;
        Self {
            plugins_variable: std::env::var_os(PLUGINS_VARIABLE),
            executable: std::env::current_exe().ok(),
            user_data: etcetera::choose_base_strategy().ok().map(|strategy| strategy.data_dir()),
            raised: privileges::raised(),
        }
    }
}

/// The same for two names of one directory.
fn identity(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.into())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn surroundings() -> Surroundings {
        Surroundings {
            plugins_variable: Some("/env/b:/env/a::/env/b:".into()),
            executable: Some("/opt/app/bin/app".into()),
            user_data: Some("/home/ada/.local/share".into()),
            raised: None,
        }
    }

    fn listed(search_path: &SearchPath) -> Vec<(&str, Source)> {
        search_path.directories().iter().map(|d| (d.path.to_str().unwrap(), d.source)).collect()
    }

    #[test]
    fn the_order_is_given_environment_executable_user_system() {
        let search_path = SearchPath::assemble(vec!["/given".into()], surroundings());
        assert_eq!(
            listed(&search_path),
            [
                ("/given", Source::Given),
                ("/env/b", Source::Environment),
                ("/env/a", Source::Environment),
                ("/opt/app/bin/plugins", Source::Executable),
                ("/home/ada/.local/share/montrs/plugins", Source::User),
                ("/usr/local/lib/montrs/plugins", Source::System),
                ("/usr/lib/montrs/plugins", Source::System),
            ]
        );
        assert!(search_path.ignored().is_empty());
    }

    #[test]
    fn raised_privileges_leave_out_what_the_user_controls_and_say_so() {
        let raised = Surroundings { raised: Some("the process is setuid"), ..surroundings() };
        let search_path = SearchPath::assemble(vec![], raised);
        let sources: Vec<Source> = search_path.directories().iter().map(|d| d.source).collect();
        assert_eq!(sources, [Source::Executable, Source::System, Source::System]);
        let ignored: Vec<Source> = search_path.ignored().iter().map(|i| i.source).collect();
        assert_eq!(ignored, [Source::Environment, Source::User]);
        assert!(search_path.ignored()[0].reason.contains("setuid"));
    }

    #[test]
    fn a_directory_with_two_names_is_searched_once_at_its_first_place() {
        let temp = tempfile::tempdir().unwrap();
        let (real, link) = (temp.path().join("real"), temp.path().join("link"));
        fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let search_path = SearchPath::only([link.clone(), real, link.join("../real")]);
        assert_eq!(listed(&search_path), [(link.to_str().unwrap(), Source::Given)]);
    }

    #[test]
    fn a_relative_directory_becomes_absolute() {
        let search_path = SearchPath::only(["plugins"]);
        assert_eq!(search_path.directories()[0].path, std::env::current_dir().unwrap().join("plugins"));
    }

    #[test]
    fn only_the_given_directories_means_no_other() {
        assert!(SearchPath::only(Vec::<PathBuf>::new()).directories().is_empty());
    }
}
