//! The import from its first look to its end.

use data_encoding::HEXLOWER;
use pds_store::{
    account as accounts, adoption,
    reference::{self, Accounts, LeftBehind, Sequence, SourceAccount, Use},
};
use pds_syntax::Did;
use sha2::{Digest, Sha256};

use super::{
    Error, Parts, Refused,
    account::{self, Outcome},
    ending::{self, Ending},
    events,
    reader::Reader,
    source::Source,
    verify,
};
use crate::task::run_blocking;

/// Accounts that are read at once.
const PAGE: u32 = 200;
/// Accounts, the oldest, by which data directories are told apart.
const TOLD_APART: u32 = 100;
/// Reserved keys that are read.
const RESERVED: usize = 10_000;

/// What this database has of the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing.
    New,
    /// A part: an earlier run was interrupted, or could not take over every account.
    Begun,
    /// All.
    Ended,
}

/// What was done so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    /// Accounts of the directory.
    pub accounts: u64,
    /// Taken over by this run.
    pub adopted: u64,
    /// Taken over by an earlier run, and verified.
    pub verified: u64,
    /// Not taken over.
    pub refused: u64,
    /// Left out because the caller wants it.
    pub left_out: u64,
    /// Blobs that were copied.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blobs whose bytes are not in the directory.
    pub lost: u64,
    /// Events that were carried over.
    pub events: u64,
}

/// A step of an import.
#[derive(Debug)]
pub enum Step<'a> {
    /// Something was taken over or verified.
    Progress,
    /// An account was not taken over.
    Refused {
        /// Its DID, as the directory has it.
        did: &'a str,
        /// Why.
        reason: &'a Refused,
    },
    /// A blob was not taken over.
    Lost {
        /// The account's DID.
        did: &'a str,
        /// The blob's CID.
        cid: &'a str,
        /// Why.
        reason: &'a str,
    },
}

/// An import whose beginning was checked.
pub struct Adoption {
    parts: Parts,
    accounts: Reader<Accounts>,
    sequence: Reader<Sequence>,
    /// Tells the directory apart from others.
    source: String,
    /// Of the directory at the beginning.
    stamp: String,
    state: State,
    /// Whether a program of this machine could have the directory open without being seen.
    may_be_in_use: bool,
}

impl Adoption {
    /// Checks the directory and the database. Writes nothing.
    ///
    /// # Errors
    /// Why this directory cannot be taken over into this database.
    pub async fn check(parts: Parts) -> Result<Self, Error> {
        let folder = parts.folder.clone();
        let (in_use, stamp, accounts, sequence, source) = run_blocking(move || {
            let in_use = folder.in_use()?;
            if in_use == Use::Open {
                return Err(Error::InUse);
            }
            let stamp = folder.stamp()?;
            let (accounts, sequence) = (Accounts::open(&folder.accounts)?, Sequence::open(&folder.sequence)?);
            let source = fingerprint(&accounts)?;
            Ok((in_use, stamp, accounts, sequence, source))
        })
        .await?;
        let state = match adoption::get(&parts.db).await? {
            None if adoption::is_possible(&parts.db).await? => State::New,
            None => return Err(Error::NotEmpty),
            Some(begun) if begun.source != source => return Err(Error::Other),
            Some(begun) if begun.finished_at.is_some() => State::Ended,
            Some(_) => State::Begun,
        };
        let (accounts, sequence) = (Reader::new(accounts), Reader::new(sequence));
        Ok(Self { parts, accounts, sequence, source, stamp, state, may_be_in_use: in_use == Use::Unknown })
    }

    /// What the database has.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether the reference could be running without being seen.
    #[must_use]
    pub fn may_be_in_use(&self) -> bool {
        self.may_be_in_use
    }

    /// What is in the directory and is not taken over, each with the consequence.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub async fn left_behind(&self) -> Result<Vec<String>, Error> {
        let LeftBehind { oauth_sessions, devices, mail_codes } = self.accounts.ask(Accounts::left_behind).await?;
        let found = [
            (oauth_sessions, "sessions of apps that log in with OAuth: their users log in again"),
            (devices, "browsers that the pages of the OAuth provider remember"),
            (mail_codes, "codes in mails: their owners ask for new ones"),
        ];
        Ok(found.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect())
    }

    /// Takes over everything. If accounts were refused the import has not ended: the caller mends or leaves them out, and begins again.
    ///
    /// Cancellation: like a crash, after which it can begin again.
    ///
    /// # Errors
    /// When it cannot go on; it can begin again.
    pub async fn run(&self, on: &mut (dyn FnMut(Step<'_>, &Totals) + Send)) -> Result<Totals, Error> {
        let mut totals = Totals { accounts: self.accounts.ask(Accounts::count).await?, ..Totals::default() };
        if self.state == State::Ended {
            return Ok(totals);
        }
        let mut tx = self.parts.db.begin().await?;
        adoption::begin(&mut tx, &self.source, self.parts.clock.now_us()).await?;
        tx.commit().await?;
        let mut last: Option<SourceAccount> = None;
        loop {
            let after = last.take();
            let page = self.accounts.ask(move |accounts| accounts.page(after.as_ref(), PAGE)).await?;
            if page.is_empty() {
                break;
            }
            for account in &page {
                self.account(account, &mut totals, on).await?;
                on(Step::Progress, &totals);
            }
            last = page.into_iter().next_back();
        }
        if totals.refused == 0 {
            self.end(&mut totals, on).await?;
        }
        Ok(totals)
    }

    async fn account(
        &self,
        account: &SourceAccount,
        totals: &mut Totals,
        on: &mut (dyn FnMut(Step<'_>, &Totals) + Send),
    ) -> Result<(), Error> {
        let did = &*account.did;
        let parsed = did.parse::<Did>().ok();
        if parsed.as_ref().is_some_and(|did| self.parts.left_out.contains(did)) {
            totals.left_out += 1;
            return Ok(());
        }
        let refused = match self.stored(parsed.as_ref()).await? {
            Some(stored) => {
                let changed = verify::verify(&self.parts, &stored).await?;
                totals.verified += u64::from(changed.is_none());
                changed
            }
            None => match self.adopt(account).await? {
                Outcome::Refused(refused) => Some(refused),
                Outcome::Adopted(copied) => {
                    totals.adopted += 1;
                    totals.blobs += copied.blobs;
                    totals.bytes += copied.bytes;
                    totals.lost += copied.lost;
                    for (cid, reason) in &copied.listed {
                        on(Step::Lost { did, cid, reason }, totals);
                    }
                    None
                }
            },
        };
        if let Some(reason) = &refused {
            totals.refused += 1;
            on(Step::Refused { did, reason }, totals);
        }
        Ok(())
    }

    /// The account, if an earlier run has completed it. What that run has left unfinished is removed.
    async fn stored(&self, did: Option<&Did>) -> Result<Option<accounts::Account>, Error> {
        let Some(did) = did else { return Ok(None) };
        let Some(stored) = accounts::by_did(&self.parts.db, did).await? else { return Ok(None) };
        if stored.activated_at.is_some() {
            return Ok(Some(stored));
        }
        adoption::remove_reserved(&self.parts.db, stored.id, self.parts.clock.now_us()).await?;
        Ok(None)
    }

    async fn adopt(&self, account: &SourceAccount) -> Result<Outcome, Error> {
        let (did, with_sessions) = (account.did.clone(), self.parts.with_sessions);
        let (app_passwords, sessions) = self
            .accounts
            .ask(move |accounts| {
                let sessions = if with_sessions { accounts.refresh_tokens(&did)? } else { Vec::new() };
                Ok::<_, reference::Error>((accounts.app_passwords(&did)?, sessions))
            })
            .await?;
        let (folder, account) = (self.parts.folder.clone(), account.clone());
        let read = move || Source::read(&folder, &account, app_passwords, sessions);
        match run_blocking(read).await {
            Ok(source) => account::adopt(&self.parts, &source).await,
            Err(refused) => Ok(Outcome::Refused(refused)),
        }
    }

    async fn end(&self, totals: &mut Totals, on: &mut (dyn FnMut(Step<'_>, &Totals) + Send)) -> Result<(), Error> {
        let note = |events: u64| {
            totals.events += events;
            on(Step::Progress, totals);
        };
        events::carry_over(&self.parts, &self.sequence, note).await?;
        let (codes, uses) = self.accounts.ask(Accounts::invites).await?;
        let head = self.sequence.ask(Sequence::head).await?;
        let folder = self.parts.folder.clone();
        let (reserved, stamp) = run_blocking(move || (folder.reserved_keys(RESERVED), folder.stamp())).await;
        if stamp? != self.stamp {
            return Err(Error::Changed);
        }
        ending::store(&self.parts, &Ending { codes, uses, reserved: reserved?, head }).await
    }
}

/// Of the oldest accounts: stays the same when others are added.
fn fingerprint(accounts: &Accounts) -> Result<String, Error> {
    let mut hash = Sha256::new();
    for account in accounts.page(None, TOLD_APART)? {
        hash.update(account.created_at.as_bytes());
        hash.update(account.did.as_bytes());
    }
    Ok(HEXLOWER.encode(&hash.finalize()))
}
