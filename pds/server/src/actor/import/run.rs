//! One import from the client's file to the answer.

use std::sync::Arc;

use bytes::Bytes;
use futures::Stream;
use pds_store::{account::Account, background, blob, commit::Staging};
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
    /// Cancellation: once the file was read the import runs to its end.
    ///
    /// # Errors
    /// Why nothing was imported.
    pub async fn import<E>(
        &self,
        account: &Account,
        body: impl Stream<Item = Result<Bytes, E>> + Unpin,
    ) -> Result<Report, Error> {
        // One of each account: nobody can take all turns by sending slowly.
        let importer = self.slot(account.id).await.importer.clone();
        let importer = importer.try_lock_owned().map_err(|_| Error::Busy)?;
        let turn = self.inner().imports.clone().try_acquire_owned().map_err(|_| Error::Busy)?;
        let (max_bytes, max_records) = (self.parts().import.max_bytes, u64::from(self.parts().import.max_records));
        let (spool, root) = spool::receive(body, max_bytes, max_records).await?;
        let (this, account) = (self.clone(), account.clone());
        run_to_end(async move {
            let did = account.did.clone();
            let content = Arc::new(background::run(move || Content::read(spool, &root, &did, max_records)).await?);
            let imported = this.import_content(&account, &content).await;
            drop((turn, importer));
            imported?;
            content.report.log(&account.did);
            Ok(content.report.clone())
        })
        .await
    }

    async fn import_content(&self, account: &Account, content: &Arc<Content>) -> Result<(), Error> {
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
            tracing::warn!(repo.did = %account.did, error = chain(&error), "an import could not be undone yet");
        }
        slot.line().forget();
        if replaced? {
            self.parts().metrics.committed();
            let (did, records) = (&account.did, content.tree.len());
            tracing::info!(repo.did = %did, records, "imported the repository of {did}");
            self.weigh(account.id, &slot, content.tree.len()).await;
            // The import is durable. A blob that stays temporary because of this is deleted later, and then listed as missing.
            if let Err(error) = blob::adopt(db, account.id).await {
                tracing::warn!(repo.did = %did, error = chain(&error), "blobs may have to be uploaded again");
            }
        }
        Ok(())
    }
}
