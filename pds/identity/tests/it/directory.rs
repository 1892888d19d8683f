//! The client of the PLC directory, with a mock that fails and with a real directory.

use std::time::Duration;

use pds_crypto::SigningKey;
use pds_identity::{
    Error, Roots,
    plc::{Directory, HttpDirectory, Last},
};
use serde_json::json;
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{body_json, method, path},
};

use crate::{handle, identity, install_crypto, variable};

fn directory(url: &str) -> HttpDirectory {
    install_crypto();
    HttpDirectory::new(&url.parse().unwrap(), Duration::from_secs(5), &Roots::default()).unwrap()
}

#[tokio::test]
async fn an_identity_is_made_read_and_changed_in_a_real_directory() {
    let directory = directory(&variable("AURORA_TEST_PLC_URL"));
    let rotation = SigningKey::generate();
    let (did, genesis) = identity(&rotation, "alice.pds.example");
    assert!(matches!(directory.document(&did).await, Err(Error::NotFound(_))));
    directory.submit(&did, &genesis).await.unwrap();
    directory.health().await.unwrap();

    let document = directory.document(&did).await.unwrap();
    assert_eq!(document.id, did);
    assert_eq!(document.handle(), Some(handle("alice.pds.example")));
    assert_eq!(document.pds_endpoint(), Some("https://pds.example"));
    assert_eq!(document.key("atproto").unwrap().did_key(), genesis.operation.verification_methods["atproto"]);

    let last = directory.last(&did).await.unwrap();
    assert_eq!(last, Last::from(&genesis));
    let stranger = last.with_handle(&handle("mallory.example")).sign(&SigningKey::generate());
    assert!(matches!(directory.submit(&did, &stranger).await, Err(Error::Refused { .. })));
    directory.submit(&did, &last.with_handle(&handle("alice.example")).sign(&rotation)).await.unwrap();
    assert_eq!(directory.document(&did).await.unwrap().handle(), Some(handle("alice.example")));
}

#[tokio::test]
async fn an_operation_is_posted_and_a_refusal_keeps_the_directorys_words() {
    let (server, rotation) = (MockServer::start().await, SigningKey::generate());
    let (did, genesis) = identity(&rotation, "alice.pds.example");
    let post = Mock::given(method("POST")).and(path(format!("/{did}"))).and(body_json(&genesis));
    post.respond_with(ResponseTemplate::new(200)).up_to_n_times(1).expect(1).mount(&server).await;
    // With and without a trailing slash.
    directory(&format!("{}/", server.uri())).submit(&did, &genesis).await.unwrap();

    let refusal = ResponseTemplate::new(400).set_body_json(json!({"message": "Invalid signature on op"}));
    Mock::given(method("POST")).respond_with(refusal).mount(&server).await;
    match directory(&server.uri()).submit(&did, &genesis).await {
        Err(Error::Refused { message }) => assert!(message.contains("Invalid signature on op"), "{message}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn missing_failing_and_invalid_responses_give_different_errors() {
    let (server, (did, genesis)) = (MockServer::start().await, identity(&SigningKey::generate(), "alice.example"));
    let directory = directory(&server.uri());
    for status in [404, 410] {
        let gone = Mock::given(method("GET")).respond_with(ResponseTemplate::new(status));
        let _gone = gone.mount_as_scoped(&server).await;
        for error in [directory.document(&did).await.unwrap_err(), directory.last(&did).await.unwrap_err()] {
            match status {
                404 => assert!(matches!(error, Error::NotFound(_)), "{error}"),
                _ => assert!(matches!(error, Error::Tombstoned(_)), "{error}"),
            }
        }
    }
    {
        let broken = ResponseTemplate::new(503).set_body_string("maintenance");
        let _broken = Mock::given(wiremock::matchers::any()).respond_with(broken).mount_as_scoped(&server).await;
        let error = directory.document(&did).await.unwrap_err();
        assert!(matches!(&error, Error::Unreachable { reason, .. } if reason.contains("maintenance")), "{error}");
        assert!(matches!(directory.submit(&did, &genesis).await, Err(Error::Unreachable { .. })));
        assert!(matches!(directory.health().await, Err(Error::Unreachable { .. })));
    }
    {
        let long = ResponseTemplate::new(200).set_body_string("x".repeat(70_000));
        let _long = Mock::given(method("GET")).respond_with(long).mount_as_scoped(&server).await;
        for error in [directory.document(&did).await.unwrap_err(), directory.last(&did).await.unwrap_err()] {
            assert!(matches!(&error, Error::Answer { reason, .. } if reason.contains("more than 65536")), "{error}");
        }
    }
    let nonsense = ResponseTemplate::new(200).set_body_string("<html>");
    Mock::given(method("GET")).respond_with(nonsense).mount(&server).await;
    assert!(matches!(directory.document(&did).await, Err(Error::Answer { .. })));
}

#[tokio::test]
async fn a_silent_or_absent_directory_is_given_up() {
    install_crypto();
    let (server, (did, _)) = (MockServer::start().await, identity(&SigningKey::generate(), "alice.example"));
    let late = ResponseTemplate::new(200).set_delay(Duration::from_secs(60));
    Mock::given(method("GET")).respond_with(late).mount(&server).await;
    let impatient =
        HttpDirectory::new(&server.uri().parse().unwrap(), Duration::from_millis(100), &Roots::default()).unwrap();
    assert!(matches!(impatient.document(&did).await, Err(Error::Unreachable { .. })));
    let absent = directory("http://127.0.0.1:1");
    assert!(matches!(absent.health().await, Err(Error::Unreachable { .. })));
}
