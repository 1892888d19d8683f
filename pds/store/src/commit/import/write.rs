//! Writing a portion of an import.

use crate::{
    Result, Tx,
    commit::{Net, NewCommit, net},
    dialect,
    tx::Open,
};

/// Makes the writes of a commit. Returns by how much the number of records changes.
pub(super) async fn write(tx: &mut Tx, commit: &NewCommit, at: i64) -> Result<i64> {
    let (nets, _): (Vec<Net<'_>>, _) = net::fold(std::slice::from_ref(commit));
    let mut added = 0;
    for net in &nets {
        added += net.added();
        // Missing blobs are no reason to refuse: they are uploaded after the import.
        match &mut tx.open {
            Open::Sqlite(tx) => dialect::sqlite::commit::write(tx, net, at, &mut Vec::new()).await?,
            Open::Postgres(tx) => drop(dialect::postgres::commit::write(tx, std::slice::from_ref(net), at).await?),
        }
    }
    Ok(added)
}
