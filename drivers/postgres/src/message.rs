//! Messages from the server, read where they lie. Nothing in them is trusted.

use montrs_driver_sdk::{Error, ErrorKind, Result};

/// The first byte of a message from the server, by the names that PostgreSQL's documentation has for them.
pub(crate) mod tag {
    pub(crate) const AUTHENTICATION: u8 = b'R';
    pub(crate) const BACKEND_KEY_DATA: u8 = b'K';
    pub(crate) const BIND_COMPLETE: u8 = b'2';
    pub(crate) const CLOSE_COMPLETE: u8 = b'3';
    pub(crate) const COMMAND_COMPLETE: u8 = b'C';
    pub(crate) const COPY_DATA: u8 = b'd';
    pub(crate) const COPY_DONE: u8 = b'c';
    pub(crate) const COPY_IN_RESPONSE: u8 = b'G';
    pub(crate) const COPY_OUT_RESPONSE: u8 = b'H';
    pub(crate) const DATA_ROW: u8 = b'D';
    pub(crate) const EMPTY_QUERY_RESPONSE: u8 = b'I';
    pub(crate) const ERROR_RESPONSE: u8 = b'E';
    pub(crate) const NEGOTIATE_PROTOCOL_VERSION: u8 = b'v';
    pub(crate) const NO_DATA: u8 = b'n';
    pub(crate) const NOTICE_RESPONSE: u8 = b'N';
    pub(crate) const NOTIFICATION_RESPONSE: u8 = b'A';
    pub(crate) const PARAMETER_DESCRIPTION: u8 = b't';
    pub(crate) const PARAMETER_STATUS: u8 = b'S';
    pub(crate) const PARSE_COMPLETE: u8 = b'1';
    pub(crate) const PORTAL_SUSPENDED: u8 = b's';
    pub(crate) const READY_FOR_QUERY: u8 = b'Z';
    pub(crate) const ROW_DESCRIPTION: u8 = b'T';
}

/// Reads a message's body from its beginning. Every read is checked.
#[derive(Clone, Copy)]
pub(crate) struct Body<'a>(&'a [u8]);

impl<'a> Body<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// What was not read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.0
    }

    #[inline]
    pub(crate) fn bytes(&mut self, len: usize) -> Result<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(len).ok_or_else(cut_off)?;
        self.0 = rest;
        Ok(bytes)
    }

    #[inline]
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk::<N>().ok_or_else(cut_off)?;
        self.0 = rest;
        Ok(*bytes)
    }

    pub(crate) fn u8(&mut self) -> Result<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    #[inline]
    pub(crate) fn u16(&mut self) -> Result<u16> {
        self.array().map(u16::from_be_bytes)
    }

    #[inline]
    pub(crate) fn i32(&mut self) -> Result<i32> {
        self.array().map(i32::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// A value with its length before it; `None` is NULL.
    #[inline]
    pub(crate) fn value(&mut self) -> Result<Option<&'a [u8]>> {
        match self.i32()? {
            -1 => Ok(None),
            len => self.bytes(usize::try_from(len).map_err(|_| garbage("a value of negative length"))?).map(Some),
        }
    }

    /// Bytes that are ended by a NUL.
    pub(crate) fn c_bytes(&mut self) -> Result<&'a [u8]> {
        let len = self.0.iter().position(|byte| *byte == 0).ok_or_else(cut_off)?;
        let bytes = self.bytes(len)?;
        self.u8()?;
        Ok(bytes)
    }

    /// Text that is ended by a NUL. A server that cannot be talked to yet may write in any encoding.
    pub(crate) fn text(&mut self) -> Result<String> {
        self.c_bytes().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }
}

/// The server broke the protocol: nothing that comes after can be understood. Whoever has the session gives it up.
#[cold]
pub(crate) fn garbage(what: &str) -> Error {
    Error::new(ErrorKind::CONNECTION_LOST, format!("the server sent {what}, which is not PostgreSQL's protocol"))
}

#[cold]
fn cut_off() -> Error {
    garbage("a message that is shorter than it says")
}

/// A column of a RowDescription.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    pub(crate) name: String,
    /// The table that it is taken from; 0 for an expression.
    pub(crate) table: u32,
    /// The number of the column in that table.
    pub(crate) attribute: u16,
    pub(crate) type_oid: u32,
    /// 0 is text, 1 is binary.
    pub(crate) format: u16,
}

/// The columns of a RowDescription.
pub(crate) fn row_description(body: &[u8]) -> Result<Vec<Field>> {
    let mut body = Body::new(body);
    let count = body.u16()?;
    (0..count)
        .map(|_| {
            let name = body.text()?;
            let (table, attribute, type_oid) = (body.u32()?, body.u16()?, body.u32()?);
            // The length of the type and its modifier.
            body.bytes(6)?;
            Ok(Field { name, table, attribute, type_oid, format: body.u16()? })
        })
        .collect()
}

/// The types of a ParameterDescription.
pub(crate) fn parameter_description(body: &[u8]) -> Result<Box<[u32]>> {
    let mut body = Body::new(body);
    let count = body.u16()?;
    (0..count).map(|_| body.u32()).collect()
}

/// The tag of a CommandComplete, such as `INSERT 0 1`.
pub(crate) fn command_tag(body: &[u8]) -> Result<&str> {
    let tag = Body::new(body).c_bytes()?;
    std::str::from_utf8(tag).map_err(|_| garbage("a command tag that is not text"))
}

/// The number of rows in a tag that were changed, or returned.
pub(crate) fn affected(tag: &str) -> u64 {
    tag.rsplit(' ').next().and_then(|count| count.parse().ok()).unwrap_or(0)
}

/// Key and value of a ParameterStatus.
pub(crate) fn parameter_status(body: &[u8]) -> Result<(String, String)> {
    let mut body = Body::new(body);
    Ok((body.text()?, body.text()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_row_description_is_read() {
        let mut body = vec![0, 1];
        body.extend(b"id\0");
        body.extend([0, 0, 64, 1, 0, 2, 0, 0, 0, 23, 0, 4, 255, 255, 255, 255, 0, 1]);
        let fields = row_description(&body).unwrap();
        let id = Field { name: "id".into(), table: 16_385, attribute: 2, type_oid: 23, format: 1 };
        assert_eq!(fields, [id]);
        for end in 0..body.len() {
            assert!(row_description(&body[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn tags_are_counted() {
        for (tag, count) in
            [("INSERT 0 3", 3), ("UPDATE 7", 7), ("CREATE TABLE", 0), ("", 0), ("SELECT 18446744073709551616", 0)]
        {
            assert_eq!(affected(tag), count, "{tag}");
        }
    }

    #[test]
    fn a_value_has_a_length_or_is_null() {
        let mut body = Body::new(&[0, 0, 0, 1, 7, 255, 255, 255, 255, 255, 255, 255, 254]);
        assert_eq!(body.value().unwrap(), Some(&[7][..]));
        assert_eq!(body.value().unwrap(), None);
        assert!(body.value().is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = row_description(&bytes);
            let _ = parameter_description(&bytes);
            let _ = command_tag(&bytes).map(affected);
            let _ = parameter_status(&bytes);
        }
    }
}
