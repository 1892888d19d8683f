//! Signatures: `k256` compared with the C library for secp256k1, and `aws-lc-rs` compared with `p256` for P-256. All sign the SHA-256 of a
//! message as long as a commit block, with parsed keys.

use anyhow::Result;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use p256::ecdsa::signature::{Signer, Verifier};
use pds_crypto::{PublicKey, SigningKey};
use sha2::{Digest, Sha256};

use crate::case::Case;

/// Has the length of the signed part of a commit.
const MESSAGE: [u8; 170] = [7; 170];
const SECRET: [u8; 32] = [0x5a; 32];

fn digest() -> [u8; 32] {
    Sha256::digest(MESSAGE).into()
}

pub(crate) fn cases() -> Result<Vec<Case>> {
    let mut cases = secp256k1_cases()?;
    cases.extend(p256_cases()?);
    Ok(cases)
}

fn secp256k1_cases() -> Result<Vec<Case>> {
    let key = SigningKey::from_bytes(&SECRET)?;
    let signature = key.sign(&MESSAGE);
    let (public, did_key) = (key.public(), key.did_key());

    let c_key = secp256k1::SecretKey::from_secret_bytes(SECRET)?;
    let c_public = secp256k1::PublicKey::from_secret_key(&c_key);
    let point = c_public.serialize();
    let c_sign = move || secp256k1::ecdsa::sign(secp256k1::Message::from_digest(digest()), &c_key).serialize_compact();
    let c_verify = move || {
        let parsed = secp256k1::ecdsa::Signature::from_compact(&signature)?;
        // The library refuses high-S itself.
        secp256k1::ecdsa::verify(&parsed, secp256k1::Message::from_digest(digest()), &c_public)
    };

    let context = secp256k1_0_31::Secp256k1::new();
    let old_key = secp256k1_0_31::SecretKey::from_byte_array(SECRET)?;
    let old_sign =
        move || context.sign_ecdsa(secp256k1_0_31::Message::from_digest(digest()), &old_key).serialize_compact();

    anyhow::ensure!(c_sign() == signature && old_sign() == signature, "RFC 6979 and low-S make one signature");
    anyhow::ensure!(public.verify(&MESSAGE, &signature).is_ok() && c_verify().is_ok(), "the signature verifies");
    anyhow::ensure!(PublicKey::from_did_key(&did_key)? == public, "the key reads back");
    Ok(vec![
        Case::new("secp256k1 sign", "k256 (product)", move || key.sign(&MESSAGE)),
        Case::new("secp256k1 sign", "C, secp256k1 0.33 (blinds anew each time)", c_sign),
        Case::new("secp256k1 sign", "C, secp256k1 0.31 (one context)", old_sign),
        Case::new("secp256k1 verify", "k256 (product)", move || public.verify(&MESSAGE, &signature)),
        Case::new("secp256k1 verify", "C, secp256k1 0.33", c_verify),
        Case::new("secp256k1 load secret key", "k256 (product; derives the public key)", || {
            SigningKey::from_bytes(&SECRET)
        }),
        Case::new("secp256k1 load secret key", "C, secp256k1 0.33", || secp256k1::SecretKey::from_secret_bytes(SECRET)),
        Case::new("secp256k1 load secret key", "C, secp256k1 0.33, and derive the public key", || {
            secp256k1::SecretKey::from_secret_bytes(SECRET).map(|key| secp256k1::PublicKey::from_secret_key(&key))
        }),
        Case::new("secp256k1 parse public key", "k256", move || k256::ecdsa::VerifyingKey::from_sec1_bytes(&point)),
        Case::new("secp256k1 parse public key", "C, secp256k1 0.33", move || secp256k1::PublicKey::from_slice(&point)),
        Case::new("secp256k1 low-S check", "k256", move || {
            k256::ecdsa::Signature::from_slice(&signature).map(|parsed| parsed == parsed.normalize_s())
        }),
        Case::new("secp256k1 low-S check", "C, secp256k1 0.33", move || {
            secp256k1::ecdsa::Signature::from_compact(&signature).map(|parsed| {
                let mut low = parsed;
                low.normalize_s();
                low == parsed
            })
        }),
    ])
}

fn p256_cases() -> Result<Vec<Case>> {
    let key = p256::ecdsa::SigningKey::from_slice(&SECRET)?;
    let signature: p256::ecdsa::Signature = key.sign(&MESSAGE);
    let signature = signature.normalize_s();
    let raw: [u8; 64] = signature.to_bytes().into();
    let own = *key.verifying_key();
    let public = PublicKey::P256(own);
    let point = own.to_sec1_point(false);
    let aws_key =
        EcdsaKeyPair::from_private_key_and_public_key(&ECDSA_P256_SHA256_FIXED_SIGNING, &SECRET, point.as_bytes())?;
    let aws_public = aws_key.public_key().clone();
    anyhow::ensure!(
        aws_public.as_ref() == point.as_bytes() && public.verify(&MESSAGE, &raw).is_ok(),
        "one key, one signature"
    );
    let random = SystemRandom::new();
    Ok(vec![
        Case::new("P-256 sign", "aws-lc-rs", move || aws_key.sign(&random, &MESSAGE)),
        Case::new("P-256 sign", "p256", move || {
            let signature: p256::ecdsa::Signature = key.sign(&MESSAGE);
            signature
        }),
        Case::new("P-256 verify", "aws-lc-rs, with low-S check (product)", move || public.verify(&MESSAGE, &raw)),
        Case::new("P-256 verify", "aws-lc-rs", move || {
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, aws_public.as_ref()).verify(&MESSAGE, &raw)
        }),
        Case::new("P-256 verify", "p256", move || own.verify(&MESSAGE, &signature)),
    ])
}
