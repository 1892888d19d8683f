//! Commits that are refused. A refusal changes nothing.

use pds_crypto::SigningKey;
use pds_repo::{Action, Cid, Error, MAX_EVENT_BYTES, MAX_WRITES, Repo, Write, proof, record};
use pds_syntax::{RepoPath, Tid};
use serde_json::json;

fn path(n: usize) -> RepoPath {
    format!("com.example.record/{n:04}").parse().unwrap()
}

fn create(n: usize, text_bytes: usize) -> Write {
    let record = record::from_json(&json!({"n": n, "text": "x".repeat(text_bytes)})).unwrap();
    Write::Create { path: path(n), cid: record.cid, bytes: record.bytes }
}

fn update(n: usize) -> Write {
    let record = record::from_json(&json!({"n": n, "new": true})).unwrap();
    Write::Update { path: path(n), cid: record.cid, bytes: record.bytes }
}

#[test]
fn refused_writes_leave_the_repository_as_it_was() {
    let key = SigningKey::generate();
    let did = "did:plc:abc".parse().unwrap();
    let (repo, _) = Repo::create(did, Tid::from_micros(1, 0), &[create(0, 1)], &key).unwrap();
    let refused = |writes: &[Write]| repo.apply(writes, Tid::from_micros(2, 0), &key).unwrap_err();

    assert_eq!(refused(&[create(1, 1), create(0, 1)]), Error::RecordExists { path: path(0) });
    assert_eq!(refused(&[update(1)]), Error::RecordMissing { path: path(1) });
    assert_eq!(refused(&[create(1, 1), Write::Delete { path: path(2) }]), Error::RecordMissing { path: path(2) });
    let many: Vec<Write> = (1..=MAX_WRITES + 1).map(|n| create(n, 1)).collect();
    assert_eq!(refused(&many), Error::TooManyWrites { given: MAX_WRITES + 1 });
    assert!(matches!(refused(&[create(1, 1_000_000), create(2, 1_000_000)]), Error::TooLarge { .. }));

    assert_eq!((repo.tree.root(), repo.tree.len()), (repo.head.data, 1));
    let (full, diff) = repo.apply(&many[..MAX_WRITES], Tid::from_micros(2, 0), &key).unwrap();
    assert_eq!((full.tree.len(), diff.ops.len()), (MAX_WRITES + 1, MAX_WRITES));
    assert!(diff.car().len() <= MAX_EVENT_BYTES);
}

#[test]
fn a_commit_on_a_tree_just_built_sends_what_changed_and_no_more() {
    let key = SigningKey::generate();
    let first: Vec<Write> = (0..MAX_WRITES).map(|n| create(n, 1)).collect();
    let did = "did:plc:abc".parse().unwrap();
    let (repo, _) = Repo::create(did, Tid::from_micros(1, 0), &first, &key).unwrap();
    let records = first.iter().filter_map(|write| match write {
        Write::Create { path, cid, .. } => Some((path.as_str().into(), *cid)),
        _ => None,
    });
    let cold = Repo { tree: pds_repo::mst::Tree::from_sorted(records), ..repo.clone() };
    let next = |repo: &Repo| repo.apply(&[update(7)], Tid::from_micros(2, 0), &key).unwrap().1;
    assert_eq!(next(&cold).car(), next(&repo).car());
}

/// F14
#[test]
fn several_writes_to_one_record_are_one_operation() {
    let key = SigningKey::generate();
    let (repo, _) =
        Repo::create("did:plc:abc".parse().unwrap(), Tid::from_micros(1, 0), &[create(0, 1), create(5, 1)], &key)
            .unwrap();
    let delete = |n| Write::Delete { path: path(n) };
    let (old, new) = (repo.tree.get(path(0).as_str()).unwrap(), update(0));
    let Write::Update { cid: updated, .. } = new else { panic!("an update") };
    for (writes, action, after) in [
        (vec![delete(0), create(0, 9)], Some(Action::Update), Some(9)),
        (vec![new.clone(), delete(0)], Some(Action::Delete), None),
        (vec![delete(0), create(0, 9), new.clone()], Some(Action::Update), Some(0)),
        (vec![delete(0), create(0, 9), delete(0)], Some(Action::Delete), None),
        (vec![delete(0), create(0, 1)], None, Some(1)),
    ] {
        let (_, diff) = repo.apply(&[&writes[..], &[create(7, 1)]].concat(), Tid::from_micros(2, 0), &key).unwrap();
        let ops: Vec<_> = diff.ops.iter().filter(|op| op.path == path(0)).collect();
        assert_eq!(ops.iter().map(|op| op.action).collect::<Vec<_>>(), Vec::from_iter(action), "{writes:?}");
        let cid = after.map(|bytes| if bytes == 0 { updated } else { cid_of(&create(0, bytes)) });
        assert!(ops.iter().all(|op| op.prev == old && op.cid == cid), "{ops:?}");
        assert_eq!(Some(proof::invert(&diff.car(), &diff.ops).unwrap()), diff.prev_data);
    }
    for writes in [vec![create(1, 1), delete(1)], vec![create(1, 1), update(1), delete(1)]] {
        let (next, diff) = repo.apply(&writes, Tid::from_micros(2, 0), &key).unwrap();
        assert_eq!((diff.ops.len(), next.head.data), (0, repo.head.data));
    }
    let (_, diff) = repo.apply(&[create(1, 1), update(1)], Tid::from_micros(2, 0), &key).unwrap();
    assert_eq!((diff.ops.len(), diff.ops[0].action, diff.ops[0].prev), (1, Action::Create, None));
    // Each write is checked against the result of the previous ones.
    assert_eq!(
        repo.apply(&[delete(0), delete(0)], Tid::from_micros(2, 0), &key).unwrap_err(),
        Error::RecordMissing { path: path(0) }
    );
    assert_eq!(
        repo.apply(&[create(1, 1), create(1, 1)], Tid::from_micros(2, 0), &key).unwrap_err(),
        Error::RecordExists { path: path(1) }
    );
}

fn cid_of(write: &Write) -> Cid {
    match write {
        Write::Create { cid, .. } | Write::Update { cid, .. } => *cid,
        Write::Delete { .. } => panic!("a deletion has no record"),
    }
}
