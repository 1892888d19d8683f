//! Lexicon schemas as JSON Schema.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Map, Value, json};

/// Translates schemas, and remembers which definitions they refer to.
pub(super) struct Translator {
    documents: HashMap<String, Value>,
    wanted: BTreeSet<String>,
}

impl Translator {
    /// With the schemas that are compiled into this program.
    pub(super) fn new() -> Self {
        let documents = pds_lexicon::documents();
        let documents =
            documents.into_iter().filter_map(|document| Some((document["id"].as_str()?.to_owned(), document)));
        Self { documents: documents.collect(), wanted: BTreeSet::new() }
    }

    /// The definition of a method.
    pub(super) fn method(&self, nsid: &str) -> Value {
        self.documents.get(nsid).map(|document| document["defs"]["main"].clone()).unwrap_or_default()
    }

    /// A schema of the document `id`.
    pub(super) fn translate(&mut self, id: &str, schema: &Value) -> Value {
        match schema["type"].as_str().unwrap_or_default() {
            "object" => self.object(id, schema),
            "record" => self.object(id, &schema["record"]),
            "array" => {
                let mut array = json!({"type": "array", "items": self.translate(id, &schema["items"])});
                copy(schema, &mut array, &[("minLength", "minItems"), ("maxLength", "maxItems")]);
                array
            }
            "ref" => self.reference(id, schema["ref"].as_str().unwrap_or_default()),
            "union" => self.union(id, schema),
            "string" => text(schema),
            "integer" => scalar("integer", schema),
            "boolean" => scalar("boolean", schema),
            "bytes" => {
                json!({"type": "object", "required": ["$bytes"], "properties": {"$bytes": {"type": "string", "contentEncoding": "base64"}}})
            }
            "cid-link" => {
                json!({"type": "object", "required": ["$link"], "properties": {"$link": {"type": "string", "format": "cid"}}})
            }
            "blob" => json!({
                "type": "object",
                "required": ["$type", "ref", "mimeType", "size"],
                "properties": {
                    "$type": {"const": "blob"},
                    "ref": {"type": "object", "required": ["$link"], "properties": {"$link": {"type": "string", "format": "cid"}}},
                    "mimeType": {"type": "string"},
                    "size": {"type": "integer", "minimum": 0},
                },
            }),
            "token" => json!({"type": "string"}),
            // Any object.
            _ => json!({"type": "object"}),
        }
    }

    /// The definitions that all schemas so far refer to, directly or through others; by their names in the document.
    pub(super) fn components(&mut self) -> BTreeMap<String, Value> {
        let mut components = BTreeMap::new();
        while let Some(name) = self.wanted.iter().find(|name| !components.contains_key(&component(name))).cloned() {
            let (id, definition) = name.split_once('#').unwrap_or((&name, "main"));
            let schema =
                self.documents.get(id).map(|document| document["defs"][definition].clone()).unwrap_or_default();
            let translated = self.translate(id, &schema);
            components.insert(component(&name), translated);
        }
        components
    }

    fn object(&mut self, id: &str, schema: &Value) -> Value {
        let nullable: Vec<_> = schema["nullable"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut properties = Map::new();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let mut translated = self.translate(id, property);
            if nullable.contains(&name.as_str()) {
                translated = json!({"anyOf": [translated, {"type": "null"}]});
            }
            properties.insert(name.clone(), translated);
        }
        let mut object = json!({"type": "object", "properties": properties});
        if schema["required"].as_array().is_some_and(|required| !required.is_empty()) {
            object["required"] = schema["required"].clone();
        }
        object
    }

    fn reference(&mut self, id: &str, name: &str) -> Value {
        let name = absolute(id, name);
        let reference = format!("#/components/schemas/{}", component(&name));
        self.wanted.insert(name);
        json!({"$ref": reference})
    }

    fn union(&mut self, id: &str, schema: &Value) -> Value {
        let names: Vec<_> = schema["refs"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut variants = Vec::with_capacity(names.len() + 1);
        for name in names {
            let kind = json!({"type": "object", "required": ["$type"], "properties": {"$type": {"const": absolute(id, name)}}});
            variants.push(json!({"allOf": [self.reference(id, name), kind]}));
        }
        if schema["closed"] != true {
            // Kinds that come later.
            variants
                .push(json!({"type": "object", "required": ["$type"], "properties": {"$type": {"type": "string"}}}));
        }
        json!({"anyOf": variants})
    }
}

/// `#reply` of `a.b.c` is `a.b.c#reply`, and `a.b.c#main` is `a.b.c`.
fn absolute(id: &str, name: &str) -> String {
    let full = if name.starts_with('#') { format!("{id}{name}") } else { name.to_owned() };
    full.strip_suffix("#main").map_or(full.clone(), str::to_owned)
}

/// A name that OpenAPI allows.
fn component(name: &str) -> String {
    name.replace('#', ".")
}

fn copy(from: &Value, to: &mut Value, names: &[(&str, &str)]) {
    for (name, new) in names {
        if let Some(value) = from.get(*name) {
            to[*new] = value.clone();
        }
    }
}

fn scalar(kind: &str, schema: &Value) -> Value {
    let mut scalar = json!({"type": kind});
    let same = ["const", "enum", "minimum", "maximum", "default"].map(|name| (name, name));
    copy(schema, &mut scalar, &same);
    scalar
}

/// Lexicons limit the bytes of a text, JSON Schema its characters: of which there are at most as many.
fn text(schema: &Value) -> Value {
    let mut text = scalar("string", schema);
    copy(schema, &mut text, &[("format", "format"), ("maxLength", "maxLength")]);
    if schema["minLength"].as_u64().is_some_and(|bytes| bytes > 0) {
        text["minLength"] = 1.into();
    }
    if let Some(known) = schema.get("knownValues") {
        text["examples"] = known.clone();
    }
    text
}
