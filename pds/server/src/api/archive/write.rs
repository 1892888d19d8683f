//! The way of an archive to its reader.

use std::{error::Error as StdError, fmt::Display, time::Duration};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use serde_json::Value;
use tokio::{sync::mpsc, time::timeout};

use super::tar;
use crate::{rate_limit::Part, report::chain, task::Piece};

/// How many pieces wait for the reader in memory.
pub(super) const AHEAD: usize = 3;
/// A reader that takes no piece for so long has gone.
const STALL: Duration = Duration::from_secs(30);

/// Why an archive was broken off.
#[derive(Debug)]
pub(super) enum Stopped {
    /// The reader went away, or took nothing for too long.
    Reader,
    /// Something could not be read.
    Failed(String),
}

/// An archive of which a part was sent.
pub(super) struct Archive {
    sender: mpsc::Sender<Piece>,
    /// The reader's part of what all readers of blobs share.
    reader: Part,
    /// The time of all files; seconds.
    time_s: i64,
}

impl Stopped {
    pub(super) fn failed(what: impl Display, error: &(dyn StdError + 'static)) -> Self {
        Self::Failed(format!("{what}: {}", chain(error)))
    }
}

impl From<pds_store::Error> for Stopped {
    fn from(error: pds_store::Error) -> Self {
        Self::failed("the database", &error)
    }
}

impl Archive {
    pub(super) fn new(sender: mpsc::Sender<Piece>, reader: Part, time_s: i64) -> Self {
        Self { sender, reader, time_s }
    }

    /// Sends a file that is in memory.
    pub(super) async fn json(&self, name: &str, value: &Value) -> Result<(), Stopped> {
        let text = Bytes::from(format!("{value:#}\n"));
        self.begin(name, text.len() as u64).await?;
        let padding = tar::padding(text.len() as u64);
        self.send(text).await?;
        self.send(padding).await
    }

    /// Sends a file of exactly `bytes`.
    pub(super) async fn file<E: StdError + 'static>(
        &self,
        name: &str,
        bytes: u64,
        mut content: impl Stream<Item = Result<Bytes, E>> + Unpin,
    ) -> Result<(), Stopped> {
        self.begin(name, bytes).await?;
        let mut sent = 0;
        while let Some(piece) = content.next().await {
            let piece = piece.map_err(|error| Stopped::failed(name, &error))?;
            sent += piece.len() as u64;
            if sent > bytes {
                break;
            }
            self.send(piece).await?;
        }
        if sent != bytes {
            return Err(Stopped::Failed(format!("{name} does not have its {bytes} bytes")));
        }
        self.send(tar::padding(bytes)).await
    }

    /// Ends the archive.
    pub(super) async fn end(self) -> Result<(), Stopped> {
        self.send(tar::end()).await?;
        self.pass(Piece::End).await
    }

    async fn begin(&self, name: &str, bytes: u64) -> Result<(), Stopped> {
        let header = tar::header(name, bytes, self.time_s).map_err(|error| Stopped::failed(name, &error))?;
        self.send(header).await
    }

    async fn send(&self, bytes: Bytes) -> Result<(), Stopped> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.pass(Piece::Bytes(bytes)).await?;
        match self.reader.moved() {
            true => Ok(()),
            // Others wait to read blobs, and this reader was the slowest.
            false => Err(Stopped::Reader),
        }
    }

    async fn pass(&self, piece: Piece) -> Result<(), Stopped> {
        match timeout(STALL, self.sender.send(piece)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Stopped::Reader),
        }
    }
}
