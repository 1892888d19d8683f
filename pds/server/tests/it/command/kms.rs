//! The PLC rotation key in AWS KMS. moto makes the keys and signs with them, and a real directory judges every signature.

use std::{net::SocketAddr, path::Path};

use aws_sdk_kms::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
    types::{KeySpec, KeyUsageType},
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    SECRETS,
    process::{Pds, print, run},
};
use crate::harness::{Answer, Mailpit, Person, Proxy, Way, send, variable};

const HANDLE: &str = "com.atproto.identity.updateHandle";

/// The ID of a new key.
async fn key(spec: KeySpec) -> String {
    let keys = Credentials::new(
        variable("AURORA_TEST_MOTO_ACCESS_KEY"),
        variable("AURORA_TEST_MOTO_SECRET_KEY"),
        None,
        None,
        "test",
    );
    let config = aws_sdk_kms::Config::builder().behavior_version(BehaviorVersion::latest()).credentials_provider(keys);
    let config = config.region(Region::new("us-east-1")).endpoint_url(variable("AURORA_TEST_MOTO_ENDPOINT"));
    let made = Client::from_conf(config.build()).create_key().key_spec(spec).key_usage(KeyUsageType::SignVerify);
    made.send().await.unwrap().key_metadata.unwrap().key_id
}

/// A host whose key is in KMS, which it reaches at `endpoint`.
fn settings(key: &str, endpoint: &str) -> Vec<(&'static str, String)> {
    let text = str::to_owned;
    vec![
        ("AWS_ACCESS_KEY_ID", variable("AURORA_TEST_MOTO_ACCESS_KEY")),
        ("AWS_SECRET_ACCESS_KEY", variable("AURORA_TEST_MOTO_SECRET_KEY")),
        ("AWS_REGION", text("us-east-1")),
        ("AWS_EC2_METADATA_DISABLED", text("true")),
        ("AWS_ENDPOINT_URL_KMS", text(endpoint)),
        ("PDS_PLC_ROTATION_KEY_KMS_KEY_ID", text(key)),
        ("PDS_DID_PLC_URL", variable("AURORA_TEST_PLC_URL")),
        ("PDS_INVITE_REQUIRED", text("false")),
        ("PDS_ADMIN_PASSWORD", text(SECRETS[1].1)),
    ]
}

fn borrowed<'a>(settings: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    settings.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

async fn sign_up(pds: &Pds, name: &str, email: &str) -> Answer {
    let input = json!({"handle": format!("{name}.test"), "email": email, "password": "correct horse"});
    send(pds.request(Method::POST, "/xrpc/com.atproto.server.createAccount").json(&input)).await
}

#[tokio::test]
async fn every_operation_is_signed_in_kms() {
    // AL-IDN-3
    let (id, mail, folder) = (key(KeySpec::EccSecgP256K1).await, Mailpit::shared(), tempfile::tempdir().unwrap());
    let moto: SocketAddr = variable("AURORA_TEST_MOTO_ENDPOINT").trim_start_matches("http://").parse().unwrap();
    let way = Proxy::to(moto).await;
    let mut settings = settings(&id, &format!("http://127.0.0.1:{}", way.port));
    settings.extend(mail.settings());
    let pds = Pds::start(folder.path(), &borrowed(&settings)).await;
    let kept = std::fs::read_to_string(folder.path().join("data/secrets.env")).unwrap();
    assert!(kept.contains("PDS_KEY_ENCRYPTION_KEY=") && !kept.contains("PLC_ROTATION_KEY"), "{kept}");

    let session = sign_up(&pds, "alice", &mail.address("alice")).await.ok();
    let alice = Person::new(&format!("http://127.0.0.1:{}", pds.port()), &reqwest::Client::new(), &session);
    let url = format!("{}/{}/data", variable("AURORA_TEST_PLC_URL"), alice.did);
    let data = async || send(reqwest::Client::new().get(&url)).await.ok();
    let wanted = alice.query("com.atproto.identity.getRecommendedDidCredentials", &[]).await.ok();
    assert_eq!(data().await["rotationKeys"], wanted["rotationKeys"]);
    assert_eq!(wanted["rotationKeys"].as_array().unwrap().len(), 1);

    alice.call(HANDLE, json!({"handle": "alicia.test"})).await.ok();
    assert_eq!(data().await["alsoKnownAs"], json!(["at://alicia.test"]));
    let reserved =
        send(pds.request(Method::POST, "/xrpc/com.atproto.server.reserveSigningKey").json(&json!({}))).await.ok();
    let change = json!({"did": alice.did, "signingKey": reserved["signingKey"]});
    let request = pds.request(Method::POST, "/xrpc/com.atproto.admin.updateAccountSigningKey");
    send(request.basic_auth("admin", Some(SECRETS[1].1)).json(&change)).await.ok();
    assert_eq!(data().await["verificationMethods"]["atproto"], reserved["signingKey"]);

    alice.bare("com.atproto.identity.requestPlcOperationSignature").await.ok();
    let code = mail.arrived(&mail.address("alice"), 2).await.code();
    let names = json!(["at://alicia.test", "https://alicia.example"]);
    let signed = alice.call("com.atproto.identity.signPlcOperation", json!({"token": code, "alsoKnownAs": names}));
    let operation = signed.await.ok()["operation"].clone();
    alice.call("com.atproto.identity.submitPlcOperation", json!({"operation": operation})).await.ok();
    assert_eq!(data().await["alsoKnownAs"], names);

    // Without KMS nothing is changed anywhere, and it is said why.
    way.set(Way::Refused);
    let refused = alice.call(HANDLE, json!({"handle": "alina.test"})).await;
    assert_eq!(refused.error(), (503, "ServiceUnavailable"), "{}", refused.body);
    assert!(refused.body["message"].as_str().unwrap().contains("key that signs identities"), "{}", refused.body);
    assert_eq!(sign_up(&pds, "bob", &mail.address("bob")).await.error(), (503, "ServiceUnavailable"));
    assert_eq!(data().await["alsoKnownAs"], names);
    assert_eq!(alice.query("com.atproto.server.getSession", &[]).await.ok()["handle"], "alicia.test");
    let log = pds.log();
    assert!(log.contains("AWS KMS could not be asked for Sign of the key") && log.contains(&id), "{log}");
    assert!(!log.contains(&variable("AURORA_TEST_MOTO_SECRET_KEY")), "{log}");
    way.set(Way::Open);
    alice.call(HANDLE, json!({"handle": "alina.test"})).await.ok();
    sign_up(&pds, "bob", &mail.address("bob")).await.ok();
    pds.terminate();
    assert!(pds.ended().await.success());

    // The same key under its full name. Another one is not the host's.
    let with = |name: String| {
        let mut settings = settings.clone();
        settings.retain(|(setting, _)| *setting != "PDS_PLC_ROTATION_KEY_KMS_KEY_ID");
        settings.push(("PDS_PLC_ROTATION_KEY_KMS_KEY_ID", name));
        settings
    };
    let full = with(format!("arn:aws:kms:us-east-1:123456789012:key/{id}"));
    let pds = Pds::start(folder.path(), &borrowed(&full)).await;
    let alice = alice.at(&format!("http://127.0.0.1:{}", pds.port()));
    alice.call(HANDLE, json!({"handle": "alba.test"})).await.ok();
    pds.terminate();
    assert!(pds.ended().await.success());
    let other = with(key(KeySpec::EccSecgP256K1).await);
    let (code, said) = serve(folder.path(), &other);
    assert!(code == Some(78) && said.contains("fingerprint"), "{said}");
}

/// `pds serve`, which is to end by itself: code and words.
fn serve(folder: &Path, settings: &[(&'static str, String)]) -> (Option<i32>, String) {
    let output = run(folder, &["serve"], &borrowed(settings));
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test]
async fn a_key_that_cannot_sign_is_named_before_the_first_account() {
    let (folder, endpoint) = (tempfile::tempdir().unwrap(), variable("AURORA_TEST_MOTO_ENDPOINT"));
    let good = key(KeySpec::EccSecgP256K1).await;
    let other_kind = key(KeySpec::EccNistP256).await;
    let missing = "11111111-2222-3333-4444-555555555555".to_owned();
    for (id, code, words) in [
        (other_kind, 78, "ECC_SECG_P256K1"),
        (missing, 78, "NotFoundException"),
        ("pds".to_owned(), 78, "allowed: the ID"),
    ] {
        let found = serve(folder.path(), &settings(&id, &endpoint));
        assert_eq!(found.0, Some(code), "{}", found.1);
        assert!(found.1.contains(&id) && found.1.contains(words), "{}", found.1);
    }
    // A key that signs nothing for these credentials, and a service that is away: the same start may succeed later.
    let mut stranger = settings(&good, &endpoint);
    stranger[1].1 = "hunter2".to_owned();
    let away = settings(&good, "http://127.0.0.1:1");
    for settings in [&stranger, &away] {
        let (code, said) = serve(folder.path(), settings);
        assert!(code != Some(0) && said.contains("AWS KMS") && said.contains(&good), "{said}");
        assert!(said.contains("PDS_PLC_ROTATION_KEY_KMS_KEY_ID") && !said.contains("hunter2"), "{said}");
    }
    let both = [&borrowed(&away)[..], &SECRETS[2..3]].concat();
    let said = String::from_utf8(run(folder.path(), &["config", "check"], &both).stderr).unwrap();
    assert!(said.contains("1 setting") && said.contains("is set together with"), "{said}");

    for (settings, level, words) in [
        (settings(&good, &endpoint), "ok", "AWS KMS signs with the key"),
        (away, "fail", "AWS KMS could not be asked for GetPublicKey"),
    ] {
        let output = print(folder.path(), &["doctor", "--output", "json"], &borrowed(&settings), "");
        let found: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        let found = found.iter().find(|one| one["subject"] == "PLC rotation key").unwrap();
        assert_eq!(found["level"], level, "{found}");
        assert!(found["text"].as_str().unwrap().contains(words), "{found}");
    }
    assert!(run(folder.path(), &["config", "check"], &borrowed(&settings(&good, &endpoint))).status.success());
}
