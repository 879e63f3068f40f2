//! A database, and the slots that it fills.

use crate::{Capability, Connection, Reply, connection, guard};
use montrs_driver_abi::{
    ConnectionObject, DatabaseObject, DatabaseVtable, DatabaseVtableRef, Reply as AbiReply,
    abi_stable::{prefix_type::WithMetadata, staticref},
};

/// What a URL stands for: parsed options, and what all connections share.
pub trait Database: Send + Sync + 'static {
    /// One session.
    type Connection: Connection;

    /// Opens a connection. Calls may overlap.
    fn connect(&self) -> Reply<'_, Self::Connection>;

    /// What the database can do, as a number that [`Capability`] documents; 0 for what is not known here, which is
    /// also what this method says unless you write your own.
    fn capability(&self, capability: Capability) -> u64 {
        let _ = capability;
        0
    }
}

struct Slots<D>(std::marker::PhantomData<D>);

impl<D: Database> Slots<D> {
    staticref!(const TABLE: WithMetadata<DatabaseVtable> = WithMetadata::new(DatabaseVtable {
        connect: connect::<D>,
        capability: capability::<D>,
        drop: drop_database::<D>,
    }));

    const VTABLE: DatabaseVtableRef = DatabaseVtableRef(Self::TABLE.as_prefix());
}

pub(crate) fn object<D: Database>(database: D) -> DatabaseObject {
    let data = Box::into_raw(Box::new(database)).cast();
    // SAFETY: the slots cast `data` back to the `D` that it points to, and `D` is `Send + Sync`.
    unsafe { DatabaseObject::new(data, Slots::<D>::VTABLE) }
}

unsafe extern "C" fn connect<D: Database>(database: *const ()) -> AbiReply<ConnectionObject> {
    guard::slot(connection::object::<D::Connection>, || {
        // SAFETY: `object` made `database` of a `D`, which by the ABI's rules outlives the reply's future.
        let database: &'static D = unsafe { &*database.cast() };
        database.connect()
    })
}

unsafe extern "C" fn capability<D: Database>(database: *const (), capability: Capability) -> u64 {
    // SAFETY: `object` made `database` of a `D`, and the host holds it during the call.
    let database: &D = unsafe { &*database.cast() };
    guard::catch(|| database.capability(capability)).unwrap_or(0)
}

unsafe extern "C" fn drop_database<D>(database: *mut ()) {
    // SAFETY: `object` made `database` of a `Box<D>`, and this slot is called once.
    let database: Box<D> = unsafe { Box::from_raw(database.cast()) };
    guard::quietly(|| drop(database));
}
