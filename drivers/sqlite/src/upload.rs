//! Taking bytes in: what a command of that kind does with them.

use crate::{
    blob::Blob,
    command::{Place, UploadCommand},
    image::Image,
    options,
    session::Session,
    transfer::Transfer,
};
use montrs_driver_sdk::{Error, ErrorKind, Result};

/// A value that is being written, inside a savepoint.
pub(crate) struct BlobWrite {
    blob: Blob,
    /// Where the next byte goes.
    at: usize,
    written: u64,
    /// Whether the savepoint is also the transaction.
    is_alone: bool,
}

impl BlobWrite {
    /// Whether it has begun the transaction that is open.
    pub(crate) fn owns_transaction(&self) -> bool {
        self.is_alone
    }
}

/// Around what writes without a statement of the caller's.
const SAVEPOINT: &str = "SAVEPOINT montrs_upload";
const RELEASE: &str = "RELEASE montrs_upload";
const ROLLBACK_TO: &str = "ROLLBACK TO montrs_upload";

impl Session {
    /// Begins an upload.
    pub(crate) fn upload(&mut self, command: UploadCommand) -> Result<()> {
        self.enter()?;
        self.transaction.check()?;
        self.end_runs();
        match command {
            UploadCommand::Deserialize { schema } => {
                if self.options.place != options::Place::Memory {
                    let message = "`deserialize` replaces a database in memory, and this connection is to a file";
                    return Err(Error::new(ErrorKind::UNSUPPORTED, message).with_hint(
                        "connect to `sqlite::memory:`; to replace a file's content, use the command `restore`",
                    ));
                }
                self.refuse_in_transaction("deserialize")?;
                self.transfer = Transfer::Deserialize(schema, Image::empty());
                Ok(())
            }
            UploadCommand::BlobWrite { value, offset } => self.begin_blob_write(&value, offset),
        }
    }

    /// Takes the next bytes of the upload.
    pub(crate) fn upload_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.enter()?;
        let result = match &mut self.transfer {
            Transfer::Deserialize(_, image) => image.push(bytes).map_err(|failure| self.error(&failure)),
            Transfer::BlobWrite(write) => {
                let room = write.blob.len().saturating_sub(write.at);
                if bytes.len() > room || write.at > write.blob.len() {
                    let message = format!(
                        "the value has {} bytes, and {} bytes were written from byte {} on",
                        write.blob.len(),
                        write.written + bytes.len() as u64,
                        write.at as u64 - write.written,
                    );
                    Err(Error::new(ErrorKind::TOO_LARGE, message).with_hint(
                        "a value that is written in place does not grow: store `zeroblob(n)` with its final size first",
                    ))
                } else if let Err(code) = write.blob.write(write.at, bytes) {
                    Err(self.blob_error(code))
                } else {
                    write.at += bytes.len();
                    write.written += bytes.len() as u64;
                    Ok(())
                }
            }
            _ => Err(Error::protocol("no upload is open")),
        };
        if result.is_err() {
            self.end_transfer();
        }
        result
    }

    /// Ends the upload, and tells how many bytes it took.
    pub(crate) fn upload_end(&mut self) -> Result<u64> {
        self.enter()?;
        match std::mem::replace(&mut self.transfer, Transfer::None) {
            Transfer::Deserialize(schema, image) => self.deserialize(&schema, image),
            Transfer::BlobWrite(BlobWrite { blob, written, .. }) => {
                drop(blob);
                let released = self.control(RELEASE);
                if released.is_err() {
                    self.undo_savepoint();
                }
                self.after_transfer();
                released.map(|()| written)
            }
            other => {
                self.transfer = other;
                Err(Error::protocol("no upload is open"))
            }
        }
    }

    /// Makes a value as it was before it was written.
    pub(crate) fn undo_blob_write(&self, write: BlobWrite) {
        drop(write.blob);
        self.undo_savepoint();
    }

    fn undo_savepoint(&self) {
        // SQLite may have rolled back by itself. What fails here is made up for by the rollback of a reset.
        for sql in [ROLLBACK_TO, RELEASE] {
            if !self.handle.is_autocommit() {
                let _ = self.handle.execute(sql);
            }
        }
    }

    fn begin_blob_write(&mut self, value: &Place, offset: usize) -> Result<()> {
        if self.transaction.is_read_only() {
            return Err(crate::error::in_read_only_transaction("`blob_write`"));
        }
        let is_alone = self.handle.is_autocommit();
        self.control(SAVEPOINT)?;
        match self.open_blob(value, true) {
            Ok(blob) => {
                self.transfer = Transfer::BlobWrite(BlobWrite { blob, at: offset, written: 0, is_alone });
                self.publish();
                Ok(())
            }
            Err(error) => {
                self.undo_savepoint();
                self.after_transfer();
                Err(error)
            }
        }
    }

    fn deserialize(&mut self, schema: &str, mut image: Image) -> Result<u64> {
        let len = image.bytes().len() as u64;
        image.check().map_err(|failure| {
            let message = format!("the {len} bytes are no database, or a damaged one: {}", failure.message);
            let mut error = Error::new(ErrorKind::CORRUPT, message);
            error.record_mut().native_code = failure.code.into();
            error.with_hint("upload all bytes of a database file, or of the command `serialize`; nothing was changed")
        })?;
        image.become_database(&self.handle, schema).map_err(|failure| self.error(&failure))?;
        Ok(len)
    }
}
