//! A key behind a server that answers as AWS KMS does. The whole product is tried with moto in `pds/server/tests/it/command/kms.rs`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

use std::time::Duration;

use aws_sdk_kms::config::{BehaviorVersion, Credentials, Region, retry::RetryConfig, timeout::TimeoutConfig};
use data_encoding::BASE64;
use k256::ecdsa::{Signature, SigningKey, signature::Signer, signature::hazmat::PrehashSigner};
use pds_crypto::PublicKey;
use pds_identity::plc::{RotationKey, genesis};
use pds_kms::{Error, KmsKey};
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, Request, ResponseTemplate, matchers::method};

const KEY: &str = "alias/pds";
const ARN: &str = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555";
/// The SubjectPublicKeyInfo up to the point.
const SPKI: &str = "3056301006072a8648ce3d020106052b8104000a034200";

/// Answers by what is asked for.
async fn kms(answer: impl Fn(&str, Value) -> ResponseTemplate + Send + Sync + 'static) -> MockServer {
    let server = MockServer::start().await;
    let respond = move |request: &Request| {
        let target = request.headers["x-amz-target"].to_str().unwrap().trim_start_matches("TrentService.").to_owned();
        answer(&target, serde_json::from_slice(&request.body).unwrap())
    };
    Mock::given(method("POST")).respond_with(respond).mount(&server).await;
    server
}

async fn load(server: &MockServer) -> Result<KmsKey, Error> {
    let config = aws_sdk_kms::Config::builder().behavior_version(BehaviorVersion::latest());
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(Duration::from_millis(500)).build();
    let config = config
        .region(Region::new("us-east-1"))
        .endpoint_url(server.uri())
        .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts);
    KmsKey::load_with(aws_sdk_kms::Client::from_conf(config.build()), KEY.to_owned()).await
}

fn spki(key: &SigningKey) -> String {
    let prefix = data_encoding::HEXLOWER.decode(SPKI.as_bytes()).unwrap();
    BASE64.encode(&[&prefix[..], key.verifying_key().to_sec1_point(false).as_bytes()].concat())
}

fn given(public_key: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({
        "KeyId": ARN, "KeySpec": "ECC_SECG_P256K1", "KeyUsage": "SIGN_VERIFY", "PublicKey": public_key,
        "SigningAlgorithms": ["ECDSA_SHA_256"],
    }))
}

/// With the high value of s, which KMS gives as often as the low one.
fn signed(key: &SigningKey, input: &Value) -> ResponseTemplate {
    assert_eq!((&input["KeyId"], &input["SigningAlgorithm"]), (&json!(ARN), &json!("ECDSA_SHA_256")));
    let message = BASE64.decode(input["Message"].as_str().unwrap().as_bytes()).unwrap();
    let signature: Signature = match input["MessageType"].as_str().unwrap() {
        "RAW" => {
            assert!(message.len() <= 4096, "KMS refuses longer ones");
            key.sign(&message)
        }
        "DIGEST" => key.sign_prehash(&message).unwrap(),
        other => panic!("{other}"),
    };
    let low = signature.normalize_s();
    let high = Signature::from_scalars(low.r().to_bytes(), (-*low.s()).to_bytes()).unwrap();
    let der = BASE64.encode(high.to_der().as_bytes());
    ResponseTemplate::new(200).set_body_json(json!({"KeyId": ARN, "Signature": der}))
}

fn refused(code: &str, message: &str) -> ResponseTemplate {
    ResponseTemplate::new(400).set_body_json(json!({"__type": code, "message": message}))
}

#[tokio::test]
async fn operations_and_messages_of_any_length_are_signed() {
    let key = SigningKey::from_slice(&[7; 32]).unwrap();
    let public = spki(&key);
    let server = kms(move |operation, input| match operation {
        "GetPublicKey" => {
            assert_eq!(input["KeyId"], KEY);
            given(&public)
        }
        _ => signed(&key, &input),
    });
    let server = server.await;
    let loaded = load(&server).await.unwrap();
    let public = PublicKey::from_did_key(&loaded.did_key()).unwrap();
    for length in [1, 4096, 4097, 20_000] {
        let message = vec![b'm'; length];
        public.verify(&message, &loaded.signature(&message).await.unwrap()).unwrap();
    }
    let handle = "alice.example".parse().unwrap();
    let operation = genesis(&loaded.did_key(), &loaded.did_key(), None, &handle, "https://pds.example");
    let message = operation.message();
    let signed = loaded.sign(operation).await.unwrap();
    let signature = data_encoding::BASE64URL_NOPAD.decode(signed.sig.as_bytes()).unwrap();
    public.verify(&message, &signature).unwrap();
}

#[tokio::test]
async fn what_cannot_sign_is_refused_with_the_words_of_kms() {
    let (key, other) = (SigningKey::from_slice(&[7; 32]).unwrap(), SigningKey::from_slice(&[8; 32]).unwrap());
    let public = spki(&key);
    let error = async |answer: ResponseTemplate| {
        let server = kms(move |_, _| answer.clone()).await;
        load(&server).await.unwrap_err()
    };
    let denied =
        error(refused("AccessDeniedException", "User: pds is not authorized to perform: kms:GetPublicKey")).await;
    let text = denied.to_string();
    assert!(denied.is_final() && text.contains(KEY) && text.contains("GetPublicKey"), "{text}");
    assert!(text.contains("AccessDeniedException: User: pds is not authorized"), "{text}");
    let throttled = error(refused("ThrottlingException", "Rate exceeded")).await;
    assert!(!throttled.is_final(), "{throttled}");
    let curve =
        ResponseTemplate::new(200).set_body_json(json!({"KeyId": ARN, "KeySpec": "RSA_2048", "PublicKey": "AAAA"}));
    let text = error(curve).await.to_string();
    assert!(text.contains("RSA_2048") && text.contains("allowed") && text.contains("ECC_SECG_P256K1"), "{text}");
    let usage = json!({"KeyId": ARN, "KeyUsage": "KEY_AGREEMENT", "PublicKey": public});
    let wrong = error(ResponseTemplate::new(200).set_body_json(usage)).await;
    assert!(wrong.is_final() && wrong.to_string().contains("KEY_AGREEMENT"), "{wrong}");
    let silent = error(given(&public).set_delay(Duration::from_secs(30))).await;
    assert!(matches!(silent, Error::Unreachable { .. }) && !silent.is_final(), "{silent}");

    // An alias that was given to another key, or an answer that was changed on its way.
    let server = kms(move |operation, input| match operation {
        "GetPublicKey" => given(&public),
        _ => signed(&other, &input),
    });
    let server = server.await;
    let loaded = load(&server).await.unwrap();
    let text = loaded.signature(b"message").await.unwrap_err().to_string();
    assert!(text.contains(ARN) && text.contains(&loaded.did_key()), "{text}");
    let handle = "alice.example".parse().unwrap();
    let operation = genesis(&loaded.did_key(), &loaded.did_key(), None, &handle, "https://pds.example");
    let unsigned = loaded.sign(operation).await.unwrap_err();
    assert!(matches!(&unsigned, pds_identity::Error::Unsigned { key, .. } if key == ARN), "{unsigned}");
}
