//! Schemas that strangers publish: put together from several documents, and hostile ones refused. AL-REP-3

use std::time::{Duration, Instant};

use pds_lexicon::{Catalog, Document, Draft, LoadError, limit};
use pds_syntax::Nsid;
use serde_json::{Map, Value, json};

fn nsid(text: &str) -> Nsid {
    text.parse().unwrap()
}

fn document(id: &str, defs: Value) -> Value {
    json!({ "$type": "com.atproto.lexicon.schema", "lexicon": 1, "id": id, "defs": defs })
}

fn record(properties: Value) -> Value {
    json!({ "type": "record", "key": "any", "record": { "type": "object", "properties": properties } })
}

/// Puts together the schema of `com.example.thing`, with documents of these names and no others.
fn load(documents: &[Value]) -> Result<Catalog, LoadError> {
    let mut draft = Draft::new(nsid("com.example.thing"));
    loop {
        let missing = draft.missing()?;
        let known = |name: &Nsid| documents.iter().find(|document| document["id"] == name.as_str());
        let found: Vec<_> = missing.iter().filter_map(|name| Some((name, known(name)?))).collect();
        if found.is_empty() {
            return draft.finish();
        }
        for (name, json) in found {
            draft.add(Document::published(name, &json.to_string())?)?;
        }
    }
}

fn check(catalog: &Catalog, mut value: Value) -> Result<(), String> {
    value["$type"] = json!("com.example.thing");
    catalog.validate_record(&nsid("com.example.thing"), &value).map_err(|error| error.to_string())
}

#[test]
fn references_lead_to_other_documents_and_to_built_in_ones() {
    let thing = json!({
        "main": record(json!({
            "other": { "type": "ref", "ref": "com.example.other#part" },
            "post": { "type": "ref", "ref": "com.atproto.repo.strongRef" },
            "own": { "type": "ref", "ref": "#own" },
        })),
        "own": { "type": "object", "required": ["n"], "properties": { "n": { "type": "integer" } } },
        "unused": { "type": "ref", "ref": "com.example.nowhere" },
    });
    let part = json!({ "type": "object", "properties": { "deep": { "type": "ref", "ref": "net.elsewhere.defs" } } });
    let deep = json!({ "main": { "type": "object", "properties": { "n": { "type": "integer", "maximum": 3 } } } });
    let documents = [
        document("com.example.thing", thing),
        document("com.example.other", json!({ "part": part })),
        document("net.elsewhere.defs", deep),
    ];
    let catalog = load(&documents).unwrap();
    assert_eq!(check(&catalog, json!({ "other": { "deep": { "n": 3 } }, "own": { "n": 1 } })), Ok(()));
    let refused = |value| check(&catalog, value).unwrap_err();
    assert_eq!(refused(json!({ "other": { "deep": { "n": 4 } } })), "record/other/deep/n must be at most 3, found 4");
    assert_eq!(refused(json!({ "own": {} })), "record/own must have the property \"n\"");
    assert_eq!(refused(json!({ "post": { "uri": "at://x" } })), "record/post must have the property \"cid\"");
    assert!(matches!(load(&documents[..2]), Err(LoadError::Dangling { .. })));
}

#[test]
fn what_is_no_record_of_this_name_is_refused() {
    let name = nsid("com.example.thing");
    for json in [
        json!(null),
        json!([]),
        json!("text"),
        json!({}),
        document("com.example.other", json!({ "main": record(json!({})) })),
        json!({ "lexicon": 2, "id": "com.example.thing", "defs": {} }),
        document("com.example.thing", json!([])),
        document("com.example.thing", json!({ "main": { "type": "record", "key": "any" } })),
        document("com.example.thing", json!({ "main": record(json!({ "a": { "type": "string", "maxLength": -1 } })) })),
        document("com.example.thing", json!({ "main": record(json!({ "a": { "type": "integer", "enum": ["a"] } })) })),
        document("com.example.thing", json!({ "main": record(json!({ "a": { "type": ["string"] } })) })),
        document("com.example.thing", json!({ "main": record(json!({ "a": { "type": "ref" } })) })),
    ] {
        assert!(matches!(Document::published(&name, &json.to_string()), Err(LoadError::Malformed { .. })), "{json}");
    }
    assert!(matches!(Document::published(&name, "no JSON"), Err(LoadError::Malformed { .. })));
    for defs in [
        json!({}),
        json!({ "main": { "type": "object", "properties": {} } }),
        json!({ "main": { "type": "query" } }),
        json!({ "main": { "type": "record", "key": "odd", "record": { "type": "object" } } }),
        json!({ "main": record(json!({ "a": { "type": "ref", "ref": "#none" } })) }),
        json!({ "main": record(json!({ "a": { "type": "ref", "ref": "no name" } })) }),
        json!({ "main": record(json!({ "a": { "type": "ref", "ref": "" } })) }),
        json!({ "main": record(json!({ "a": { "type": "union", "refs": ["#"] } })) }),
        json!({ "main": record(json!({ "a": { "type": "ref", "ref": "#b" } })), "b": { "type": "ref", "ref": "#b" } }),
        json!({ "main": record(json!({ "a": { "type": "ref", "ref": "#b" } })), "b": { "type": "query" } }),
    ] {
        assert!(load(&[document("com.example.thing", defs.clone())]).is_err(), "{defs}");
    }
}

#[test]
fn documents_have_a_limited_size_depth_and_number() {
    let nested = (0..100).fold(json!({ "type": "integer" }), |inner, _| json!({ "type": "array", "items": inner }));
    let many: Map<_, _> = (0..=limit::ITEMS).map(|at| (format!("p{at}"), json!({ "type": "integer" }))).collect();
    let long = "x".repeat(limit::BYTES);
    for properties in [json!({ "a": nested }), json!(many), json!({ "a": { "type": "string", "description": long } })] {
        let json = document("com.example.thing", json!({ "main": record(properties) }));
        assert!(matches!(load(&[json]), Err(LoadError::TooLarge { .. })));
    }
    // A chain of documents, each of which refers to the next, and one document that refers to all others.
    let chain = |at: usize| {
        let next = json!({ "type": "ref", "ref": format!("com.example.chain{}", at + 1) });
        let properties = json!({ "next": next });
        document(&format!("com.example.chain{at}"), json!({ "main": { "type": "object", "properties": properties } }))
    };
    let first = |refs: Vec<String>| {
        let main = record(json!({ "a": { "type": "union", "refs": refs } }));
        document("com.example.thing", json!({ "main": main }))
    };
    let mut documents = vec![first(vec!["com.example.chain0".to_owned()])];
    documents.extend((0..100).map(chain));
    assert!(matches!(load(&documents), Err(LoadError::TooLarge { .. })));
    let wide = first((0..100).map(|at| format!("com.example.wide{at}")).collect());
    assert!(matches!(load(&[wide]), Err(LoadError::TooLarge { .. })));
    let big = |at: usize| {
        let text = "x".repeat(limit::BYTES - 1000);
        let defs = json!({ "main": { "type": "object", "description": text, "properties": {} } });
        document(&format!("com.example.big{at}"), defs)
    };
    let mut documents = vec![first((0..5).map(|at| format!("com.example.big{at}")).collect())];
    documents.extend((0..5).map(big));
    assert!(matches!(load(&documents), Err(LoadError::TooLarge { .. })));
}

/// Each schema asks for as much work as a document can, for each of the values of the largest record.
#[test]
fn validation_takes_a_time_that_depends_on_the_record() {
    let names: Vec<_> = (0..limit::ITEMS).map(|at| format!("n{at}")).collect();
    let tokens: Map<_, _> =
        names[..900].iter().map(|name| (name.clone(), json!({ "type": "object", "properties": {} }))).collect();
    let refs: Vec<_> = tokens.keys().map(|name| format!("#{name}")).collect();
    let doubled = vec!["a"; limit::ITEMS];
    let objects = |value: Value| json!(vec![value; 100_000]);
    for (items, value) in [
        (json!({ "type": "string", "enum": names }), objects(json!("n999"))),
        (json!({ "type": "integer", "enum": (0..1000).collect::<Vec<_>>() }), objects(json!(999))),
        (json!({ "type": "object", "required": doubled, "properties": {} }), objects(json!({ "a": 1 }))),
        (
            json!({ "type": "object", "nullable": names, "properties": { "n999": { "type": "integer" } } }),
            objects(json!({ "n999": null })),
        ),
        (json!({ "type": "union", "refs": refs }), objects(json!({ "$type": "com.example.thing#n99999" }))),
    ] {
        let mut defs = tokens.clone();
        defs.insert("main".to_owned(), record(json!({ "all": { "type": "array", "items": items } })));
        let catalog = load(&[document("com.example.thing", json!(defs))]).unwrap();
        let began = Instant::now();
        assert_eq!(check(&catalog, json!({ "all": value })), Ok(()), "{items}");
        assert!(began.elapsed() < Duration::from_secs(5), "{:?} for {items}", began.elapsed());
    }
}

#[test]
fn a_schema_that_contains_itself_ends_with_the_record() {
    let main = record(json!({ "it": { "type": "ref", "ref": "#main" }, "n": { "type": "integer" } }));
    let catalog = load(&[document("com.example.thing", json!({ "main": main }))]).unwrap();
    let deep = |end: Value| (0..120).fold(end, |inner, _| json!({ "it": inner }));
    assert_eq!(check(&catalog, deep(json!({ "n": 1 }))), Ok(()));
    assert!(
        check(&catalog, deep(json!({ "n": "x" }))).unwrap_err().ends_with("it/n must be a 64-bit integer, found \"x\"")
    );
}

#[test]
fn messages_stay_short() {
    let name = "n".repeat(60_000);
    let properties = json!({ "a": { "type": "string", "const": name } });
    let mut main = record(properties);
    let catalog = load(&[document("com.example.thing", json!({ "main": main.clone() }))]).unwrap();
    assert!(check(&catalog, json!({ "a": "" })).unwrap_err().len() < 10_000);
    main["record"]["required"] = json!([name]);
    let catalog = load(&[document("com.example.thing", json!({ "main": main }))]).unwrap();
    assert!(check(&catalog, json!({})).unwrap_err().len() < 10_000);
}

/// Documents with one part replaced by something else: each is refused or can be used, and none panics.
#[test]
fn damaged_documents_never_panic() {
    let properties = json!({
        "text": { "type": "string", "maxLength": 10, "enum": ["a"], "format": "did" },
        "list": { "type": "array", "items": { "type": "ref", "ref": "#own" }, "maxLength": 3 },
        "any": { "type": "union", "refs": ["#own", "#main"], "closed": true },
        "blob": { "type": "blob", "accept": ["image/*"], "maxSize": 10 },
        "n": { "type": "integer", "minimum": 1, "maximum": 2, "enum": [1] },
    });
    let own =
        json!({ "type": "object", "required": ["x"], "nullable": ["x"], "properties": { "x": { "type": "bytes" } } });
    let whole = document("com.example.thing", json!({ "main": record(properties), "own": own }));
    let value = json!({
        "text": "a", "list": [{ "x": null }], "any": { "$type": "com.example.thing#own", "x": { "$bytes": "AA" } }, "n": 1,
        "blob": { "$type": "blob", "ref": { "$link": "b" }, "mimeType": "image/png", "size": 1 },
    });
    let others = [
        json!(null),
        json!(true),
        json!(-1),
        json!(i64::MAX),
        json!(1.5),
        json!(""),
        json!("#own"),
        json!("#main"),
        json!("ref"),
        json!("union"),
        json!("record"),
        json!("query"),
        json!([]),
        json!({}),
        json!([[]]),
        json!(["x", "x"]),
        json!({ "type": "ref", "ref": "#own" }),
        json!({ "type": "ref", "ref": "com.example.thing" }),
        json!({ "type": "array", "items": { "type": "unknown" } }),
    ];
    let mut paths = Vec::new();
    pointers(&whole, String::new(), &mut paths);
    let mut usable = 0;
    for path in &paths {
        for other in &others {
            let mut damaged = whole.clone();
            *damaged.pointer_mut(path).unwrap() = other.clone();
            if let Ok(catalog) = load(&[damaged]) {
                usable += 1;
                drop(check(&catalog, value.clone()));
                drop(check(&catalog, json!({ "any": other, "list": other, "text": other })));
            }
        }
    }
    assert!(usable > 20 && usable < paths.len() * others.len() / 2, "{usable}");
}

fn pointers(value: &Value, path: String, all: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (key, item) in object {
                pointers(item, format!("{path}/{}", key.replace('~', "~0").replace('/', "~1")), all);
            }
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| pointers(item, format!("{path}/{at}"), all))
        }
        _ => {}
    }
    all.push(path);
}
