//! Keys and signatures in the interop vectors of the protocol.
#![expect(clippy::panic, reason = "helpers of tests fail the test")]

use std::{fs, path::PathBuf};

use data_encoding::{BASE64_NOPAD, HEXLOWER};
use pds_crypto::{PublicKey, SigningKey, seal::SealKey};
use proptest::prelude::*;
use serde_json::Value;

fn vectors(file: &str) -> Vec<Value> {
    let folder = std::env::var("AURORA_INTEROP_DIR")
        .expect("AURORA_INTEROP_DIR is not set: run `make test`, which fetches the vectors");
    let path = PathBuf::from(folder).join("atproto/atcrypto/testdata").join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let all: Vec<Value> = serde_json::from_str(&text).expect("vectors are JSON");
    assert!(!all.is_empty(), "{file} holds no vectors");
    all
}

fn text<'a>(case: &'a Value, field: &str) -> &'a str {
    case[field].as_str().unwrap_or_else(|| panic!("{field} of {case}"))
}

#[test]
fn signatures() {
    for case in vectors("signature-fixtures.json") {
        let key = PublicKey::from_did_key(text(&case, "publicKeyDid")).unwrap();
        assert_eq!(PublicKey::from_did_key(&key.did_key()).unwrap(), key);
        let message = BASE64_NOPAD.decode(text(&case, "messageBase64").trim_end_matches('=').as_bytes()).unwrap();
        let signature = BASE64_NOPAD.decode(text(&case, "signatureBase64").trim_end_matches('=').as_bytes()).unwrap();
        assert_eq!(key.verify(&message, &signature).is_ok(), case["validSignature"].as_bool().unwrap(), "{case}");
    }
}

#[test]
fn secp256k1_did_keys() {
    for case in vectors("w3c_didkey_K256.json") {
        let key = SigningKey::from_hex(text(&case, "privateKeyBytesHex")).unwrap();
        assert_eq!(key.did_key(), text(&case, "publicDidKey"));
        assert_eq!(HEXLOWER.encode(&*key.to_bytes()), text(&case, "privateKeyBytesHex"));
        let signature = key.sign(b"message");
        assert!(key.public().verify(b"message", &signature).is_ok());
        assert!(key.public().verify(b"another", &signature).is_err());
    }
}

#[test]
fn p256_did_keys() {
    for case in vectors("w3c_didkey_P256.json") {
        let did = text(&case, "publicDidKey");
        assert_eq!(PublicKey::from_did_key(did).unwrap().did_key(), did);
    }
}

#[test]
fn bad_keys_are_refused() {
    assert!(SigningKey::from_hex("00").is_err());
    assert!(SigningKey::from_hex(&"00".repeat(32)).is_err());
    assert!(PublicKey::from_did_key("did:key:zNotAKey").is_err());
    assert!(PublicKey::from_multikey("mAAAA").is_err());
    // The compact form of a key that has the text `did:key:zQ3shX79LkfX1Lh9A9ECyfVCmKt1qnAMGiRSe4zF6SCkXqygL`.
    assert!(PublicKey::from_did_key("did:key:zQ3siQo6TF2moiqMTrUZEM1jeuYRQXeHEx3evX9751y2qPqRA").is_err());
}

proptest! {
    #[test]
    fn a_signature_is_for_one_key_and_one_message(secret in 1..=u128::MAX, message: Vec<u8>, flip in 0..512usize) {
        let mut bytes = [0; 32];
        bytes[16..].copy_from_slice(&secret.to_be_bytes());
        let key = SigningKey::from_bytes(&bytes).unwrap();
        let signature = key.sign(&message);
        prop_assert!(key.public().verify(&message, &signature).is_ok());
        prop_assert_eq!(signature, key.sign(&message));
        let mut changed = signature;
        changed[flip / 8] ^= 1 << (flip % 8);
        prop_assert!(key.public().verify(&message, &changed).is_err());
        prop_assert!(key.public().verify(&[&message[..], &[0]].concat(), &signature).is_err());
        prop_assert!(key.public().verify(&message, &signature[..63]).is_err());
        let parsed = PublicKey::from_did_key(&key.did_key()).unwrap();
        prop_assert_eq!(parsed, key.public());
    }

    #[test]
    fn no_text_is_a_key_by_accident(text in "(did:key:)?z?[1-9A-HJ-NP-Za-z]{0,80}") {
        let _ = PublicKey::from_multikey(&text);
        if let Ok(key) = PublicKey::from_did_key(&text) {
            prop_assert_eq!(key.did_key(), text);
        }
    }

    #[test]
    fn sealed_values_open_again(plain: Vec<u8>, purpose: String, flip: proptest::sample::Index) {
        let key = SealKey::from_hex(&"5a".repeat(32)).unwrap();
        let mut sealed = key.seal(&plain, &purpose).unwrap();
        let opened = key.open(&sealed, &purpose).unwrap();
        prop_assert_eq!(opened.as_slice(), plain.as_slice());
        let at = flip.index(sealed.len());
        sealed[at] ^= 0x40;
        prop_assert!(key.open(&sealed, &purpose).is_err());
    }
}
