//! The bytes of an event row: packed frames, compressed when that pays.

use bytes::Bytes;
use lz4_flex::block;
use pds_repo::event::{self, Frame};

/// Shorter payloads (a commit or two) gain too little for the time it takes.
const COMPRESS_FROM: usize = 4096;

/// No payload unpacks to more: a batch has at most 128 commits of 2 MB.
const MAX_BYTES: usize = 512 << 20;

/// The first byte: how the rest is to be read. (1 was zstd, which took three times as long for a tenth less.)
const PLAIN: u8 = 0;
const LZ4: u8 = 2;

/// Some of the frames of a transaction, as a row holds them.
#[derive(Debug)]
pub(crate) struct Row {
    /// How many frames of the transaction come before.
    pub(crate) before: i64,
    pub(crate) n: i32,
    pub(crate) payload: Vec<u8>,
}

/// The rows for `frames`: none with a longer payload than `limit`, unless it holds a single frame.
pub(crate) fn rows(frames: &[Frame], limit: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    let (mut from, mut bytes) = (0, 0);
    for (at, frame) in frames.iter().enumerate() {
        let len = frame.prefix.len() + frame.suffix.len();
        // What is compressed is about two thirds as long.
        if at > from && bytes + len > (limit / 2).saturating_mul(3) {
            split(frames, from..at, limit, &mut rows);
            (from, bytes) = (at, 0);
        }
        bytes += len;
    }
    split(frames, from..frames.len(), limit, &mut rows);
    rows
}

/// Packs the events into one row, or into several rows of at most `limit` bytes.
fn split(frames: &[Frame], part: std::ops::Range<usize>, limit: usize, rows: &mut Vec<Row>) {
    let payload = pack(&frames[part.clone()]);
    if payload.len() > limit && part.len() > 1 {
        let middle = part.start + part.len() / 2;
        split(frames, part.start..middle, limit, rows);
        return split(frames, middle..part.end, limit, rows);
    }
    let n = i32::try_from(part.len()).unwrap_or(i32::MAX);
    rows.push(Row { before: i64::try_from(part.start).unwrap_or(i64::MAX), n, payload });
}

fn pack(frames: &[Frame]) -> Vec<u8> {
    let packed = event::pack(frames);
    if packed.len() >= COMPRESS_FROM {
        let compressed = block::compress_prepend_size(&packed);
        if compressed.len() < packed.len() {
            return tagged(LZ4, &compressed);
        }
    }
    tagged(PLAIN, &packed)
}

/// The frames of a row's payload, or why it has none.
pub(crate) fn unpack(payload: &Bytes) -> Result<Vec<Frame>, String> {
    let packed = match payload.split_first() {
        Some((&PLAIN, _)) => payload.slice(1..),
        Some((&LZ4, compressed)) => decompress(compressed)?.into(),
        Some((tag, _)) => return Err(format!("unknown payload version {tag}")),
        None => return Err("empty payload".to_owned()),
    };
    event::unpack(&packed).map_err(|error| error.to_string())
}

fn decompress(compressed: &[u8]) -> Result<Vec<u8>, String> {
    let (bytes, compressed) = block::uncompressed_size(compressed).map_err(|error| error.to_string())?;
    // A block of this format grows at most 255 times.
    if bytes > MAX_BYTES.min(compressed.len().saturating_mul(255)) {
        return Err(format!("a compressed payload with a length beyond all measure: {bytes}"));
    }
    block::decompress(compressed, bytes).map_err(|error| error.to_string())
}

fn tagged(tag: u8, bytes: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(bytes.len() + 1);
    payload.push(tag);
    payload.extend_from_slice(bytes);
    payload
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(lens: &[usize]) -> Vec<Frame> {
        let noise =
            |n: usize| Bytes::from((0..n).map(|at| (at * at * 31 + n) as u8 ^ (at >> 3) as u8).collect::<Vec<_>>());
        lens.iter().map(|len| Frame { prefix: noise(len / 3), suffix: noise(len - len / 3) }).collect()
    }

    fn read(rows: &[Row]) -> Vec<Frame> {
        let mut frames = Vec::new();
        for row in rows {
            assert_eq!(row.before, frames.len() as i64);
            let read = unpack(&row.payload.clone().into()).unwrap();
            assert_eq!(read.len(), row.n as usize);
            frames.extend(read);
        }
        frames
    }

    #[test]
    fn frames_come_back_from_rows_within_the_limit() {
        for lens in [&[10][..], &[3_000; 40], &[100, 20_000, 5, 9_000, 9_000], &[500_000]] {
            let frames = frames(lens);
            for limit in [1, 8_000, usize::MAX] {
                let rows = rows(&frames, limit);
                assert_eq!(read(&rows), frames);
                assert!(rows.iter().all(|row| row.n == 1 || row.payload.len() <= limit));
                assert!(limit < usize::MAX || rows.len() == 1);
            }
        }
    }

    #[test]
    fn damage_is_an_error() {
        let whole = rows(&frames(&[9_000]), usize::MAX).remove(0).payload;
        assert_eq!(whole[0], LZ4);
        for broken in [&whole[..whole.len() / 2], &whole[..3], &[LZ4, 255, 255, 255, 255, 1], &[1, 2], &[]] {
            assert!(unpack(&Bytes::copy_from_slice(broken)).is_err());
        }
    }
}
