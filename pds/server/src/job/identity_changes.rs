//! Ends changes of handles and signing keys that a crash interrupted, and announces operations that it kept from being announced.

use crate::identity::{Handles, Identities};

/// Looks at the changes that take longer than one does. `now` is in microseconds.
///
/// # Errors
/// When the database fails.
pub(super) async fn finish(handles: Handles, identities: Identities, now: i64) -> anyhow::Result<()> {
    handles.finish_interrupted(now).await?;
    identities.announce_interrupted(now).await?;
    Ok(identities.finish_interrupted(now).await?)
}
