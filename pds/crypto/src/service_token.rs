//! Service tokens: short-lived JWTs between services, signed with the signing key of an account.
//!
//! The JWT library does not support ES256K, so this module builds and parses the compact form.

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{PublicKey, SigningKey};

/// Claims of a service token. Times are Unix seconds. Source: <https://atproto.com/specs/xrpc#inter-service-authentication-jwt>.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The DID of the caller, possibly with a `#fragment`.
    pub iss: String,
    /// The DID of the service that is called.
    pub aud: String,
    /// Time of expiry.
    #[serde(deserialize_with = "seconds")]
    pub exp: i64,
    /// Time of issue.
    #[serde(skip_serializing_if = "Option::is_none", default, deserialize_with = "some_seconds")]
    pub iat: Option<i64>,
    /// The only method that the token may call.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lxm: Option<String>,
    /// A random identifier.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub jti: Option<String>,
}

/// Seconds as a JSON number, cut to whole ones: some libraries write fractions.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    serde_json::Number::deserialize(deserializer)
        .map(|number| number.as_i64().unwrap_or_else(|| number.as_f64().unwrap_or_default().floor() as i64))
}

fn some_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    seconds(deserializer).map(Some)
}

/// Why a service token is refused. The texts are those of the reference implementation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The token is not a JWT, or lacks a claim.
    #[error("poorly formatted jwt")]
    BadJwt,
    /// A session token or a DPoP proof, by its header.
    #[error("Invalid jwt type \"{0}\"")]
    BadJwtType(&'static str),
    #[error("jwt expired")]
    JwtExpired,
    #[error("jwt audience does not match service did")]
    BadJwtAudience,
    #[error("{} jwt lexicon method (\"lxm\"). must match: {method}", if *is_missing { "missing" } else { "bad" })]
    BadJwtLexiconMethod {
        /// The method that was called.
        method: String,
        /// Whether the token names no method at all.
        is_missing: bool,
    },
    #[error("jwt iss is not a valid did")]
    BadJwtIss,
    #[error("jwt signature does not match jwt issuer")]
    BadJwtSignature,
}

impl Error {
    /// The name of the XRPC error.
    pub fn name(&self) -> &'static str {
        match self {
            Self::BadJwt => "BadJwt",
            Self::BadJwtType(_) => "BadJwtType",
            Self::JwtExpired => "JwtExpired",
            Self::BadJwtAudience => "BadJwtAudience",
            Self::BadJwtLexiconMethod { .. } => "BadJwtLexiconMethod",
            Self::BadJwtIss => "BadJwtIss",
            Self::BadJwtSignature => "BadJwtSignature",
        }
    }
}

/// Header types of other kinds of tokens.
const OTHER_TYPES: [&str; 3] = ["at+jwt", "refresh+jwt", "dpop+jwt"];

#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: Option<String>,
}

/// A parsed token whose signature is not verified yet.
#[derive(Clone, Debug)]
pub struct Token {
    /// The claims. Do not trust them before [`Token::verify`].
    pub claims: Claims,
    algorithm: String,
    signed: String,
    signature: Vec<u8>,
}

/// Signs `claims` with `key` (ES256K).
pub fn issue(key: &SigningKey, claims: &Claims) -> Result<String, Error> {
    let body = serde_json::to_vec(claims).map_err(|_| Error::BadJwt)?;
    let signed =
        format!("{}.{}", BASE64URL_NOPAD.encode(br#"{"typ":"JWT","alg":"ES256K"}"#), BASE64URL_NOPAD.encode(&body));
    let signature = key.sign(signed.as_bytes());
    Ok(format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature)))
}

impl Token {
    /// Parses a compact JWT. Refuses session tokens and DPoP proofs, which have other header types.
    pub fn decode(token: &str) -> Result<Self, Error> {
        let (signed, signature) = token.rsplit_once('.').ok_or(Error::BadJwt)?;
        let (header, body) = signed.split_once('.').ok_or(Error::BadJwt)?;
        let base64 = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| Error::BadJwt);
        let header: Header = serde_json::from_slice(&base64(header)?).map_err(|_| Error::BadJwt)?;
        if let Some(other) = OTHER_TYPES.into_iter().find(|other| header.typ.as_deref() == Some(other)) {
            return Err(Error::BadJwtType(other));
        }
        let claims = serde_json::from_slice(&base64(body)?).map_err(|_| Error::BadJwt)?;
        Ok(Self { claims, algorithm: header.alg, signed: signed.to_owned(), signature: base64(signature)? })
    }

    /// Checks time of expiry, audience and method. `now` is in Unix seconds.
    pub fn check(&self, audience: &str, method: &str, now: i64) -> Result<(), Error> {
        if self.claims.exp <= now {
            return Err(Error::JwtExpired);
        }
        if self.claims.aud != audience {
            return Err(Error::BadJwtAudience);
        }
        if self.claims.lxm.as_deref() != Some(method) {
            let (method, is_missing) = (method.to_owned(), self.claims.lxm.is_none());
            return Err(Error::BadJwtLexiconMethod { method, is_missing });
        }
        Ok(())
    }

    /// Verifies the signature with the key of the issuer. Takes high-S signatures, which common JWT libraries make.
    pub fn verify(&self, key: &PublicKey) -> Result<(), Error> {
        if self.algorithm != key.algorithm() {
            return Err(Error::BadJwtSignature);
        }
        key.verify_jws(self.signed.as_bytes(), &self.signature).map_err(|_| Error::BadJwtSignature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issued_tokens_verify_and_each_check_refuses() {
        let key = SigningKey::generate();
        let (iss, aud, lxm) = ("did:plc:a".to_owned(), "did:web:b".to_owned(), Some("com.example.call".to_owned()));
        let claims = Claims { iss, aud, exp: 100, iat: Some(40), lxm, jti: Some("x".into()) };
        let token = Token::decode(&issue(&key, &claims).unwrap()).unwrap();
        assert_eq!(token.claims, claims);
        assert_eq!(token.verify(&key.public()), Ok(()));
        assert_eq!(token.verify(&SigningKey::generate().public()), Err(Error::BadJwtSignature));
        assert_eq!(token.check("did:web:b", "com.example.call", 99), Ok(()));
        assert_eq!(token.check("did:web:b", "com.example.call", 100), Err(Error::JwtExpired));
        assert_eq!(token.check("did:web:c", "com.example.call", 99), Err(Error::BadJwtAudience));
        let error = token.check("did:web:b", "com.example.other", 99).unwrap_err();
        assert_eq!(error.to_string(), r#"bad jwt lexicon method ("lxm"). must match: com.example.other"#);
        let token = Token::decode(&issue(&key, &Claims { lxm: None, ..claims }).unwrap()).unwrap();
        let error = token.check("did:web:b", "com.example.call", 99).unwrap_err();
        assert_eq!(error.to_string(), r#"missing jwt lexicon method ("lxm"). must match: com.example.call"#);
        assert!(matches!(Token::decode("a.b"), Err(Error::BadJwt)));
    }

    #[test]
    fn tokens_of_other_libraries() {
        let key = SigningKey::generate();
        let made = |header: &str, body: &str| {
            let encode = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
            let signed = format!("{}.{}", encode(header), encode(body));
            let signature = key.sign(signed.as_bytes());
            (signed, signature)
        };
        let body = r#"{"iss": "did:plc:a", "aud": "did:web:b", "exp": 100.75, "iat": 40.5, "lxm": "com.example.call"}"#;
        let (signed, signature) = made(r#"{"alg": "ES256K"}"#, body);
        // The other signature of the same message: s and the order of the group less s are both valid.
        let high = k256::ecdsa::Signature::from_slice(&signature).unwrap();
        let (r, s) = high.split_scalars();
        let high = k256::ecdsa::Signature::from_scalars(r.to_bytes(), (-*s).to_bytes()).unwrap();
        for signature in [signature.to_vec(), high.to_bytes().to_vec()] {
            let token = Token::decode(&format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature))).unwrap();
            assert_eq!((token.claims.exp, token.claims.iat), (100, Some(40)));
            assert_eq!(token.verify(&key.public()), Ok(()));
        }
        for other in OTHER_TYPES {
            let (signed, signature) = made(&format!(r#"{{"alg": "ES256K", "typ": "{other}"}}"#), body);
            let token = Token::decode(&format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature)));
            assert_eq!(token.unwrap_err(), Error::BadJwtType(other));
        }
    }
}
