//! The OpenAPI document.

use pds_lexicon::{Catalog, Kind};
use serde_json::{Map, Value, json};

use super::schema::Translator;
use crate::{
    api::{
        permission::Permission,
        table::{METHODS, Method},
    },
    auth::Requirement,
};

/// The methods of this server as OpenAPI 3.1. `url` is the server's own.
pub(super) fn document(url: &str) -> Value {
    let mut translator = Translator::new();
    let (mut paths, mut families) = (Map::new(), Vec::new());
    for method in METHODS {
        let family = family(method.nsid);
        if !families.contains(&family) {
            families.push(family);
        }
        paths.insert(format!("/xrpc/{}", method.nsid), path(&mut translator, method));
    }
    let mut schemas: Map<_, _> = translator.components().into_iter().collect();
    schemas.insert(
        "Error".to_owned(),
        json!({
            "type": "object",
            "required": ["error", "message"],
            "properties": {
                "error": {"type": "string", "description": "The name of the error."},
                "message": {"type": "string", "description": "For people."},
            },
        }),
    );
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Personal Data Server of the AT Protocol",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The XRPC methods that this server answers itself.",
        },
        "servers": [{"url": url.trim_end_matches('/')}],
        "tags": families.iter().map(|family| json!({"name": family})).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "session": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "The access token of a session."},
                "refresh": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "The refresh token of a session."},
                "service": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "A service token: made by another server for this one and one method."},
                "admin": {"type": "http", "scheme": "basic", "description": "The user admin with the administrator's password."},
            },
        },
    })
}

/// `com.atproto.repo` of `com.atproto.repo.createRecord`.
pub(super) fn family(nsid: &str) -> &str {
    nsid.rsplit_once('.').map_or(nsid, |(family, _)| family)
}

fn path(translator: &mut Translator, method: &Method) -> Value {
    let lexicon = Catalog::bundled().method(method.nsid);
    let (verb, kind) = match lexicon.map(|lexicon| lexicon.kind()) {
        Some(Kind::Procedure) => ("post", "Procedure"),
        Some(Kind::Subscription) => ("get", "Subscription"),
        _ => ("get", "Query"),
    };
    let definition = translator.method(method.nsid);
    let mut operation = json!({
        "operationId": method.nsid,
        "tags": [family(method.nsid)],
        "summary": kind,
        "description": description(method),
        "security": security(method.requirement),
        "responses": responses(translator, method, &definition),
    });
    let parameters = parameters(translator, method.nsid, &definition);
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some(input) = definition.get("input") {
        operation["requestBody"] = json!({"required": true, "content": content(translator, method.nsid, input)});
    }
    json!({verb: operation})
}

fn description(method: &Method) -> String {
    let mut description = format!("Credential: {}.", method.requirement);
    if method.permission != Permission::NotAsked {
        description += &format!(" OAuth permission: {}.", method.permission);
    }
    description
}

fn parameters(translator: &mut Translator, nsid: &str, definition: &Value) -> Vec<Value> {
    let schema = &definition["parameters"];
    let required: Vec<_> = schema["required"].as_array().into_iter().flatten().collect();
    let properties = schema["properties"].as_object().into_iter().flatten();
    let parameter = |(name, property): (&String, &Value)| {
        json!({
            "name": name,
            "in": "query",
            "required": required.iter().any(|required| **required == **name),
            "schema": translator.translate(nsid, property),
        })
    };
    properties.map(parameter).collect()
}

fn content(translator: &mut Translator, nsid: &str, body: &Value) -> Value {
    let schema = match body.get("schema") {
        Some(schema) => json!({"schema": translator.translate(nsid, schema)}),
        None => json!({}),
    };
    let encodings = body["encoding"].as_str().unwrap_or("*/*").split(',').map(str::trim);
    encodings.map(|encoding| (encoding.to_owned(), schema.clone())).collect::<Map<_, _>>().into()
}

fn responses(translator: &mut Translator, method: &Method, definition: &Value) -> Value {
    let mut names = vec!["InvalidRequest"];
    names.extend(definition["errors"].as_array().into_iter().flatten().filter_map(|error| error["name"].as_str()));
    let error = |description: &str| json!({"description": description, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}});
    let good = match (definition["type"].as_str(), definition.get("output")) {
        (Some("subscription"), _) => ("101", json!({"description": "The connection becomes a websocket."})),
        (_, Some(output)) => {
            ("200", json!({"description": "Done.", "content": content(translator, method.nsid, output)}))
        }
        (_, None) => ("200", json!({"description": "Done."})),
    };
    let mut responses = json!({
        "400": error(&format!("Refused: {}.", names.join(", "))),
        "429": error("Refused: RateLimitExceeded."),
        "503": error("The server cannot answer at the moment; the same request may be answered later."),
    });
    responses[good.0] = good.1;
    if method.requirement != Requirement::Nothing {
        responses["401"] = error("The credential is missing or not valid.");
    }
    responses
}

/// Alternatives; an empty object is none.
fn security(requirement: Requirement) -> Value {
    match requirement {
        Requirement::Nothing => json!([]),
        Requirement::Viewer => json!([{}, {"session": []}, {"admin": []}]),
        Requirement::OptionalService => json!([{}, {"service": []}]),
        Requirement::Account
        | Requirement::ActiveAccount
        | Requirement::AccountOrTakendown
        | Requirement::FullAccount
        | Requirement::FullOrTakendown => json!([{"session": []}]),
        Requirement::AccountOrService => json!([{"session": []}, {"service": []}]),
        Requirement::Refresh => json!([{"refresh": []}]),
        Requirement::Admin => json!([{"admin": []}]),
        Requirement::Moderator => json!([{"admin": []}, {"service": []}]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every reference of a value.
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                found.extend(object.get("$ref").and_then(Value::as_str).map(str::to_owned));
                object.values().for_each(|value| references(value, found));
            }
            Value::Array(array) => array.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }

    #[test]
    fn every_method_is_described_and_every_reference_leads_somewhere() {
        let document = document("https://pds.test/");
        for method in METHODS {
            let path = &document["paths"][format!("/xrpc/{}", method.nsid)];
            let operation = path.get("get").or(path.get("post")).unwrap();
            assert_eq!(operation["operationId"], method.nsid);
        }
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 20, "{found:?}");
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
        let create = &document["paths"]["/xrpc/com.atproto.repo.createRecord"]["post"];
        let input = &create["requestBody"]["content"]["application/json"]["schema"];
        assert_eq!(input["properties"]["collection"], json!({"type": "string", "format": "nsid"}));
        assert_eq!(document["servers"][0]["url"], "https://pds.test");
    }
}
