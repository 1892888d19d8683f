//! `com.atproto.sync.getRecord`

use futures::{StreamExt, stream::FuturesUnordered};

use crate::{
    harness::{TestPds, send},
    on_both,
};

const METHOD: &str = "com.atproto.sync.getRecord";

on_both!(a_proof_needs_a_whole_path, |pds| async move {
    let alice = pds.person("alice").await;
    let rkey = alice.post("hi").await;
    let all = [("did", alice.did.as_str()), ("collection", "app.bsky.feed.post"), ("rkey", rkey.as_str())];
    let answer = pds.get(METHOD).query(&all).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/vnd.ipld.car");
    for n in 0..3 {
        let mut params = all.to_vec();
        params.remove(n);
        assert_eq!(pds.query(METHOD, &params).await.error(), (400, "InvalidRequest"), "{params:?}");
    }
    let nobody = [("did", "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"), all[1], all[2]];
    assert_eq!(pds.query(METHOD, &nobody).await.error(), (400, "RepoNotFound"));
});

#[tokio::test]
async fn whoever_waits_for_a_load_waits_for_no_turn_of_another_address() {
    let pds = TestPds::postgres().await;
    let mut dids = Vec::new();
    for name in ["a", "b", "c", "d", "e", "f", "g", "x"] {
        let person = pds.person(&format!("{name}-person")).await;
        person.post("hi").await;
        dids.push(person.did);
    }
    let cold = pds.replica().await;
    let prove = |address: &'static str, did: &str| {
        let params = [("did", did), ("collection", "app.bsky.feed.post"), ("rkey", "3k2a222222222")];
        let answer = send(cold.get(METHOD).query(&params).header("x-forwarded-for", address));
        async move { (address, answer.await.status) }
    };
    let waiting = async |wanted: usize| {
        while cold.app.actors.loads_waiting() != wanted {
            tokio::task::yield_now().await;
        }
    };
    // The first load waits for the table, all others for their turns.
    let mut lock = pds.database.hold("lock table record in access exclusive mode", 60);
    let (shared, others) = dids.split_last().unwrap();
    let mut greedy: FuturesUnordered<_> = others.iter().map(|did| tokio::spawn(prove("203.0.113.1", did))).collect();
    waiting(others.len() - 1).await;
    greedy.push(tokio::spawn(prove("203.0.113.1", shared)));
    waiting(others.len()).await;
    greedy.push(tokio::spawn(prove("203.0.113.2", shared)));
    waiting(others.len() + 1).await;
    // Its server process would sleep on without its client.
    pds.database.psql(
        "select pg_terminate_backend(pid) from pg_stat_activity \
         where datname = current_database() and query like 'select pg_sleep%'",
    );
    lock.wait().unwrap();
    let mut order = Vec::new();
    while let Some(answer) = greedy.next().await {
        let (address, status) = answer.unwrap();
        assert_eq!(status, 200);
        order.push(address);
    }
    let own = order.iter().position(|address| *address == "203.0.113.2").unwrap();
    assert!(own < order.len() - 2, "it came last but {}", order.len() - 1 - own);
}
