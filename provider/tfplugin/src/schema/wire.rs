//! Schemas as Terraform's protocol has them.

use super::Schema;
use super::attribute::{Attribute, Nesting, Shape};
use super::flags::Mode;
use crate::protocol::message::{self, NestingMode, StringKind};

pub(crate) fn schema(schema: &Schema) -> message::Schema {
    message::Schema {
        version: schema.version,
        block: Some(message::Block {
            version: schema.version,
            attributes: schema.attributes.iter().map(attribute).collect(),
            description: schema.description.clone(),
            description_kind: StringKind::Markdown.into(),
            deprecated: false,
            deprecation_message: String::new(),
        }),
    }
}

fn attribute(attribute: &Attribute) -> message::Attribute {
    let flags = &attribute.flags;
    let (r#type, nested_type) = match &attribute.shape {
        Shape::Plain(ty) => (ty.to_json().into_bytes(), None),
        Shape::Nested(nesting, nested) => {
            let nesting = match nesting {
                Nesting::Single => NestingMode::Single,
                Nesting::List => NestingMode::List,
                Nesting::Set => NestingMode::Set,
                Nesting::Map => NestingMode::Map,
            };
            let object = message::Object {
                attributes: nested.iter().map(self::attribute).collect(),
                nesting: nesting.into(),
            };
            (Vec::new(), Some(object))
        }
    };
    message::Attribute {
        name: attribute.name.clone(),
        r#type,
        nested_type,
        description: attribute.description.clone(),
        description_kind: StringKind::Markdown.into(),
        required: flags.mode == Mode::Required,
        optional: flags.is_optional(),
        computed: flags.is_computed(),
        sensitive: flags.sensitive,
        write_only: flags.write_only,
        deprecated: flags.deprecated.is_some(),
        deprecation_message: flags.deprecated.clone().unwrap_or_default(),
    }
}

/// The provider block is not stored: a default needs no computed attribute.
pub(crate) fn provider_schema(schema: &Schema) -> message::Schema {
    fn not_computed(attributes: &mut [message::Attribute]) {
        for attribute in attributes {
            attribute.computed = false;
            if let Some(nested) = &mut attribute.nested_type {
                not_computed(&mut nested.attributes);
            }
        }
    }
    let mut wire = self::schema(schema);
    if let Some(block) = &mut wire.block {
        not_computed(&mut block.attributes);
    }
    wire
}
