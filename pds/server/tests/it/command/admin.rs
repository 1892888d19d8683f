//! `pds admin`, as users of `pdsadmin` expect it.

use std::{
    io::Write as _,
    path::Path,
    process::Output,
    sync::{Arc, Mutex},
};

use axum::{Json, Router, routing::post};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    SECRETS,
    process::{Pds, print},
};
use crate::{
    account::get_export::unpacked,
    harness::{Answer, send},
    sync::verify,
};

/// A server in a folder of its own, and a terminal in the same folder.
struct Host {
    folder: TempDir,
    pds: Pds,
    port: String,
}

impl Host {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let plc = std::env::var("AURORA_TEST_PLC_URL").expect("AURORA_TEST_PLC_URL: see CONTRIBUTING.md");
        let pds = Pds::start(folder.path(), &[("PDS_DID_PLC_URL", plc.as_str())]).await;
        let port = pds.port().to_string();
        Self { folder, pds, port }
    }

    /// A command in the folder of the server, which finds the server and the password by its settings.
    fn run(&self, arguments: &[&str]) -> Output {
        let arguments = [&["admin"], arguments].concat();
        print(self.folder.path(), &arguments, &[("PDS_PORT", self.port.as_str())], "")
    }

    /// What a successful command prints.
    fn text(&self, arguments: &[&str]) -> String {
        printed(self.run(arguments))
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.text(&[arguments, &["--output", "json"]].concat())).unwrap()
    }

    /// What a command that fails says.
    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        said
    }

    fn create(&self, name: &str) -> Value {
        self.json(&["account", "create", &format!("{name}@example.com"), &format!("{name}.test")])
    }

    async fn log_in(&self, identifier: &str, password: &str) -> Answer {
        let input = json!({"identifier": identifier, "password": password});
        send(self.pds.request(Method::POST, "/xrpc/com.atproto.server.createSession").json(&input)).await
    }
}

fn printed(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn field(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}")).to_owned()
}

#[tokio::test]
async fn account_create_prints_a_password_that_works() {
    let host = Host::start().await;
    let text = host.text(&["account", "create", "alice@example.com", "alice.test"]);
    let password = text.lines().find_map(|line| line.strip_prefix("password:")).unwrap().trim().to_owned();
    let session = host.log_in("alice.test", &password).await.ok();
    assert!(text.contains(session["did"].as_str().unwrap()) && text.contains("alice.test"), "{text}");

    let arguments =
        ["admin", "account", "create", "bob@example.com", "bob.test", "--password-stdin", "--output", "json"];
    let output = print(host.folder.path(), &arguments, &[("PDS_PORT", host.port.as_str())], "battery staple\n");
    let made: Value = serde_json::from_str(&printed(output)).unwrap();
    assert_eq!(made["password"], "battery staple");
    host.log_in(&field(&made, "did"), "battery staple").await.ok();

    let said = host.refused(&["account", "create", "carol@example.com", "alice.test"]);
    assert!(said.contains("Handle already taken: alice.test"), "{said}");
}

#[tokio::test]
async fn account_list_and_show_name_accounts() {
    let host = Host::start().await;
    let (alice, bob) = (host.create("alice"), host.create("bob"));
    let text = host.text(&["account", "list"]);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[0].starts_with("HANDLE") && lines[1].contains(&field(&alice, "did")), "{text}");
    let listed = host.json(&["account", "list", "--email", "BOB"]);
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["did"]), (1, &bob["did"]));

    for account in ["alice.test", "@Alice.test", "alice@example.com", &field(&alice, "did")] {
        let shown = host.json(&["account", "show", account]);
        assert_eq!((&shown["did"], &shown["takedown"]), (&alice["did"], &json!({"applied": false})), "{account}");
    }
    let text = host.text(&["account", "show", "alice.test"]);
    assert!(
        text.contains("alice@example.com") && text.contains("taken down:") && text.contains("invited by:"),
        "{text}"
    );
    let said = host.refused(&["account", "show", "nobody.test"]);
    assert!(said.contains("has no account with the handle nobody.test"), "{said}");
    let said = host.refused(&["account", "show", "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"]);
    assert!(said.contains("NotFound: Account not found"), "{said}");
}

#[tokio::test]
async fn account_delete_asks_before_it_deletes() {
    let host = Host::start().await;
    let alice = host.create("alice");
    let said = host.refused(&["account", "delete", "alice.test"]);
    assert!(said.contains("alice.test") && said.contains("--yes"), "{said}");
    host.log_in("alice.test", &field(&alice, "password")).await.ok();
    let deleted = host.json(&["account", "delete", "alice.test", "--yes"]);
    assert_eq!(deleted["did"], alice["did"]);
    assert_eq!(host.log_in(&field(&alice, "did"), &field(&alice, "password")).await.status, 401);
    assert!(host.refused(&["account", "delete", "alice.test", "--yes"]).contains("no account"));
}

#[tokio::test]
async fn account_takedown_hides_and_untakedown_shows() {
    let host = Host::start().await;
    let alice = host.create("alice");
    let log_in = async || host.log_in("alice.test", &field(&alice, "password")).await;
    let text = host.text(&["account", "takedown", "alice.test", "--ref", "case 7"]);
    assert!(text.contains("taken down"), "{text}");
    assert_eq!(log_in().await.error(), (401, "AccountTakedown"));
    let shown = host.json(&["account", "show", "alice.test"]);
    assert_eq!(shown["takedown"], json!({"applied": true, "ref": "case 7"}));
    host.text(&["account", "untakedown", "alice.test"]);
    log_in().await.ok();
}

#[tokio::test]
async fn account_suspend_has_an_end_and_unsuspend_comes_before_it() {
    let host = Host::start().await;
    let alice = host.create("alice");
    let suspended = host.json(&["account", "suspend", "alice.test", "--until", "7d", "--reason", "spam"]);
    assert_eq!(suspended["did"], alice["did"]);
    let text = host.text(&["account", "show", "alice.test"]);
    let end = field(&suspended, "until");
    assert!(text.contains(&format!("until {end}, spam")), "{text}");
    let shown = host.json(&["account", "show", "alice.test"]);
    assert_eq!((&shown["status"], &shown["suspension"]["reason"]), (&json!("suspended"), &json!("spam")));
    let text = host.text(&["account", "suspend", "alice.test", "--until", "2999-01-01T00:00:00Z"]);
    assert!(text.contains("2999-01-01T00:00:00.000Z"), "{text}");
    host.text(&["account", "unsuspend", "alice.test"]);
    assert_eq!(host.json(&["account", "show", "alice.test"])["active"], true);
    let arguments = ["admin", "account", "suspend", "alice.test", "--until", "yesterday"];
    let said = print(host.folder.path(), &arguments, &[("PDS_PORT", host.port.as_str())], "");
    let said = String::from_utf8(said.stderr).unwrap();
    assert!(said.contains("a duration such as 12h or 7d"), "{said}");
}

#[tokio::test]
async fn account_sessions_are_listed_and_logout_ends_them() {
    let host = Host::start().await;
    let alice = host.create("alice");
    let log_in = async || host.log_in("alice.test", &field(&alice, "password")).await.ok();
    log_in().await;
    let listed = || host.json(&["account", "sessions", "alice.test"]);
    let before = listed();
    assert_eq!(before.as_array().unwrap().len(), 2, "{before}");
    let one = field(&before[0], "id");
    let text = host.text(&["account", "sessions", "alice.test"]);
    assert!(text.starts_with("ID") && text.contains(&one), "{text}");
    let text = host.text(&["account", "logout", "alice.test", "--session", &one]);
    assert!(text.starts_with("ended a session of:"), "{text}");
    assert_eq!(listed().as_array().unwrap().len(), 1);
    assert!(host.refused(&["account", "logout", "alice.test", "--session", &one]).contains("SessionNotFound"));
    host.text(&["account", "logout", "alice.test"]);
    assert_eq!(listed(), json!([]));
    log_in().await;
}

#[tokio::test]
async fn account_set_quota_takes_sizes_as_settings_do() {
    let host = Host::start().await;
    host.create("alice");
    for (size, shown) in
        [("10MiB", "10485760 bytes, its own"), ("none", "none, its own"), ("default", "none, the server's")]
    {
        host.text(&["account", "set-quota", "alice.test", size]);
        let text = host.text(&["account", "show", "alice.test"]);
        assert!(text.contains(shown), "{size}: {text}");
    }
    for size in ["0", "10M", "much"] {
        let arguments = ["admin", "account", "set-quota", "alice.test", size];
        let output = print(host.folder.path(), &arguments, &[("PDS_PORT", host.port.as_str())], "");
        assert!(!output.status.success(), "{size}");
    }
}

#[tokio::test]
async fn account_export_writes_a_whole_file_or_none() {
    let host = Host::start().await;
    let alice = host.create("alice");
    let file = host.folder.path().join("alice.tar");
    let made = host.json(&["account", "export", "alice.test", &file.display().to_string()]);
    let archive = std::fs::read(&file).unwrap();
    assert_eq!((&made["did"], made["bytes"].as_u64()), (&alice["did"], Some(archive.len() as u64)));
    let files = unpacked(&archive);
    assert_eq!(verify(&files["repo.car"], &field(&alice, "did")), 0);
    let account: Value = serde_json::from_slice(&files["account.json"]).unwrap();
    assert_eq!((&account["did"], &account["email"]), (&alice["did"], &json!("alice@example.com")));
    assert!(files.contains_key("manifest.json"));
    // For nobody else on this machine, and never over another file.
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions()) & 0o777,
        0o600
    );
    let again = host.refused(&["account", "export", "alice.test", &file.display().to_string()]);
    assert!(again.contains("alice.tar exists"), "{again}");
    let other = host.folder.path().join("nobody.tar");
    let nobody = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";
    assert!(host.refused(&["account", "export", nobody, &other.display().to_string()]).contains("NotFound"));
    assert!(!other.exists());
}

#[tokio::test]
async fn account_restore_undoes_a_deletion() {
    // AL-LIFE-2
    let host = Host::start().await;
    let alice = host.create("alice");
    host.text(&["account", "delete", "alice.test", "--yes"]);
    let other = host.create("alice");
    let taken = host.refused(&["account", "restore", "alice.test"]);
    assert!(taken.contains("HandleNotAvailable"), "{taken}");
    let restored = host.text(&["account", "restore", &field(&alice, "did"), "--handle", "alicia.test"]);
    assert!(restored.contains("alicia.test") && restored.contains("taken by another account"), "{restored}");
    host.log_in("alicia.test", &field(&alice, "password")).await.ok();
    host.log_in("alice.test", &field(&other, "password")).await.ok();
    assert!(host.refused(&["account", "restore", "nobody.test"]).contains("NotFound"));
}

#[tokio::test]
async fn account_reset_password_prints_the_new_one() {
    let host = Host::start().await;
    let alice = host.create("alice");
    let reset = host.json(&["account", "reset-password", "alice@example.com"]);
    assert_eq!(reset["did"], alice["did"]);
    host.log_in("alice.test", &field(&reset, "password")).await.ok();
    assert_eq!(host.log_in("alice.test", &field(&alice, "password")).await.status, 401);
}

#[tokio::test]
async fn account_disable_and_enable_invites_are_seen() {
    let host = Host::start().await;
    host.create("alice");
    let shown = || host.json(&["account", "show", "alice.test"]);
    host.text(&["account", "disable-invites", "alice.test", "--note", "sold codes"]);
    assert_eq!((&shown()["invitesDisabled"], &shown()["inviteNote"]), (&json!(true), &json!("sold codes")));
    host.text(&["account", "enable-invites", "alice.test"]);
    assert_eq!(shown()["invitesDisabled"], false);
}

#[tokio::test]
async fn invite_create_prints_codes_that_list_shows_and_disable_ends() {
    let host = Host::start().await;
    let alice = host.create("alice");
    let text = host.text(&["invite", "create", "--count", "2"]);
    let codes: Vec<_> = text.lines().collect();
    assert_eq!(codes.len(), 2, "{text}");
    let hers = host.json(&["invite", "create", "--uses", "3", "--for", "alice.test"]);
    assert_eq!(hers[0]["account"], alice["did"]);
    let listed = host.json(&["invite", "list", "--usable"]);
    assert_eq!(listed.as_array().unwrap().len(), 3, "{listed}");
    let text = host.text(&["invite", "list"]);
    assert!(text.starts_with("CODE") && codes.iter().all(|code| text.contains(code)), "{text}");

    let expiring = host.json(&["invite", "create", "--count", "2", "--expires", "7d"]);
    assert_eq!(expiring.as_array().unwrap().len(), 2);
    let listed = host.json(&["invite", "list", "--usable"]);
    let ends = listed.as_array().unwrap().iter().filter(|code| code["expiresAt"].is_string());
    assert_eq!((ends.count(), listed.as_array().unwrap().len()), (2, 5), "{listed}");
    host.text(&["invite", "disable", &field(&expiring[0], "code"), &field(&expiring[1], "code")]);

    host.text(&["invite", "disable", codes[0], "--of", "alice.test"]);
    let listed = host.json(&["invite", "list", "--usable"]);
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["code"]), (1, &json!(codes[1])));
    assert!(host.refused(&["invite", "disable"]).contains("--of"));
}

#[tokio::test(flavor = "multi_thread")]
async fn request_crawl_asks_each_relay() {
    let host = Host::start().await;
    let asked = Arc::<Mutex<Vec<Value>>>::default();
    let seen = asked.clone();
    let ask = async move |Json(input): Json<Value>| seen.lock().unwrap().push(input);
    let relay = Router::new().route("/xrpc/com.atproto.sync.requestCrawl", post(ask));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, relay).await });
    // The command blocks its thread; the relay has another one.
    let text = host.text(&["request-crawl", &url]);
    assert!(text.contains(&url), "{text}");
    assert_eq!(*asked.lock().unwrap(), [json!({"hostname": "localhost"})]);
    let said = host.refused(&["request-crawl"]);
    assert!(said.contains("PDS_CRAWLERS is not set"), "{said}");
    let said = host.refused(&["request-crawl", "http://127.0.0.1:1"]);
    assert!(said.contains("reach the server at http://127.0.0.1:1"), "{said}");
}

#[tokio::test]
async fn another_server_is_named_with_its_url_and_password() {
    let host = Host::start().await;
    let elsewhere = tempfile::tempdir().unwrap();
    let url = format!("http://127.0.0.1:{}", host.port);
    let secrets = std::fs::read_to_string(host.folder.path().join("data/secrets.env")).unwrap();
    let password = secrets.lines().find_map(|line| line.strip_prefix("PDS_ADMIN_PASSWORD=")).unwrap();
    let list = |more: &[&str], variables: &[(&str, &str)]| {
        let arguments = [&["admin", "invite", "list", "--server", &url], more].concat();
        print(elsewhere.path(), &arguments, variables, "")
    };
    printed(list(&[], &[("PDS_ADMIN_PASSWORD", password)]));
    let file = elsewhere.path().join("password");
    write(&file, password);
    let name = file.to_str().unwrap();
    printed(list(&["--password-file", name], &[]));
    printed(list(&[], &[("PDS_ADMIN_PASSWORD_FILE", name)]));

    let said = |output: Output| {
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let wrong = said(list(&[], &[("PDS_ADMIN_PASSWORD", SECRETS[1].1)]));
    assert!(wrong.contains("does not accept the administrator's password") && !wrong.contains(SECRETS[1].1), "{wrong}");
    let none = said(list(&[], &[]));
    assert!(none.contains("--password-file"), "{none}");
    let arguments = ["admin", "invite", "list", "--server", "nowhere"];
    let no_url = said(print(elsewhere.path(), &arguments, &[("PDS_ADMIN_PASSWORD", password)], ""));
    assert!(no_url.contains("is not a URL"), "{no_url}");
    // In a folder where no server has run.
    let nothing = said(print(elsewhere.path(), &["admin", "invite", "list"], &[], ""));
    assert!(nothing.contains("no server has run with these settings yet"), "{nothing}");
}

fn write(file: &Path, text: &str) {
    writeln!(std::fs::File::create(file).unwrap(), "{text}").unwrap();
}
