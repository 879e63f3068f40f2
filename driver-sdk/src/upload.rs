//! The slots of a connection that takes an upload.

use crate::{Batch, Connection, Error, Params, Reply, connection::exclusive, guard};
use montrs_driver_abi::{
    Reply as AbiReply,
    abi_stable::std_types::{RSlice, RStr},
};

pub(crate) unsafe extern "C" fn begin<C: Connection>(
    connection: *mut (),
    name: RStr<'_>,
    parameters: Params<'_>,
) -> AbiReply<()> {
    guard::slot(
        |()| (),
        || {
            // SAFETY: the table that this is in belongs to connections of type `C`.
            unsafe { exclusive::<C>(connection) }.upload(name.as_str(), parameters)
        },
    )
}

pub(crate) unsafe extern "C" fn bytes<C: Connection>(connection: *mut (), bytes: RSlice<'_, u8>) -> AbiReply<()> {
    guard::slot(
        |()| (),
        || {
            // SAFETY: the table that this is in belongs to connections of type `C`.
            unsafe { exclusive::<C>(connection) }.upload_bytes(bytes.as_slice())
        },
    )
}

pub(crate) unsafe extern "C" fn rows<C: Connection>(connection: *mut (), rows: Batch) -> AbiReply<Batch> {
    guard::slot(
        |spare| spare,
        || {
            // SAFETY: the table that this is in belongs to connections of type `C`.
            let connection = unsafe { exclusive::<C>(connection) };
            match rows.check() {
                Ok(rows) => connection.upload_rows(rows),
                Err(error) => Reply::ready(Err(Error::protocol(error.to_string()))),
            }
        },
    )
}

pub(crate) unsafe extern "C" fn end<C: Connection>(connection: *mut ()) -> AbiReply<u64> {
    guard::slot(
        |count| count,
        || {
            // SAFETY: the table that this is in belongs to connections of type `C`.
            unsafe { exclusive::<C>(connection) }.upload_end()
        },
    )
}
