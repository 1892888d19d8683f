//! A repository of many records as a CAR file, as a client would bring it. Made once and kept on disk, so that the driver costs little while it is sent.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use bytes::BytesMut;
use pds_crypto::SigningKey;
use pds_repo::mst::{Item, Tree};
use pds_repo::{Cid, car, cbor, commit};
use pds_syntax::Tid;

use crate::fixture::POST;

/// Microseconds of the first record's key: 2023.
const FIRST_US: u64 = 1_672_531_200_000_000;
/// Bytes written to the file at once.
const PIECE: usize = 1 << 20;

/// The blocks of a repository without its commit, which names the account.
#[derive(Clone)]
pub(super) struct Repository {
    pub(super) records: usize,
    pub(super) blocks: PathBuf,
    pub(super) bytes: u64,
    root: Cid,
}

impl Repository {
    /// With so many posts, in a file in the folder.
    pub(super) fn make(folder: &Path, records: usize) -> Result<Self> {
        let tree = Tree::from_sorted((0..records).map(|number| {
            let key: Arc<str> = format!("{POST}/{}", rkey(number)).into();
            (key, Cid::dag_cbor(&record(number)))
        }));
        let blocks = folder.join(format!("{records}-records.blocks"));
        let mut file = BufWriter::with_capacity(PIECE, File::create(&blocks)?);
        let (mut piece, mut number, mut bytes) = (BytesMut::new(), 0, 0);
        for item in tree.preorder() {
            match item {
                Item::Node(cid, block) => car::append(&mut piece, &cid, &block),
                Item::Record(_, cid) => {
                    car::append(&mut piece, &cid, &record(number));
                    number += 1;
                }
            }
            bytes += piece.len() as u64;
            file.write_all(&piece)?;
            piece.clear();
        }
        file.flush()?;
        Ok(Self { records, blocks, bytes, root: tree.root() })
    }

    /// What comes before the blocks in the file of an account: the header and the commit.
    pub(super) fn beginning(&self, did: &str) -> Result<Vec<u8>> {
        let key = SigningKey::from_hex(&"33".repeat(32)).context("a key")?;
        let now_us = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros();
        let rev = Tid::from_micros(u64::try_from(now_us)?, 0);
        let commit = commit::sign(&did.parse().context("the account's DID")?, rev, &self.root, &key);
        let mut beginning = BytesMut::from(car::header(&commit.cid));
        car::append(&mut beginning, &commit.cid, &commit.bytes);
        Ok(beginning.to_vec())
    }
}

/// The key of a record in the order of the tree.
pub(super) fn rkey(number: usize) -> String {
    Tid::from_micros(FIRST_US + number as u64 * 1_000, 0).to_string()
}

fn record(number: usize) -> Vec<u8> {
    let mut out = cbor::Writer::with_capacity(96);
    // The order of DAG-CBOR: shorter keys first.
    out.map(3).text("text").text(&format!("post {number}"));
    out.text("$type").text(POST).text("createdAt").text("2023-01-01T00:00:00.000Z");
    out.into_bytes()
}
