//! The same questions to this server, on both databases, and to the reference implementation: the answers are alike but for the differences that
//! `e2e/reference/differences.mjs` lists, each with its reason. `e2e/reference/cases.mjs` has the methods, `changes.mjs` the ways to ask.
//!
//! `AURORA_DIFFERENTIAL_ONLY` is the end of the NSIDs that are asked.

use std::path::Path;

use serde_json::{Value, json};

use crate::{
    command::{
        SECRETS,
        process::{Pds, run},
    },
    harness::{ADMIN_PASSWORD, APP_VIEW, Database, FROM, Mailpit, Peer, Upstream, others, script},
};

/// What all servers are told.
fn settings(others: &Upstream, mail: &Mailpit) -> Vec<(&'static str, String)> {
    let smtp = mail.settings()[0].1.clone();
    let mut settings = mail.settings();
    settings.extend(others.as_app_view());
    settings.extend([
        ("PDS_MODERATION_EMAIL_SMTP_URL", smtp),
        ("PDS_MODERATION_EMAIL_ADDRESS", FROM.to_owned()),
        ("PDS_MOD_SERVICE_URL", others.url().to_owned()),
        ("PDS_MOD_SERVICE_DID", APP_VIEW.to_owned()),
        ("PDS_REPORT_SERVICE_URL", others.url().to_owned()),
        ("PDS_REPORT_SERVICE_DID", APP_VIEW.to_owned()),
        ("PDS_SERVICE_HANDLE_DOMAINS", ".test".to_owned()),
        ("PDS_HOSTNAME", "localhost".to_owned()),
        ("PDS_DEV_MODE", "true".to_owned()),
    ]);
    settings
}

fn pairs<'a>(settings: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    settings.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

#[tokio::test]
async fn answers_are_those_of_the_reference_but_for_the_listed_differences() {
    let (others, mail) = (others().await, Mailpit::shared());
    let shared = settings(&others, &mail);
    let mut of_reference = shared.clone();
    // Else its sessions have no document.
    of_reference.push(("PDS_ENABLE_DID_DOC_WITH_SESSION", "true".to_owned()));
    let (sqlite, postgres, folders) =
        (Database::sqlite(), Database::postgres().await, [(); 2].map(|()| tempfile::tempdir().unwrap()));
    let mut ours = shared;
    ours.extend(SECRETS.map(|(name, value)| (name, value.to_owned())));
    ours.extend(
        [
            ("PDS_INVITE_REQUIRED", "false"),
            ("PDS_RATE_LIMITS_ENABLED", "false"),
            ("PDS_ID_RESOLVER_TIMEOUT", "500"),
            ("PDS_LEXICON_RESOLVER_TIMEOUT", "0"),
        ]
        .map(|(name, value)| (name, value.to_owned())),
    );
    ours.push((
        "PDS_DID_PLC_URL",
        std::env::var("AURORA_TEST_PLC_URL").expect("AURORA_TEST_PLC_URL is not set: run `make test`"),
    ));
    let on = |database: &Database| [&ours[..], &[("PDS_DATABASE_URL", database.url.clone())]].concat();
    let (of_sqlite, of_postgres) = (on(&sqlite), on(&postgres));
    let (of_reference, of_sqlite, of_postgres) = (pairs(&of_reference), pairs(&of_sqlite), pairs(&of_postgres));
    for (folder, settings) in folders.iter().zip([&of_sqlite, &of_postgres]) {
        assert!(run(folder.path(), &["migrate"], settings).status.success());
    }
    let (peer, one, two) = tokio::join!(
        Peer::start(&of_reference),
        Pds::start(folders[0].path(), &of_sqlite),
        Pds::start(folders[1].path(), &of_postgres)
    );
    let url = |pds: &Pds| format!("http://127.0.0.1:{}", pds.port());
    let task = json!({
        "servers": [{"name": "SQLite", "url": url(&one)}, {"name": "PostgreSQL", "url": url(&two)}],
        "reference": peer.url, "adminPassword": ADMIN_PASSWORD, "only": std::env::var("AURORA_DIFFERENTIAL_ONLY").unwrap_or_default(),
    });
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../e2e/reference/differential.mjs");
    let found = script(file, &task).await;
    let list = |name: &str| found[name].as_array().unwrap().iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    assert!(found["questions"].as_u64() > Some(0), "AURORA_DIFFERENTIAL_ONLY names no method");
    assert_eq!(list("unlisted"), "", "methods that cases.mjs neither asks nor names");
    assert_eq!(list("unexpected"), "", "of {} questions about {} methods", found["questions"], found["methods"]);
    assert_eq!(list("unused"), "", "differences that are listed and not there any more");
}
