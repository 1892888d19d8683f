//! A CAR file that is read in pieces gives the same blocks as the whole file.

use bytes::Bytes;
use pds_repo::{Cid, car};
use proptest::{prelude::*, sample::Index};

fn file() -> Bytes {
    let blocks: Vec<(Cid, Bytes)> = [0, 1, 100, 127, 128, 20_000]
        .iter()
        .map(|len| Bytes::from(vec![7; *len]))
        .map(|block| (Cid::dag_cbor(&block), block))
        .collect();
    car::write(&blocks[0].0, blocks.iter().map(|(cid, block)| (cid, block)))
}

/// The blocks up to the first error, then the root or the error.
type Read = (Vec<(Cid, Bytes)>, Result<Cid, car::Error>);

fn at_once(bytes: &[u8]) -> Read {
    let mut blocks = Vec::new();
    let reader = match car::Reader::new(bytes) {
        Ok(reader) => reader,
        Err(error) => return (blocks, Err(error)),
    };
    let root = reader.root;
    for block in reader {
        match block {
            Ok((cid, block)) => blocks.push((cid, Bytes::copy_from_slice(block))),
            Err(error) => return (blocks, Err(error)),
        }
    }
    (blocks, Ok(root))
}

fn in_pieces<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Read {
    let (mut feed, mut blocks) = (car::Feed::default(), Vec::new());
    for piece in pieces {
        feed.push(piece);
        loop {
            match feed.block() {
                Ok(Some(block)) => blocks.push(block),
                Ok(None) => break,
                Err(error) => return (blocks, Err(error)),
            }
        }
    }
    (blocks, feed.end())
}

#[test]
fn byte_by_byte_is_as_good_as_at_once() {
    let file = file();
    let whole = at_once(&file);
    assert!(whole.1.is_ok());
    assert_eq!(whole.0.len(), 6);
    assert_eq!(in_pieces(file.chunks(1)), whole);
}

#[test]
fn a_length_without_end_is_refused_at_once() {
    for (claim, len) in
        [(&[0xff, 0xff, 0xff, 0xff, 0x0f][..], 0xffff_ffff), (&[0xa5, 0x80, 0x80, 0x01], (2 << 20) + 37)]
    {
        let mut feed = car::Feed::default();
        feed.push(&car::header(&Cid::raw(b"")));
        assert_eq!(feed.block(), Ok(None));
        feed.push(claim);
        assert_eq!(feed.block(), Err(car::Error::Large(len)));
    }
    let mut feed = car::Feed::default();
    feed.push(&[0xff; 5]);
    assert_eq!(feed.block(), Err(car::Error::Header));
}

proptest! {
    #[test]
    fn damage_is_found_in_pieces_too(at: Index, byte: Option<u8>, size in 1..3_000usize) {
        let (mut bytes, at) = (file().to_vec(), at.index(file().len()));
        match byte {
            Some(byte) => bytes[at] = byte,
            None => bytes.truncate(at),
        }
        let (blocks, end) = in_pieces(bytes.chunks(size));
        // The reader of the whole file has no limit on the size of a block.
        let end = end.map_err(|error| if matches!(error, car::Error::Large(_)) { car::Error::Cut } else { error });
        prop_assert_eq!((blocks, end), at_once(&bytes));
    }
}
