//! The parameters of the statements of a commit. Those that may have several values are arrays, one per column.

use pds_syntax::RepoPath;
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

/// The same of a single repository, without arrays.
pub(super) fn head(arguments: &mut PgArguments, net: &Net<'_>) -> Result<(), BoxDynError> {
    arguments.add(net.account_id().0)?;
    arguments.add(net.expect_rev.to_string())?;
    arguments.add(net.last.rev.to_string())?;
    arguments.add(digest_bytes(&net.last.commit))?;
    arguments.add(digest_bytes(&net.last.data))?;
    arguments.add(&*net.last.commit_bytes)?;
    arguments.add(net.added())
}

/// Bytes of the records to be stored, and the quota of their account.
pub(super) fn growth(arguments: &mut PgArguments, net: &Net<'_>) -> Result<(), BoxDynError> {
    arguments.add(net.put_bytes())?;
    arguments.add(net.quota())
}

/// The same of each repository.
pub(super) fn growths(arguments: &mut PgArguments, nets: &[Net<'_>]) -> Result<(), BoxDynError> {
    arguments.add(nets.iter().map(Net::put_bytes).collect::<Vec<_>>())?;
    arguments.add(nets.iter().map(Net::quota).collect::<Vec<_>>())
}

/// Account and path of each record that is deleted or replaced.
pub(super) fn replaced(arguments: &mut PgArguments, nets: &[Net<'_>]) -> Result<(), BoxDynError> {
    let of_net = |net: &Net<'_>| std::iter::repeat_n(net.account_id().0, net.replaced().count()).collect::<Vec<_>>();
    arguments.add(nets.iter().flat_map(of_net).collect::<Vec<_>>())?;
    arguments.add(nets.iter().flat_map(|net| net.replaced().map(RepoPath::as_str)).collect::<Vec<_>>())
}

/// The account of each record to be stored.
pub(super) fn record_accounts(arguments: &mut PgArguments, nets: &[Net<'_>]) -> Result<(), BoxDynError> {
    arguments.add(nets.iter().flat_map(|net| net.puts().map(|_| net.account_id().0)).collect::<Vec<_>>())
}

/// Path, CID, revision, subject and body of each record to be stored.
pub(super) fn records(arguments: &mut PgArguments, nets: &[Net<'_>]) -> Result<(), BoxDynError> {
    let puts: Vec<_> = nets.iter().flat_map(Net::puts).collect();
    arguments.add(puts.iter().map(|(change, _)| change.path.as_str()).collect::<Vec<_>>())?;
    arguments.add(puts.iter().map(|(_, put)| digest_bytes(&put.cid)).collect::<Vec<_>>())?;
    arguments.add(puts.iter().map(|(change, _)| change.rev.to_string()).collect::<Vec<_>>())?;
    arguments.add(puts.iter().map(|(_, put)| put.subject_hash).collect::<Vec<_>>())?;
    arguments.add(puts.iter().map(|(_, put)| &*put.body).collect::<Vec<_>>())
}

/// Number of events, time, and place, number of frames and payload of each of their rows.
pub(super) fn events(arguments: &mut PgArguments, events: &Events) -> Result<(), BoxDynError> {
    arguments.add(events.n)?;
    arguments.add(events.at)?;
    arguments.add(events.rows.iter().map(|row| row.before).collect::<Vec<_>>())?;
    arguments.add(events.rows.iter().map(|row| row.n).collect::<Vec<_>>())?;
    arguments.add(events.rows.iter().map(|row| &*row.payload).collect::<Vec<_>>())
}
