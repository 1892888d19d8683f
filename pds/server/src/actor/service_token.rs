//! Service tokens: what a repository's key signs for calls to other services.

use std::{fmt::Write, sync::Arc};

use pds_crypto::{
    SigningKey,
    service_token::{Claims, issue},
};
use pds_store::{account::Account, repo};

use super::{Actors, LoadError, key, recent::Opened};

/// Validity of a token in seconds, unless the caller asks for another.
const SECONDS: i64 = 60;

/// What a service token is for.
#[derive(Clone, Copy, Debug)]
pub struct Purpose<'a> {
    /// The service, possibly with a fragment.
    pub audience: &'a str,
    /// The only method that it allows.
    pub method: Option<&'a str>,
    /// Time of expiry in Unix seconds; a minute from now unless given.
    pub expires: Option<i64>,
}

impl Actors {
    /// A new token.
    ///
    /// # Errors
    /// When the account's key cannot be read.
    pub async fn service_token(&self, account: &Account, purpose: Purpose<'_>) -> Result<String, LoadError> {
        let key = self.signing_key(account).await?;
        let now = self.now_us() / 1_000_000;
        let claims = Claims {
            iss: account.did.to_string(),
            aud: purpose.audience.to_owned(),
            exp: purpose.expires.unwrap_or(now + SECONDS),
            iat: Some(now),
            lxm: purpose.method.map(str::to_owned),
            jti: Some(nonce()),
        };
        Ok(issue(&key, &claims).expect("claims have a JSON form"))
    }

    /// A token for a query, which may have been used for the same query up to half a minute ago. For anything that changes something use
    /// [`Actors::service_token`]: its receiver may accept each token once.
    ///
    /// # Errors
    /// As [`Actors::service_token`].
    pub async fn service_token_for_query(
        &self,
        account: &Account,
        audience: &str,
        method: &str,
    ) -> Result<Arc<str>, LoadError> {
        let recent = &self.inner().recent;
        // Neither part contains a space.
        let key = (account.id, Arc::from(format!("{audience} {method}")));
        if let Some(token) = recent.tokens.get(&key).await {
            return Ok(token);
        }
        let purpose = Purpose { audience, method: Some(method), expires: None };
        let token: Arc<str> = self.service_token(account, purpose).await?.into();
        recent.tokens.insert(key, token.clone()).await;
        Ok(token)
    }

    /// The key as the database has it now: another replica may have replaced it. Opening it takes longer than reading it.
    async fn signing_key(&self, account: &Account) -> Result<Arc<SigningKey>, LoadError> {
        let (keys, did) = (&self.inner().recent.keys, &account.did);
        let sealed = repo::key(&self.parts().db, account.id).await?;
        let sealed = sealed.ok_or_else(|| LoadError::Missing(did.clone()))?;
        if let Some(opened) = keys.get(&account.id).await
            && opened.sealed == sealed
        {
            return Ok(opened.key.clone());
        }
        let key = key::open(&self.parts().seal, did, &sealed);
        let key = Arc::new(key.map_err(|source| LoadError::Key { did: did.clone(), source })?);
        keys.insert(account.id, Arc::new(Opened { sealed, key: key.clone() })).await;
        Ok(key)
    }
}

/// 128 random bits in hexadecimal digits.
fn nonce() -> String {
    let mut text = String::with_capacity(32);
    write!(text, "{:032x}", rand::random::<u128>()).expect("a String takes everything");
    text
}
