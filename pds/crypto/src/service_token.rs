//! Service tokens: short-lived JWTs between services, signed with the signing key of an account.
//!
//! The JWT library does not support ES256K, so this module builds and parses the compact form.

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

use crate::{PublicKey, SigningKey};

/// Claims of a service token. Times are Unix seconds. Source: <https://atproto.com/specs/xrpc#inter-service-authentication-jwt>.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The DID of the caller, possibly with a `#fragment`.
    pub iss: String,
    /// The DID of the service that is called.
    pub aud: String,
    /// Time of expiry.
    pub exp: i64,
    /// Time of issue.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub iat: Option<i64>,
    /// The only method that the token may call.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lxm: Option<String>,
    /// A random identifier.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub jti: Option<String>,
}

/// Why a service token is refused. The texts are those of the reference implementation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The token is not a JWT, or a JWT of another type.
    #[error("poorly formatted jwt")]
    BadJwt,
    #[error("jwt expired")]
    JwtExpired,
    #[error("jwt audience does not match service did")]
    BadJwtAudience,
    #[error("bad jwt lexicon method (\"lxm\")")]
    BadJwtLexiconMethod,
    #[error("jwt signature does not match jwt issuer")]
    BadJwtSignature,
}

impl Error {
    /// The name of the XRPC error.
    pub fn name(self) -> &'static str {
        match self {
            Self::BadJwt => "BadJwt",
            Self::JwtExpired => "JwtExpired",
            Self::BadJwtAudience => "BadJwtAudience",
            Self::BadJwtLexiconMethod => "BadJwtLexiconMethod",
            Self::BadJwtSignature => "BadJwtSignature",
        }
    }
}

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
        if matches!(header.typ.as_deref(), Some("at+jwt" | "refresh+jwt" | "dpop+jwt")) {
            return Err(Error::BadJwt);
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
            return Err(Error::BadJwtLexiconMethod);
        }
        Ok(())
    }

    /// Verifies the signature with the key of the issuer.
    pub fn verify(&self, key: &PublicKey) -> Result<(), Error> {
        if self.algorithm != key.algorithm() {
            return Err(Error::BadJwtSignature);
        }
        key.verify(self.signed.as_bytes(), &self.signature).map_err(|_| Error::BadJwtSignature)
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
        assert_eq!(token.check("did:web:b", "com.example.other", 99), Err(Error::BadJwtLexiconMethod));
        assert!(matches!(Token::decode("a.b"), Err(Error::BadJwt)));
    }
}
