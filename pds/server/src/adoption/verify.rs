//! Whether an account that an earlier run has taken over is still what the directory contains.

use pds_repo::mst::{Builder, Tree};
use pds_store::{account::Account, background, repo};

use super::{Error, Parts, Refused, source};
use crate::task::run_blocking;

/// Compares the head with the one that the reference names, and the tree that the stored records make with the signed one. `None` if all is well.
pub(super) async fn verify(parts: &Parts, account: &Account) -> Result<Option<Refused>, Error> {
    let (folder, did) = (parts.folder.clone(), account.did.to_string());
    let named = run_blocking(move || source::root(&folder, &did)).await;
    let (named, _) = match named {
        Ok(named) => named,
        Err(refused) => return Ok(Some(refused)),
    };
    let changed = |what: String| Ok(Some(Refused::Changed { what }));
    let Some(root) = repo::root(&parts.db, account.id).await? else {
        return changed("it has no repository".to_owned());
    };
    if root.head.commit != named {
        return changed(format!("its commit is {named}, and {} was stored", root.head.commit));
    }
    let mut snapshot = parts.db.snapshot_for_write().await?;
    let id = account.id;
    let found = background::drive(async move {
        let builder = snapshot.entries(id, Builder::default()).await?;
        Ok::<_, pds_store::Error>(Tree::built(builder).root())
    })
    .await?;
    match found == root.head.data {
        true => Ok(None),
        false => changed(format!("the stored records make the root {found}, the signed one is {}", root.head.data)),
    }
}
