//! What all connections of a database share.

use crate::{catalog::Types, options::Options, tls::Tls};

pub(crate) struct Target {
    pub(crate) options: Options,
    /// `None` where it is never used.
    pub(crate) tls: Option<Tls>,
    pub(crate) types: Types,
}
