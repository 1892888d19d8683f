//! Frames as websocket messages: binary, whole and unmasked, as a server sends them (RFC 6455, section 5.2).
//!
//! A message is built once for all followers; no socket copies it again.

use bytes::Bytes;
use hyper_tungstenite::tungstenite::protocol::frame::{
    FrameHeader,
    coding::{Data, OpCode},
};
use pds_repo::event::Frame;

use super::ring::Numbered;

/// A frame without a number as a message.
pub fn message(frame: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(message_len(frame.len()));
    begin(frame.len(), &mut out);
    out.extend_from_slice(frame);
    out.into()
}

/// Consecutive messages.
pub(super) struct Run {
    bytes: Bytes,
    /// The number of each message, and its end in `bytes`.
    ends: Vec<(i64, usize)>,
}

impl Run {
    pub(super) fn new(frames: &[(i64, Frame)]) -> Self {
        let bytes = frames.iter().map(|(seq, frame)| message_len(frame.len(*seq))).sum();
        let mut out = Vec::with_capacity(bytes);
        let ends = frames.iter().map(|(seq, frame)| {
            begin(frame.len(*seq), &mut out);
            frame.append(*seq, &mut out);
            (*seq, out.len())
        });
        let ends = ends.collect();
        Self { bytes: out.into(), ends }
    }

    /// All messages in one piece, with the number of the last.
    pub(super) fn whole(self) -> Option<Numbered> {
        self.ends.last().map(|(seq, _)| (*seq, self.bytes))
    }

    /// The messages one by one. Each keeps all of them in memory.
    pub(super) fn each(&self) -> Vec<Numbered> {
        let mut from = 0;
        let cut = |&(seq, end)| (seq, self.bytes.slice(std::mem::replace(&mut from, end)..end));
        self.ends.iter().map(cut).collect()
    }
}

/// Writes the header of a message of `len` bytes.
fn begin(len: usize, out: &mut Vec<u8>) {
    header().format(len as u64, out).expect("a Vec takes everything");
}

fn message_len(len: usize) -> usize {
    header().len(len as u64) + len
}

fn header() -> FrameHeader {
    FrameHeader { opcode: OpCode::Data(Data::Binary), ..FrameHeader::default() }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use hyper_tungstenite::tungstenite::protocol::{Message, Role, WebSocket};

    use super::*;

    /// As another implementation reads them.
    fn read(bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut socket = WebSocket::from_raw_socket(Cursor::new(bytes.to_vec()), Role::Client, None);
        std::iter::from_fn(|| socket.read().ok())
            .map(|message| match message {
                Message::Binary(payload) => payload.to_vec(),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn messages_of_every_length_are_read_by_others() {
        for len in [0, 1, 125, 126, 127, 65_535, 65_536, 70_000] {
            let payload = vec![7; len];
            assert_eq!(read(&message(&payload)), [payload]);
        }
    }

    #[test]
    fn a_run_is_its_messages_in_order() {
        let frame = |len: usize| Frame { prefix: vec![1; len].into(), suffix: vec![2; 3 * len].into() };
        let frames: Vec<_> = [(5, frame(1)), (6, frame(50)), (1_000, frame(30_000))].into();
        let run = Run::new(&frames);
        let wanted: Vec<_> = frames.iter().map(|(seq, frame)| frame.numbered(*seq).to_vec()).collect();
        let each = run.each();
        assert_eq!(each.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [5, 6, 1_000]);
        assert_eq!(each.iter().flat_map(|(_, bytes)| read(bytes)).collect::<Vec<_>>(), wanted);
        let (last, whole) = run.whole().unwrap();
        assert_eq!((last, read(&whole)), (1_000, wanted));
        assert!(Run::new(&[]).whole().is_none());
    }
}
