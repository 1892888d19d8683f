//! Parameters, inputs and outputs of methods.

use std::borrow::Cow;

use pds_lexicon::{Catalog, Kind, Method};
use serde_json::{Value, json};

fn method(nsid: &str) -> Method<'static> {
    Catalog::bundled().method(nsid).unwrap()
}

fn parameters(nsid: &str, query: &[(&'static str, &'static str)]) -> Result<Value, String> {
    let pairs = query.iter().map(|(name, text)| (Cow::from(*name), Cow::from(*text)));
    method(nsid).parameters(pairs).map(Value::Object).map_err(|error| error.to_string())
}

#[test]
fn a_method_is_known_by_its_kind_and_bodies() {
    let create = method("com.atproto.repo.createRecord");
    assert_eq!((create.kind(), create.input_encoding()), (Kind::Procedure, Some("application/json")));
    assert!(create.errors().any(|name| name == "InvalidSwap"));
    let export = method("com.atproto.sync.getRepo");
    assert_eq!((export.kind(), export.input_encoding()), (Kind::Query, None));
    assert_eq!(export.output_encoding(), Some("application/vnd.ipld.car"));
    assert_eq!(method("com.atproto.sync.subscribeRepos").kind(), Kind::Subscription);
    assert!(Catalog::bundled().method("app.bsky.feed.post").is_none(), "a record is no method");
    assert!(Catalog::bundled().method("com.atproto.sync.nothing").is_none());
}

#[test]
fn parameters_get_the_type_of_their_schema_and_its_default() {
    const LIST: &str = "com.atproto.repo.listRecords";
    let given = [("repo", "alice.test"), ("collection", "com.example.thing"), ("reverse", "true"), ("unknown", "1")];
    let read = json!({"repo": "alice.test", "collection": "com.example.thing", "reverse": true, "limit": 50});
    assert_eq!(parameters(LIST, &given), Ok(read.clone()));
    let with_empty = [&given[..], &[("cursor", ""), ("limit", "")]].concat();
    assert_eq!(parameters(LIST, &with_empty), Ok(read));
    let blocks = [("did", "did:plc:abc"), ("cids", "bafkreiclp443lavogvhj3d2ob2cxbfuscni2k5jk7bebjzg7khl3esabwq")];
    let read = parameters("com.atproto.sync.getBlocks", &blocks).unwrap();
    assert_eq!(read["cids"], json!(["bafkreiclp443lavogvhj3d2ob2cxbfuscni2k5jk7bebjzg7khl3esabwq"]));
}

#[test]
fn a_bad_parameter_is_named_with_its_rule() {
    let refused = |more: &[(&'static str, &'static str)]| {
        let query = [&[("repo", "alice.test"), ("collection", "com.example.thing")], more].concat();
        parameters("com.atproto.repo.listRecords", &query).unwrap_err()
    };
    assert_eq!(refused(&[("limit", "many")]), r#"Params/limit must be an integer, found "many""#);
    assert_eq!(refused(&[("limit", "101")]), "Params/limit must be at most 100, found 101");
    assert_eq!(refused(&[("reverse", "yes")]), r#"Params/reverse must be true or false, found "yes""#);
    assert_eq!(refused(&[("repo", "bob.test")]), "Params/repo must be given once, found several");
    let missing = parameters("com.atproto.repo.listRecords", &[("repo", "alice.test")]);
    assert_eq!(missing, Err("Params must have the property \"collection\"".into()));
}

#[test]
fn an_input_is_refused_by_the_path_of_the_fault() {
    let refused = |change: Value| {
        let mut input = json!({"repo": "alice.test", "collection": "com.example.thing", "record": {"a": 1}});
        input.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        method("com.atproto.repo.createRecord").check_input(&mut input).map_err(|error| error.to_string())
    };
    assert_eq!(refused(json!({"more": null})), Ok(()), "unknown properties are ignored");
    assert_eq!(refused(json!({"rkey": "a b"})), Err(r#"Input/rkey must be a valid Record Key, found "a b""#.into()));
    // F31
    assert_eq!(refused(json!({"swapCommit": null})), Err("Input/swapCommit must be a string, found null".into()));
    assert_eq!(refused(json!({"record": []})), Err("Input/record must be an object, found an array of 0".into()));
    let mut writes = json!({"repo": "alice.test", "writes": [{"$type": "com.atproto.repo.applyWrites#move"}]});
    let refused = method("com.atproto.repo.applyWrites").check_input(&mut writes).unwrap_err().to_string();
    assert!(
        refused.starts_with("Input/writes/0/$type must be one of com.atproto.repo.applyWrites#create"),
        "{refused}"
    );
}

#[test]
fn an_absent_property_with_a_default_has_it_also_if_it_is_required() {
    let mut input = json!({"useCount": 2});
    method("com.atproto.server.createInviteCodes").check_input(&mut input).unwrap();
    assert_eq!(input, json!({"codeCount": 1, "useCount": 2}));
}

#[test]
fn an_output_is_checked_as_well() {
    let describe = method("com.atproto.server.describeServer");
    assert!(describe.check_output(&json!({"did": "did:web:pds.test", "availableUserDomains": [".test"]})).is_ok());
    let refused = describe.check_output(&json!({"did": "pds.test", "availableUserDomains": []})).unwrap_err();
    assert_eq!(refused.to_string(), r#"Output/did must be a valid did, found "pds.test""#);
}
