//! Sending the mails that wait.

use std::time::Duration;

use futures::{StreamExt, stream};
use pds_store::mail::{self, Claimed};

use super::{
    Kind, Mailer,
    mailer::{Content, purpose},
    template::TemplatesError,
    transport::{CONNECTIONS, TransportError},
};
use crate::report::chain;

/// Mails that this replica takes at once. While it sends them no other replica does.
const BATCH: u32 = 16;
/// How long one mail may take.
const PATIENCE: Duration = Duration::from_secs(45);
/// How long a batch is this replica's: longer than sending all of it may take.
const LEASE_US: i64 = 5 * 60 * 1_000_000;
/// Pause after the first failed attempt, doubled each time, up to the longest.
const RETRY_US: i64 = 5 * 1_000_000;
const LONGEST_US: i64 = 5 * 60 * 1_000_000;

/// Why a mail was not sent.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the mail is damaged, or was encrypted with another key")]
    Damaged,
    #[error("fill in the templates")]
    Template(#[from] TemplatesError),
    #[error("there is no SMTP server in the settings any more")]
    NotConfigured,
    #[error(transparent)]
    Transport(#[from] TransportError),
    #[error("the SMTP server did not take the mail within {} s", PATIENCE.as_secs())]
    Late,
}

impl Mailer {
    /// Sends all mails that are due, and returns how many were sent. What could not be sent is tried again later.
    ///
    /// Cancellation: mails under way may have been sent, and are sent again after some minutes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn send_due(&self) -> pds_store::Result<usize> {
        let parts = self.parts();
        let mut sent = 0;
        loop {
            let now = parts.clock.now_us();
            // Mostly there is none, and a read does not block other writers.
            if !mail::is_due(&parts.db, now).await? {
                break;
            }
            let claimed = mail::claim(&parts.db, now, now.saturating_add(LEASE_US), BATCH).await?;
            if claimed.is_empty() {
                break;
            }
            let at_once = usize::try_from(CONNECTIONS).unwrap_or(1);
            let mut done = stream::iter(claimed).map(|mail| self.send_one(mail)).buffer_unordered(at_once);
            while let Some(was_sent) = done.next().await {
                sent += usize::from(was_sent?);
            }
        }
        Ok(sent)
    }

    /// Sends a mail, and removes it or sets its next attempt. Returns whether it was sent.
    async fn send_one(&self, claimed: Claimed) -> pds_store::Result<bool> {
        let parts = self.parts();
        let kind = claimed.kind.as_str();
        let outcome = match claimed.expires_at > parts.clock.now_us() {
            true => Some(self.deliver(&claimed).await),
            false => None,
        };
        let now = parts.clock.now_us();
        let retry_at = now.saturating_add(pause_us(claimed.attempts));
        let mut tx = parts.db.begin().await?;
        let mut was_sent = false;
        match outcome {
            Some(Ok(())) => {
                was_sent = true;
                parts.metrics.mail_sent(known(kind));
                mail::remove(&mut tx, claimed.id).await?;
            }
            Some(Err(failure)) if !failure.is_final() && retry_at < claimed.expires_at => {
                parts.metrics.mail_failed(known(kind), "retried");
                tracing::warn!(
                    mail.id = claimed.id,
                    mail.kind = kind,
                    attempts = claimed.attempts,
                    error = chain(&failure),
                    "a mail of kind {kind} could not be sent, and will be tried again"
                );
                mail::postpone(&mut tx, claimed.id, retry_at).await?;
            }
            given_up => {
                let reason = if given_up.as_ref().is_some_and(Result::is_err) { "refused" } else { "expired" };
                let error = given_up.and_then(Result::err).map(|failure| chain(&failure).to_string());
                parts.metrics.mail_failed(known(kind), reason);
                tracing::warn!(
                    mail.id = claimed.id,
                    mail.kind = kind,
                    attempts = claimed.attempts,
                    error,
                    "a mail of kind {kind} was given up: {reason}"
                );
                mail::remove(&mut tx, claimed.id).await?;
            }
        }
        tx.commit().await?;
        Ok(was_sent)
    }

    async fn deliver(&self, claimed: &Claimed) -> Result<(), Failure> {
        let parts = self.parts();
        let kind = Kind::of_name(&claimed.kind).ok_or(Failure::Damaged)?;
        let opened = parts.seal.open(&claimed.sealed, &purpose(kind)).map_err(|_| Failure::Damaged)?;
        let content: Content = serde_json::from_slice(&opened).map_err(|_| Failure::Damaged)?;
        let mail = parts.templates.render(kind, &content.language, &content.values)?;
        let transport = self.transport(kind).ok_or(Failure::NotConfigured)?;
        let sent = tokio::time::timeout(PATIENCE, transport.send(&content.to, mail)).await;
        sent.map_err(|_| Failure::Late)?.map_err(Failure::from)
    }
}

impl Failure {
    fn is_final(&self) -> bool {
        match self {
            Self::Damaged => true,
            Self::Transport(error) => error.is_final(),
            Self::Template(_) | Self::NotConfigured | Self::Late => false,
        }
    }
}

/// The pause after so many attempts, with a random part that keeps mails apart.
fn pause_us(attempts: u32) -> i64 {
    let doubled = RETRY_US.saturating_mul(1 << attempts.saturating_sub(1).min(16));
    let pause = doubled.min(LONGEST_US);
    pause + rand::random_range(0..=pause / 4)
}

/// A label for metrics: whatever is in the database, there are only so many.
fn known(kind: &str) -> &'static str {
    Kind::of_name(kind).map_or("unknown", Kind::name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_minutes() {
        for (attempts, least) in
            [(0, RETRY_US), (1, RETRY_US), (2, 2 * RETRY_US), (7, LONGEST_US), (u32::MAX, LONGEST_US)]
        {
            let pause = pause_us(attempts);
            assert!((least..=least + least / 4).contains(&pause), "{attempts}: {pause}");
        }
    }
}
