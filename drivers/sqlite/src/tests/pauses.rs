//! Where work on an executor's thread stops.

use super::*;
use crate::coroutine::{Fiber, Pause, Place, Step};

#[test]
fn a_commit_leaves_the_executor_before_it_waits_for_the_disk() {
    for journal in ["delete", "wal"] {
        let file = TestFile::new();
        let mut session = file.open(&format!("journal_mode={journal}&synchronous=full"));
        setup(&mut session, &["CREATE TABLE t (x)"]);
        let mut step = Fiber::new(session)
            .unwrap()
            .start(Place::Executor, |session| query(session, "INSERT INTO t VALUES (1)", &[]).map(|ran| ran.affected));
        let mut has_left = false;
        loop {
            match step {
                Step::Ended(_, result) => {
                    assert_eq!(result.unwrap().unwrap(), 1);
                    break;
                }
                Step::Paused(running, Pause::Syncing) => {
                    has_left = true;
                    step = running.go_on(Place::Thread);
                }
                Step::Paused(running, _) => step = running.go_on(Place::Executor),
            }
        }
        assert!(has_left, "{journal}");
    }
}
