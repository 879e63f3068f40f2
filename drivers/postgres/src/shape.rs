//! The columns of a result: what crosses, and how its values are read.

use crate::{
    message::Field,
    types::{Form, OTHER, Type},
};
use montrs_driver_sdk::{Column, ColumnSet, Kind, RArc};
use std::sync::Arc;

/// The columns of a result.
pub(crate) struct Shape {
    /// What crosses; the same pointer for as long as the statement lives.
    pub(crate) set: RArc<ColumnSet>,
    /// How the values of each column are read.
    pub(crate) forms: Box<[Form]>,
    /// As the server told them.
    pub(crate) fields: Box<[Field]>,
}

impl Shape {
    /// No columns.
    pub(crate) fn empty() -> Arc<Self> {
        Arc::new(Self { set: ColumnSet::of([]), forms: [].into(), fields: [].into() })
    }

    /// These columns, of types that `find` finds.
    pub(crate) fn of(fields: Vec<Field>, find: impl Fn(u32) -> Option<Type>) -> Arc<Self> {
        let types: Vec<Type> =
            fields.iter().map(|field| find(field.type_oid).unwrap_or_else(|| unknown(field.type_oid))).collect();
        let columns = fields.iter().zip(&types).map(|(field, of_type)| Column {
            type_name: of_type.name.to_string().into(),
            type_code: field.type_oid,
            kind: of_type.form.kind(),
            ..Column::named(&*field.name)
        });
        Arc::new(Self {
            set: ColumnSet::of(columns),
            forms: types.iter().map(|of_type| of_type.form).collect(),
            fields: fields.into(),
        })
    }

    /// Whether these are the same columns, whatever formats were asked for.
    pub(crate) fn is_of(&self, fields: &[Field]) -> bool {
        self.fields.len() == fields.len()
            && self
                .fields
                .iter()
                .zip(fields)
                .all(|(ours, theirs)| ours.name == theirs.name && ours.type_oid == theirs.type_oid)
    }
}

/// A type that the catalog does not have (any more).
fn unknown(oid: u32) -> Type {
    Type { name: format!("type {oid}").into(), form: Form::One(OTHER) }
}

/// A kind for a parameter of this type.
pub(crate) fn parameter_kind(of_type: Option<&Type>) -> Kind {
    of_type.map_or(Kind::NULL, |of_type| of_type.form.kind())
}
