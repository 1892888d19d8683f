//! Session tokens: stateless access tokens and refresh tokens, HS256.

use std::fmt;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize, de::IgnoredAny};

/// Seconds an access token is good for.
pub const ACCESS_SECONDS: i64 = 120 * 60;
/// Seconds a refresh token is good for.
pub const REFRESH_SECONDS: i64 = 90 * 24 * 60 * 60;

/// What a token entitles to; the texts are the reference server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// A full session by password.
    #[serde(rename = "com.atproto.access")]
    Access,
    /// Only to obtain the next pair.
    #[serde(rename = "com.atproto.refresh")]
    Refresh,
    /// A session by app password.
    #[serde(rename = "com.atproto.appPass")]
    AppPass,
    /// A session by an app password that may also read private messages.
    #[serde(rename = "com.atproto.appPassPrivileged")]
    AppPassPrivileged,
    /// A session of a taken-down account: export and leave.
    #[serde(rename = "com.atproto.takendown")]
    Takendown,
}

/// The claims of a session token. Times are Unix seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// What it entitles to.
    pub scope: Scope,
    /// The account's DID.
    pub sub: String,
    /// The server's DID.
    pub aud: String,
    /// Issued at.
    pub iat: i64,
    /// Expires at.
    pub exp: i64,
    /// Identifier of a refresh token.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub jti: Option<String>,
    /// Of an access token: identifier of the refresh token that came with it. A session that is logged out takes it along.
    #[serde(rename = "sid", skip_serializing_if = "Option::is_none", default)]
    pub session: Option<String>,
    /// The account's token epoch at issue: a token of an earlier epoch is revoked.
    #[serde(default)]
    pub epoch: i64,
}

/// What a token may hold: the claims, and what makes it another kind of token.
#[derive(Deserialize)]
struct Body {
    #[serde(flatten)]
    claims: Claims,
    lxm: Option<IgnoredAny>,
    cnf: Option<IgnoredAny>,
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The signature is right, the time is over.
    #[error("Token has expired")]
    Expired,
    /// Anything else.
    #[error("Token could not be verified")]
    Invalid,
}

/// The secret that signs session tokens.
pub struct SessionKey {
    encoding: EncodingKey,
    decoding: DecodingKey,
}

impl SessionKey {
    /// From the text of `PDS_JWT_SECRET`.
    pub fn new(secret: &str) -> Self {
        Self {
            encoding: EncodingKey::from_secret(secret.as_bytes()),
            decoding: DecodingKey::from_secret(secret.as_bytes()),
        }
    }

    /// Signs `claims` with the header type that belongs to their scope: `at+jwt` or `refresh+jwt`.
    pub fn issue(&self, claims: &Claims) -> Result<String, Error> {
        let mut header = Header::new(Algorithm::HS256);
        header.typ = Some(header_type(claims.scope).to_owned());
        encode(&header, claims, &self.encoding).map_err(|_| Error::Invalid)
    }

    /// Verifies signature, header type and audience, and the time unless `accept_expired`; `now` in Unix seconds.
    /// Tokens bound to a method (`lxm`) or to a key (`cnf`) are no session tokens.
    pub fn verify(&self, token: &str, audience: &str, now: i64, accept_expired: bool) -> Result<Claims, Error> {
        let mut validation = Validation::new(Algorithm::HS256);
        // The caller's clock decides, below.
        validation.validate_exp = false;
        validation.set_audience(&[audience]);
        let data = decode::<Body>(token, &self.decoding, &validation).map_err(|_| Error::Invalid)?;
        let Body { claims, lxm, cnf } = data.claims;
        if data.header.typ.as_deref() != Some(header_type(claims.scope)) || lxm.is_some() || cnf.is_some() {
            return Err(Error::Invalid);
        }
        if claims.exp <= now && !accept_expired {
            return Err(Error::Expired);
        }
        Ok(claims)
    }
}

fn header_type(scope: Scope) -> &'static str {
    if scope == Scope::Refresh { "refresh+jwt" } else { "at+jwt" }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Claims {
        let (scope, sub, aud) = (Scope::Access, "did:plc:a".to_owned(), "did:web:pds".to_owned());
        Claims { scope, sub, aud, iat: 100, exp: 200, jti: None, session: None, epoch: 3 }
    }

    #[test]
    fn round_trip_and_refusals() {
        let key = SessionKey::new("one secret");
        let token = key.issue(&claims()).unwrap();
        assert_eq!(key.verify(&token, "did:web:pds", 199, false), Ok(claims()));
        assert_eq!(key.verify(&token, "did:web:pds", 200, false), Err(Error::Expired));
        assert_eq!(key.verify(&token, "did:web:pds", 200, true), Ok(claims()));
        assert_eq!(key.verify(&token, "did:web:other", 100, false), Err(Error::Invalid));
        assert_eq!(SessionKey::new("another").verify(&token, "did:web:pds", 100, false), Err(Error::Invalid));
        assert_eq!(key.verify("a.b.c", "did:web:pds", 100, false), Err(Error::Invalid));
    }

    #[test]
    fn other_kinds_of_token_are_refused() {
        let key = SessionKey::new("one secret");
        let signed = |typ: &str, extra: serde_json::Value| {
            let mut body = serde_json::to_value(claims()).unwrap();
            body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            let mut header = Header::new(Algorithm::HS256);
            header.typ = Some(typ.to_owned());
            encode(&header, &body, &key.encoding).unwrap()
        };
        let verify = |token: &str| key.verify(token, "did:web:pds", 150, false);
        assert_eq!(verify(&signed("at+jwt", serde_json::json!({}))), Ok(claims()));
        for extra in [serde_json::json!({"lxm": "com.example.call"}), serde_json::json!({"cnf": {"jkt": "x"}})] {
            assert_eq!(verify(&signed("at+jwt", extra)), Err(Error::Invalid));
        }
        // A refresh token is not an access token, nor the other way round.
        assert_eq!(verify(&signed("refresh+jwt", serde_json::json!({}))), Err(Error::Invalid));
        assert_eq!(verify(&signed("at+jwt", serde_json::json!({"scope": "com.atproto.refresh"}))), Err(Error::Invalid));
        assert_eq!(verify(&signed("at+jwt", serde_json::json!({"scope": "com.example.all"}))), Err(Error::Invalid));
        // Without a signature.
        let unsigned = signed("at+jwt", serde_json::json!({})).replacen(
            "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJIUzI1NiJ9",
            "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJub25lIn0",
            1,
        );
        assert_eq!(verify(&unsigned), Err(Error::Invalid));
        assert_eq!(verify(&format!("{}.", unsigned.rsplit_once('.').unwrap().0)), Err(Error::Invalid));
    }
}
