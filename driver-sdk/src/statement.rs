//! The slots of a statement.

use crate::{
    Batch, Connection, Description, Error, Fetched, ManyReply, Params, QueryOptions, Reply,
    connection::{exclusive, lent},
    guard, rows,
};
use montrs_driver_abi::{
    QueryReply, Reply as AbiReply, StatementObject, StatementVtable, StatementVtableRef,
    abi_stable::{prefix_type::WithMetadata, staticref, std_types::RStr},
};

struct Slots<C>(std::marker::PhantomData<C>);

impl<C: Connection> Slots<C> {
    staticref!(const TABLE: WithMetadata<StatementVtable> = WithMetadata::new(StatementVtable {
        query: query::<C>,
        query_many: query_many::<C>,
        describe: describe::<C>,
        drop: drop_statement::<C>,
    }));

    const VTABLE: StatementVtableRef = StatementVtableRef(Self::TABLE.as_prefix());
}

pub(crate) fn object<C: Connection>(statement: C::Statement) -> StatementObject {
    let data = Box::into_raw(Box::new(statement)).cast();
    // SAFETY: the slots cast `data` back to the statement that it points to, which is `Send`; calls do not overlap.
    unsafe { StatementObject::new(data, Slots::<C>::VTABLE) }
}

/// # Safety
///
/// As for [`exclusive`]: the host has exclusive access to the connection and with it to its statements.
pub(crate) unsafe fn statement<C: Connection>(statement: *mut ()) -> &'static mut C::Statement {
    // SAFETY: `object` made `statement` of a `C::Statement`; the rest is the caller's promise.
    unsafe { &mut *statement.cast() }
}

unsafe extern "C" fn query<C: Connection>(
    data: *mut (),
    connection: *mut (),
    parameters: Params<'_>,
    options: QueryOptions,
    batch: *mut Batch,
) -> AbiReply<QueryReply> {
    guard::slot(query_reply::<C>, || {
        // SAFETY: this table belongs to connections of type `C` and their statements.
        let (connection, statement) = unsafe { (exclusive::<C>(connection), statement::<C>(data)) };
        // SAFETY: the host lends its batch, by the rules of this slot.
        let batch = unsafe { lent(batch) };
        connection.query(statement, parameters, options, batch)
    })
}

/// A slot of a connection whose answer is that of a query.
pub(crate) unsafe extern "C" fn query_once<C: Connection>(
    connection: *mut (),
    sql: RStr<'_>,
    options: QueryOptions,
    batch: *mut Batch,
) -> AbiReply<QueryReply> {
    guard::slot(query_reply::<C>, || {
        // SAFETY: the host lends its batch, by the rules of this slot.
        let batch = unsafe { lent(batch) };
        // SAFETY: the table that this is in belongs to connections of type `C`.
        unsafe { exclusive::<C>(connection) }.query_once(sql.as_str(), options, batch)
    })
}

/// Another one.
pub(crate) unsafe extern "C" fn command<C: Connection>(
    connection: *mut (),
    name: RStr<'_>,
    parameters: Params<'_>,
    options: QueryOptions,
    batch: *mut Batch,
) -> AbiReply<QueryReply> {
    guard::slot(query_reply::<C>, || {
        // SAFETY: the host lends its batch, by the rules of this slot.
        let batch = unsafe { lent(batch) };
        // SAFETY: the table that this is in belongs to connections of type `C`.
        unsafe { exclusive::<C>(connection) }.command(name.as_str(), parameters, options, batch)
    })
}

unsafe extern "C" fn query_many<C: Connection>(data: *mut (), connection: *mut (), rows: Batch) -> AbiReply<ManyReply> {
    guard::slot(
        |reply| reply,
        || {
            // SAFETY: this table belongs to connections of type `C` and their statements.
            let (connection, statement) = unsafe { (exclusive::<C>(connection), statement::<C>(data)) };
            match rows.check() {
                Ok(rows) => connection.query_many(statement, rows),
                Err(error) => Reply::ready(Err(Error::protocol(error.to_string()))),
            }
        },
    )
}

fn query_reply<C: Connection>(fetched: Fetched<C::Rows>) -> QueryReply {
    QueryReply {
        columns: fetched.columns,
        affected: fetched.affected,
        last_insert_id: fetched.last_insert_id.into(),
        rows: fetched.rows.map(rows::object::<C>).into(),
    }
}

unsafe extern "C" fn describe<C: Connection>(data: *mut (), connection: *mut ()) -> AbiReply<Description> {
    guard::slot(
        |description| description,
        || {
            // SAFETY: this table belongs to connections of type `C` and their statements.
            let (connection, statement) = unsafe { (exclusive::<C>(connection), statement::<C>(data)) };
            connection.describe(statement)
        },
    )
}

unsafe extern "C" fn drop_statement<C: Connection>(statement: *mut ()) {
    // SAFETY: `object` made `statement` of a box, and this slot is called once.
    let statement: Box<C::Statement> = unsafe { Box::from_raw(statement.cast()) };
    guard::quietly(|| drop(statement));
}
