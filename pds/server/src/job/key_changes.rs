//! Finishes or undoes changes of signing keys that a crash interrupted.

use crate::identity::Identities;

/// Looks at the changes that take longer than one does. `now` is in microseconds.
///
/// # Errors
/// When the database fails.
pub async fn finish(identities: Identities, now: i64) -> anyhow::Result<()> {
    Ok(identities.finish_interrupted(now).await?)
}
