use serde_json::json;

use super::fake::Server;
use super::*;

/// Whether it gets the lease within that many seconds of a clock that only the test moves.
async fn gets(candidate: &mut Candidate, seconds: u64) -> bool {
    tokio::time::timeout(Duration::from_secs(seconds), candidate.acquire()).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn the_first_acquires_and_the_second_waits_as_long_as_it_renews() {
    let server = Server::default();
    let (mut first, mut second) = (server.candidate("a"), server.candidate("b"));
    assert!(gets(&mut first, 1).await);
    assert_eq!((server.spec("holderIdentity"), server.spec("leaseTransitions")), (json!("a"), json!(0)));
    let (acquired, renewed) = (server.spec("acquireTime"), server.shelf().version);
    tokio::select! {
        _ = first.keep() => unreachable!("the lease is kept"),
        got = gets(&mut second, 120) => assert!(!got),
    }
    assert_eq!(server.spec("acquireTime"), acquired);
    assert!(server.shelf().version > renewed + 30, "renewed every two seconds");
}

#[tokio::test(start_paused = true)]
async fn one_that_stops_renewing_is_followed_after_the_lease_and_not_before() {
    let server = Server::default();
    assert!(gets(&mut server.candidate("a"), 1).await);
    let mut second = server.candidate("b");
    assert!(!gets(&mut second, DURATION.as_secs()).await);
    assert!(gets(&mut second, 2 * RETRY.as_secs()).await);
    assert_eq!((server.spec("holderIdentity"), server.spec("leaseTransitions")), (json!("b"), json!(1)));
}

#[tokio::test(start_paused = true)]
async fn clocks_of_others_do_not_matter() {
    for time in ["2001-01-01T00:00:00.000000Z", "2099-01-01T00:00:00.000000Z"] {
        let server = Server::default();
        let mut first = server.candidate("a");
        assert!(gets(&mut first, 1).await);
        let mut second = server.candidate("b");
        // The holder renews, and its clock is years off: nobody takes the lease from it.
        for _ in 0..10 {
            server.write("renewTime", json!(time));
            assert!(!gets(&mut second, 10).await, "{time}");
        }
        // It stops: what its clock said last does not prolong the lease.
        assert!(gets(&mut second, DURATION.as_secs() + 2 * RETRY.as_secs()).await, "{time}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_may_say_how_long_it_holds() {
    let server = Server::default();
    assert!(gets(&mut server.candidate("a"), 1).await);
    server.write("leaseDurationSeconds", json!(60));
    let mut second = server.candidate("b");
    assert!(!gets(&mut second, 55).await);
    assert!(gets(&mut second, 10).await);
}

#[tokio::test(start_paused = true)]
async fn one_whose_lease_was_taken_ends() {
    let server = Server::default();
    let mut first = server.candidate("a");
    assert!(gets(&mut first, 1).await);
    server.write("holderIdentity", json!("b"));
    let began = Instant::now();
    assert_eq!(first.keep().await, Loss::Taken);
    assert!(began.elapsed() <= RETRY, "{:?}", began.elapsed());
    assert_eq!(server.spec("holderIdentity"), json!("b"), "it is not taken back");
}

#[tokio::test(start_paused = true)]
async fn one_that_cannot_renew_ends_before_another_may_begin() {
    let server = Server::default();
    let mut first = server.candidate("a");
    assert!(gets(&mut first, 1).await);
    server.shelf().down = true;
    let began = Instant::now();
    let loss = first.keep().await;
    assert!(matches!(&loss, Loss::NotRenewed { .. }), "{loss}");
    assert!(began.elapsed() <= DEADLINE + RETRY && began.elapsed() < DURATION, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_short_outage_is_survived() {
    let server = Server::default();
    let mut first = server.candidate("a");
    assert!(gets(&mut first, 1).await);
    let outages = async {
        for _ in 0..20 {
            server.shelf().down = true;
            tokio::time::sleep(Duration::from_secs(6)).await;
            server.shelf().down = false;
            tokio::time::sleep(Duration::from_secs(6)).await;
        }
    };
    tokio::select! { _ = first.keep() => unreachable!("the lease is kept"), () = outages => {} }
    assert_eq!(server.spec("holderIdentity"), json!("a"));
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_answer_was_lost_is_not_taken_for_another_holder() {
    let server = Server::default();
    let mut first = server.candidate("a");
    server.shelf().deaf = true;
    assert!(!gets(&mut first, 1).await);
    assert_eq!(server.spec("holderIdentity"), json!("a"));
    server.shelf().deaf = false;
    assert!(gets(&mut first, 2 * RETRY.as_secs()).await);
    server.shelf().deaf = true;
    let answers = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        server.shelf().deaf = false;
        tokio::time::sleep(Duration::from_secs(30)).await;
    };
    tokio::select! { _ = first.keep() => unreachable!("the lease is kept"), () = answers => {} }
}

#[tokio::test(start_paused = true)]
async fn of_two_at_the_same_time_one_gets_it() {
    let server = Server::default();
    let mut candidates: Vec<_> = (0..8).map(|number| server.candidate(&number.to_string())).collect();
    let tries = candidates.iter_mut().map(|candidate| candidate.attempt(Instant::now()));
    let results = futures::future::join_all(tries).await;
    let holders = results.into_iter().filter(|result| matches!(result, Ok(Attempt::Holds))).count();
    assert_eq!(holders, 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_released_is_free_at_once_and_only_the_holder_releases() {
    let server = Server::default();
    let (mut first, mut second) = (server.candidate("a"), server.candidate("b"));
    assert!(gets(&mut first, 1).await);
    second.release().await.unwrap();
    assert_eq!(server.spec("holderIdentity"), json!("a"));
    first.release().await.unwrap();
    assert!(gets(&mut second, 1).await);
}
