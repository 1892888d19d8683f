//! The arrays that the statements of a commit take, one per column.

use sqlx::{Arguments, error::BoxDynError, postgres::PgArguments};

use crate::{
    column::digest_bytes,
    commit::{Events, Net},
};

/// Account, expected and new revision, commit, root, commit block and added records of each repository.
pub(super) fn heads(arguments: &mut PgArguments, nets: &[Net<'_>]) -> Result<(), BoxDynError> {
    arguments.add(nets.iter().map(|net| net.account_id().0).collect::<Vec<_>>())?;
    arguments.add(nets.iter().map(|net| net.expect_rev.to_string()).collect::<Vec<_>>())?;
    arguments.add(nets.iter().map(|net| net.last.rev.to_string()).collect::<Vec<_>>())?;
    arguments.add(nets.iter().map(|net| digest_bytes(&net.last.commit)).collect::<Vec<_>>())?;
    arguments.add(nets.iter().map(|net| digest_bytes(&net.last.data)).collect::<Vec<_>>())?;
    arguments.add(nets.iter().map(|net| net.last.commit_bytes.to_vec()).collect::<Vec<_>>())?;
    arguments.add(nets.iter().map(Net::added).collect::<Vec<_>>())
}

/// Account, path, CID, revision, subject and body of each record to be stored.
pub(super) fn puts(arguments: &mut PgArguments, nets: &[Net<'_>]) -> Result<(), BoxDynError> {
    let puts: Vec<_> =
        nets.iter().flat_map(|net| net.puts().map(|(write, put)| (net.account_id(), write, put))).collect();
    arguments.add(puts.iter().map(|(id, ..)| id.0).collect::<Vec<_>>())?;
    arguments.add(puts.iter().map(|(_, write, _)| write.path.as_str()).collect::<Vec<_>>())?;
    arguments.add(puts.iter().map(|(_, _, put)| digest_bytes(&put.cid)).collect::<Vec<_>>())?;
    arguments.add(puts.iter().map(|(_, write, _)| write.rev.to_string()).collect::<Vec<_>>())?;
    arguments.add(puts.iter().map(|(_, _, put)| put.subject_hash).collect::<Vec<_>>())?;
    arguments.add(puts.iter().map(|(_, _, put)| &*put.body).collect::<Vec<_>>())
}

/// Place, number of frames and payload of each row of events.
pub(super) fn events(arguments: &mut PgArguments, events: &Events) -> Result<(), BoxDynError> {
    arguments.add(events.rows.iter().map(|row| row.before).collect::<Vec<_>>())?;
    arguments.add(events.rows.iter().map(|row| row.n).collect::<Vec<_>>())?;
    arguments.add(events.rows.iter().map(|row| &*row.payload).collect::<Vec<_>>())
}
