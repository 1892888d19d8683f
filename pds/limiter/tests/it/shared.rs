//! Limits that replicas share, and the behaviour when Redis fails.

use std::time::Duration;

use futures::{StreamExt, future, stream};
use pds_limiter::{Algorithm, Charge, Limit, Limiter, Standing};

use crate::{
    algorithms::take,
    redis::{Replica, Server, until},
};

const HOUR: Duration = Duration::from_secs(3600);

/// How many of `count` requests are allowed, sent by the replicas in turn.
async fn in_turn(replicas: &[Replica], limit: &Limit, subject: &str, count: usize) -> usize {
    let mut passed = 0;
    for n in 0..count {
        let standing = take(&replicas[n % replicas.len()].limiter, limit, subject, 1, 0).await;
        passed += usize::from(standing.retry_after.is_none());
    }
    passed
}

async fn three(server: &Server) -> [Replica; 3] {
    [server.limiter("a:").await, server.limiter("a:").await, server.limiter("a:").await]
}

#[tokio::test]
async fn three_replicas_have_one_budget() {
    // AL-RL-4
    let server = Server::start();
    let replicas = three(&server).await;
    for algorithm in [Algorithm::Bucket, Algorithm::Window, Algorithm::Log] {
        let limit = Limit { algorithm, ..Limit::bucket("general", 1000, HOUR) };
        let passed = in_turn(&replicas, &limit, &format!("{algorithm:?}"), 1500).await;
        assert!((1000..=1002).contains(&passed), "{algorithm:?}: {passed}");
    }
    // All three replicas at the same time, each as fast as possible.
    let limit = Limit::window("crowd", 2000, HOUR);
    let crowd = replicas.iter().map(|replica| async {
        let requests = stream::iter(0..1500).map(|_| take(&replica.limiter, &limit, "a", 1, 0)).buffer_unordered(20);
        requests.filter(|standing| future::ready(standing.retry_after.is_none())).count().await
    });
    let passed: usize = future::join_all(crowd).await.iter().sum();
    assert!((1900..=2000).contains(&passed), "{passed}");
}

#[tokio::test]
async fn a_busy_budget_takes_few_questions_and_an_empty_one_none() {
    let server = Server::start();
    let replica = server.limiter("a:").await;
    let large = Limit::window("large", 5000, HOUR);
    for n in 0..1000 {
        assert_eq!(take(&replica.limiter, &large, "did:plc:a", 1, 0).await.retry_after, None, "{n}");
    }
    let questions = server.scripts();
    assert!(questions < 50, "{questions} questions for 1000 requests");

    let small = Limit::window("small", 5, HOUR);
    for _ in 0..6 {
        take(&replica.limiter, &small, "a", 1, 0).await;
    }
    let before = server.scripts();
    for _ in 0..100 {
        assert!(take(&replica.limiter, &small, "a", 1, 0).await.retry_after.is_some());
    }
    assert!(server.scripts() - before < 5, "a heartbeat may come between");
}

#[tokio::test]
async fn redis_and_the_process_count_alike() {
    let server = Server::start();
    let (shared, alone) = (server.limiter("a:").await, Limiter::alone());
    for algorithm in [Algorithm::Bucket, Algorithm::Window, Algorithm::Log] {
        let (limit, other) = (Limit { algorithm, ..Limit::bucket("b", 30, HOUR) }, Limit::window("other", 24, HOUR));
        let subject = format!("{algorithm:?}");
        for cost in [1, 4, 2, 9, 7, 5, 3, 2, 1, 1, 1, 8, 1, 1, 1] {
            let charges = [
                Charge { limit: &limit, subject: &subject, cost },
                Charge { limit: &other, subject: &subject, cost: 2 },
            ];
            let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_micros()).unwrap();
            let said = async |limiter: &Limiter| {
                let Standing { limit, remaining, reset, retry_after } = limiter.take(&charges, now).await.unwrap();
                (limit.name, remaining, reset.as_secs_f64().round() / 60.0, retry_after.is_some())
            };
            let (there, here) = (said(&shared.limiter).await, said(&alone).await);
            assert_eq!((there.0, there.1, there.3), (here.0, here.1, here.3), "{algorithm:?} {cost}");
            assert!((there.2 - here.2).abs() < 0.1, "{algorithm:?} {cost}: {there:?} {here:?}");
        }
    }
    // Every key expires, and all keys have the same hash tag.
    let keys = server.cli(&["KEYS", "*"]);
    assert!(keys.lines().count() > 3);
    for key in keys.lines() {
        assert!(key.starts_with("{a:limits}:"), "{key}");
        assert!(server.cli(&["PTTL", key]).trim().parse::<i64>().unwrap() > 0, "{key} does not expire");
    }
}

#[tokio::test]
async fn instances_with_prefixes_of_their_own_never_meet() {
    // AL-CCH-4
    let server = Server::start();
    let (one, other) = (server.limiter("a:").await, server.limiter("b:").await);
    let limit = Limit::window("small", 3, HOUR);
    for replica in [&one, &other] {
        for left in [2, 1, 0] {
            assert_eq!(take(&replica.limiter, &limit, "a", 1, 0).await.remaining, left);
        }
    }
}

#[tokio::test]
async fn without_redis_each_replica_keeps_to_its_part() {
    // AL-RL-6
    let mut server = Server::start();
    let replicas = three(&server).await;
    let (login, general) = (Limit::log("login", 30, HOUR), Limit::window("general", 300, HOUR));
    for n in 0..9 {
        assert_eq!(take(&replicas[n % 3].limiter, &login, "a", 1, 0).await.retry_after, None);
    }
    // The first replica started before the others. It learns of them with a heartbeat.
    for replica in &replicas {
        until(|| replica.limiter.replicas() == 3).await;
    }
    server.kill();
    for replica in &replicas {
        let mut passed = 0;
        for _ in 0..400 {
            passed += u32::from(take(&replica.limiter, &general, "b", 1, 0).await.retry_after.is_none());
        }
        assert_eq!(passed, 100);
        // Points that were taken through this replica before still count.
        let mut passed = 0;
        for _ in 0..40 {
            passed += u32::from(take(&replica.limiter, &login, "a", 1, 0).await.retry_after.is_none());
        }
        assert_eq!(passed, 7);
        assert_eq!(replica.limiter.is_shared(), Some(false));
        assert!(replica.limiter.failures() >= 1);
    }
    server.run();
    for replica in &replicas {
        until(|| replica.limiter.is_shared() == Some(true)).await;
    }
    assert!((299..=300).contains(&in_turn(&replicas, &general, "b", 400).await));
}

#[tokio::test]
async fn a_redis_that_hangs_costs_one_short_wait() {
    let server = Server::start();
    let replica = server.limiter("a:").await;
    let limit = Limit::window("general", 1000, HOUR);
    server.signal("STOP");
    for _ in 0..100 {
        assert_eq!(take(&replica.limiter, &limit, "a", 1, 0).await.retry_after, None);
    }
    assert_eq!((replica.limiter.is_shared(), replica.limiter.failures()), (Some(false), 1));
    server.signal("CONT");
    until(|| replica.limiter.is_shared() == Some(true)).await;
}

#[tokio::test]
async fn redis_may_come_later_than_the_server() {
    let mut server = Server::start();
    server.kill();
    let replica = server.limiter("a:").await;
    let limit = Limit::window("general", 10, HOUR);
    assert_eq!(take(&replica.limiter, &limit, "a", 1, 0).await.remaining, 9);
    server.run();
    until(|| replica.limiter.is_shared() == Some(true)).await;
    assert_eq!(take(&replica.limiter, &limit, "a", 1, 0).await.remaining, 9);
}
