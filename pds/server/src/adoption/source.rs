//! An account as it is read: everything that is checked before anything is stored. Blocking.

use std::{
    fs::File,
    io::{self, Seek, Write},
};

use bytes::BytesMut;
use jiff::Timestamp;
use pds_crypto::SigningKey;
use pds_repo::{Cid, car};
use pds_store::reference::{self, ActorStore, AppPassword, Folder, RefreshToken, SourceAccount};
use pds_syntax::{Did, Handle, RepoPath};
use serde_json::value::RawValue;

use super::Refused;
use crate::actor::import::Whole;

/// Bytes of a repository that are written at once.
const PIECE: usize = 1 << 20;

/// An account of the reference.
pub(super) struct Source {
    pub(super) did: Did,
    pub(super) handle: Handle,
    pub(super) email: Option<String>,
    pub(super) password_hash: Option<String>,
    /// Times are in microseconds.
    pub(super) created_at: i64,
    pub(super) email_confirmed_at: Option<i64>,
    pub(super) deactivated_at: Option<i64>,
    pub(super) delete_after: Option<i64>,
    pub(super) takedown_ref: Option<String>,
    pub(super) invites_disabled: bool,
    pub(super) app_passwords: Vec<StoredAppPassword>,
    pub(super) sessions: Vec<StoredSession>,
    /// A JSON array.
    pub(super) preferences: Option<String>,
    /// Records that were taken down, with the references of the decisions.
    pub(super) takedowns: Vec<(RepoPath, String)>,
    pub(super) key: SigningKey,
    pub(super) repository: Whole,
}

/// An app password with its digest.
pub(super) struct StoredAppPassword {
    pub(super) name: String,
    pub(super) digest: Vec<u8>,
    pub(super) privileged: bool,
    pub(super) created_at: i64,
}

/// A session.
pub(super) struct StoredSession {
    pub(super) jti: String,
    pub(super) next_jti: Option<String>,
    pub(super) expires_at: i64,
    /// Name of its app password.
    pub(super) app_password: Option<String>,
}

impl Source {
    /// Reads and checks an account.
    pub(super) fn read(
        folder: &Folder,
        account: &SourceAccount,
        app_passwords: Vec<AppPassword>,
        sessions: Vec<RefreshToken>,
    ) -> Result<Self, Refused> {
        let did: Did = parse("DID", &account.did)?;
        let key = SigningKey::from_bytes(&folder.key(&account.did)?).map_err(|_| Refused::Key)?;
        let store = ActorStore::open(&folder.actor_store(&account.did))?;
        let repository = repository(&store, &did, &key)?;
        let time = |name, text: &Option<String>| text.as_deref().map(|text| micros(name, text)).transpose();
        Ok(Self {
            handle: handle(account)?,
            email: account.email.clone().filter(|email| !email.is_empty()),
            password_hash: account.password.clone().filter(|hash| !hash.is_empty()),
            created_at: micros("time of creation", &account.created_at)?,
            email_confirmed_at: time("time of confirmation", &account.email_confirmed_at)?,
            deactivated_at: time("time of deactivation", &account.deactivated_at)?,
            delete_after: time("time of deletion", &account.delete_after)?,
            takedown_ref: account.takedown_ref.clone(),
            invites_disabled: account.invites_disabled,
            app_passwords: app_passwords.into_iter().map(app_password).collect::<Result<_, _>>()?,
            sessions: sessions.into_iter().map(session).collect::<Result<_, _>>()?,
            preferences: preferences(&store.preferences()?)?,
            takedowns: takedowns(&store, &did)?,
            did,
            key,
            repository,
        })
    }
}

/// The root that the reference names, and its revision.
pub(super) fn root(folder: &Folder, did: &str) -> Result<(Cid, String), Refused> {
    named_root(&ActorStore::open(&folder.actor_store(did))?)
}

/// A time as the reference writes it, in microseconds.
pub(super) fn micros(name: &'static str, text: &str) -> Result<i64, Refused> {
    parse::<Timestamp>(name, text).map(Timestamp::as_microsecond)
}

fn named_root(store: &ActorStore) -> Result<(Cid, String), Refused> {
    let (cid, rev) = store.root()?.ok_or(Refused::NoRoot)?;
    Ok((parse("root", &cid)?, rev))
}

/// Copies the blocks to a temporary file without a name, and reads the repository there.
fn repository(store: &ActorStore, did: &Did, key: &SigningKey) -> Result<Whole, Refused> {
    let (root, rev) = named_root(store)?;
    let mut file = tempfile::tempfile()?;
    let mut out = BytesMut::from(car::header(&root));
    store.blocks::<BlockError>(|cid, block| {
        // One of another form belongs to no repository: if it is missed after all, that is reported.
        if let Ok(cid) = cid.parse() {
            car::append(&mut out, &cid, block);
        }
        if out.len() >= PIECE {
            file.write_all(&out)?;
            out.clear();
        }
        Ok(())
    })?;
    file.write_all(&out)?;
    drop(out);
    read(file, did, key, &root, rev)
}

fn read(mut file: File, did: &Did, key: &SigningKey, root: &Cid, named: String) -> Result<Whole, Refused> {
    file.rewind()?;
    let whole = Whole::read(file, did, &key.public())?;
    match whole.head().rev.to_string() {
        found if found != named => Err(Refused::Revision { commit: root.to_string(), found, named }),
        _ => Ok(whole),
    }
}

/// An account without a handle gets a name that nobody else has.
fn handle(account: &SourceAccount) -> Result<Handle, Refused> {
    match &account.handle {
        Some(handle) => parse("handle", &handle.to_lowercase()),
        None => parse("handle", &format!("{}.invalid", account.did.to_lowercase().replace([':', '.', '%', '_'], "-"))),
    }
}

fn app_password(given: AppPassword) -> Result<StoredAppPassword, Refused> {
    let digest =
        given.password.split_once(':').and_then(|(_, hash)| data_encoding::HEXLOWER.decode(hash.as_bytes()).ok());
    Ok(StoredAppPassword {
        digest: digest.ok_or_else(|| Refused::Value {
            name: "app password",
            value: given.name.clone(),
            reason: "its hash is not a salt and hexadecimal digits".to_owned(),
        })?,
        privileged: given.privileged,
        created_at: micros("time of an app password", &given.created_at)?,
        name: given.name,
    })
}

fn session(given: RefreshToken) -> Result<StoredSession, Refused> {
    Ok(StoredSession {
        expires_at: micros("end of a session", &given.expires_at)?,
        jti: given.id,
        next_jti: given.next_id,
        app_password: given.app_password,
    })
}

/// Their texts stay as they are.
fn preferences(stored: &[String]) -> Result<Option<String>, Refused> {
    let values: Vec<&RawValue> =
        stored.iter().map(|text| serde_json::from_str(text)).collect::<Result<_, _>>().map_err(Refused::Preferences)?;
    if values.is_empty() {
        return Ok(None);
    }
    serde_json::to_string(&values).map(Some).map_err(Refused::Preferences)
}

fn takedowns(store: &ActorStore, did: &Did) -> Result<Vec<(RepoPath, String)>, Refused> {
    let prefix = format!("at://{did}/");
    let taken = store.takedowns()?.into_iter();
    taken
        .map(|(uri, reference)| {
            let path = uri.strip_prefix(&prefix).unwrap_or(&uri);
            Ok((parse("record", path)?, reference))
        })
        .collect()
}

fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(name: &'static str, value: &str) -> Result<T, Refused> {
    value.parse().map_err(|error: T::Err| Refused::Value { name, value: value.to_owned(), reason: error.to_string() })
}

/// Why the blocks could not be copied.
enum BlockError {
    Reference(reference::Error),
    Write(io::Error),
}

impl From<reference::Error> for BlockError {
    fn from(error: reference::Error) -> Self {
        Self::Reference(error)
    }
}

impl From<io::Error> for BlockError {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

impl From<BlockError> for Refused {
    fn from(error: BlockError) -> Self {
        match error {
            BlockError::Reference(error) => error.into(),
            BlockError::Write(error) => error.into(),
        }
    }
}
