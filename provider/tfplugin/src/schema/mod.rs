//! Schemas: what Terraform, its users and this framework need to know of a
//! resource's attributes.
//!
//! A schema is not written by hand: [`model!`](crate::model!) makes it from a
//! struct. It uses attributes throughout, no blocks.

mod attribute;
mod check;
mod convert;
pub mod flags;
mod model;
mod val;
pub(crate) mod wire;

use std::collections::BTreeMap;

pub use attribute::{Attribute, Nesting, Shape};
pub use check::SchemaError;
pub use convert::{Misfit, Set, Typed};
pub use model::{Model, debug_field, documentation, field, merge_faults};
pub use val::{Dynamic, Val};

use crate::value::Type;

/// Where a schema stands; each place has its own reserved names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The provider block.
    Provider,
    /// A managed resource.
    Resource,
    /// A data source.
    DataSource,
}

/// The schema of a resource, a data source or the provider block.
#[derive(Clone, Debug)]
pub struct Schema {
    /// Raised whenever an older state needs more than dropping and adding
    /// attributes.
    pub version: i64,
    /// In Markdown.
    pub description: String,
    /// In the order of declaration.
    pub attributes: Vec<Attribute>,
}

impl Schema {
    /// The schema of a model.
    ///
    /// # Errors
    /// If Terraform would refuse it, or couldn't work with it: every fault
    /// with the attribute it is in.
    pub fn of<M: Model>(role: Role, version: i64) -> Result<Self, SchemaError> {
        let schema = Self {
            version,
            description: M::description(),
            attributes: M::attributes(),
        };
        check::check(&schema, role)?;
        Ok(schema)
    }

    /// The type of its values: an object.
    pub fn ty(&self) -> Type {
        object_type(&self.attributes)
    }

    /// True if it has a write-only attribute at any depth.
    pub fn has_write_only(&self) -> bool {
        self.attributes.iter().any(Attribute::has_write_only)
    }
}

pub(crate) fn object_type(attributes: &[Attribute]) -> Type {
    let types: BTreeMap<String, Type> = attributes
        .iter()
        .map(|a| (a.name.clone(), a.ty()))
        .collect();
    Type::Object(types)
}

#[cfg(test)]
mod tests;
