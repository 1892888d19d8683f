//! Session tokens: access tokens and refresh tokens, signed with HS256.

use std::fmt;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize, de::IgnoredAny};

/// Validity of an access token.
pub const ACCESS_SECONDS: i64 = 120 * 60;
/// Validity of a refresh token.
pub const REFRESH_SECONDS: i64 = 90 * 24 * 60 * 60;

/// The rights of a token. The texts are those of the reference implementation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// All rights of the account: a session created with the password.
    #[serde(rename = "com.atproto.access")]
    Access,
    /// Only the right to refresh the session.
    #[serde(rename = "com.atproto.refresh")]
    Refresh,
    /// A session created with an app password.
    #[serde(rename = "com.atproto.appPass")]
    AppPass,
    /// A session created with an app password that may also read private messages.
    #[serde(rename = "com.atproto.appPassPrivileged")]
    AppPassPrivileged,
    /// A session created with an app password that is limited to [`Claims::limits`]. Not among those of the reference implementation.
    #[serde(rename = "dev.auroralocus.appPassLimited")]
    AppPassLimited,
    /// A session of a taken-down account, which can only export its data and move to another server.
    #[serde(rename = "com.atproto.takendown")]
    Takendown,
}

impl Scope {
    /// Whether a token of this scope comes from a session that was created with the account's password.
    #[must_use]
    pub fn is_full(self) -> bool {
        self == Self::Access
    }

    /// Whether a token of this scope may be used for private messages, and to move the account.
    #[must_use]
    pub fn is_privileged(self) -> bool {
        matches!(self, Self::Access | Self::AppPassPrivileged)
    }
}

/// The claims of a session token. Times are Unix seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    pub scope: Scope,
    /// DID of the account.
    pub sub: String,
    /// DID of the server.
    pub aud: String,
    /// Time of issue.
    pub iat: i64,
    /// Time of expiry.
    pub exp: i64,
    /// Identifier of a refresh token. `None` in access tokens.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub jti: Option<String>,
    /// In access tokens, the identifier of the refresh token of the same session. A logout revokes both.
    #[serde(rename = "sid", skip_serializing_if = "Option::is_none", default)]
    pub session: Option<String>,
    /// What a session of a limited app password may do: OAuth scopes, separated by spaces.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limits: Option<String>,
    /// Token epoch of the account at the time of issue. Tokens of earlier epochs are revoked.
    #[serde(default)]
    pub epoch: i64,
}

/// The claims, and the claims that only other kinds of tokens have.
#[derive(Deserialize)]
struct Body {
    #[serde(flatten)]
    claims: Claims,
    lxm: Option<IgnoredAny>,
    cnf: Option<IgnoredAny>,
}

/// Why a session token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The signature is valid, but the token has expired.
    #[error("Token has expired")]
    Expired,
    /// The token is not a valid session token of this server.
    #[error("Token could not be verified")]
    Invalid,
}

/// The secret that signs session tokens.
pub struct SessionKey {
    encoding: EncodingKey,
    decoding: DecodingKey,
}

impl SessionKey {
    /// Derives the key from the value of `PDS_JWT_SECRET`.
    pub fn new(secret: &str) -> Self {
        Self {
            encoding: EncodingKey::from_secret(secret.as_bytes()),
            decoding: DecodingKey::from_secret(secret.as_bytes()),
        }
    }

    /// Signs `claims`. The header type follows from the scope: `at+jwt` or `refresh+jwt`.
    pub fn issue(&self, claims: &Claims) -> Result<String, Error> {
        let mut header = Header::new(Algorithm::HS256);
        header.typ = Some(header_type(claims.scope).to_owned());
        encode(&header, claims, &self.encoding).map_err(|_| Error::Invalid)
    }

    /// Verifies signature, header type, audience and, unless `accept_expired`, the time of expiry. `now` is in Unix seconds. Refuses tokens that
    /// are bound to a method (`lxm`) or to a key (`cnf`), which are other kinds of tokens.
    pub fn verify(&self, token: &str, audience: &str, now: i64, accept_expired: bool) -> Result<Claims, Error> {
        let mut validation = Validation::new(Algorithm::HS256);
        // Checked below, with the clock of the caller.
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
        Claims { scope, sub, aud, iat: 100, exp: 200, jti: None, session: None, limits: None, epoch: 3 }
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
