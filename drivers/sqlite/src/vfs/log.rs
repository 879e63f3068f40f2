//! The file of a write-ahead log, whose frames are written at once.
//!
//! SQLite writes a frame in two: a header of 24 bytes, then its page, which makes two calls of the system. Here the header of a
//! frame that goes on where the last one has ended is held back for a moment, and goes out with its page. Whatever else is done
//! with the file lets it go first. Nobody looks for a frame before SQLite has entered it into the index of the log, which is
//! after its page was written; and a header that was lost with its process is one of a transaction that was not committed.

use libsqlite3_sys as ffi;
use std::ffi::c_int;

/// The length of a frame's header.
const HEADER: usize = 24;

/// What is known of the writes to a log.
#[derive(Default)]
pub(super) struct Log {
    /// Where the last write has ended, if nothing else was done since. SQLite also rewrites headers alone, and reads the frame
    /// before: those must not be held back.
    end: Option<i64>,
    /// Whether the header in `frame` is held back; it belongs before `end`.
    holds_header: bool,
    /// A header, and behind it its page for as long as they are written.
    frame: Vec<u8>,
}

impl Log {
    /// Writes, or holds back the header of a frame. A header that could not be written is an error of what comes after it.
    pub(super) fn write(&mut self, bytes: &[u8], offset: i64, mut system: impl FnMut(&[u8], i64) -> c_int) -> c_int {
        let goes_on = self.end == Some(offset);
        let end = offset + bytes.len() as i64;
        if goes_on && !self.holds_header && bytes.len() == HEADER && self.frame.try_reserve(HEADER).is_ok() {
            self.frame.clear();
            self.frame.extend_from_slice(bytes);
            (self.holds_header, self.end) = (true, Some(end));
            return ffi::SQLITE_OK;
        }
        let code = if goes_on && self.holds_header && self.frame.try_reserve(bytes.len()).is_ok() {
            self.holds_header = false;
            self.frame.extend_from_slice(bytes);
            system(&self.frame, offset - HEADER as i64)
        } else {
            match self.let_go(&mut system) {
                ffi::SQLITE_OK => system(bytes, offset),
                code => code,
            }
        };
        self.end = (code == ffi::SQLITE_OK).then_some(end);
        code
    }

    /// Comes before anything else that is done with the file: writes the header that is held back.
    pub(super) fn let_go(&mut self, mut system: impl FnMut(&[u8], i64) -> c_int) -> c_int {
        let end = self.end.take();
        match end.filter(|_| std::mem::take(&mut self.holds_header)) {
            Some(end) => system(&self.frame, end - HEADER as i64),
            None => ffi::SQLITE_OK,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file, and how often it was written to.
    #[derive(Default)]
    struct File {
        bytes: Vec<u8>,
        writes: usize,
        code: c_int,
    }

    impl File {
        fn write(&mut self, bytes: &[u8], offset: i64) -> c_int {
            if self.code == ffi::SQLITE_OK {
                let end = offset as usize + bytes.len();
                self.bytes.resize(end.max(self.bytes.len()), 0);
                self.bytes[offset as usize..end].copy_from_slice(bytes);
                self.writes += 1;
            }
            self.code
        }
    }

    fn write(log: &mut Log, file: &mut File, byte: u8, len: usize, offset: i64) -> c_int {
        log.write(&vec![byte; len], offset, |bytes, offset| file.write(bytes, offset))
    }

    /// A log with its own header, which is written at once.
    fn begun() -> (Log, File) {
        let (mut log, mut file) = (Log::default(), File::default());
        assert_eq!(write(&mut log, &mut file, 1, 32, 0), ffi::SQLITE_OK);
        assert_eq!(file.writes, 1);
        (log, file)
    }

    #[test]
    fn a_frame_is_one_write() {
        let (mut log, mut file) = begun();
        for frame in 0..3 {
            let offset = 32 + frame * 536;
            assert_eq!(write(&mut log, &mut file, 2, HEADER, offset), ffi::SQLITE_OK);
            assert_eq!(write(&mut log, &mut file, 3, 512, offset + 24), ffi::SQLITE_OK);
        }
        assert_eq!(file.writes, 4);
        let frame = [vec![2; 24], vec![3; 512]].concat();
        assert_eq!(file.bytes, [vec![1; 32], frame.clone(), frame.clone(), frame].concat());
    }

    #[test]
    fn a_header_goes_out_before_anything_else_is_done() {
        let (mut log, mut file) = begun();
        write(&mut log, &mut file, 2, HEADER, 32);
        assert_eq!(file.bytes.len(), 32);
        assert_eq!(log.let_go(|bytes, offset| file.write(bytes, offset)), ffi::SQLITE_OK);
        assert_eq!(file.bytes, [vec![1; 32], vec![2; 24]].concat());
        // Not twice.
        log.let_go(|_, _| panic!("nothing is held back"));
        // A write elsewhere is something else.
        let (mut log, mut file) = begun();
        write(&mut log, &mut file, 2, HEADER, 32);
        write(&mut log, &mut file, 3, 8, 0);
        assert_eq!(file.bytes, [vec![3; 8], vec![1; 24], vec![2; 24]].concat());
        assert_eq!(file.writes, 3);
    }

    #[test]
    fn a_header_that_does_not_go_on_from_a_write_is_written_at_once() {
        // As SQLite rewrites them: it reads the frame before, and no page comes after.
        let (mut log, mut file) = begun();
        log.let_go(|_, _| panic!("nothing is held back"));
        write(&mut log, &mut file, 2, HEADER, 32);
        assert_eq!(file.writes, 2);
        let (mut log, mut file) = begun();
        write(&mut log, &mut file, 2, HEADER, 100);
        assert_eq!(file.writes, 2);
    }

    #[test]
    fn a_header_that_cannot_be_written_is_an_error_of_what_comes_next() {
        for next in [ffi::SQLITE_FULL, ffi::SQLITE_IOERR_WRITE] {
            let (mut log, mut file) = begun();
            write(&mut log, &mut file, 2, HEADER, 32);
            file.code = next;
            assert_eq!(write(&mut log, &mut file, 3, 512, 56), next);
            let (mut log, mut file) = begun();
            write(&mut log, &mut file, 2, HEADER, 32);
            file.code = next;
            assert_eq!(log.let_go(|bytes, offset| file.write(bytes, offset)), next);
            assert_eq!(write(&mut log, &mut file, 3, 512, 56), next);
        }
    }
}
