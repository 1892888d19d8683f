//! CAR files: arbitrary bytes, and files with correct hashes that are damaged.
//!
//! A file that is read without an error is written again to the same bytes, so each list of blocks has exactly one file. Damage is detected.

use bytes::Bytes;
use pds_repo::{Cid, car, commit, proof};

use crate::input::Input;

pub(crate) fn check(input: &[u8]) {
    let mut input = Input::new(input);
    match input.byte() {
        0 => {
            read_all(input.rest());
        }
        _ => damaged(&mut input),
    }
}

/// The blocks of the file. `None` if it is not a valid file.
fn read_all(file: &[u8]) -> Option<Vec<(Cid, Bytes)>> {
    let reader = car::Reader::new(file).ok()?;
    let root = reader.root;
    let mut blocks = Vec::new();
    for block in reader {
        let (cid, bytes) = block.ok()?;
        assert!(cid.matches(bytes));
        blocks.push((cid, Bytes::copy_from_slice(bytes)));
    }
    assert_eq!(car::write(&root, blocks.iter().map(|(cid, block)| (cid, block))), file);
    if let Ok(data) = proof::invert(file, &[]) {
        let head = blocks.iter().find(|(cid, _)| *cid == root).expect("a proof contains its root");
        assert_eq!(
            data,
            commit::decode(&head.1).expect("the root of a proof is a commit").data,
            "the inversion of no operations changes nothing"
        );
    }
    Some(blocks)
}

fn damaged(input: &mut Input<'_>) {
    let (damage, at) = (input.byte(), input.below(256) * 256 + input.below(256));
    let mut blocks = Vec::new();
    while !input.is_empty() && blocks.len() < 64 {
        let (kind, length) = (input.byte(), input.below(256));
        let block = Bytes::copy_from_slice(input.take(length));
        blocks.push((if kind % 2 == 0 { Cid::raw(&block) } else { Cid::dag_cbor(&block) }, block));
    }
    let root = blocks.first().map_or(Cid::raw(b""), |(cid, _)| *cid);
    let file = car::write(&root, blocks.iter().map(|(cid, block)| (cid, block)));
    assert_eq!(read_all(&file).as_ref(), Some(&blocks));
    let mut damaged = file.to_vec();
    let at = at % damaged.len();
    damaged[at] ^= damage;
    // Damage to the root, and to the codec of a CID, is not detected.
    let contents = |blocks: Vec<(Cid, Bytes)>| blocks.into_iter().map(|(_, block)| block).collect::<Vec<_>>();
    if let Some(read) = read_all(&damaged) {
        assert_eq!(contents(read), contents(blocks.clone()));
    }
    let cut = read_all(&file[..at]);
    assert!(cut.is_none_or(|cut| blocks.starts_with(&cut)));
}
