//! Firehose frames, made from the input, and packs of frames.
//!
//! A frame consists of two items in canonical form, header and body, and contains what it was made from, for sequence numbers of every length.
//! An unpacked pack is packed again to the same bytes.

use std::collections::BTreeMap;

use bytes::Bytes;
use ipld_core::ipld::Ipld;
use pds_repo::{
    car,
    event::{self, AccountStatus, Frame},
    proof,
};
use pds_syntax::{Handle, Tid};

use crate::{
    commits::{Subject, did},
    dag_cbor::{Seen, item},
    input::Input,
};

pub(crate) fn check(input: &[u8]) {
    let mut input = Input::new(input);
    if input.byte() == 0 {
        let packed = Bytes::copy_from_slice(input.rest());
        if let Ok(frames) = event::unpack(&packed) {
            assert_eq!(event::pack(&frames), packed);
        }
        return;
    }
    let mut frames = Vec::new();
    let mut subject = Subject::new();
    while !input.is_empty() && frames.len() < 16 {
        frames.push(frame(&mut input, &mut subject));
    }
    let packed = Bytes::from(event::pack(&frames));
    assert_eq!(event::unpack(&packed).as_ref(), Ok(&frames));
    let at = (input.below(256) * 256 + input.below(256)) % packed.len();
    assert!(event::unpack(&packed.slice(..at)).is_err(), "a truncated pack is refused");
}

fn frame(input: &mut Input<'_>, subject: &mut Subject) -> Frame {
    let kind = input.byte();
    // Sequence numbers of all lengths.
    let number = input.take(8).iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    let seq = (number >> (number % 64)) as i64 & i64::MAX;
    let length = input.below(64);
    let time = input.text(length);
    match kind % 6 {
        0 => {
            let diff = subject.commit(input);
            let frame = event::commit(&did(), &diff, &time);
            let body = read(&frame.numbered(seq), "#commit", Some((seq, &time)));
            let Ipld::Bytes(blocks) = &body["blocks"] else { unreachable!("blocks are bytes") };
            assert_eq!(car::Reader::new(blocks).map(|car| car.root), Ok(diff.commit));
            assert_eq!(proof::invert(blocks, &diff.ops).ok(), diff.prev_data);
            assert_eq!(body.get("prevData"), diff.prev_data.map(|cid| Ipld::Link(cid.into())).as_ref());
            let Ipld::List(ops) = &body["ops"] else { unreachable!("ops are a list") };
            assert_eq!(ops.len(), diff.ops.len());
            frame
        }
        1 => {
            let diff = subject.commit(input);
            let frame = event::sync(&did(), diff.rev, &diff.commit, &diff.commit_bytes, &time);
            let body = read(&frame.numbered(seq), "#sync", Some((seq, &time)));
            assert_eq!(body["rev"], Ipld::String(diff.rev.to_string()));
            frame
        }
        2 => {
            let length = input.below(32);
            let handle = input.text(length).parse::<Handle>().ok();
            let frame = event::identity(&did(), handle.as_ref(), &time);
            let body = read(&frame.numbered(seq), "#identity", Some((seq, &time)));
            assert_eq!(body.get("handle"), handle.map(|handle| Ipld::String(handle.into())).as_ref());
            frame
        }
        3 => {
            use AccountStatus::{Active, Deactivated, Deleted, Suspended, Takendown};
            let status = [Active, Deactivated, Suspended, Takendown, Deleted][input.below(5)];
            let frame = event::account(&did(), status, &time);
            let body = read(&frame.numbered(seq), "#account", Some((seq, &time)));
            assert_eq!(body["active"], Ipld::Bool(status == Active));
            frame
        }
        4 => {
            let length = input.below(32);
            let (name, rev) = (input.text(length), Tid::from_micros(number, 0).to_string());
            assert_eq!(read(&event::info(&name, &time), "#info", None)["name"], Ipld::String(name.clone()));
            let error = event::error(&name, &rev);
            let (head, body) = parts(&error);
            assert_eq!(head, BTreeMap::from([("op".to_owned(), Ipld::Integer(-1))]));
            assert_eq!(body["error"], Ipld::String(name));
            Frame { prefix: error, suffix: Bytes::new() }
        }
        _ => {
            let length = input.below(256);
            Frame {
                prefix: Bytes::copy_from_slice(input.take(length)),
                suffix: Bytes::copy_from_slice(input.take(length)),
            }
        }
    }
}

/// The body of a message, which must be of this kind.
fn read(message: &[u8], kind: &str, numbered: Option<(i64, &str)>) -> BTreeMap<String, Ipld> {
    let (head, body) = parts(message);
    let wanted = [("op", Ipld::Integer(1)), ("t", Ipld::String(kind.to_owned()))];
    assert_eq!(head, wanted.map(|(name, value)| (name.to_owned(), value)).into());
    if let Some((seq, time)) = numbered {
        assert_eq!((&body["seq"], &body["time"]), (&Ipld::Integer(seq.into()), &Ipld::String(time.to_owned())));
    }
    body
}

/// Header and body of a message, which must be in canonical form without trailing bytes.
fn parts(message: &[u8]) -> (BTreeMap<String, Ipld>, BTreeMap<String, Ipld>) {
    let (_, middle) = item(message, &mut Seen::default()).expect("the header is in canonical form");
    let (head, body) = message.split_at(middle);
    let (_, end) = item(body, &mut Seen::default()).expect("the body is in canonical form");
    assert_eq!(end, body.len());
    let map = |bytes: &[u8]| match serde_ipld_dagcbor::from_slice(bytes) {
        Ok(Ipld::Map(map)) => map,
        other => unreachable!("a map: {other:?}"),
    };
    (map(head), map(body))
}
