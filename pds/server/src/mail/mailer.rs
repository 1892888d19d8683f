//! Queueing mails.

use std::{fmt, sync::Arc, time::Duration};

use pds_crypto::seal::SealKey;
use pds_store::{
    AccountId, Db, Tx,
    mail::{self, Most},
};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::{Kind, Languages, Templates, Transport, TransportError, template::Values};
use crate::{clock::Clock, metrics::Metrics};

/// Maximum number of mails that wait. Each takes about a kilobyte.
const MOST: i64 = 20_000;
/// Maximum number of mails about one account that wait, so that nobody's mails stand behind thousands of another's.
const MOST_OF_ONE: i64 = 20;

/// Why a mail was not queued.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings name no SMTP server.
    #[error("this server cannot send e-mail")]
    NotConfigured,
    /// Too many mails wait already.
    #[error("too many mails wait to be sent")]
    Full,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] pds_store::Error),
    /// The mail could not be encrypted.
    #[error("encrypt a mail")]
    Seal(#[from] pds_crypto::Error),
}

/// What mails are sent with.
pub struct Parts {
    /// The queue.
    pub db: Db,
    /// Encrypts mails that wait.
    pub seal: Arc<SealKey>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Counts mails.
    pub metrics: Metrics,
    /// Subjects and contents.
    pub templates: Templates,
    /// For mails to users.
    pub transport: Option<Transport>,
    /// For mails of administrators and moderators.
    pub moderation: Option<Transport>,
    /// This server's name.
    pub host: String,
}

/// A mail to queue.
#[derive(Clone, Debug)]
pub struct Mail<'a> {
    /// What it is about.
    pub kind: Kind,
    /// The account that it goes away with. A new code replaces an unsent one of the same account and kind.
    pub account: Option<AccountId>,
    /// The recipient's address.
    pub to: &'a str,
    /// The languages that the recipient's app asked for.
    pub languages: &'a Languages,
    /// Values for its templates, beside `host`.
    pub values: &'a [(&'a str, &'a str)],
    /// How long it is of use.
    pub good_for: Duration,
}

/// Queues and sends mails. Cheap to clone.
#[derive(Clone)]
pub struct Mailer(Arc<Inner>);

struct Inner {
    parts: Parts,
    queued: Notify,
}

/// Recipient and content of a mail that waits, encrypted.
#[derive(Serialize, Deserialize)]
pub(super) struct Content {
    pub(super) to: String,
    pub(super) language: String,
    pub(super) values: Values,
}

impl Mailer {
    /// With these parts. Sends nothing by itself: [`Mailer::send_due`].
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner { parts, queued: Notify::new() }))
    }

    /// Whether there is a server for mails of this kind.
    pub fn can_send(&self, kind: Kind) -> bool {
        self.transport(kind).is_some()
    }

    /// Queues a mail in this transaction. Call [`Mailer::wake`] after its commit.
    ///
    /// # Errors
    /// When nothing was queued.
    pub async fn queue(&self, tx: &mut Tx, new: &Mail<'_>) -> Result<(), Error> {
        if !self.can_send(new.kind) {
            return Err(Error::NotConfigured);
        }
        let parts = self.parts();
        let host = [("host", parts.host.as_str())];
        let values = new.values.iter().chain(&host);
        let content = Content {
            to: new.to.to_owned(),
            language: parts.templates.language(new.kind, new.languages),
            values: values.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        };
        let content = serde_json::to_vec(&content).expect("texts with names that are texts");
        let sealed = parts.seal.seal(&content, &purpose(new.kind))?;
        let now = parts.clock.now_us();
        let good_for_us = i64::try_from(new.good_for.as_micros()).unwrap_or(i64::MAX);
        let queued = mail::NewMail {
            account_id: new.account,
            kind: new.kind.name(),
            replaces: new.kind.is_code(),
            sealed: &sealed,
            created_at: now,
            expires_at: now.saturating_add(good_for_us),
        };
        if !mail::queue(tx, &queued, Most { of_all: MOST, of_one: MOST_OF_ONE }).await? {
            return Err(Error::Full);
        }
        parts.metrics.mail_queued(new.kind.name());
        Ok(())
    }

    /// Says that a mail was queued and committed, so that this replica sends it now and not only when it looks next.
    pub fn wake(&self) {
        self.0.queued.notify_one();
    }

    /// Waits for [`Mailer::wake`].
    pub async fn woken(&self) {
        self.0.queued.notified().await;
    }

    /// Connects to the SMTP servers and signs in, without sending anything. Nothing to do without servers.
    ///
    /// # Errors
    /// When one of them cannot be used.
    pub async fn check(&self) -> Result<(), TransportError> {
        let Parts { transport, moderation, .. } = self.parts();
        for transport in [transport, moderation].into_iter().flatten() {
            transport.check().await?;
        }
        Ok(())
    }

    pub(super) fn parts(&self) -> &Parts {
        &self.0.parts
    }

    pub(super) fn transport(&self, kind: Kind) -> Option<&Transport> {
        let Parts { transport, moderation, .. } = self.parts();
        match kind {
            Kind::Moderation => moderation.as_ref().or(transport.as_ref()),
            _ => transport.as_ref(),
        }
    }
}

/// An encrypted mail opens only as the kind that it was queued as.
pub(super) fn purpose(kind: Kind) -> String {
    format!("mail {}", kind.name())
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mailer({:?})", self.parts().transport)
    }
}
