//! Runs every target on its corpus and on changed inputs of the corpus, for a few seconds. `fuzz/run` does the same for any time.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::{fs, path::PathBuf, sync::Arc};

use data_encoding::HEXLOWER;
use fuzz::Target;
use proptest::{prelude::*, sample::Index};

/// The inputs of the corpus, which has one input in hexadecimal digits per line, and the empty input.
fn corpus(target: &str) -> Arc<[Vec<u8>]> {
    let file = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/corpus")).join(target).with_extension("txt");
    let text = fs::read_to_string(file).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let inputs: Vec<Vec<u8>> = lines.map(|line| HEXLOWER.decode(line.as_bytes()).unwrap()).collect();
    assert!(inputs.len() > 5, "the corpus of {target} is missing");
    inputs.into_iter().chain([Vec::new()]).collect()
}

/// A change of an input.
#[derive(Clone, Debug)]
enum Edit {
    Set(Index, u8),
    Flip(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, u8),
    /// Replaces the end with the end of another input.
    Splice(Index, Index, Index),
}

fn edit() -> impl Strategy<Value = Edit> {
    let significant =
        prop_oneof![prop::sample::select(&[0x00, 0x01, 0x18, 0x1b, 0x7f, 0x80, 0x9b, 0xbb, 0xff][..]), any::<u8>()];
    prop_oneof![
        (any::<Index>(), significant.clone()).prop_map(|(at, byte)| Edit::Set(at, byte)),
        (any::<Index>(), 0..8u8).prop_map(|(at, bit)| Edit::Flip(at, bit)),
        (any::<Index>(), prop::collection::vec(significant, 1..9)).prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
        (any::<Index>(), 1..9u8).prop_map(|(at, count)| Edit::Remove(at, count)),
        any::<(Index, Index, Index)>().prop_map(|(at, other, from)| Edit::Splice(at, other, from)),
    ]
}

fn edited(input: &[u8], edits: &[Edit], corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut out = input.to_vec();
    for edit in edits {
        let place = |at: &Index| at.index(out.len() + 1);
        match edit {
            Edit::Set(at, byte) if !out.is_empty() => {
                let at = at.index(out.len());
                out[at] = *byte;
            }
            Edit::Flip(at, bit) if !out.is_empty() => {
                let at = at.index(out.len());
                out[at] ^= 1 << bit;
            }
            Edit::Set(..) | Edit::Flip(..) => {}
            Edit::Insert(at, bytes) => drop(out.splice(place(at)..place(at), bytes.iter().copied())),
            Edit::Remove(at, count) => {
                let from = place(at);
                drop(out.drain(from..(from + usize::from(*count)).min(out.len())));
            }
            Edit::Splice(at, other, from) => {
                let other = &corpus[other.index(corpus.len())];
                out.truncate(place(at));
                out.extend_from_slice(&other[from.index(other.len() + 1)..]);
            }
        }
    }
    out
}

/// Runs the target on its corpus, then on `cases` changed inputs. Reports the smallest input that fails.
fn fuzz(name: &str, cases: u32) {
    let (target, corpus) = (Target::named(name).unwrap(), corpus(name));
    corpus.iter().for_each(|input| target.run(input));
    let inputs = (any::<Index>(), prop::collection::vec(edit(), 1..8))
        .prop_map(|(of, edits)| edited(&corpus[of.index(corpus.len())], &edits, &corpus));
    proptest!(ProptestConfig::with_cases(cases), |(input in inputs)| target.run(&input));
}

#[test]
fn records() {
    fuzz("record", 4000);
}

#[test]
fn car_files() {
    fuzz("car", 2000);
}

#[test]
fn trees() {
    fuzz("tree", 500);
}

#[test]
fn commits() {
    fuzz("commits", 150);
}

#[test]
fn frames() {
    fuzz("frames", 400);
}

#[test]
fn identifiers() {
    fuzz("syntax", 3000);
}

#[test]
fn published_lexicons() {
    fuzz("lexicon", 3000);
}
