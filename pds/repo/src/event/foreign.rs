//! Events that another server has stored, as frames of this one.

use super::{Frame, frame, header};
use crate::cbor::{Invalid, Reader, Writer};

const SEQ: &str = "seq";
const TIME: &str = "time";

/// The message of an event whose body another server has stored without its number and time. `kind` is that of the header, with `#`; `time` is in
/// RFC 3339. All other fields stay byte for byte.
///
/// # Errors
/// If the body is not a map in DAG-CBOR, or has a number or a time.
pub fn foreign(kind: &str, body: &[u8], time: &str) -> Result<Frame, Invalid> {
    let mut reader = Reader::new(body);
    let (mut fields, len) = (Vec::new(), reader.map()?);
    for _ in 0..len {
        let name = reader.text()?;
        if name == SEQ || name == TIME {
            return Err(reader.invalid());
        }
        fields.push((name, reader.raw()?));
    }
    reader.end()?;
    let mut written = Writer::default();
    written.text(time);
    let written = written.into_bytes();
    fields.push((TIME, &written));
    // The order of DAG-CBOR: shorter keys first.
    fields.sort_by_key(|(name, _)| (name.len(), *name));
    let (before, behind) = fields.split_at(fields.partition_point(|(name, _)| (name.len(), *name) < (SEQ.len(), SEQ)));
    let mut prefix = header(kind);
    prefix.map(fields.len() + 1);
    for (name, value) in before {
        prefix.text(name).raw(value);
    }
    prefix.text(SEQ);
    let mut suffix = Writer::with_capacity(body.len() + 64);
    for (name, value) in behind {
        suffix.text(name).raw(value);
    }
    Ok(frame(prefix, suffix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Cid,
        event::{AccountStatus, account, identity, sync},
    };

    const AT: &str = "2026-01-01T00:00:00.000Z";

    /// The body of a message as another server stores it.
    fn stored(frame: &Frame, kind: &str) -> Vec<u8> {
        let whole = frame.numbered(7);
        let mut reader = Reader::new(&whole[header(kind).into_bytes().len()..]);
        let (mut out, len) = (Writer::default(), reader.map().unwrap());
        out.map(len - 2);
        for _ in 0..len {
            let (name, value) = (reader.text().unwrap(), reader.raw().unwrap());
            if name != SEQ && name != TIME {
                out.text(name).raw(value);
            }
        }
        reader.end().unwrap();
        out.into_bytes()
    }

    #[test]
    fn a_stored_body_becomes_the_message_that_was_sent() {
        let did = "did:plc:abc".parse().unwrap();
        let (handle, block) = ("alice.test".parse().unwrap(), bytes::Bytes::from_static(b"commit"));
        let rev = pds_syntax::Tid::from_micros(7, 0);
        for (kind, sent) in [
            ("#identity", identity(&did, Some(&handle), AT)),
            ("#identity", identity(&did, None, AT)),
            ("#account", account(&did, AccountStatus::Deactivated, AT)),
            ("#sync", sync(&did, rev, &Cid::dag_cbor(&block), &block, AT)),
        ] {
            assert_eq!(foreign(kind, &stored(&sent, kind), AT).unwrap().numbered(12), sent.numbered(12));
        }
    }

    #[test]
    fn values_of_every_type_stay_as_they_are() {
        let mut body = Writer::default();
        body.map(4).text("a").array(3).int(-1).null().bool(true);
        body.text("ops").array(1).map(1).text("cid").link(&Cid::dag_cbor(b""));
        body.text("long").bytes(&[7; 300]).text("float").raw(&[0xfb, 0, 0, 0, 0, 0, 0, 0, 0]);
        let body = body.into_bytes();
        assert_eq!(stored(&foreign("#commit", &body, AT).unwrap(), "#commit"), body);
    }

    #[test]
    fn what_is_no_stored_event_is_refused() {
        let mut numbered = Writer::default();
        numbered.map(1).text(SEQ).int(1);
        let huge = [&[0xa1, 0x61, b'a', 0x9b][..], &[0xff; 8]].concat();
        for body in [&numbered.into_bytes()[..], b"", &[0xa1], &[0x80], &huge, &[0xa0, 0]] {
            assert!(foreign("#commit", body, AT).is_err(), "{body:?}");
        }
    }
}
