//! Services that know less, and services that are away.

use std::time::{Duration, Instant};

use operator_object_store::{Aws, AwsSettings, Deleted, Error, Provisioner};

use super::proxy::{Proxy, Refusal};
use super::s3::{admin, client, exists, get, put, role};
use super::world::{credential, endpoint, keys, named_request, request, service, versitygw_at};

#[tokio::test]
async fn tags_conditions_and_versions_are_not_needed() {
    let refusals: [Refusal; 4] = [
        |request| {
            request.uri().query().is_some_and(|query| query.contains("tagging")).then_some((501, "NotImplemented"))
        },
        |request| request.headers().contains_key("if-none-match").then_some((501, "NotImplemented")),
        |request| {
            request.uri().query().is_some_and(|query| query.contains("versions")).then_some((501, "NotImplemented"))
        },
        // A bucket is made with an empty body only.
        |request| {
            let makes = request.method() == "PUT" && request.uri().path().matches('/').count() <= 1;
            let has_body = request.headers().get("content-length").is_some_and(|length| length != "0");
            (makes && has_body && !request.uri().query().is_some_and(|query| query.contains("policy")))
                .then_some((400, "MalformedXML"))
        },
    ];
    for refusal in refusals {
        for request in [request(), named_request()] {
            let (_, address) = Proxy::start(&endpoint(), refusal).await;
            let provisioner = versitygw_at(&address);
            let given = keys(&provisioner, &request).await;
            put(&client(&given), &request.bucket(), "blob", "1").await;
            assert!(get(&admin(), &request.bucket(), "blob").await.is_some());
            keys(&provisioner, &request).await;
            assert_eq!(provisioner.delete(&request).await.unwrap(), Deleted::Bucket);
            assert!(!exists(&admin(), &request.bucket()).await);
            assert_eq!(role(&request.user()).await, None);
        }
    }
}

/// A line that a person can read.
fn assert_sentence(error: &Error) {
    let text = error.to_string();
    assert!(text.len() < 400 && !text.contains('\n'), "{text}");
    for debug in ["Error {", "Some(", "DispatchFailure", "source:", "ConnectorError"] {
        assert!(!text.contains(debug), "{text}");
    }
}

#[tokio::test]
async fn a_service_that_is_away_gives_one_sentence() {
    // A port that was free a moment ago.
    let address = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (provisioner, request) = (versitygw_at(&format!("http://{address}")), request());
    let bucket = request.bucket();
    for error in
        [provisioner.ensure(&request, None).await.unwrap_err(), provisioner.delete(&request).await.unwrap_err()]
    {
        assert_sentence(&error);
        assert!(matches!(error, Error::Unavailable(_)));
        let expected = format!(
            "the object store at http://{address} was to be asked to read .aurora-locus/owner.json of bucket {bucket} and cannot be reached: \
             Connection refused (os error 111)"
        );
        assert_eq!(error.to_string(), expected);
    }
}

#[tokio::test]
async fn a_service_that_does_not_answer_is_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let began = Instant::now();
    let error = versitygw_at(&format!("http://{address}")).ensure(&request(), None).await.unwrap_err();
    assert_sentence(&error);
    assert!(error.to_string().ends_with("and did not answer within 15 s"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
    drop(listener);
}

#[tokio::test]
async fn a_wrong_administrator_is_told() {
    let wrong = operator_object_store::Versitygw::new(
        service(&endpoint()),
        credential("testroot", "wrong"),
        operator_object_store::Isolation::Waived,
    )
    .unwrap();
    let error = wrong.ensure(&request(), None).await.unwrap_err();
    assert_sentence(&error);
    assert!(matches!(error, Error::Refused(_)) && error.to_string().contains("SignatureDoesNotMatch"), "{error}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (_, address) = Proxy::start(&endpoint(), |_| Some((301, "PermanentRedirect"))).await;
    let error = versitygw_at(&address).ensure(&request(), None).await.unwrap_err();
    assert_sentence(&error);
    assert!(matches!(error, Error::Invalid(_)) && error.to_string().contains("not followed"), "{error}");
}

#[tokio::test]
async fn iam_that_is_away_gives_one_sentence() {
    let address = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let settings = AwsSettings {
        service: service(&endpoint()),
        iam_endpoint: Some(format!("http://{address}")),
        admin: Some(super::world::root()),
        workload_identity: None,
    };
    // IAM and STS are one service there. Without its answer nobody knows which account the buckets must belong to.
    let error = Aws::new(settings).await.unwrap_err();
    assert_sentence(&error);
    let asked = format!("http://{address} was to be asked to tell the account of the operator's credential");
    assert!(matches!(error, Error::Unavailable(_)) && error.to_string().contains(&asked), "{error}");
}
