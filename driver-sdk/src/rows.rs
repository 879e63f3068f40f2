//! The slots of an open result.

use crate::{
    Batch, Connection, NextBatch,
    connection::{exclusive, lent},
    guard,
};
use montrs_driver_abi::{
    Reply as AbiReply, RowsObject, RowsVtable, RowsVtableRef,
    abi_stable::{prefix_type::WithMetadata, staticref},
};

struct Slots<C>(std::marker::PhantomData<C>);

impl<C: Connection> Slots<C> {
    staticref!(const TABLE: WithMetadata<RowsVtable> = WithMetadata::new(RowsVtable {
        next: next::<C>,
        close: close::<C>,
        drop: drop_rows::<C>,
    }));

    const VTABLE: RowsVtableRef = RowsVtableRef(Self::TABLE.as_prefix());
}

pub(crate) fn object<C: Connection>(rows: C::Rows) -> RowsObject {
    let data = Box::into_raw(Box::new(rows)).cast();
    // SAFETY: the slots cast `data` back to the rows that it points to, which are `Send`; calls do not overlap.
    unsafe { RowsObject::new(data, Slots::<C>::VTABLE) }
}

/// # Safety
///
/// As for [`exclusive`]: the host has exclusive access to the connection and with it to its open result.
unsafe fn rows<C: Connection>(rows: *mut ()) -> &'static mut C::Rows {
    // SAFETY: `object` made `rows` of a `C::Rows`; the rest is the caller's promise.
    unsafe { &mut *rows.cast() }
}

unsafe extern "C" fn next<C: Connection>(data: *mut (), connection: *mut (), batch: *mut Batch) -> AbiReply<NextBatch> {
    guard::slot(
        |next| next,
        || {
            // SAFETY: this table belongs to connections of type `C` and their results.
            let (connection, rows) = unsafe { (exclusive::<C>(connection), rows::<C>(data)) };
            // SAFETY: the host lends its batch, by the rules of this slot.
            let batch = unsafe { lent(batch) };
            connection.next(rows, batch)
        },
    )
}

unsafe extern "C" fn close<C: Connection>(data: *mut (), connection: *mut ()) -> AbiReply<()> {
    guard::slot(
        |()| (),
        || {
            // SAFETY: this table belongs to connections of type `C` and their results.
            let (connection, rows) = unsafe { (exclusive::<C>(connection), rows::<C>(data)) };
            connection.close_rows(rows)
        },
    )
}

unsafe extern "C" fn drop_rows<C: Connection>(rows: *mut ()) {
    // SAFETY: `object` made `rows` of a box, and this slot is called once.
    let rows: Box<C::Rows> = unsafe { Box::from_raw(rows.cast()) };
    guard::quietly(|| drop(rows));
}
