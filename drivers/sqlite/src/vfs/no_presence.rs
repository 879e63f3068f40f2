//! Where there is no handle that only stands for a file, its path is looked up each time.

use std::path::Path;

pub(super) struct Presence;

impl Presence {
    pub(super) fn of(_path: &Path) -> Option<Self> {
        None
    }

    pub(super) fn has_moved(&mut self, look_up: impl FnOnce() -> bool) -> bool {
        look_up()
    }
}
