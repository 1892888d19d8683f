//! The gateway of the tests, Versity Gateway 1.8.0, lets the user of one bucket delete others. Operators must notice, and proxies must help.

use std::time::SystemTime;

use axum::extract::Request;
use data_encoding::{BASE64, HEXLOWER};
use hmac::{Hmac, KeyInit, Mac};
use operator_object_store::{ADOPT_KEY, Access, Deleted, Error, Isolation, MARKER_KEY, Provisioner, Versitygw};
use secrecy::ExposeSecret;
use sha2::Sha256;

use super::proxy::{Proxy, Refusal};
use super::s3::{admin, client, code, create_user, exists, get, put, role};
use super::world::{endpoint, keys, named_request, request, root, service, unique, versitygw, versitygw_at};

fn required_at(endpoint: &str) -> Versitygw {
    Versitygw::new(service(endpoint), root(), Isolation::Required).unwrap()
}

#[tokio::test]
async fn a_gateway_that_does_not_keep_buckets_apart_is_refused() {
    let request = request();
    for _ in 0..2 {
        let error = required_at(&endpoint()).ensure(&request, None).await.unwrap_err();
        assert!(matches!(&error, Error::NotIsolated { bucket, .. } if *bucket == request.bucket()), "{error}");
        assert!(error.to_string().contains("spec.objectStore.isolation"), "{error}");
        assert_eq!(role(&request.user()).await, None, "nobody has a key for the gateway");
    }
    // A bucket whose user was made before goes on.
    keys(&versitygw(), &request).await;
    keys(&required_at(&endpoint()), &request).await;
    assert_eq!(versitygw().delete(&request).await.unwrap(), Deleted::Bucket);
}

/// What docs/how-to/object-stores.md asks of a proxy before the gateway.
fn guard(request: &Request) -> Option<(u16, &'static str)> {
    let query = request.uri().query().unwrap_or_default();
    let is_id = |id: &str| id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let parameters = || query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let is_encoded = parameters().any(|(name, _)| name.contains('%') || name.contains('+'));
    let has_bad_id = parameters().any(|(name, value)| name.eq_ignore_ascii_case("uploadid") && !is_id(value));
    let deletes_several = request.method() == "POST" && parameters().any(|(name, _)| name == "delete");
    (is_encoded || has_bad_id || deletes_several).then_some((403, "AccessDenied"))
}

/// Proxies that know one way to write a request, and the one that they miss.
const TEXT_GUARDS: [Refusal; 8] = [
    // Names as they were sent.
    |request| guard(request).filter(|_| !request.uri().query().unwrap_or_default().contains("%75ploadId")),
    // The last of several parameters.
    |request| {
        let query = request.uri().query().unwrap_or_default();
        guard(request).filter(|_| !query.ends_with("&uploadId=0"))
    },
    |request| guard(request).filter(|_| !request.uri().query().unwrap_or_default().contains("%64elete")),
    // The other requests that have the id of an upload: ListParts, UploadPart and CompleteMultipartUpload.
    |request| guard(request).filter(|_| request.method() != "GET"),
    |request| guard(request).filter(|_| request.method() != "PUT"),
    |request| {
        let deletes = request.uri().query().unwrap_or_default().contains("elete");
        guard(request).filter(|_| request.method() != "POST" || deletes)
    },
    // The first parameter.
    |request| {
        let query = request.uri().query().unwrap_or_default();
        guard(request).filter(|_| !query.starts_with("a=&"))
    },
    // The path as it is usually encoded.
    |request| guard(request).filter(|_| !request.uri().query().unwrap_or_default().contains("%2E%2E")),
];

#[tokio::test]
async fn a_proxy_that_knows_one_spelling_of_such_requests_is_refused() {
    for (number, guard) in TEXT_GUARDS.into_iter().enumerate() {
        let (_, address) = Proxy::start(&endpoint(), guard).await;
        let request = request();
        let made = required_at(&address).ensure(&request, None).await;
        assert!(
            matches!(&made, Err(Error::NotIsolated { bucket, .. }) if *bucket == request.bucket()),
            "{number}: {made:?}"
        );
        assert_eq!(role(&request.user()).await, None, "nobody has a key for the gateway");
        assert_eq!(versitygw().delete(&request).await.unwrap(), Deleted::Bucket);
    }
}

#[tokio::test]
async fn behind_a_proxy_that_refuses_such_requests_buckets_are_kept_apart() {
    let (_, address) = Proxy::start(&endpoint(), guard).await;
    let (provisioner, request) = (required_at(&address), request());
    let Access::Keys(tenant) = provisioner.ensure(&request, None).await.unwrap() else { panic!("no keys") };
    let bucket = request.bucket();
    let listed = admin().list_objects_v2().bucket(&bucket).send().await.unwrap();
    let left: Vec<_> = listed.contents().iter().filter_map(|object| object.key()).collect();
    assert_eq!(left, [MARKER_KEY], "the trial leaves nothing");
    let tenant = client(&tenant);
    let upload = tenant.create_multipart_upload().bucket(&bucket).key("large").send().await.unwrap();
    tenant.abort_multipart_upload().bucket(&bucket).key("large").set_upload_id(upload.upload_id).send().await.unwrap();
    for number in 0..3 {
        put(&tenant, &bucket, &number.to_string(), "bytes").await;
    }
    assert_eq!(provisioner.delete(&request).await.unwrap(), Deleted::Bucket, "one object at a time");
    assert!(!exists(&admin(), &bucket).await);
}

/// The gateway checks an upload by an HTML form against the bucket, without the key.
#[tokio::test]
async fn a_form_does_not_write_the_marker() {
    let request = request();
    let tenant = keys(&versitygw(), &request).await;
    let bucket = request.bucket();
    let before = get(&admin(), &bucket, MARKER_KEY).await.unwrap();
    let now = jiff::Timestamp::try_from(SystemTime::now()).unwrap();
    let (day, time) = (now.strftime("%Y%m%d").to_string(), now.strftime("%Y%m%dT%H%M%SZ").to_string());
    let scope = format!("{}/{day}/us-east-1/s3/aws4_request", tenant.access_key_id);
    for key in [MARKER_KEY, ".aurora-locus/adopt", "plain"] {
        let until = (now + jiff::SignedDuration::from_mins(10)).strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string();
        let policy = serde_json::json!({"expiration": until, "conditions": [
            {"bucket": bucket}, {"key": key}, {"x-amz-algorithm": "AWS4-HMAC-SHA256"}, {"x-amz-credential": scope},
            {"x-amz-date": time},
        ]});
        let policy = BASE64.encode(policy.to_string().as_bytes());
        let sign = |key: &[u8], text: &str| {
            let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
            mac.update(text.as_bytes());
            mac.finalize().into_bytes().to_vec()
        };
        let mut signing = format!("AWS4{}", tenant.secret_access_key.expose_secret()).into_bytes();
        for part in [&day, "us-east-1", "s3", "aws4_request"] {
            signing = sign(&signing, part);
        }
        let signature = HEXLOWER.encode(&sign(&signing, &policy));
        let boundary = "boundary0123456789";
        let mut body = String::new();
        for (name, value) in [
            ("key", key),
            ("x-amz-algorithm", "AWS4-HMAC-SHA256"),
            ("x-amz-credential", &scope),
            ("x-amz-date", &time),
            ("policy", &policy),
            ("x-amz-signature", &signature),
        ] {
            body += &format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        }
        body += &format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n{{}}\r\n--{boundary}--\r\n"
        );
        let form = reqwest::Client::new().post(format!("{}/{bucket}", endpoint()));
        let form = form.header("content-type", format!("multipart/form-data; boundary={boundary}")).body(body);
        let answer = form.send().await.unwrap();
        let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
        assert!(status == 403 && text.contains("AccessDenied"), "{key}: {status} {text}");
    }
    assert_eq!(get(&admin(), &bucket, MARKER_KEY).await, Some(before));
    assert_eq!(code(client(&tenant).get_object().bucket(&bucket).key("plain").send().await), "NoSuchKey");
}

/// Whoever may read a Secret once keeps what it held. A later instance of the same namespace and name has other keys, and so another secret.
#[tokio::test]
async fn a_later_instance_of_the_same_name_has_another_secret() {
    let first = request();
    let before = keys(&versitygw(), &first).await;
    assert_eq!(versitygw().delete(&first).await.unwrap(), Deleted::Bucket);
    let mut second = first.clone();
    second.owner.fingerprint = unique();
    let now = keys(&versitygw(), &second).await;
    assert_eq!(before.access_key_id, now.access_key_id);
    put(&client(&now), &second.bucket(), "x", "y").await;
    let old = client(&before).list_objects_v2().bucket(second.bucket()).send().await;
    assert_eq!(code(old), "SignatureDoesNotMatch");
    versitygw().delete(&second).await.unwrap();
}

/// Users that a release before made: another secret would replace the pods of every instance at once.
#[tokio::test]
async fn a_user_of_before_keeps_its_secret() {
    let request = named_request();
    let (user, bucket) = (request.user(), request.bucket());
    let mut mac = Hmac::<Sha256>::new_from_slice(&[7; 32]).unwrap();
    mac.update(format!("s3 secret v1\0{user}\0{bucket}").as_bytes());
    let secret = HEXLOWER.encode(&mac.finalize().into_bytes());
    create_user(&user, &secret, "user").await;
    for _ in 0..2 {
        assert_eq!(keys(&versitygw(), &request).await.secret_access_key.expose_secret(), secret);
    }
    assert_eq!(versitygw().delete(&request).await.unwrap(), Deleted::Bucket);
    assert_eq!(role(&user).await, None, "it is proven to be the operator's");
}

/// A bucket that was handed over had a user for the keys of before.
#[tokio::test]
async fn the_user_of_a_bucket_that_is_handed_over_gets_another_secret() {
    let mut request = named_request();
    let before = keys(&versitygw(), &request).await;
    request.owner.fingerprint = unique();
    put(&admin(), &request.bucket(), ADOPT_KEY, &format!("team/{}", request.owner.name)).await;
    let now = keys(&versitygw(), &request).await;
    assert_ne!(before.secret_access_key.expose_secret(), now.secret_access_key.expose_secret());
    put(&client(&now), &request.bucket(), "x", "y").await;
    assert_eq!(versitygw().delete(&request).await.unwrap(), Deleted::Bucket);
}

/// A service that takes long for a page of objects.
fn slow(request: &Request) -> Option<(u16, &'static str)> {
    if request.method() == "POST" && request.uri().query().is_some_and(|query| query.contains("delete")) {
        std::thread::sleep(std::time::Duration::from_millis(3100));
    }
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_bucket_is_emptied_in_parts() {
    let request = request();
    let tenant = client(&keys(&versitygw(), &request).await);
    let bucket = request.bucket();
    for number in 0..1010 {
        put(&tenant, &bucket, &number.to_string(), "").await;
    }
    let (_, address) = Proxy::start(&endpoint(), slow).await;
    let provisioner = versitygw_at(&address);
    assert_eq!(provisioner.delete(&request).await.unwrap(), Deleted::InPart);
    assert!(exists(&admin(), &bucket).await);
    assert_eq!(versitygw().delete(&request).await.unwrap(), Deleted::Bucket);
}
