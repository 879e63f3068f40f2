//! What is known of a statement before it is run.

use crate::Columns;
use montrs_driver_abi::{ColumnSet, Description, Kind, Parameter, abi_stable::std_types::RArc};

/// Parameters and columns of a statement, as the database tells them.
#[derive(Debug)]
pub struct StatementInfo {
    parameters: Vec<ParameterInfo>,
    columns: Columns,
    is_read_only: bool,
}

/// One parameter of a statement.
#[derive(Clone, Debug)]
pub struct ParameterInfo(Parameter);

impl StatementInfo {
    pub(crate) fn new(description: Description) -> Self {
        Self {
            parameters: description.parameters.into_iter().map(ParameterInfo).collect(),
            columns: Columns::new(RArc::new(ColumnSet { columns: description.columns })),
            is_read_only: description.is_read_only,
        }
    }

    /// The parameters, in the order in which they are bound.
    pub fn parameters(&self) -> &[ParameterInfo] {
        &self.parameters
    }

    /// The columns of the result; none for a statement without one.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Whether the statement only reads.
    pub fn is_read_only(&self) -> bool {
        self.is_read_only
    }
}

impl ParameterInfo {
    /// The name without its sign; `None` for a numbered one.
    pub fn name(&self) -> Option<&str> {
        Some(self.0.name.as_str()).filter(|name| !name.is_empty())
    }

    /// The database's name of its type; empty where it is not known.
    pub fn type_name(&self) -> &str {
        &self.0.type_name
    }

    /// The kind that fits it best; [`Kind::NULL`] where nothing is known.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }
}
