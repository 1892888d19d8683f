//! The lines of the log: what they say, how many there are, and in which form.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    SECRETS,
    process::{Pds, print, run},
};
use crate::harness::{Database, send};

/// The lines that say how a request was answered.
fn answers(log: &str, request: &str) -> Vec<Value> {
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["request.id"] == request && line.get("status").is_some()).collect()
}

/// In a real directory.
#[tokio::test]
async fn each_request_is_one_line_that_says_whose_and_no_secret() {
    // AL-OBS-2
    let directory = std::env::var("AURORA_TEST_PLC_URL");
    let directory = directory.expect("AURORA_TEST_PLC_URL is not set: run `make test`, which starts a directory");
    let folder = tempfile::tempdir().unwrap();
    let settings = [
        ("PDS_DID_PLC_URL", directory.as_str()),
        ("PDS_INVITE_REQUIRED", "false"),
        ("PDS_ADMIN_PASSWORD", "admin-password-of-a-test"),
    ];
    let pds = Pds::start(folder.path(), &settings).await;
    let call = |method: Method, name: &str| pds.request(method, &format!("/xrpc/com.atproto.server.{name}"));
    let input = json!({"handle": "alice.test", "email": "alice@example.com", "password": "correct horse"});
    let answer = send(call(Method::POST, "createAccount").json(&input)).await;
    let created = answers(&pds.log(), answer.headers["x-request-id"].to_str().unwrap());
    let session = answer.ok();
    assert_eq!(created[0]["account.did"], session["did"]);
    let access = session["accessJwt"].as_str().unwrap();

    let answer = send(call(Method::GET, "getSession").bearer_auth(access)).await;
    let logged = answers(&pds.log(), answer.headers["x-request-id"].to_str().unwrap());
    assert_eq!(logged.len(), 1, "{}", pds.log());
    assert_eq!(logged[0]["route"], "com.atproto.server.getSession");
    assert_eq!((&logged[0]["method"], &logged[0]["status"]), (&json!("GET"), &json!(200)));
    assert_eq!(logged[0]["account.did"], session["did"]);
    assert!(logged[0]["duration_ms"].is_number());

    let answer = send(call(Method::GET, "getSession").bearer_auth("not-a-token")).await;
    let logged = answers(&pds.log(), answer.headers["x-request-id"].to_str().unwrap());
    assert_eq!((&logged[0]["status"], &logged[0]["error"]), (&json!(400), &json!("InvalidToken")));

    let input = json!({"identifier": "alice.test", "password": "wrong horse"});
    let answer = send(call(Method::POST, "createSession").json(&input)).await;
    let logged = answers(&pds.log(), answer.headers["x-request-id"].to_str().unwrap());
    assert_eq!((&logged[0]["status"], &logged[0]["error"]), (&json!(401), &json!("AuthenticationRequired")));
    assert_eq!(logged[0]["route"], "com.atproto.server.createSession");

    let act = pds.request(Method::POST, "/xrpc/com.atproto.admin.updateAccountPassword");
    let input = json!({"did": session["did"], "password": "battery staple"});
    let answer = send(act.basic_auth("admin", Some("admin-password-of-a-test")).json(&input)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let log = pds.log();
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let acts = lines.filter(|line| line["message"].as_str().unwrap_or_default().starts_with("an administrator set"));
    let acts: Vec<_> = acts.collect();
    assert_eq!((acts.len(), &acts[0]["account.did"]), (1, &session["did"]));
    assert_eq!(acts[0]["span"]["request.id"], answer.headers["x-request-id"].to_str().unwrap());

    for secret in [
        "correct horse",
        "wrong horse",
        "battery staple",
        "admin-password-of-a-test",
        "not-a-token",
        "alice@example.com",
        access,
        session["refreshJwt"].as_str().unwrap(),
    ] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

/// The lines about slow statements of a request.
fn slow(log: &str, request: &str) -> Vec<Value> {
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let is_slow = |line: &Value| line["message"].as_str().unwrap_or_default().starts_with("slow statement: ");
    lines.filter(|line| is_slow(line) && line["span"]["request.id"] == request).collect()
}

async fn slow_queries(pds: &Pds) -> u64 {
    let metrics = pds.metrics().await;
    let line = metrics.lines().find_map(|line| line.strip_prefix("aurora_db_slow_queries_total "));
    line.unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_slow_statement_on_postgres_is_one_line_without_values_and_counted() {
    // AL-OBS-2
    let (folder, database) = (tempfile::tempdir().unwrap(), Database::postgres().await);
    let url = ("PDS_DATABASE_URL", database.url.as_str());
    assert!(run(folder.path(), &["migrate"], &[url]).status.success());
    let own = [url, ("PDS_BLOBSTORE_DISK_LOCATION", "blobs"), ("PDS_SLOW_QUERY_MS", "500")];
    let pds = Pds::start(folder.path(), &[&own[..], &SECRETS].concat()).await;
    let path = "/xrpc/com.atproto.identity.resolveHandle?handle=a-name-nobody-logs.test";
    let ask = || send(pds.request(Method::GET, path));
    ask().await;
    let before = slow_queries(&pds).await;

    let mut lock = database.hold("lock table account in access exclusive mode", 2);
    let answer = ask().await;
    assert!(lock.wait().unwrap().success());
    let log = pds.log();
    let lines = slow(&log, answer.headers["x-request-id"].to_str().unwrap());
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0]["db.statement"].as_str().unwrap().starts_with("account::"), "{}", lines[0]);
    assert!(lines[0]["duration_ms"].as_f64().unwrap() >= 500.0 && lines[0]["level"] == "WARN", "{}", lines[0]);
    assert!(slow_queries(&pds).await > before);
    assert!(!log.contains("a-name-nobody-logs"), "{log}");
}

#[tokio::test]
async fn a_slow_statement_on_sqlite_is_one_line_without_values_and_counted() {
    // AL-OBS-2
    let folder = tempfile::tempdir().unwrap();
    let settings = [
        ("PDS_SLOW_QUERY_MS", "300ms"),
        ("PDS_ADMIN_PASSWORD", "admin-password"),
        ("PDS_RATE_LIMITS_ENABLED", "false"),
    ];
    let pds = Pds::start(folder.path(), &settings).await;
    let other = rusqlite::Connection::open(folder.path().join("data/pds.sqlite")).unwrap();
    other.busy_timeout(Duration::from_secs(10)).unwrap();
    let (mut lines, began) = (Vec::new(), Instant::now());
    // Somebody else writes for a second. The request may arrive only afterwards.
    while lines.is_empty() {
        assert!(began.elapsed() < Duration::from_secs(60), "{}", pds.log());
        other.execute_batch("begin immediate").unwrap();
        let request = pds.request(Method::POST, "/xrpc/com.atproto.server.createInviteCode");
        let request = request.basic_auth("admin", Some("admin-password")).json(&json!({"useCount": 1}));
        let end = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            other.execute_batch("rollback").unwrap();
        };
        let (answer, ()) = tokio::join!(send(request), end);
        assert_eq!(answer.status, 200, "{}", answer.body);
        lines = slow(&pds.log(), answer.headers["x-request-id"].to_str().unwrap());
    }
    assert_eq!(lines.len(), 1, "{}", pds.log());
    assert_eq!(lines[0]["db.statement"], "pools::Pool::begin");
    assert!(slow_queries(&pds).await >= 1);
}

#[tokio::test]
async fn the_log_has_the_form_and_the_level_that_the_host_wants() {
    // AL-OBS-3
    let log_with = async |settings: &[(&'static str, &'static str)]| {
        let folder = tempfile::tempdir().unwrap();
        let pds = Pds::start(folder.path(), settings).await;
        send(pds.request(Method::GET, "/xrpc/com.atproto.server.describeServer")).await.ok();
        pds.log()
    };
    const ANSWERED: &str = "GET com.atproto.server.describeServer answered 200";
    let json = log_with(&[]).await;
    let lines: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let line = lines.iter().find(|line| line["message"] == ANSWERED).unwrap();
    assert_eq!((&line["level"], &line["target"]), (&json!("INFO"), &json!("pds_server::http::layers")));
    assert!(lines.iter().any(|line| line["level"] == "WARN"), "it sends no e-mail: {json}");

    let text = log_with(&[("PDS_LOG_FORMAT", "text")]).await;
    assert!(text.contains(ANSWERED) && text.contains(" INFO ") && text.contains(" WARN "), "{text}");
    assert!(text.lines().all(|line| serde_json::from_str::<Value>(line).is_err()), "{text}");

    for settings in [[("RUST_LOG", "warn"), ("LOG_LEVEL", "trace")], [("LOG_LEVEL", "warn"), ("LOG_ENABLED", "true")]] {
        let log = log_with(&settings).await;
        assert!(log.contains("\"WARN\"") && !log.contains("\"INFO\""), "{settings:?}: {log}");
    }
    let own = log_with(&[("RUST_LOG", "error,pds_server::http=info")]).await;
    assert!(own.contains(ANSWERED) && !own.contains("\"WARN\""), "{own}");
    for settings in [("LOG_LEVEL", "fatal"), ("LOG_LEVEL", "silent"), ("LOG_ENABLED", "false"), ("RUST_LOG", "off")] {
        assert_eq!(log_with(&[settings]).await, "", "{settings:?}");
    }
    let unsure = [("RUST_LOG", "warn"), ("LOG_ENABLED", "f"), ("LOG_LEVEL", "warn")];
    let log = log_with(&unsure).await;
    assert!(log.contains("LOG_ENABLED is ignored because RUST_LOG is set") && !log.contains("LOG_LEVEL is"), "{log}");
}

#[tokio::test]
async fn of_busy_methods_few_successes_and_all_errors_are_logged() {
    // AL-OBS-3
    let folder = tempfile::tempdir().unwrap();
    let settings = [("PDS_RATE_LIMITS_ENABLED", "false"), ("PDS_LOG_SAMPLE", "20,server.describeServer=0.1")];
    let pds = Pds::start(folder.path(), &settings).await;
    let ask = async |method: &Method, name: &str, count: usize| {
        for _ in 0..count {
            send(pds.request(method.clone(), &format!("/xrpc/com.atproto.{name}"))).await;
        }
    };
    ask(&Method::GET, "server.describeServer", 50).await;
    ask(&Method::GET, "sync.listRepos", 40).await;
    ask(&Method::GET, "sync.listRepos?limit=0", 7).await;
    ask(&Method::POST, "server.deleteSession", 8).await;
    let log = pds.log();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let about = |name: &str, status: u16| -> Vec<_> {
        let route = format!("com.atproto.{name}");
        let lines = lines.iter().filter(|line| line["route"] == *route && line["status"] == status);
        lines.map(|line| line["stands_for"].as_u64()).collect()
    };
    assert_eq!(about("server.describeServer", 200), [Some(10); 5], "{log}");
    assert_eq!(about("sync.listRepos", 200), [Some(20); 2], "{log}");
    assert_eq!(about("sync.listRepos", 400), [None; 7], "{log}");
    let refused = lines.iter().filter(|line| line["route"] == "com.atproto.server.deleteSession");
    assert_eq!(refused.filter(|line| line["status"].as_u64() >= Some(400)).count(), 8, "{log}");

    for command in [&["serve"][..], &["config", "check"]] {
        let output = print(folder.path(), command, &[("PDS_LOG_SAMPLE", "repo.createRecord=0.1")], "");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{said}");
        assert!(
            said.contains(
                "PDS_LOG_SAMPLE=\"com.atproto.repo.createRecord=0.1\": com.atproto.repo.createRecord is no query"
            ),
            "{said}"
        );
    }
}
