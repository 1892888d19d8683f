//! The bytes of an event row: packed frames, compressed when that pays.

use std::cell::RefCell;

use bytes::Bytes;
use pds_repo::event::{self, Frame};
use zstd::{
    bulk::{Compressor, Decompressor},
    zstd_safe,
};

/// Shorter payloads (a commit or two) gain too little for the time it takes.
const COMPRESS_FROM: usize = 4096;
const ZSTD_LEVEL: i32 = 1;

/// No payload unpacks to more: a batch has at most 128 commits of 2 MB.
const MAX_BYTES: usize = 512 << 20;

/// The first byte: how the rest is to be read.
const PLAIN: u8 = 0;
const ZSTD: u8 = 1;

thread_local! {
    /// A new one would allocate its tables for each payload.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = RefCell::new(Compressor::new(ZSTD_LEVEL).ok());
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = RefCell::new(Decompressor::new().ok());
}

/// The payload of a row.
pub(crate) fn pack(frames: &[Frame]) -> Vec<u8> {
    let packed = event::pack(frames);
    if packed.len() >= COMPRESS_FROM
        && let Some(compressed) = COMPRESSOR.with_borrow_mut(|compressor| compressor.as_mut()?.compress(&packed).ok())
        && compressed.len() < packed.len()
    {
        return tagged(ZSTD, &compressed);
    }
    tagged(PLAIN, &packed)
}

/// The frames of a row's payload, or why it has none.
pub(crate) fn unpack(payload: &Bytes) -> Result<Vec<Frame>, String> {
    let packed = match payload.split_first() {
        Some((&PLAIN, _)) => payload.slice(1..),
        Some((&ZSTD, compressed)) => decompress(compressed)?.into(),
        Some((tag, _)) => return Err(format!("unknown payload version {tag}")),
        None => return Err("empty payload".to_owned()),
    };
    event::unpack(&packed).map_err(|error| error.to_string())
}

fn decompress(compressed: &[u8]) -> Result<Vec<u8>, String> {
    let bytes = zstd_safe::get_frame_content_size(compressed).ok().flatten();
    let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok()).filter(|bytes| *bytes <= MAX_BYTES);
    let bytes = bytes.ok_or("a compressed payload without its length, or with one beyond all measure")?;
    DECOMPRESSOR.with_borrow_mut(|decompressor| match decompressor {
        Some(decompressor) => decompressor.decompress(compressed, bytes).map_err(|error| error.to_string()),
        None => zstd::decode_all(compressed).map_err(|error| error.to_string()),
    })
}

fn tagged(tag: u8, bytes: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(bytes.len() + 1);
    payload.push(tag);
    payload.extend_from_slice(bytes);
    payload
}
