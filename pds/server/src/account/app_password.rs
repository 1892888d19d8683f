//! App passwords: making, finding and revoking them. The password itself is shown once and never stored.

use std::{fmt, sync::Arc};

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use pds_crypto::{digest::DigestKey, session_token::ACCESS_SECONDS};
use pds_store::{
    Db,
    account::{self, Account},
    app_password::{self, AppPassword, Kind, NewAppPassword},
    session,
};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::password::{self, Passwords};
use crate::clock::Clock;

/// App passwords of one account.
pub const MAX_OF_ONE: usize = 100;
/// Bytes of a name.
pub const MAX_NAME_BYTES: usize = 128;

/// Random bytes of a password, and characters of each of its four parts.
const RANDOM_BYTES: usize = 10;
const PART: usize = 4;

/// A refused app password.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] pds_store::Error),
    /// Empty, too long, or with characters that cannot be seen.
    #[error("Input/name must have 1 to {MAX_NAME_BYTES} bytes and no control characters")]
    Name,
    /// The account has enough of them.
    #[error("An account can have at most {MAX_OF_ONE} app passwords: revoke one that is not used any more")]
    TooMany,
}

/// A failed search for an app password that came from the reference implementation.
#[derive(Debug, thiserror::Error)]
pub enum ImportedError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] pds_store::Error),
    /// The password could not be hashed.
    #[error(transparent)]
    Hash(#[from] password::Error),
}

/// A new app password.
pub struct Created {
    /// Shown to its owner, now and never again.
    pub password: Zeroizing<String>,
    /// When it was made; microseconds.
    pub created_at: i64,
}

/// The app passwords of all accounts. Cheap to clone.
#[derive(Clone)]
pub struct AppPasswords(Arc<Parts>);

/// What app passwords are made and found with.
pub struct Parts {
    /// Accounts and sessions.
    pub db: Db,
    /// Makes the digests by which they are found.
    pub key: DigestKey,
    pub clock: Arc<dyn Clock>,
}

impl AppPasswords {
    /// App passwords of the accounts in this database.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Makes an app password.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::TooMany`], or [`pds_store::Error::AppPasswordExists`] if the account has one of this name.
    pub async fn create(&self, account: &Account, name: &str, privileged: bool) -> Result<Created, Error> {
        self.make(account, name, privileged, None).await
    }

    /// Makes an app password that is limited to these scopes, separated by spaces, which the caller has checked.
    ///
    /// # Errors
    /// As [`AppPasswords::create`].
    pub async fn create_limited(&self, account: &Account, name: &str, scopes: &str) -> Result<Created, Error> {
        self.make(account, name, false, Some(scopes)).await
    }

    async fn make(
        &self,
        account: &Account,
        name: &str,
        privileged: bool,
        scopes: Option<&str>,
    ) -> Result<Created, Error> {
        if name.is_empty() || name.len() > MAX_NAME_BYTES || name.contains(char::is_control) {
            return Err(Error::Name);
        }
        let parts = &self.0;
        let (password, created_at) = (random(), parts.clock.now_us());
        let digest = parts.key.digest(&context(account, scopes.is_some()), &password);
        let mut tx = parts.db.begin().await?;
        // Two requests at once count after each other.
        account::lock(&mut tx, account.id).await?;
        if app_password::list(&mut tx, account.id).await?.len() >= MAX_OF_ONE {
            return Err(Error::TooMany);
        }
        let (account_id, kind) = (account.id, Kind::Keyed);
        app_password::create(
            &mut tx,
            &NewAppPassword { account_id, name, kind, digest: &digest, privileged, scopes, created_at },
        )
        .await?;
        tx.commit().await?;
        Ok(Created { password, created_at })
    }

    /// The app passwords of an account, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(&self, account: &Account) -> pds_store::Result<Vec<AppPassword>> {
        app_password::list(&self.0.db, account.id).await
    }

    /// The app password of an account that this text is. Costs two reads, and nothing if the text cannot be one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find(&self, account: &Account, password: &str) -> pds_store::Result<Option<AppPassword>> {
        if !has_form(password) {
            return Ok(None);
        }
        for is_limited in [false, true] {
            let digest = self.0.key.digest(&context(account, is_limited), password);
            let found = app_password::find(&self.0.db, account.id, Kind::Keyed, &digest).await?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The app password of an account that this text is, among those that came with the account from the reference implementation. Such a digest
    /// is replaced when its password is seen. Costs a hash, if the account has such app passwords.
    ///
    /// # Errors
    /// When the database fails, or too many passwords wait to be hashed.
    pub async fn find_imported(
        &self,
        account: &Account,
        password: &str,
        passwords: &Passwords,
        address: &str,
    ) -> Result<Option<AppPassword>, ImportedError> {
        let parts = &self.0;
        if !has_form(password) || app_password::count(&parts.db, account.id, Kind::Scrypt).await? == 0 {
            return Ok(None);
        }
        let salt = HEXLOWER.encode(&Sha256::digest(account.did.as_str())[..16]);
        let digest = passwords.hash_of_reference(password, &salt, address).await?;
        let Some(found) = app_password::find(&parts.db, account.id, Kind::Scrypt, &digest).await? else {
            return Ok(None);
        };
        let digest = parts.key.digest(&context(account, false), password);
        let mut tx = parts.db.begin().await?;
        app_password::set_digest(&mut tx, found.id, Kind::Keyed, &digest).await?;
        tx.commit().await?;
        Ok(Some(found))
    }

    /// Deletes the app password with this name and ends its sessions on every replica. Without one it does nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke(&self, account: &Account, name: &str) -> pds_store::Result<()> {
        let until = self.0.clock.now_us() + ACCESS_SECONDS * 1_000_000;
        let mut tx = self.0.db.begin().await?;
        session::revoke_app_password(&mut tx, account.id, name, until).await?;
        tx.commit().await
    }
}

/// What a digest is made for. The previous release, which knows no limits, does not find limited app passwords.
fn context(account: &Account, is_limited: bool) -> String {
    let did = &account.did;
    if is_limited { format!("limited {did}") } else { did.to_string() }
}

/// `xxxx-xxxx-xxxx-xxxx`, as the reference makes them: 80 random bits.
fn random() -> Zeroizing<String> {
    let bytes = Zeroizing::new(rand::random::<[u8; RANDOM_BYTES]>());
    let text = Zeroizing::new(BASE32_NOPAD.encode(&*bytes).to_ascii_lowercase());
    let mut password = Zeroizing::new(String::with_capacity(text.len() + 3));
    for (at, character) in text.chars().enumerate() {
        if at > 0 && at % PART == 0 {
            password.push('-');
        }
        password.push(character);
    }
    password
}

fn has_form(text: &str) -> bool {
    let mut parts = 0;
    let all = text.split('-').all(|part| {
        parts += 1;
        part.len() == PART && part.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7'))
    });
    all && parts == 4
}

impl fmt::Debug for AppPasswords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppPasswords")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_has_the_form_and_what_people_choose_has_not() {
        for _ in 0..100 {
            assert!(has_form(&random()), "{}", *random());
        }
        for text in [
            "",
            "abcd-efgh-ijkl",
            "abcd-efgh-ijkl-mnop-qrst",
            "abcd-efgh-ijkl-mno1",
            "ABCD-EFGH-IJKL-MNOP",
            "abcd-efgh-ijkl-mnopq",
        ] {
            assert!(!has_form(text), "{text}");
        }
    }
}
