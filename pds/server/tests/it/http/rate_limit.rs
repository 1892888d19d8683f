//! Limits through the listener: who counts as whom, what refuses when, and what answers say of it.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use reqwest::RequestBuilder;
use serde_json::json;

use crate::harness::{ADMIN_PASSWORD, Answer, Database, Person, Proxy, Redis, TestPds, Way, send};

const ON: (&str, &str) = ("PDS_RATE_LIMITS_ENABLED", "true");

pub(super) async fn limited(settings: &[(&'static str, &str)]) -> TestPds {
    TestPds::with(Database::sqlite(), &[&[ON], settings].concat()).await
}

/// An anonymous read from `client`, as a proxy says.
async fn read(pds: &TestPds, client: &str) -> Answer {
    send(pds.get("com.atproto.server.describeServer").header("x-forwarded-for", client)).await
}

pub(super) fn number(answer: &Answer, header: &str) -> i64 {
    answer.headers[header].to_str().unwrap().parse().unwrap()
}

pub(super) async fn wait_for(noticed: impl AsyncFn() -> bool) {
    let waited = async {
        while !noticed().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waited).await.expect("the server notices");
}

#[tokio::test]
async fn limits_are_on_unless_told_otherwise() {
    // AL-RL-1, AL-RL-8, AL-RL-3. Frozen at one moment, whatever the machine does meanwhile.
    let pds = TestPds::with(Database::sqlite(), &[("PDS_RATE_LIMITS_ENABLED", "")]).await;
    pds.clock.freeze();
    for left in (0..10).rev() {
        let answer = read(&pds, "198.51.100.1").await;
        assert_eq!((answer.status.as_u16(), number(&answer, "ratelimit-remaining")), (200, left));
    }
    let answer = read(&pds, "198.51.100.1").await;
    assert_eq!(answer.error(), (429, "RateLimitExceeded"));
    assert_eq!((number(&answer, "ratelimit-limit"), number(&answer, "retry-after")), (10, 1));
    assert_eq!(answer.headers["ratelimit-policy"], "600;w=60;burst=10");
    assert_eq!(answer.headers["access-control-allow-origin"], "*");
    let reset = number(&answer, "ratelimit-reset") - pds.app.clock.now_s();
    assert!((1..=2).contains(&reset), "{reset}");

    // Health and well-known documents are free, for everybody.
    for path in ["/xrpc/_health", "/livez", "/readyz", "/.well-known/did.json", "/robots.txt", "/"] {
        for _ in 0..20 {
            let request = pds.http.get(format!("{}{path}", pds.url)).header("x-forwarded-for", "198.51.100.1");
            let answer = send(request).await;
            assert_ne!(answer.status, 429, "{path}");
            assert!(!answer.headers.contains_key("ratelimit-limit"), "{path}");
        }
    }
    // 600 spread over a minute pass.
    for n in 0..600 {
        pds.clock.forward(Duration::from_millis(100));
        assert_eq!(read(&pds, "198.51.100.1").await.status, 200, "{n}");
    }
    let metrics = send(pds.http.get(format!("{}/metrics", pds.metrics_url))).await.body;
    let line = "aurora_rate_limited_total{tier=\"unauthenticated\",limit=\"unauthenticated\"} 1";
    assert!(metrics.as_str().unwrap().contains(line), "{metrics}");
}

#[tokio::test]
async fn accounts_and_the_administrator_have_budgets_of_their_own() {
    // AL-RL-1
    let pds = limited(&[("RATE_LIMIT_AUTHENTICATED_BURST", "20"), ("RATE_LIMIT_ADMIN_BURST", "30")]).await;
    let (alice, bob) = (pds.person("alice").await, pds.person("bob").await);
    pds.clock.freeze();
    pds.clock.forward(Duration::from_secs(60));
    let session = |person: &Person| pds.get("com.atproto.server.getSession").bearer_auth(&person.access);
    let admin = || {
        let request = pds.post("com.atproto.server.createInviteCode").basic_auth("admin", Some(ADMIN_PASSWORD));
        request.json(&json!({"useCount": 1}))
    };
    let passed = async |request: &dyn Fn() -> RequestBuilder, count: usize| {
        let mut passed = 0;
        for _ in 0..count {
            passed += usize::from(send(request()).await.status == 200);
        }
        passed
    };
    assert_eq!(passed(&|| session(&alice), 25).await, 20);
    assert_eq!(passed(&|| session(&bob), 25).await, 20);
    assert_eq!(passed(&admin, 35).await, 30);
    // A token that does not hold is nobody's: it neither spares its address nor costs an account.
    let forged = || pds.get("com.atproto.server.getSession").bearer_auth(format!("{}x", bob.access));
    let mut refused = Vec::new();
    for _ in 0..12 {
        refused.push(send(forged()).await.status.as_u16());
    }
    assert_eq!(refused, [[400; 10].as_slice(), &[429; 2]].concat());
}

#[tokio::test]
async fn the_administrator_has_as_many_requests_as_the_setting_says() {
    let pds = limited(&[("RATE_LIMIT_ADMIN", "120"), ("RATE_LIMIT_ADMIN_BURST", "2")]).await;
    pds.clock.freeze();
    let ask = || pds.admin_query("com.atproto.admin.getInviteCodes", &[]);
    for left in [1, 0] {
        assert_eq!(number(&ask().await, "ratelimit-remaining"), left);
    }
    let refused = ask().await;
    assert_eq!(refused.error(), (429, "RateLimitExceeded"));
    assert_eq!(refused.headers["ratelimit-policy"], "120;w=60;burst=2");
    // Two in a second.
    pds.clock.forward(Duration::from_millis(500));
    assert_eq!((ask().await.status.as_u16(), ask().await.status.as_u16()), (200, 429));
}

#[tokio::test]
async fn nobody_becomes_another_by_a_header() {
    // AL-RL-7
    let pds = limited(&[]).await;
    pds.clock.freeze();
    let mut passed = 0;
    for n in 0..30 {
        let client = format!("203.0.113.{n}, 198.51.100.1, 10.0.0.{n}");
        passed += usize::from(read(&pds, &client).await.status == 200);
    }
    assert_eq!(passed, 10);
    assert_eq!(read(&pds, "198.51.100.2").await.status, 200);
    // A /64 is one client.
    let mut passed = 0;
    for n in 0..30 {
        passed += usize::from(read(&pds, &format!("2001:db8:1:2::{n}")).await.status == 200);
    }
    assert_eq!(passed, 10);
    assert_eq!(read(&pds, "2001:db8:1:3::1").await.status, 200);

    // Who is no proxy speaks for nobody.
    let pds = limited(&[("PDS_TRUSTED_PROXIES", "none")]).await;
    pds.clock.freeze();
    let mut passed = 0;
    for n in 0..30 {
        passed += usize::from(read(&pds, &format!("203.0.113.{n}")).await.status == 200);
    }
    assert_eq!(passed, 10);
}

#[tokio::test]
async fn some_are_not_limited() {
    let key = "a-key-that-is-long-enough";
    let pds = limited(&[("PDS_RATE_LIMIT_BYPASS_IPS", "192.0.2.0/24"), ("PDS_RATE_LIMIT_BYPASS_KEY", key)]).await;
    pds.clock.freeze();
    for _ in 0..20 {
        assert_eq!(read(&pds, "192.0.2.7").await.status, 200);
        let with_key = pds.get("com.atproto.server.describeServer").header("x-ratelimit-bypass", key);
        assert_eq!(send(with_key.header("x-forwarded-for", "198.51.100.1")).await.status, 200);
    }
    let mut passed = 0;
    for _ in 0..20 {
        let wrong = pds.get("com.atproto.server.describeServer").header("x-ratelimit-bypass", "a-key-that-is-wrong");
        passed += usize::from(send(wrong.header("x-forwarded-for", "198.51.100.1")).await.status == 200);
    }
    assert_eq!(passed, 10);
}

#[tokio::test]
async fn logins_are_counted_by_account_and_address() {
    // AL-RL-2, AL-RL-5
    let pds = limited(&[]).await;
    pds.clock.freeze();
    let log_in = async |identifier: &str, client: &str| {
        let request = pds.post("com.atproto.server.createSession").header("x-forwarded-for", client);
        // Too long to be compared: the limit is what is looked at here.
        send(request.json(&json!({"identifier": identifier, "password": "x".repeat(600)}))).await.status.as_u16()
    };
    for n in 0..30 {
        assert_eq!(log_in(if n % 2 == 0 { "alice.pds.test" } else { " Alice.PDS.test" }, "198.51.100.1").await, 401);
    }
    assert_eq!(log_in("alice.pds.test", "198.51.100.1").await, 429);
    assert_eq!(log_in("bob.pds.test", "198.51.100.1").await, 401);
    assert_eq!(log_in("alice.pds.test", "198.51.100.2").await, 401);
    pds.clock.forward(Duration::from_secs(299));
    assert_eq!(log_in("alice.pds.test", "198.51.100.1").await, 429);
    pds.clock.forward(Duration::from_secs(1));
    assert_eq!(log_in("alice.pds.test", "198.51.100.1").await, 401);
}

#[tokio::test]
async fn a_large_event_costs_what_its_writes_did_not_pay() {
    let pds = limited(&[("RATE_LIMIT_AUTHENTICATED", "100000"), ("RATE_LIMIT_AUTHENTICATED_BURST", "10000")]).await;
    let alice = pds.person("alice").await;
    pds.clock.freeze();
    let thing = |bytes: usize| json!({"repo": alice.did, "collection": "com.example.thing", "rkey": "a", "record": {"text": "x".repeat(bytes)}});
    let remaining = async |bytes: usize| {
        let answer = alice.call("com.atproto.repo.putRecord", thing(bytes)).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        number(&answer, "ratelimit-remaining")
    };
    // Two points of a changed record, or one for each 16 KiB of the event.
    assert_eq!(remaining(1_000).await, 4_998);
    assert_eq!(remaining(500_000).await, 4_998 - 30);
    assert_eq!(remaining(10).await, 4_998 - 32);
}

#[tokio::test]
async fn a_warm_authenticated_read_does_not_ask_redis() {
    let mut redis = Redis::start();
    let pds = TestPds::with(Database::postgres().await, &[ON, ("REDIS_URL", &redis.url())]).await;
    let alice = pds.person("alice").await;
    for _ in 0..3 {
        alice.query("com.atproto.server.getSession", &[]).await.ok();
    }
    redis.kill();
    alice.query("com.atproto.server.getSession", &[]).await.ok();
    assert_eq!(pds.app.rate_limits.redis(), Some((true, 0)), "nobody has noticed yet that it is gone");
    // Who the account is now, the database alone can say.
    pds.app.db.close().await;
    let answer = alice.query("com.atproto.server.getSession", &[]).await;
    assert_eq!(answer.error(), (503, "ServiceUnavailable"));
}

#[tokio::test]
async fn three_servers_have_one_budget() {
    // AL-RL-4
    let redis = std::env::var("AURORA_TEST_REDIS_URL");
    let redis = redis.expect("AURORA_TEST_REDIS_URL is not set: run `make test`, which starts a server");
    let prefix = format!("{}:", uuid::Uuid::new_v4().simple());
    let settings = [
        ON,
        ("REDIS_URL", redis.as_str()),
        ("CACHE_KEY_PREFIX", &prefix),
        ("RATE_LIMIT_UNAUTHENTICATED", "1"),
        ("RATE_LIMIT_UNAUTHENTICATED_BURST", "300"),
    ];
    let one = TestPds::with(Database::postgres().await, &settings).await;
    let servers = [one.replica_with(&settings).await, one.replica_with(&settings).await, one];
    let mut passed = 0;
    for n in 0..450 {
        passed += usize::from(read(&servers[n % 3], "198.51.100.1").await.status == 200);
    }
    assert!((285..=315).contains(&passed), "{passed}");
    // At the same time.
    let crowd = (0..450).map(|n| read(&servers[n % 3], "198.51.100.2"));
    let passed = futures::future::join_all(crowd).await.iter().filter(|answer| answer.status == 200).count();
    assert!((285..=315).contains(&passed), "{passed}");
}

#[tokio::test]
async fn a_crowd_opens_more_connections_to_redis_up_to_the_limit() {
    // AL-CCH-1
    for most in ["1", "3"] {
        let redis = Redis::start();
        let pds = limited(&[("REDIS_URL", &redis.url()), ("REDIS_POOL_SIZE", most)]).await;
        assert_eq!(redis.clients(), 1);
        let rounds = AtomicUsize::new(0);
        let crowd = async || {
            let round = rounds.fetch_add(1, Ordering::Relaxed);
            redis.ask(&["CLIENT", "PAUSE", "500"]);
            // Each is a client whom Redis knows nothing of yet.
            let clients: Vec<_> = (0..100).map(|n| format!("2001:db8:{round:x}:{n:x}::1")).collect();
            for answer in futures::future::join_all(clients.iter().map(|client| read(&pds, client))).await {
                answer.ok();
            }
            redis.clients().to_string()
        };
        wait_for(async || crowd().await == most).await;
        for _ in 0..3 {
            assert!(crowd().await.as_str() <= most);
        }
        // A quiet server gives them back.
        wait_for(async || redis.clients() == 1).await;
    }
}

#[tokio::test]
async fn redis_is_left_alone_if_the_host_says_so() {
    let redis = Redis::start();
    let pds = limited(&[("REDIS_URL", &redis.url()), ("CACHE_ENABLED", "false")]).await;
    read(&pds, "198.51.100.1").await.ok();
    assert_eq!((redis.clients(), pds.app.rate_limits.redis()), (0, None));
    let pds = limited(&[("REDIS_URL", &redis.url()), ("CACHE_ENABLED", "true")]).await;
    read(&pds, "198.51.100.1").await.ok();
    assert_eq!((redis.clients(), pds.app.rate_limits.redis()), (1, Some((true, 0))));
}

#[tokio::test]
async fn a_redis_that_goes_and_comes_back_fails_no_request() {
    // AL-CCH-1, AL-RL-6
    let mut redis = Redis::start();
    let way = Proxy::to(redis.url().trim_start_matches("redis://").parse().unwrap()).await;
    let url = format!("redis://127.0.0.1:{}", way.port);
    let settings = [
        ON,
        ("REDIS_URL", url.as_str()),
        ("RATE_LIMIT_AUTHENTICATED", "6000000"),
        ("RATE_LIMIT_AUTHENTICATED_BURST", "100000"),
    ];
    let one = TestPds::with(Database::postgres().await, &settings).await;
    let two = one.replica_with(&settings).await;
    let alice = one.person("alice").await;
    let people = [&one, &two].map(|pds| alice.at(&pds.url));
    let done = AtomicBool::new(false);
    let load = people.iter().map(async |person| {
        let mut count = 0;
        while !done.load(Ordering::Relaxed) {
            person.query("com.atproto.server.getSession", &[]).await.ok();
            count += 1;
        }
        count
    });
    let shown = async |pds: &TestPds, line: &str| {
        let metrics = send(pds.http.get(format!("{}/metrics", pds.metrics_url))).await.body;
        metrics.as_str().unwrap().contains(line)
    };
    let up = async |up: u8| {
        for pds in [&one, &two] {
            wait_for(async || shown(pds, &format!("aurora_redis_up{{used_for=\"rate_limits\"}} {up}")).await).await;
        }
    };
    let story = async {
        for closed in [Way::Refused, Way::Silent] {
            way.set(closed);
            up(0).await;
            way.set(Way::Open);
            up(1).await;
        }
        redis.kill();
        up(0).await;
        redis.run();
        up(1).await;
        done.store(true, Ordering::Relaxed);
    };
    let (counts, ()) = tokio::join!(futures::future::join_all(load), story);
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
}

/// F18
#[tokio::test]
async fn guesses_at_one_account_are_counted_over_all_addresses_and_its_owner_still_gets_in() {
    let pds = limited(&[]).await;
    let alice = pds.person("alice").await;
    pds.clock.freeze();
    pds.clock.forward(Duration::from_secs(60));
    let login = async |client: String, password: &str, who: &str| {
        let request = pds.post("com.atproto.server.createSession").header("x-forwarded-for", client);
        send(request.json(&json!({"identifier": who, "password": password}))).await
    };
    let owner = "203.0.113.9".to_owned();
    login(owner.clone(), "correct horse", &alice.handle).await.ok();
    let mut answers = Vec::new();
    for n in 0..60 {
        // By both of its names.
        let who = if n % 2 == 0 { &alice.handle } else { &alice.did };
        answers.push(login(format!("198.51.100.{n}"), "wrong", who).await.status.as_u16());
    }
    let guessed = answers.iter().filter(|status| **status == 401).count();
    assert_eq!((guessed, answers[59]), (49, 429), "{answers:?}");
    login(owner, "correct horse", &alice.handle).await.ok();
}

/// F18
#[tokio::test]
async fn nobody_is_a_proxy_unless_the_host_says_so() {
    let pds = limited(&[("PDS_TRUSTED_PROXIES", "")]).await;
    pds.clock.freeze();
    let mut passed = 0;
    for n in 0..30 {
        passed += usize::from(read(&pds, &format!("198.51.100.{n}")).await.status == 200);
    }
    assert_eq!(passed, 10);
}

/// F18
#[tokio::test]
async fn a_login_that_finds_no_place_to_wait_is_told_so_and_the_next_one_gets_in() {
    let pds = TestPds::sqlite().await;
    let alice = pds.person("alice").await;
    let login = async |password: &str| {
        let input = json!({"identifier": alice.handle, "password": password});
        send(pds.post("com.atproto.server.createSession").json(&input)).await
    };
    let answers = futures::future::join_all((0..100).map(|_| login("wrong"))).await;
    let count = |status: u16, error: &str| answers.iter().filter(|answer| answer.error() == (status, error)).count();
    let (wrong, busy) = (count(401, "AuthenticationRequired"), count(503, "ServiceUnavailable"));
    assert_eq!(wrong + busy, 100);
    assert!(wrong > 0 && busy > 0, "{wrong} answered, {busy} refused");
    login("correct horse").await.ok();
}
