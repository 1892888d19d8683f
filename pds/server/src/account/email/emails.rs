//! Making codes, mailing them, and accepting them.

use std::{fmt, sync::Arc, time::Duration};

use pds_store::{
    Db, Tx,
    account::{self, Account},
    email_token::{self, NewToken, Purpose},
};

use super::{Code, Error, code::hash_of};
use crate::{
    clock::Clock,
    mail::{self, Kind, Languages, Mail, Mailer},
};

/// How long a code is good: the reference's.
const GOOD_FOR: Duration = Duration::from_secs(15 * 60);
/// How long a mail without a code is of use.
const NEWS: Duration = Duration::from_secs(3 * 24 * 60 * 60);
/// Where the Bluesky app takes the code that confirms an address.
const LINK: &str = "https://bsky.app/intent/verify-email?code=";

/// What codes are made and mailed with.
pub struct Parts {
    /// Codes and accounts.
    pub db: Db,
    /// Queues the mails.
    pub mailer: Mailer,
    pub clock: Arc<dyn Clock>,
    /// Whether a mail that confirms an address contains a link.
    pub has_link: bool,
}

/// Codes and news by mail. Cheap to clone.
#[derive(Clone)]
pub struct Emails(Arc<Parts>);

impl Emails {
    /// With these parts.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Makes a code for this purpose, in place of the account's earlier one, and mails it to the account's address.
    ///
    /// # Errors
    /// When no mail was queued; the account's earlier code is good then.
    pub async fn request(&self, account: &Account, purpose: Purpose, languages: &Languages) -> Result<(), Error> {
        if !self.0.mailer.can_send(kind(purpose)) {
            return Err(mail::Error::NotConfigured.into());
        }
        let mut tx = self.0.db.begin().await?;
        // The address may have been changed a moment ago.
        let account = account::lock(&mut tx, account.id).await?.filter(Account::exists).ok_or(Error::NoAccount)?;
        self.queue(&mut tx, &account, purpose, languages).await?;
        tx.commit().await?;
        self.0.mailer.wake();
        Ok(())
    }

    /// As [`Emails::request`], in the caller's transaction. Call [`Mailer::wake`] after its commit.
    ///
    /// # Errors
    /// When no mail was queued; roll the transaction back, or the earlier code is void without another.
    pub async fn queue(
        &self,
        tx: &mut Tx,
        account: &Account,
        purpose: Purpose,
        languages: &Languages,
    ) -> Result<(), Error> {
        let code = self.issue(tx, account, purpose).await?.to_string();
        let link = if self.0.has_link { format!("{LINK}{code}") } else { String::new() };
        let minutes = (GOOD_FOR.as_secs() / 60).to_string();
        let values = [
            ("handle", account.handle.as_str()),
            ("code", code.as_str()),
            ("minutes", minutes.as_str()),
            ("link", link.as_str()),
        ];
        let kind = kind(purpose);
        // Templates may use only what is theirs.
        let values = if kind == Kind::ConfirmEmail { &values[..] } else { &values[..3] };
        self.send(tx, account, kind, languages, values, GOOD_FOR).await
    }

    /// Makes a code in place of the account's earlier one and returns it instead of mailing it, for an administrator who passes it on.
    ///
    /// # Errors
    /// When the account has no address, or the database fails.
    pub async fn issue(&self, tx: &mut Tx, account: &Account, purpose: Purpose) -> Result<Code, Error> {
        let email = account.email.as_deref().ok_or(Error::NoAddress)?;
        let code = Code::random();
        let good_for_us = i64::try_from(GOOD_FOR.as_micros()).unwrap_or(i64::MAX);
        let new = NewToken {
            account_id: account.id,
            purpose,
            hash: &code.hash(purpose),
            email,
            expires_at: self.0.clock.now_us().saturating_add(good_for_us),
        };
        email_token::put(tx, &new).await?;
        Ok(code)
    }

    /// Tells the account's address something, in the caller's transaction. Does nothing without an address or an SMTP server. Call [`Mailer::wake`]
    /// after the commit.
    ///
    /// # Errors
    /// When the mail was not queued.
    pub async fn tell(
        &self,
        tx: &mut Tx,
        account: &Account,
        kind: Kind,
        languages: &Languages,
        values: &[(&str, &str)],
    ) -> Result<(), Error> {
        if account.email.is_none() || !self.0.mailer.can_send(kind) {
            return Ok(());
        }
        let mut all = vec![("handle", account.handle.as_str())];
        all.extend(values);
        self.send(tx, account, kind, languages, &all, NEWS).await
    }

    /// Sends what an administrator or a moderation service writes. The content is HTML; clients that show no HTML get its text.
    ///
    /// # Errors
    /// When no mail was queued.
    pub async fn moderate(&self, account: &Account, subject: &str, content: &str) -> Result<(), Error> {
        // A line break would end the subject.
        let subject = subject.split_whitespace().collect::<Vec<_>>().join(" ");
        let plain = nanohtml2text::html2text(content);
        let values = [
            ("handle", account.handle.as_str()),
            ("subject", subject.as_str()),
            ("content", content),
            ("plain", plain.as_str()),
        ];
        let mut tx = self.0.db.begin().await?;
        self.send(&mut tx, account, Kind::Moderation, &Languages::default(), &values, NEWS).await?;
        tx.commit().await?;
        self.0.mailer.wake();
        Ok(())
    }

    pub(super) fn parts(&self) -> &Parts {
        &self.0
    }

    /// Queues and sends the mails.
    pub fn mailer(&self) -> &Mailer {
        &self.0.mailer
    }

    async fn send(
        &self,
        tx: &mut Tx,
        account: &Account,
        kind: Kind,
        languages: &Languages,
        values: &[(&str, &str)],
        good_for: Duration,
    ) -> Result<(), Error> {
        let to = account.email.as_deref().ok_or(Error::NoAddress)?;
        // The purge of an account takes its mails along, but not the one about its end.
        let account = (kind != Kind::AccountDeleted).then_some(account.id);
        let mail = Mail { kind, account, to, languages, values, good_for };
        Ok(self.0.mailer.queue(tx, &mail).await?)
    }
}

/// Uses a code up, in the transaction of what it allows. `now` is in microseconds.
///
/// # Errors
/// When it is not good; roll the transaction back.
pub async fn check(tx: &mut Tx, account: &Account, purpose: Purpose, code: &str, now: i64) -> Result<(), Error> {
    let hash = hash_of(code, purpose).ok_or(Error::Invalid)?;
    let token = email_token::take(tx, purpose, &hash).await?.ok_or(Error::Invalid)?;
    if token.account_id != account.id || account.email.as_deref() != Some(&token.email) {
        return Err(Error::Invalid);
    }
    if token.expires_at <= now { Err(Error::Expired) } else { Ok(()) }
}

/// The account that a code belongs to. It is not used up, and may be by the next moment: [`check`] decides.
///
/// # Errors
/// When it is not good.
pub async fn holder(db: &Db, purpose: Purpose, code: &str, now: i64) -> Result<Account, Error> {
    let hash = hash_of(code, purpose).ok_or(Error::Invalid)?;
    let token = email_token::get(db, purpose, &hash).await?.ok_or(Error::Invalid)?;
    if token.expires_at <= now {
        return Err(Error::Expired);
    }
    account::by_id(db, token.account_id).await?.filter(Account::exists).ok_or(Error::Invalid)
}

/// The mail that brings a code.
fn kind(purpose: Purpose) -> Kind {
    match purpose {
        Purpose::ConfirmEmail => Kind::ConfirmEmail,
        Purpose::UpdateEmail => Kind::UpdateEmail,
        Purpose::ResetPassword => Kind::ResetPassword,
        Purpose::DeleteAccount => Kind::DeleteAccount,
        Purpose::PlcOperation => Kind::PlcOperation,
        Purpose::AuthFactor => Kind::SignIn,
    }
}

impl fmt::Debug for Emails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Emails({:?})", self.0.mailer)
    }
}
