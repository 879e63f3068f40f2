//! The message that binds parameters, written straight to the buffer that is sent.

use crate::{encode::Format, types::Form};
use bytes::{BufMut, BytesMut};
use montrs_driver_sdk::{Error, ErrorKind, Result};
use std::ops::Range;

/// Appends a Bind of the unnamed portal. Returns where in the buffer the parameters are.
pub(crate) fn bind(
    out: &mut BytesMut,
    statement: &str,
    forms: &[Form],
    parameters: impl FnOnce(&mut BytesMut) -> Result<()>,
) -> Result<Range<usize>> {
    out.put_u8(b'B');
    let start = out.len();
    out.put_i32(0);
    // The portal's name is empty.
    out.put_u8(0);
    out.put_slice(statement.as_bytes());
    out.put_u8(0);
    let first = out.len();
    parameters(out)?;
    let range = first..out.len();
    formats(out, forms);
    let len = i32::try_from(out.len() - start)
        .map_err(|_| Error::new(ErrorKind::TOO_LARGE, "parameters of 2 GiB or more"))?;
    out[start..start + 4].copy_from_slice(&len.to_be_bytes());
    Ok(range)
}

/// Appends so many parameters: their formats, then their values, each of which `write` appends.
pub(crate) fn parameters(
    out: &mut BytesMut,
    count: usize,
    mut write: impl FnMut(usize, &mut BytesMut) -> Result<Format>,
) -> Result<()> {
    let number = u16::try_from(count)
        .map_err(|_| Error::new(ErrorKind::PARAMETERS, format!("{count} parameters; 65535 is the most")))?;
    out.put_u16(number);
    let formats = out.len();
    out.put_bytes(0, count * 2);
    out.put_u16(number);
    for index in 0..count {
        let format = write(index, out)?;
        out[formats + index * 2 + 1] = format as u8;
    }
    Ok(())
}

/// The formats of the columns: one for all where they are the same.
fn formats(out: &mut BytesMut, forms: &[Form]) {
    let first = forms.first().is_some_and(|form| form.is_binary());
    if forms.iter().all(|form| form.is_binary() == first) {
        out.put_u16(1);
        return out.put_u16(first.into());
    }
    out.put_u16(forms.len() as u16);
    for form in forms {
        out.put_u16(form.is_binary().into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{OTHER, Reader};

    #[test]
    fn a_bind_has_its_parameters_where_it_says() {
        let mut out = BytesMut::from(&b"before"[..]);
        let forms = [Form::One(Reader::Int4), Form::One(OTHER)];
        let range = bind(&mut out, "s1", &forms, |out| {
            parameters(out, 2, |index, out| {
                out.put_i32(1);
                out.put_u8(index as u8);
                Ok(if index == 0 { Format::Text } else { Format::Binary })
            })
        })
        .unwrap();
        let expected = [0, 2, 0, 0, 0, 1, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1];
        assert_eq!(out[range], expected);
        let mut message = b"beforeB\0\0\0\x20\0s1\0".to_vec();
        message.extend(expected);
        message.extend([0, 2, 0, 1, 0, 0]);
        assert_eq!(out[..], message);
    }

    #[test]
    fn formats_that_are_the_same_are_said_once() {
        for (forms, expected) in [
            (&[][..], &[0, 1, 0, 0][..]),
            (&[Form::One(Reader::Int4); 3], &[0, 1, 0, 1]),
            (&[Form::One(OTHER); 2], &[0, 1, 0, 0]),
        ] {
            let mut out = BytesMut::new();
            formats(&mut out, forms);
            assert_eq!(out[..], *expected);
        }
    }
}
