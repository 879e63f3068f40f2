//! Running commands that answer with rows, and ending what any command has open.

use crate::{
    backup::{self, Backup},
    blob::Blob,
    command::{Command, Copy, Place},
    error::{self, Circumstances, primary},
    governor,
    handle::Failure,
    image::Image,
    open,
    session::{Answer, Session, cancelled},
    upload::BlobWrite,
    vfs,
};
use libsqlite3_sys as ffi;
use montrs_driver_sdk::{
    Batch, Column, ColumnSet, Error, ErrorKind, Kind, NextBatch, Nullability, QueryOptions, Result, ValueRef,
};
use std::ffi::c_int;

/// What a session's open command is at. It uses the handle, and ends before that is closed.
pub(crate) enum Transfer {
    /// None is open.
    None,
    /// A copy to or from a file, whose rows tell how far it is.
    Copy(Backup, Circumstances),
    /// The bytes of a database; those before this one were given.
    Image(Image, usize),
    /// The bytes of a value from here to there.
    Blob(Blob, std::ops::Range<usize>),
    /// Bytes are taken that are to become this database.
    Deserialize(String, Image),
    /// Bytes are written over a value.
    BlobWrite(BlobWrite),
}

/// The most bytes of a row.
const CHUNK: usize = 64 * 1024;

impl Transfer {
    /// Whether bytes are being taken.
    pub(crate) fn is_upload(&self) -> bool {
        matches!(self, Self::Deserialize(..) | Self::BlobWrite(_))
    }

    /// Whether it has begun the transaction that is open.
    pub(crate) fn owns_transaction(&self) -> bool {
        matches!(self, Self::BlobWrite(write) if write.owns_transaction())
    }
}

impl Session {
    /// Runs a command up to its first batch.
    pub(crate) fn command(&mut self, command: Command, options: QueryOptions, batch: &mut Batch) -> Result<Answer> {
        self.enter()?;
        self.transaction.check()?;
        self.end_runs();
        let names: &[(&str, Kind)] = match &command {
            Command::Backup(_) | Command::Restore(_) => &[("remaining", Kind::I64), ("total", Kind::I64)],
            Command::Serialize { .. } | Command::BlobRead { .. } => &[("bytes", Kind::BYTES)],
        };
        self.transfer = match command {
            Command::Backup(copy) => self.copy(copy, true)?,
            Command::Restore(copy) => self.copy(copy, false)?,
            Command::Serialize { schema } => {
                // All of it is copied in one go.
                governor::leave_executor();
                Transfer::Image(Image::of(&self.handle, &schema).map_err(|failure| self.error(&failure))?, 0)
            }
            Command::BlobRead { value, offset, length } => {
                let blob = self.open_blob(&value, false)?;
                let end = length.map_or(blob.len(), |length| blob.len().min(offset.saturating_add(length)));
                Transfer::Blob(blob, offset.min(end)..end)
            }
        };
        let columns = ColumnSet::of(names.iter().map(|(name, kind)| Column {
            kind: *kind,
            nullability: Nullability::NOT_NULL,
            ..Column::named(*name)
        }));
        let NextBatch { finished, .. } = self.proceed(options.batch_bytes as usize, batch)?;
        Ok(Answer { columns, affected: 0, last_insert_id: None, is_finished: finished })
    }

    /// The next batch of a command.
    pub(crate) fn next_of_command(&mut self, batch: &mut Batch) -> Result<NextBatch> {
        self.enter()?;
        self.proceed(CHUNK, batch)
    }

    /// Ends a command early.
    pub(crate) fn close_command(&mut self) -> Result<()> {
        self.enter()?;
        self.end_transfer();
        Ok(())
    }

    /// One row, which is a step of a copy or some bytes.
    fn proceed(&mut self, most: usize, batch: &mut Batch) -> Result<NextBatch> {
        let most = most.clamp(1, CHUNK);
        let finished = match &mut self.transfer {
            Transfer::Copy(..) => self.copy_pages(batch),
            Transfer::Image(image, at) => {
                let rest = &image.bytes()[*at..];
                let chunk = &rest[..rest.len().min(most)];
                *at += chunk.len();
                let finished = chunk.len() == rest.len();
                push_bytes(batch, chunk).map(|()| finished)
            }
            Transfer::Blob(blob, rest) => {
                let mut chunk = vec![0; rest.len().min(most)];
                let read = blob.read(rest.start, &mut chunk);
                rest.start += chunk.len();
                let finished = rest.start >= rest.end;
                match read {
                    Ok(()) => push_bytes(batch, &chunk).map(|()| finished),
                    Err(code) => Err(self.blob_error(code)),
                }
            }
            Transfer::None | Transfer::Deserialize(..) | Transfer::BlobWrite(_) => {
                Err(Error::protocol("the result has ended"))
            }
        };
        if !matches!(finished, Ok(false)) {
            self.end_transfer();
        }
        Ok(NextBatch { affected: 0, finished: finished? })
    }

    /// Ends what is open. A value that is being written is as before.
    #[inline]
    pub(crate) fn end_transfer(&mut self) {
        if !matches!(self.transfer, Transfer::None) {
            self.give_up_transfer();
        }
    }

    #[cold]
    fn give_up_transfer(&mut self) {
        match std::mem::replace(&mut self.transfer, Transfer::None) {
            Transfer::BlobWrite(write) => self.undo_blob_write(write),
            other => drop(other),
        }
        self.after_transfer();
    }

    /// The caller's transaction, if there was one, may have ended with it.
    pub(crate) fn after_transfer(&mut self) {
        if self.handle.is_autocommit() {
            self.transaction.has_ended(false);
        }
        self.publish();
    }

    pub(crate) fn open_blob(&self, value: &Place, is_written: bool) -> Result<Blob> {
        Blob::open(&self.handle, value, is_written).map_err(|failure| {
            let mut error = self.error(&failure);
            if error.kind() == ErrorKind::QUERY {
                error.record_mut().kind = ErrorKind::DATA;
            }
            if failure.message.starts_with("cannot open value of type") {
                error = error.with_hint("a text or blob can be opened; to make room for one, store `zeroblob(n)`");
            }
            error
        })
    }

    pub(crate) fn blob_error(&self, code: c_int) -> Error {
        if primary(code) != ffi::SQLITE_ABORT {
            return self.error(&self.handle.failure(code));
        }
        let mut error = Error::new(ErrorKind::TRANSACTION_STATE, "the row was changed while its value was open")
            .with_hint("begin again, and leave the row alone until the end");
        error.record_mut().native_code = code.into();
        error
    }

    pub(crate) fn refuse_in_transaction(&self, command: &str) -> Result<()> {
        if self.handle.is_autocommit() {
            return Ok(());
        }
        let message = format!("`{command}` replaces the whole database, which cannot be done in a transaction");
        Err(Error::new(ErrorKind::TRANSACTION_STATE, message))
    }

    /// Begins a copy to a file, or from one.
    fn copy(&mut self, copy: Copy, is_backup: bool) -> Result<Transfer> {
        let Copy { schema, file, pages } = copy;
        if is_backup && backup::has_written(&self.handle, &schema) {
            let message = "`backup` copies what is committed, and the open transaction writes";
            return Err(Error::new(ErrorKind::TRANSACTION_STATE, message).with_hint("commit first"));
        }
        if !is_backup {
            self.refuse_in_transaction("restore")?;
        }
        if backup::file_of(&self.handle, &schema).is_some_and(|own| backup::is_same_file(&own, &file)) {
            let message = format!("{} is the database itself", file.display());
            return Err(Error::new(ErrorKind::PARAMETERS, message).with_hint("name another file"));
        }
        let database = match is_backup {
            true => file.display().to_string(),
            false => format!("{}, restored from {}", self.circumstances.database, file.display()),
        };
        let circumstances = Circumstances { database, busy_timeout: self.circumstances.busy_timeout };
        // That of the database, which is there.
        let file_system = vfs::wrapping(self.options.vfs.as_deref()).unwrap_or_default();
        let other = backup::open_file(&file, is_backup, file_system, self.watch.clone(), &circumstances)?;
        let begun = if is_backup {
            Backup::to_file(&self.handle, &schema, pages, other)
        } else {
            Backup::from_file(&self.handle, &schema, pages, other)
        };
        begun
            .map(|backup| Transfer::Copy(backup, circumstances.clone()))
            .map_err(|failure| error::error(&failure, &circumstances))
    }

    /// One step of a copy.
    fn copy_pages(&mut self, batch: &mut Batch) -> Result<bool> {
        let Transfer::Copy(backup, circumstances) = &mut self.transfer else {
            return Err(Error::protocol("no copy is open"));
        };
        // Each step waits anew for locks: between statements SQLite begins to count the attempts again, between steps not.
        self.handle.renew_watch();
        let finished = match backup.step() {
            Ok(finished) => finished,
            Err(_) if !self.watch.keep_running() => return Err(cancelled()),
            Err(code) => return Err(copy_error(code, backup, circumstances)),
        };
        let (remaining, total) = backup.progress();
        batch.clear(2);
        batch.push(ValueRef::I64(remaining))?;
        batch.push(ValueRef::I64(total))?;
        batch.end_row();
        Ok(finished)
    }
}

/// What a step failed with; SQLite says no more than the code.
fn copy_error(code: c_int, backup: &Backup, circumstances: &Circumstances) -> Error {
    let mut error = error::error(&Failure::general(code), circumstances);
    match error.kind() {
        // Of the database or of the file.
        ErrorKind::BUSY => {
            let message = format!("{} while copying ({})", error.record().message, circumstances.database);
            error.record_mut().message = message.into();
            error
        }
        _ if open::is_about_files_beside(code)
            && let Some(file) = backup.unreadable_source() =>
        {
            error.record_mut().kind = ErrorKind::CONNECTION;
            let hint = open::no_files_beside(&file);
            error
                .with_hint(format!("{hint}; copy it, with the file `-wal` if there is one, to where files can be made"))
        }
        ErrorKind::READ_ONLY => error.with_hint(
            "what is written cannot be, or has another page size and is in WAL mode or in memory: copy to a new file",
        ),
        _ => error,
    }
}

fn push_bytes(batch: &mut Batch, bytes: &[u8]) -> Result<()> {
    batch.clear(1);
    batch.push(ValueRef::Bytes(bytes))?;
    batch.end_row();
    Ok(())
}
