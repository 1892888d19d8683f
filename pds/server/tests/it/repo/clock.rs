//! Clocks that step back, and replicas whose clocks disagree.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{harness::Person, on_both};

const HOUR: Duration = Duration::from_secs(3600);

/// Writes a record; revision and record key.
async fn write(person: &Person, n: usize) -> (String, String) {
    let answer = person.create("com.example.thing", json!({"n": n})).await.ok();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&answer["commit"]["rev"]), text(&answer["uri"]).rsplit('/').next().unwrap().to_owned())
}

on_both!(revisions_rise_although_clocks_step_back, |pds| async move {
    let alice = pds.person("alice").await;
    pds.clock.forward(HOUR);
    let ahead = write(&alice, 1).await;
    pds.clock.back(HOUR);
    let back = write(&alice, 2).await;
    assert!(ahead.0 < back.0 && ahead.1 < back.1, "{ahead:?} and then {back:?}");

    // A process that starts now knows nothing of the time that was, and is an hour behind.
    let restarted = pds.replica().await;
    let at_restarted = alice.at(&restarted.url);
    let (mut rev, mut firehose) = (back.0, restarted.firehose(Some(0)).await);
    for n in 3..9 {
        // In turn with the process whose clock was ahead.
        let person = if n % 3 == 0 { &alice } else { &at_restarted };
        let (next, _) = write(person, n).await;
        assert!(rev < next, "{rev} and then {next}");
        rev = next;
    }
    // Its followers get everything, in the same order.
    let mut events = firehose.take(3 + 9).await;
    assert!(events.iter().map(|event| event.seq).eq(1..=12));
    let mut revs = events.drain(..).filter_map(|event| event.commit).map(|commit| commit.rev).collect::<Vec<_>>();
    assert_eq!(revs.pop(), Some(rev));
    assert!(revs.is_sorted());
});
