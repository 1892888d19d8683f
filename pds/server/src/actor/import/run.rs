//! One import from the client's file to the answer.

use std::sync::Arc;

use bytes::Bytes;
use futures::Stream;
use pds_store::{account::Account, background, blob, commit::Staging, usage};
use uuid::Uuid;

use super::{
    Error, Report,
    content::Content,
    replace::{LEASE_US, replace},
    spool,
};
use crate::{actor::Actors, report::chain, task::run_to_end};

impl Actors {
    /// Replaces the repository of `account` by the one in the file `body`. Durable when this returns; the report names the faulty records.
    ///
    /// `address` is the client's: one address gets a share of the files that are received at once.
    ///
    /// Cancellation: once the import has its turn it runs to its end.
    ///
    /// # Errors
    /// Why nothing was imported.
    pub async fn import<E>(
        &self,
        account: &Account,
        address: &str,
        body: impl Stream<Item = Result<Bytes, E>> + Unpin,
    ) -> Result<Report, Error> {
        let importer = self.slot(account.id).await.importer.clone();
        let importer = importer.try_lock_owned().map_err(|_| Error::Busy)?;
        let turns = &self.inner().imports;
        let place = turns.places.take(address).ok_or(Error::Busy)?;
        let limits = self.parts().import.clone();
        let file = spool::receive(body, limits.max_bytes, || turns.places.is_full()).await?;
        drop(place);
        let turn = turns.next().await.ok_or(Error::Busy)?;
        let (this, account, memory) = (self.clone(), account.clone(), turns.memory.part());
        run_to_end(async move {
            let did = account.did.clone();
            let reading = background::run(move || Content::read(file, &did, limits, memory));
            let content = Arc::new(reading.await?);
            let imported = this.import_content(&account, &content).await;
            drop((turn, importer));
            imported?;
            content.report.log(&account.did);
            Ok(content.report.clone())
        })
        .await
    }

    /// Refuses a repository that makes the account grow beyond its quota, before anything of it is stored. What comes meanwhile is counted at the end.
    async fn check_quota(&self, account: &Account, body_bytes: u64) -> Result<(), Error> {
        let Some(quota) = account.quota(self.parts().quota) else { return Ok(()) };
        let used = usage::counted(&self.parts().db, account.id).await?;
        used.beyond(quota, body_bytes).map_or(Ok(()), |wanted| Err(Error::OverQuota { wanted, quota }))
    }

    async fn import_content(&self, account: &Account, content: &Arc<Content>) -> Result<(), Error> {
        self.check_quota(account, content.body_bytes).await?;
        let db = &self.parts().db;
        let slot = self.slot(account.id).await;
        let now = self.now_us();
        let token = Uuid::new_v4().simple().to_string();
        // From here on no replica commits to the repository, so the staged records fit its state in the end.
        let mut staging = Staging::begin(db, account.id, &token, now, now + LEASE_US).await?;
        let replaced = replace(self, account, content, &mut staging).await;
        if !matches!(replaced, Ok(true))
            && let Err(error) = staging.undo().await
        {
            tracing::warn!(repo.did = %account.did, error = chain(&error), "the rows of a failed import could not be deleted: the job expired_imports will try again");
        }
        slot.line().forget();
        if replaced? {
            self.parts().metrics.committed();
            let (did, records) = (&account.did, content.tree.len());
            tracing::info!(repo.did = %did, records, "imported the repository of {did}");
            // The next reader or writer loads the tree.
            self.weigh(account.id, &slot, 0).await;
            // The import is durable. A blob that stays temporary because of this is deleted later, and then listed as missing.
            if let Err(error) = blob::adopt(db, account.id).await {
                tracing::warn!(repo.did = %did, error = chain(&error), "the blobs of an imported repository are still temporary: they will be deleted and listed as missing");
            }
        }
        Ok(())
    }
}
