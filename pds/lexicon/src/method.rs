//! The schema of a method: what it takes and what it answers. Source: <https://atproto.com/specs/lexicon>.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::catalog::Catalog;
use crate::document::{Body, Definition, Operation};
use crate::error::{Error, Path};

/// The schema of a method.
#[derive(Debug, Clone, Copy)]
pub struct Method<'a> {
    catalog: &'a Catalog,
    kind: Kind,
    operation: &'a Operation,
}

/// How a method is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// By GET.
    Query,
    /// By POST.
    Procedure,
    /// By GET, which becomes a websocket.
    Subscription,
}

impl Catalog {
    /// The schema of a method, by its NSID. `None` if there is none in the catalog.
    #[must_use]
    pub fn method(&self, nsid: &str) -> Option<Method<'_>> {
        let (kind, operation) = match self.definition(nsid)? {
            Definition::Query(operation) => (Kind::Query, operation),
            Definition::Procedure(operation) => (Kind::Procedure, operation),
            Definition::Subscription(operation) => (Kind::Subscription, operation),
            _ => return None,
        };
        Some(Method { catalog: self, kind, operation })
    }
}

impl<'a> Method<'a> {
    /// How the method is called.
    #[must_use]
    pub fn kind(self) -> Kind {
        self.kind
    }

    /// The media type of the input, or a pattern such as `*/*`. `None` if the method takes none.
    #[must_use]
    pub fn input_encoding(self) -> Option<&'a str> {
        self.operation.input.as_ref().map(|body| body.encoding.as_str())
    }

    /// The media type of the output, or a pattern such as `*/*`. `None` if the method answers without one.
    #[must_use]
    pub fn output_encoding(self) -> Option<&'a str> {
        self.operation.output.as_ref().map(|body| body.encoding.as_str())
    }

    /// Names of the errors that the method declares.
    pub fn errors(self) -> impl Iterator<Item = &'a str> {
        self.operation.errors.iter().map(|error| error.name.as_str())
    }

    /// Reads the parameters from the decoded pairs of a query string. Parameters that the schema does not have are left out, and one without a
    /// value counts as absent, since many clients send `cursor=` for the first page. Those with a default are always in the result.
    ///
    /// # Errors
    /// The first violation of the schema.
    pub fn parameters<'q>(
        self,
        pairs: impl IntoIterator<Item = (Cow<'q, str>, Cow<'q, str>)>,
    ) -> Result<Map<String, Value>, Error> {
        let mut read = Map::new();
        let Some(schema) = &self.operation.parameters else { return Ok(read) };
        for (name, text) in pairs {
            let Some(property) = schema.properties.get(name.as_ref()).filter(|_| !text.is_empty()) else { continue };
            let path = Path::PARAMS;
            let path = path.property(&name);
            let Definition::Array { items, .. } = property else {
                if read.contains_key(name.as_ref()) {
                    return Err(path.broken("must be given once", "several"));
                }
                read.insert(name.clone().into_owned(), scalar(path, property, text)?);
                continue;
            };
            let value = scalar(path, items, text)?;
            match read.get_mut(name.as_ref()) {
                Some(Value::Array(all)) => all.push(value),
                _ => _ = read.insert(name.into_owned(), Value::Array(vec![value])),
            }
        }
        let read = Value::Object(read);
        self.catalog.object(Path::PARAMS, schema, &read)?;
        let Value::Object(mut read) = read else { return Ok(Map::new()) };
        for (name, property) in &schema.properties {
            if let Some(default) = default(property)
                && !read.contains_key(name)
            {
                read.insert(name.clone(), default);
            }
        }
        Ok(read)
    }

    /// Validates the JSON input, in which absent properties with a default have it first. A property may be required and have a default.
    ///
    /// # Errors
    /// The first violation of the schema.
    pub fn check_input(self, input: &mut Value) -> Result<(), Error> {
        let body = self.operation.input.as_ref();
        if let (Some(Definition::Object(schema)), Value::Object(input)) =
            (body.and_then(|body| body.schema.as_ref()), &mut *input)
        {
            for (name, property) in &schema.properties {
                if let Some(default) = default(property)
                    && !input.contains_key(name)
                {
                    input.insert(name.clone(), default);
                }
            }
        }
        self.check(Path::INPUT, body, input)
    }

    /// Validates the JSON output.
    ///
    /// # Errors
    /// The first violation of the schema.
    pub fn check_output(self, output: &Value) -> Result<(), Error> {
        self.check(Path::OUTPUT, self.operation.output.as_ref(), output)
    }

    fn check(self, path: Path<'_>, body: Option<&Body>, value: &Value) -> Result<(), Error> {
        match body.and_then(|body| body.schema.as_ref()) {
            Some(schema) => self.catalog.value(path, schema, value),
            None => Ok(()),
        }
    }
}

/// A parameter's text as the value that its schema asks for. Checks nothing but the type.
fn scalar(path: Path<'_>, schema: &Definition, text: Cow<'_, str>) -> Result<Value, Error> {
    match schema {
        Definition::Integer(_) => match text.parse::<i64>() {
            Ok(number) => Ok(number.into()),
            Err(_) => Err(path.wrong("an integer", &Value::from(text))),
        },
        Definition::Boolean { .. } => match text.as_ref() {
            "true" => Ok(true.into()),
            "false" => Ok(false.into()),
            _ => Err(path.wrong("true or false", &Value::from(text))),
        },
        _ => Ok(text.into()),
    }
}

fn default(schema: &Definition) -> Option<Value> {
    match schema {
        Definition::Integer(integer) => integer.default.map(Value::from),
        Definition::Boolean { default, .. } => default.map(Value::from),
        Definition::String(text) => text.default.clone().map(Value::from),
        _ => None,
    }
}
