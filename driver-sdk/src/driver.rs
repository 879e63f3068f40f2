//! The trait at the root of a driver, and the slots that it fills.

use crate::{Database, Host, Reply, database, guard};
use montrs_driver_abi::{
    DatabaseObject, DriverModule, DriverModuleRef, HostServices, Reply as AbiReply,
    abi_stable::{
        prefix_type::WithMetadata,
        staticref,
        std_types::{RStr, RString},
    },
};

/// A database driver. One implementation a library, exported with [`export_driver!`](crate::export_driver).
pub trait Driver: 'static {
    /// What a URL stands for.
    type Database: Database;

    /// Reads the URL's options and prepares what all connections share.
    ///
    /// Whether the database can be reached shows at the first [`Database::connect`]. An unknown option is an error
    /// of kind [`CONFIGURATION`](crate::ErrorKind::CONFIGURATION) that lists the known ones.
    ///
    /// `host` is bound to the runtime that opens the database; clone it into connections that need it.
    fn open(url: &str, host: Host) -> Reply<'static, Self::Database>;

    /// The URL with every secret in it replaced, for people and logs. Must take any text.
    fn redact(url: &str) -> String;
}

pub(crate) struct Slots<D>(std::marker::PhantomData<D>);

impl<D: Driver> Slots<D> {
    staticref!(const TABLE: WithMetadata<DriverModule> = WithMetadata::new(DriverModule {
        open: open::<D>,
        redact: redact::<D>,
    }));

    pub(crate) const MODULE: DriverModuleRef = DriverModuleRef(Self::TABLE.as_prefix());
}

extern "C" fn open<D: Driver>(url: RStr<'_>, services: HostServices) -> AbiReply<DatabaseObject> {
    guard::slot(database::object::<D::Database>, || D::open(url.as_str(), Host::new(services)))
}

extern "C" fn redact<D: Driver>(url: RStr<'_>) -> RString {
    guard::catch(|| D::redact(url.as_str())).unwrap_or_else(|_| "…".into()).into()
}
