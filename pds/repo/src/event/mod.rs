//! Frames of the firehose. Source: lexicon `com.atproto.sync.subscribeRepos`.
//!
//! A frame is built before its sequence number is known. The number is inserted later, at the place that the key order of DAG-CBOR demands.

mod foreign;
mod pack;

use bytes::Bytes;
use pds_syntax::{Did, Handle, Tid};

pub use foreign::foreign;
pub use pack::{Damaged, pack, unpack};

use crate::{
    Cid, CommitDiff, car,
    cbor::{Writer, int_len},
};

/// A message without its sequence number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The header and the body up to and including the key `seq`.
    pub prefix: Bytes,
    /// The body after the sequence number.
    pub suffix: Bytes,
}

impl Frame {
    /// The message with its sequence number, as it is sent.
    pub fn numbered(&self, seq: i64) -> Bytes {
        let mut out = Vec::with_capacity(self.len(seq));
        self.append(seq, &mut out);
        out.into()
    }

    /// Appends the message with its sequence number to `out`.
    pub fn append(&self, seq: i64, out: &mut Vec<u8>) {
        let mut writer = Writer::from(std::mem::take(out));
        writer.raw(&self.prefix).int(seq).raw(&self.suffix);
        *out = writer.into_bytes();
    }

    /// The length of the message with its sequence number, in bytes.
    pub fn len(&self, seq: i64) -> usize {
        self.prefix.len() + int_len(seq) + self.suffix.len()
    }
}

/// The status of an account in `#account` events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountStatus {
    Active,
    /// Deactivated by its owner.
    Deactivated,
    /// Suspended by the host for some time.
    Suspended,
    /// Taken down by the host.
    Takendown,
    Deleted,
}

impl AccountStatus {
    /// The value in the lexicon. `None` for an active account.
    pub fn as_str(self) -> Option<&'static str> {
        match self {
            Self::Active => None,
            Self::Deactivated => Some("deactivated"),
            Self::Suspended => Some("suspended"),
            Self::Takendown => Some("takendown"),
            Self::Deleted => Some("deleted"),
        }
    }
}

fn header(kind: &str) -> Writer {
    let mut out = Writer::with_capacity(256);
    out.map(2).text("t").text(kind).text("op").int(1);
    out
}

fn frame(prefix: Writer, suffix: Writer) -> Frame {
    Frame { prefix: prefix.into_bytes().into(), suffix: suffix.into_bytes().into() }
}

/// A `#commit` event. `time` is in RFC 3339.
pub fn commit(did: &Did, diff: &CommitDiff, time: &str) -> Frame {
    let mut before = header("#commit");
    before.map(11 + usize::from(diff.prev_data.is_some())).text("ops").array(diff.ops.len());
    for op in &diff.ops {
        before
            .map(3 + usize::from(op.prev.is_some()))
            .text("cid")
            .optional_link(op.cid.as_ref())
            .text("path")
            .text(op.path.as_str());
        if let Some(prev) = &op.prev {
            before.text("prev").link(prev);
        }
        before.text("action").text(op.action.as_str());
    }
    before.text("rev").text(&diff.rev.to_string()).text("seq");

    let blocks = diff.car();
    let mut behind = Writer::with_capacity(blocks.len() + 256);
    behind.text("repo").text(did.as_str()).text("time").text(time).text("blobs").array(0).text("since");
    match diff.since {
        Some(since) => behind.text(&since.to_string()),
        None => behind.null(),
    };
    behind
        .text("blocks")
        .bytes(&blocks)
        .text("commit")
        .link(&diff.commit)
        .text("rebase")
        .bool(false)
        .text("tooBig")
        .bool(false);
    if let Some(prev) = &diff.prev_data {
        behind.text("prevData").link(prev);
    }
    frame(before, behind)
}

/// A `#sync` event: the current commit of the repository, independent of earlier events.
pub fn sync(did: &Did, rev: Tid, commit: &Cid, commit_bytes: &Bytes, time: &str) -> Frame {
    let mut before = header("#sync");
    before.map(5).text("did").text(did.as_str()).text("rev").text(&rev.to_string()).text("seq");
    let mut behind = Writer::with_capacity(512);
    behind.text("time").text(time).text("blocks").bytes(&car::write(commit, [(commit, commit_bytes)]));
    frame(before, behind)
}

/// An `#identity` event: the DID document or the handle may have changed.
pub fn identity(did: &Did, handle: Option<&Handle>, time: &str) -> Frame {
    let mut before = header("#identity");
    before.map(3 + usize::from(handle.is_some())).text("did").text(did.as_str()).text("seq");
    let mut behind = Writer::default();
    behind.text("time").text(time);
    if let Some(handle) = handle {
        behind.text("handle").text(handle.as_str());
    }
    frame(before, behind)
}

/// An `#account` event: the status of the account on this host.
pub fn account(did: &Did, status: AccountStatus, time: &str) -> Frame {
    let mut before = header("#account");
    before.map(4 + usize::from(status.as_str().is_some())).text("did").text(did.as_str()).text("seq");
    let mut behind = Writer::default();
    behind.text("time").text(time).text("active").bool(status == AccountStatus::Active);
    if let Some(status) = status.as_str() {
        behind.text("status").text(status);
    }
    frame(before, behind)
}

/// An `#info` message, which has no sequence number.
pub fn info(name: &str, message: &str) -> Bytes {
    let mut out = header("#info");
    out.map(2).text("name").text(name).text("message").text(message);
    out.into_bytes().into()
}

/// An error message, the last message before the connection closes.
pub fn error(name: &str, message: &str) -> Bytes {
    let mut out = Writer::default();
    out.map(1).text("op").int(-1).map(2).text("error").text(name).text("message").text(message);
    out.into_bytes().into()
}

#[cfg(test)]
mod tests;
