//! One database: what a URL stands for.

use crate::{Capability, ConnectionObject, Reply};
use abi_stable::StableAbi;

/// The slots of a database.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = DatabaseVtableRef, prefix_fields = DatabaseVtablePrefix)))]
pub struct DatabaseVtable {
    /// Opens a connection.
    ///
    /// Called by the host's pool from any thread; calls may overlap. The database outlives the future. The host owns
    /// the connection, which does not borrow from the database: either may be dropped first. An error leaves nothing
    /// behind; the host may try again.
    pub connect: unsafe extern "C" fn(database: *const ()) -> Reply<ConnectionObject>,

    /// What the database can do; 0 for what the driver does not know. What depends on the server's version is known
    /// after the first connection.
    ///
    /// Called from any thread; calls may overlap. Must be cheap: the host does not remember the answer.
    pub capability: unsafe extern "C" fn(database: *const (), capability: Capability) -> u64,

    /// Frees the database. Called once, from any thread, when no other call is under way. Must not block.
    #[sabi(last_prefix_field)]
    pub drop: unsafe extern "C" fn(database: *mut ()),
}

/// A database and its slots; dropping it calls `drop`.
#[repr(C)]
#[derive(StableAbi)]
pub struct DatabaseObject {
    data: *mut (),
    vtable: DatabaseVtableRef,
}

object!(DatabaseObject, DatabaseVtableRef, "a database", Send, Sync);
