//! Validation of values that contain other values. For other values see `scalar`.

mod format;
mod scalar;

use serde_json::{Map, Value};

use crate::catalog::Catalog;
use crate::document::{Definition, Object};
use crate::error::{Checked, Path};
use crate::listed::Listed;

impl Catalog {
    /// Validates the properties of an object. Accepts any value for properties that are not in the schema.
    pub(crate) fn object(&self, path: Path<'_>, schema: &Object, value: &Value) -> Checked {
        let Some(object) = plain_object(value) else { return Err(path.wrong("an object", value)) };
        if let Some(missing) = schema.required.iter().find(|name| !object.contains_key(name.as_str())) {
            return Err(path.property(missing).missing());
        }
        for (name, value) in object {
            let Some(property) = schema.properties.get(name) else { continue };
            if value.is_null() && schema.nullable.contains(name) {
                continue;
            }
            self.value(path.property(name), property, value)?;
        }
        Ok(())
    }

    /// Validates a value of any type.
    pub(crate) fn value(&self, path: Path<'_>, schema: &Definition, value: &Value) -> Checked {
        match schema {
            Definition::Object(object) | Definition::Record { record: object, .. } => self.object(path, object, value),
            Definition::Array { items, min_length, max_length } => {
                self.array(path, items, (*min_length, *max_length), value)
            }
            Definition::Union { refs, closed } => self.union(path, refs, *closed, value),
            Definition::Ref { r#ref } => self.value(path, self.resolved(r#ref), value),
            Definition::Boolean { r#const, .. } => scalar::boolean(path, *r#const, value),
            Definition::Integer(schema) => scalar::integer(path, schema, value),
            Definition::String(schema) => scalar::text(path, schema, value),
            Definition::Bytes { min_length, max_length } => scalar::bytes(path, (*min_length, *max_length), value),
            Definition::CidLink => scalar::cid_link(path, value),
            Definition::Blob { accept, max_size } => scalar::blob(path, accept.as_deref(), *max_size, value),
            Definition::Unknown => match plain_object(value) {
                Some(_) => Ok(()),
                None => Err(path.wrong("an object", value)),
            },
            // A token is a name, and a method is called. No value has these types.
            Definition::Token
            | Definition::Query(_)
            | Definition::Procedure(_)
            | Definition::Subscription(_)
            | Definition::Other => Err(path.wrong("nothing", value)),
        }
    }

    fn array(
        &self,
        path: Path<'_>,
        items: &Definition,
        length: (Option<usize>, Option<usize>),
        value: &Value,
    ) -> Checked {
        let Some(array) = value.as_array() else { return Err(path.wrong("an array", value)) };
        scalar::within(path, "elements", length, array.len())?;
        array.iter().enumerate().try_for_each(|(index, item)| self.value(path.item(index), items, item))
    }

    /// An open union accepts objects of any type, but validates those of its own types.
    fn union(&self, path: Path<'_>, refs: &Listed<String>, closed: bool, value: &Value) -> Checked {
        let Some(object) = plain_object(value) else { return Err(path.wrong("an object with a $type", value)) };
        let Some(name) = object.get("$type").and_then(Value::as_str) else {
            return Err(path.property("$type").wrong_or_missing("the name of a type", object.get("$type")));
        };
        match refs.contains(name) {
            true => self.value(path, self.resolved(name), value),
            false if closed => {
                let names = refs.show(Clone::clone, ", ");
                Err(path.property("$type").found(format!("one of {names}"), name))
            }
            false => Ok(()),
        }
    }

    fn resolved(&self, name: &str) -> &Definition {
        self.definition(name).expect("`Catalog::new` checked all references")
    }
}

/// The value as an object. `None` for bytes, links and blobs, which are objects only in JSON.
fn plain_object(value: &Value) -> Option<&Map<String, Value>> {
    let object = value.as_object()?;
    let is_special = (object.len() == 1 && (object.contains_key("$bytes") || object.contains_key("$link")))
        || object.get("$type").is_some_and(|name| name == "blob");
    (!is_special).then_some(object)
}
