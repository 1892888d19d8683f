//! Stores the frames of a batch in one value.
//!
//! Format: version byte; number of frames; for each frame the lengths of prefix and suffix; the bytes of all prefixes and suffixes. Integers have
//! 32 bits, little-endian.

use bytes::Bytes;

use super::Frame;

const VERSION: u8 = 1;

/// The stored value is not a pack of frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored frames are damaged")]
pub struct Damaged;

/// Encodes frames as one value.
pub fn pack(frames: &[Frame]) -> Vec<u8> {
    let bytes: usize = frames.iter().map(|frame| frame.prefix.len() + frame.suffix.len() + 8).sum();
    let mut out = Vec::with_capacity(bytes + 5);
    out.push(VERSION);
    out.extend((frames.len() as u32).to_le_bytes());
    for frame in frames {
        out.extend((frame.prefix.len() as u32).to_le_bytes());
        out.extend((frame.suffix.len() as u32).to_le_bytes());
    }
    for frame in frames {
        out.extend_from_slice(&frame.prefix);
        out.extend_from_slice(&frame.suffix);
    }
    out
}

/// Decodes frames. They share the memory of `packed`.
pub fn unpack(packed: &Bytes) -> Result<Vec<Frame>, Damaged> {
    let (version, rest) = packed.split_first().ok_or(Damaged)?;
    if *version != VERSION {
        return Err(Damaged);
    }
    let mut numbers =
        rest.chunks_exact(4).map(|chunk| u32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]) as usize);
    let count = numbers.next().ok_or(Damaged)?;
    let mut at =
        count.checked_mul(8).and_then(|table| table.checked_add(5)).filter(|at| *at <= packed.len()).ok_or(Damaged)?;
    let mut take = |len: usize| {
        let end = at.checked_add(len).filter(|end| *end <= packed.len()).ok_or(Damaged)?;
        let part = packed.slice(at..end);
        at = end;
        Ok(part)
    };
    let mut frames = Vec::with_capacity(count);
    for _ in 0..count {
        let (prefix, suffix) = (numbers.next().ok_or(Damaged)?, numbers.next().ok_or(Damaged)?);
        frames.push(Frame { prefix: take(prefix)?, suffix: take(suffix)? });
    }
    if at == packed.len() { Ok(frames) } else { Err(Damaged) }
}
