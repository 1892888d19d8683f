//! Who may call the methods of administrators.

use pds_crypto::{
    SigningKey,
    service_token::{Claims, issue},
};
use pds_identity::plc::{self, Directory};
use serde_json::json;

use crate::{
    harness::{Database, TestPds, send},
    on_both,
};

/// Methods with an input that would otherwise be good.
const PROCEDURES: [&str; 15] = [
    "com.atproto.admin.disableAccountInvites",
    "com.atproto.admin.disableInviteCodes",
    "com.atproto.admin.enableAccountInvites",
    "com.atproto.admin.updateAccountEmail",
    "com.atproto.admin.updateAccountHandle",
    "com.atproto.admin.updateAccountPassword",
    "com.atproto.admin.updateSubjectStatus",
    "com.atproto.temp.addReservedHandle",
    "com.atproto.temp.revokeAccountCredentials",
    "dev.auroralocus.admin.createInviteCodes",
    "dev.auroralocus.admin.revokeSessions",
    "dev.auroralocus.admin.runJob",
    "dev.auroralocus.admin.setQuota",
    "dev.auroralocus.admin.suspendAccount",
    "dev.auroralocus.admin.unsuspendAccount",
];
const QUERIES: [&str; 9] = [
    "com.atproto.admin.getAccountInfo",
    "com.atproto.admin.getAccountInfos",
    "com.atproto.admin.getInviteCodes",
    "com.atproto.admin.getSubjectStatus",
    "com.atproto.admin.searchAccounts",
    "dev.auroralocus.admin.getAccount",
    "dev.auroralocus.admin.listInviteCodes",
    "dev.auroralocus.admin.listJobs",
    "dev.auroralocus.admin.listSessions",
];

on_both!(only_an_administrator_may_call_the_methods_of_administrators, |pds| async move {
    let alice = pds.person("alice").await;
    let requests = || {
        let procedures = PROCEDURES.map(|method| (method, pds.post(method).json(&json!({"account": alice.did}))));
        let queries =
            QUERIES.map(|method| (method, pds.get(method).query(&[("did", &alice.did), ("dids", &alice.did)])));
        procedures.into_iter().chain(queries)
    };
    for (method, request) in requests() {
        assert_eq!(send(request).await.error(), (401, "AuthenticationRequired"), "{method}");
    }
    for (user, password) in [("admin", "wrong"), ("root", "admin-password"), ("admin", "")] {
        for (method, request) in requests() {
            let answer = send(request.basic_auth(user, Some(password))).await;
            assert_eq!(answer.error(), (401, "AuthenticationRequired"), "{method}");
        }
    }
    for (method, request) in requests() {
        assert_eq!(send(request.bearer_auth(&alice.access)).await.status, 401, "{method}");
    }
});

const INFO: &str = "com.atproto.admin.getInviteCodes";

/// A token for a method of the server under test.
fn token(key: &SigningKey, iss: &str, method: &str) -> String {
    let now = jiff::Timestamp::now().as_second();
    let (aud, lxm) = ("did:web:pds.test".to_owned(), Some(method.to_owned()));
    issue(key, &Claims { iss: iss.to_owned(), aud, exp: now + 60, iat: Some(now), lxm, jti: None }).unwrap()
}

async fn moderates(database: Database) {
    let (key, rotation) = (SigningKey::generate(), SigningKey::generate());
    let handle = "mod.elsewhere.org".parse().unwrap();
    let genesis = plc::genesis(&key.did_key(), &rotation.did_key(), None, &handle, "https://elsewhere.org");
    let genesis = genesis.sign(&rotation);
    let did = genesis.did();
    let settings = [("PDS_MOD_SERVICE_URL", "https://mod.elsewhere.org"), ("PDS_MOD_SERVICE_DID", did.as_str())];
    let pds = TestPds::with(database, &settings).await;
    pds.directory.submit(&did, &genesis).await.unwrap();
    let ask = async |method: &str, token: &str| send(pds.get(method).bearer_auth(token)).await;

    ask(INFO, &token(&key, did.as_str(), INFO)).await.ok();
    let alice = pds.person("alice").await;
    let method = "com.atproto.admin.updateSubjectStatus";
    let subject = json!({"$type": "com.atproto.admin.defs#repoRef", "did": alice.did});
    let request = pds.post(method).json(&json!({"subject": subject, "takedown": {"applied": true}}));
    send(request.bearer_auth(token(&key, did.as_str(), method))).await.ok();
    assert_eq!(pds.log_in("alice.pds.test", "correct horse").await.error(), (401, "AccountTakedown"));

    // Not for another method, not of another issuer, not with another key, not for what only the administrator may do.
    assert_eq!(ask(INFO, &token(&key, did.as_str(), method)).await.error(), (401, "BadJwtLexiconMethod"));
    let stranger = ask(INFO, &token(&key, "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", INFO)).await;
    assert_eq!(
        (stranger.error(), stranger.body["message"].as_str()),
        ((401, "UntrustedIss"), Some("Untrusted issuer"))
    );
    let forged = token(&SigningKey::generate(), did.as_str(), INFO);
    assert_eq!(ask(INFO, &forged).await.error(), (401, "BadJwtSignature"));
    let only_admin = "com.atproto.admin.updateAccountEmail";
    let request = pds.post(only_admin).json(&json!({"account": alice.did, "email": "x@example.com"}));
    assert_eq!(send(request.bearer_auth(token(&key, did.as_str(), only_admin))).await.status, 401);
}

#[tokio::test]
async fn the_moderation_service_of_the_settings_moderates_on_sqlite() {
    moderates(Database::sqlite()).await;
}

#[tokio::test]
async fn the_moderation_service_of_the_settings_moderates_on_postgres() {
    moderates(Database::postgres().await).await;
}

on_both!(without_a_moderation_service_nobodys_tokens_count, |pds| async move {
    let forged = token(&SigningKey::generate(), "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", INFO);
    let refused = send(pds.get(INFO).bearer_auth(forged)).await;
    assert_eq!((refused.error(), refused.body["message"].as_str()), ((401, "UntrustedIss"), Some("Untrusted issuer")));
});
