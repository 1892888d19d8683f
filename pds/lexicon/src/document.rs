//! Lexicon documents as data. `validate` implements the rules.

use std::collections::HashMap;

use serde::Deserialize;

use crate::listed::Listed;

/// A Lexicon document: the definitions of one NSID. Omits fields that do not affect validation.
#[derive(Debug, Clone, Deserialize)]
pub struct Document {
    pub(crate) id: String,
    pub(crate) defs: HashMap<String, Definition>,
    /// Size as JSON, of published documents.
    #[serde(skip)]
    pub(crate) bytes: usize,
}

/// A schema: a definition of a document, or nested in another schema.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub(crate) enum Definition {
    Record {
        key: String,
        record: Object,
    },
    Object(Object),
    Array {
        items: Box<Definition>,
        min_length: Option<usize>,
        max_length: Option<usize>,
    },
    Union {
        refs: Listed<String>,
        #[serde(default)]
        closed: bool,
    },
    Ref {
        r#ref: String,
    },
    Boolean {
        r#const: Option<bool>,
        default: Option<bool>,
    },
    Integer(Integer),
    String(Box<Text>),
    Bytes {
        min_length: Option<usize>,
        max_length: Option<usize>,
    },
    CidLink,
    Blob {
        accept: Option<Vec<String>>,
        max_size: Option<u64>,
    },
    Unknown,
    Token,
    Query(Box<Operation>),
    Procedure(Box<Operation>),
    Subscription(Box<Operation>),
    /// Permission sets, which no value contains.
    #[serde(other)]
    Other,
}

/// What a method takes and answers.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Operation {
    pub(crate) parameters: Option<Object>,
    pub(crate) input: Option<Body>,
    pub(crate) output: Option<Body>,
    #[serde(default)]
    pub(crate) errors: Vec<NamedError>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Body {
    /// A media type, a pattern such as `*/*`, or several with commas.
    pub(crate) encoding: String,
    pub(crate) schema: Option<Definition>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct NamedError {
    pub(crate) name: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Object {
    #[serde(default)]
    pub(crate) required: Listed<String>,
    #[serde(default)]
    pub(crate) nullable: Listed<String>,
    #[serde(default)]
    pub(crate) properties: HashMap<String, Definition>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Integer {
    pub(crate) r#const: Option<i64>,
    pub(crate) r#enum: Option<Listed<i64>>,
    pub(crate) minimum: Option<i64>,
    pub(crate) maximum: Option<i64>,
    pub(crate) default: Option<i64>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Text {
    pub(crate) format: Option<Format>,
    pub(crate) r#const: Option<String>,
    pub(crate) r#enum: Option<Listed<String>>,
    pub(crate) min_length: Option<usize>,
    pub(crate) max_length: Option<usize>,
    pub(crate) min_graphemes: Option<usize>,
    pub(crate) max_graphemes: Option<usize>,
    pub(crate) default: Option<String>,
}

/// A string format. Formats of later versions of Lexicon accept every text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Format {
    AtIdentifier,
    AtUri,
    Cid,
    Datetime,
    Did,
    Handle,
    Language,
    Nsid,
    RecordKey,
    Tid,
    Uri,
    #[serde(other)]
    Later,
}

/// The name by which others refer to a definition.
pub(crate) fn full_name(document: &str, definition: &str) -> String {
    if definition == "main" { document.to_owned() } else { format!("{document}#{definition}") }
}

impl Document {
    pub(crate) fn of_bytes(self, bytes: usize) -> Self {
        Self { bytes, ..self }
    }

    /// Makes all references absolute: `#reply` becomes `app.bsky.feed.post#reply`, and `a.b.c#main` becomes `a.b.c`.
    pub(crate) fn absolute(mut self) -> Self {
        for definition in self.defs.values_mut() {
            definition.each_ref(&mut |reference| {
                let full =
                    if reference.starts_with('#') { format!("{}{reference}", self.id) } else { reference.clone() };
                *reference = full.strip_suffix("#main").map_or(full.clone(), str::to_owned);
            });
        }
        self
    }
}

impl Definition {
    pub(crate) fn is_method(&self) -> bool {
        matches!(self, Self::Query(_) | Self::Procedure(_) | Self::Subscription(_))
    }

    /// Calls `visit` for each reference in this definition.
    pub(crate) fn each_ref(&mut self, visit: &mut impl FnMut(&mut String)) {
        match self {
            Self::Record { record: object, .. } | Self::Object(object) => {
                object.properties.values_mut().for_each(|property| property.each_ref(visit));
            }
            Self::Array { items, .. } => items.each_ref(visit),
            Self::Union { refs, .. } => refs.each(visit),
            Self::Ref { r#ref } => visit(r#ref),
            Self::Query(operation) | Self::Procedure(operation) | Self::Subscription(operation) => {
                let bodies = [&mut operation.input, &mut operation.output].into_iter().flatten();
                bodies.filter_map(|body| body.schema.as_mut()).for_each(|schema| schema.each_ref(visit));
            }
            _ => {}
        }
    }
}
