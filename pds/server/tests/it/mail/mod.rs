//! Mails: the queue, sending, languages, TLS.

use std::{sync::Arc, time::Duration};

use serde_json::json;

use crate::{
    command::process::Pds,
    harness::{Database, Mailpit, Person, TestPds, certificate, free_port, send},
    on_both_mailed,
};

const REQUEST: &str = "com.atproto.server.requestEmailConfirmation";
const MINUTE: Duration = Duration::from_secs(60);

/// With settings that name a mail server at this port.
async fn at_port(database: Database, port: u16, more: &[(&'static str, &str)]) -> TestPds {
    let url = format!("smtp://127.0.0.1:{port}");
    let mut settings = vec![("PDS_EMAIL_SMTP_URL", url.as_str()), ("PDS_EMAIL_FROM_ADDRESS", "pds@pds.test")];
    settings.extend(more);
    TestPds::with(database, &settings).await
}

async fn metric(pds: &TestPds, name: &str) -> Option<i64> {
    let text = pds.http.get(format!("{}/metrics", pds.metrics_url)).send().await.unwrap().text().await.unwrap();
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

/// Everything that the database's mails consist of.
async fn waiting(pds: &TestPds) -> u64 {
    pds_store::mail::waiting(&pds.app.db).await.unwrap().count
}

async fn a_sign_up_does_not_need_the_mail_server_on(database: Database) {
    let (smtp, http) = (free_port(), free_port());
    let pds = at_port(database, smtp, &[]).await;
    let alice = pds.person("alice").await;
    assert_eq!(pds.send_mails().await, 0);
    assert_eq!(waiting(&pds).await, 1);
    assert_eq!(metric(&pds, "aurora_mails_waiting ").await, Some(1));
    assert!(metric(&pds, "aurora_mail_oldest_timestamp_seconds ").await.is_some());
    let labels = r#"{kind="confirm-email",reason="retried"} "#;
    assert_eq!(metric(&pds, &format!("aurora_mails_failed_total{labels}")).await, Some(1));
    // Not again at once.
    assert_eq!(pds.send_mails().await, 0);
    assert_eq!(metric(&pds, &format!("aurora_mails_failed_total{labels}")).await, Some(1));

    // Another replica sends it when the server is there and the pause is over.
    let mail = Mailpit::on(smtp, http, &[]).await;
    let two = pds
        .replica_with(&[
            ("PDS_EMAIL_SMTP_URL", &format!("smtp://127.0.0.1:{smtp}")),
            ("PDS_EMAIL_FROM_ADDRESS", "pds@pds.test"),
        ])
        .await;
    two.clock.forward(MINUTE);
    assert_eq!(two.send_mails().await, 1);
    let code = mail.mails("alice@example.com").await.pop().unwrap().code();
    let input = json!({"email": "alice@example.com", "token": code});
    assert_eq!(alice.call("com.atproto.server.confirmEmail", input).await.status, 200);
    assert_eq!(waiting(&pds).await, 0);
    assert_eq!(metric(&two, r#"aurora_mails_sent_total{kind="confirm-email"} "#).await, Some(1));
    assert_eq!(metric(&pds, "aurora_mail_oldest_timestamp_seconds ").await, None);
}

/// AL-MAIL-1
mod a_sign_up_does_not_need_the_mail_server {
    use super::*;

    #[tokio::test]
    async fn sqlite() {
        a_sign_up_does_not_need_the_mail_server_on(Database::sqlite()).await;
    }

    #[tokio::test]
    async fn postgres() {
        a_sign_up_does_not_need_the_mail_server_on(Database::postgres().await).await;
    }
}

#[tokio::test]
async fn a_mail_whose_code_is_too_old_is_given_up() {
    let pds = at_port(Database::sqlite(), free_port(), &[]).await;
    pds.person("alice").await;
    pds.clock.forward(16 * MINUTE);
    pds.send_mails().await;
    assert_eq!(waiting(&pds).await, 0);
    let labels = r#"{kind="confirm-email",reason="expired"} "#;
    assert_eq!(metric(&pds, &format!("aurora_mails_failed_total{labels}")).await, Some(1));
}

#[tokio::test]
async fn a_recipient_that_the_server_refuses_is_not_tried_again() {
    let mail = Mailpit::own(&["--smtp-allowed-recipients", "^bob@"]).await;
    let pds = at_port(Database::sqlite(), mail.port(), &[]).await;
    let _ = (pds.person("alice").await, pds.person("bob").await);
    assert_eq!(pds.send_mails().await, 1);
    assert_eq!(waiting(&pds).await, 0);
    let labels = r#"{kind="confirm-email",reason="refused"} "#;
    assert_eq!(metric(&pds, &format!("aurora_mails_failed_total{labels}")).await, Some(1));
}

/// AL-MAIL-1, AL-OBS-2
#[tokio::test]
async fn the_program_mails_a_code_and_logs_neither_code_nor_address() {
    let directory = std::env::var("AURORA_TEST_PLC_URL").expect("AURORA_TEST_PLC_URL is not set: run `make test`");
    let (mail, folder) = (Mailpit::shared(), tempfile::tempdir().unwrap());
    let smtp = mail.settings();
    let mut settings = vec![("PDS_DID_PLC_URL", directory.as_str()), ("PDS_INVITE_REQUIRED", "false")];
    settings.extend(smtp.iter().map(|(name, value)| (*name, value.as_str())));
    let pds = Pds::start(folder.path(), &settings).await;
    assert!(!pds.log().contains("PDS_EMAIL_SMTP_URL"), "{}", pds.log());
    let (url, to) = (format!("http://127.0.0.1:{}/xrpc/com.atproto.server", pds.port()), mail.address("alice"));
    let http = reqwest::Client::new();
    let input = json!({"handle": "alice.test", "email": to, "password": "correct horse"});
    send(http.post(format!("{url}.createAccount")).json(&input)).await.ok();
    let code = mail.arrived(&to, 1).await.code();
    let reset = http.post(format!("{url}.requestPasswordReset")).json(&json!({"email": to}));
    assert_eq!(send(reset).await.status, 200);
    let reset = mail.arrived(&to, 2).await.code();
    let input = json!({"token": reset, "password": "another horse"});
    assert_eq!(send(http.post(format!("{url}.resetPassword")).json(&input)).await.status, 200);
    let log = pds.log();
    for secret in [code.as_str(), reset.as_str(), to.as_str(), "another horse"] {
        assert!(!log.contains(secret), "{secret} is in the log: {log}");
    }

    let other = tempfile::tempdir().unwrap();
    let without = Pds::start(other.path(), &[("PDS_DID_PLC_URL", directory.as_str())]).await;
    assert!(
        without.log().contains("PDS_EMAIL_SMTP_URL is not set, so this server sends no e-mail"),
        "{}",
        without.log()
    );
}

#[tokio::test]
async fn the_job_sends_at_once_and_what_was_left() {
    let mail = Arc::new(Mailpit::shared());
    let pds = TestPds::mailed(Database::sqlite(), &mail, &[]).await;
    pds.app.jobs.start();
    mail.person(&pds, "alice").await;
    mail.arrived(&mail.address("alice"), 1).await;
}

on_both_mailed!(no_code_is_readable_in_the_database, [], |pds, mail| async move {
    // AL-MAIL-1, AL-ACC-3
    let alice = mail.person(&pds, "alice").await;
    let now = pds.app.clock.now_us();
    let queued = pds_store::mail::claim(&pds.app.db, now, now, 10).await.unwrap();
    assert_eq!(queued.len(), 1);
    let sealed = String::from_utf8_lossy(&queued[0].sealed).into_owned();
    for secret in ["alice", "example.com", "code", "bsky.app"] {
        assert!(!sealed.contains(secret), "{secret} in {sealed}");
    }
    let code = mail.nth(&pds, &mail.address("alice"), 1).await.code();
    assert_eq!(waiting(&pds).await, 0, "a sent mail is deleted");
    let input = json!({"email": mail.address("alice"), "token": code});
    assert_eq!(alice.call("com.atproto.server.confirmEmail", input).await.status, 200);
});

on_both_mailed!(two_replicas_send_each_mail_once, [], |one, mail| async move {
    let two = one
        .replica_with(&mail.settings().iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>())
        .await;
    for n in 0..12 {
        mail.person(&one, &format!("person{n}")).await;
    }
    let (a, b) = tokio::join!(one.send_mails(), two.send_mails());
    assert_eq!(a + b, 12);
    for n in 0..12 {
        assert_eq!(mail.mails(&mail.address(&format!("person{n}"))).await.len(), 1);
    }
});

/// The connection to the server, as `url` says, with a certificate that `PDS_CA_FILE` makes known or not.
async fn sends(url: &str, authority: Option<&str>) -> bool {
    let mut settings = vec![("PDS_EMAIL_SMTP_URL", url), ("PDS_EMAIL_FROM_ADDRESS", "pds@pds.test")];
    settings.extend(authority.map(|file| ("PDS_CA_FILE", file)));
    let pds = TestPds::with(Database::sqlite(), &settings).await;
    pds.person("alice").await;
    pds.send_mails().await == 1
}

#[tokio::test]
async fn a_password_goes_over_tls_alone() {
    let folder = tempfile::tempdir().unwrap();
    let [cert, key] = certificate(folder.path());
    let users = folder.path().join("users");
    std::fs::write(&users, "pds@host:p/a%s\n").unwrap();
    let users = users.display().to_string();
    let tls = ["--smtp-tls-cert", &cert, "--smtp-tls-key", &key, "--smtp-auth-file", &users];
    let mail = Mailpit::own(&tls).await;
    let url = |credentials: &str, query: &str| format!("smtp://{credentials}127.0.0.1:{}{query}", mail.port());
    let login = "pds%40host:p%2Fa%25s@";
    assert!(sends(&url(login, ""), Some(&cert)).await);
    assert!(!sends(&url(login, ""), None).await, "an unknown certificate is refused");
    assert!(!sends(&url("pds%40host:wrong@", ""), Some(&cert)).await);
    assert!(!sends(&url("", "?tls=required"), Some(&cert)).await, "the server wants a login");

    let implicit = Mailpit::own(&[&tls[..], &["--smtp-require-tls"]].concat()).await;
    let url = format!("smtps://{login}127.0.0.1:{}", implicit.port());
    assert!(sends(&url, Some(&cert)).await);

    // A server without TLS gets no password.
    let plain = Mailpit::own(&["--smtp-auth-file", &users, "--smtp-auth-allow-insecure"]).await;
    let url = format!("smtp://{login}127.0.0.1:{}", plain.port());
    assert!(!sends(&url, None).await);
    assert!(sends(&format!("{url}?tls=none"), None).await, "unless its owner says so");
}

#[tokio::test]
async fn mails_are_in_the_language_of_the_app_and_the_words_of_the_host() {
    let folder = tempfile::tempdir().unwrap();
    let german = folder.path().join("de");
    std::fs::create_dir(&german).unwrap();
    let text = "Subject: Adresse bestätigen – {{ host }}\n\nHallo {{ handle }}, dein Code: {{ code }} .\n";
    std::fs::write(german.join("confirm-email.txt"), text).unwrap();
    let html = "{% extends \"layout.html\" %}{% block body %}Grüß Gott: {{ code }}{% endblock %}";
    std::fs::write(german.join("confirm-email.html"), html).unwrap();
    let mail = Mailpit::shared();
    let folder = folder.path().display().to_string();
    let settings =
        [("PDS_EMAIL_TEMPLATES_DIRECTORY", folder.as_str()), ("PDS_EMAIL_DISABLE_CONFIRMATION_LINK", "true")];
    let pds = TestPds::mailed(Database::sqlite(), &mail, &settings).await;
    let (alice, to) = (mail.person(&pds, "alice").await, mail.address("alice"));
    let english = mail.nth(&pds, &to, 1).await;
    assert!(!english.text.contains("bsky.app") && !english.html.contains("bsky.app"));

    let ask = |language: &'static str| ask_in(&pds, &alice, language);
    ask("fr, de-CH;q=0.8, en;q=0.5").await;
    let mailed = mail.nth(&pds, &to, 2).await;
    assert_eq!(mailed.subject, "Adresse bestätigen – pds.test");
    assert!(mailed.text.contains("Hallo alice.pds.test") && mailed.html.contains("Grüß Gott"), "{mailed:?}");
    mailed.code();
    ask("fr").await;
    assert_eq!(mail.nth(&pds, &to, 3).await.subject, "Confirm your e-mail address");
}

async fn ask_in(pds: &TestPds, person: &Person, language: &str) {
    let request = pds.post(REQUEST).bearer_auth(&person.access).header("accept-language", language);
    assert_eq!(send(request).await.status, 200);
}

#[tokio::test]
async fn moderators_have_a_server_of_their_own() {
    let (users, moderators) = (Mailpit::shared(), Mailpit::own(&[]).await);
    let url = moderators.settings()[0].1.clone();
    let settings =
        [("PDS_MODERATION_EMAIL_SMTP_URL", url.as_str()), ("PDS_MODERATION_EMAIL_ADDRESS", "Mods <mods@pds.test>")];
    let pds = TestPds::mailed(Database::sqlite(), &users, &settings).await;
    let (alice, to) = (users.person(&pds, "alice").await, users.address("alice"));
    let account = pds_store::account::by_did(&pds.app.db, &alice.did.parse().unwrap()).await.unwrap().unwrap();
    pds.app
        .emails
        .moderate(&account, "Your\r\nBcc: x@example.com post", "<p>We removed <b>it</b> &amp; more.</p>")
        .await
        .unwrap();
    let mail = moderators.nth(&pds, &to, 1).await;
    assert_eq!((mail.from.as_str(), mail.subject.as_str()), ("Mods <mods@pds.test>", "Your Bcc: x@example.com post"));
    assert!(mail.text.contains("We removed it & more.") && mail.html.contains("<b>it</b>"), "{mail:?}");
    assert!(moderators.mails("x@example.com").await.is_empty());
    assert_eq!(users.mails(&to).await.len(), 1, "the welcome");
}
