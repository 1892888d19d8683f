//! Sends the mails that wait: at once when this replica queued one, and those that another one left from time to time.

use crate::mail::Mailer;

/// Sends what is due.
///
/// # Errors
/// When the database fails.
pub(super) async fn send(mailer: Mailer) -> anyhow::Result<()> {
    mailer.send_due().await?;
    Ok(())
}
