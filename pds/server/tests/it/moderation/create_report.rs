//! `com.atproto.moderation.createReport`

use serde_json::{Value, json};

use crate::{
    harness::{TestPds, Upstream, send},
    proxy::token::verified,
};

const METHOD: &str = "com.atproto.moderation.createReport";

fn report() -> Value {
    json!({
        "reasonType": "com.atproto.moderation.defs#reasonSpam", "reason": "ads",
        "subject": {"$type": "com.atproto.admin.defs#repoRef", "did": "did:plc:ewvi7nxzyoun6zhxrhs64oiz"},
    })
}

#[tokio::test]
async fn reports_are_handed_to_the_service_for_reports() {
    let (app_view, service) = (Upstream::start().await, Upstream::start().await);
    let settings =
        [("PDS_REPORT_SERVICE_URL", service.url()), ("PDS_REPORT_SERVICE_DID", "did:web:report.example.com")];
    let pds = TestPds::with_app_view(&app_view, &settings).await;
    let alice = pds.person("alice").await;
    let mut kept = report();
    kept["id"] = 7.into();
    kept["reportedBy"] = alice.did.clone().into();
    kept["createdAt"] = "2026-01-01T00:00:00.000Z".into();
    service.json(METHOD, 200, &[], kept.clone());
    assert_eq!(alice.call(METHOD, report()).await.ok(), kept);
    let seen = service.last();
    assert_eq!(serde_json::from_slice::<Value>(&seen.body).unwrap(), report());
    verified(&pds, &alice, seen.token(), "did:web:report.example.com", Some(METHOD)).await;

    service.json(METHOD, 400, &[], json!({"error": "InvalidSubject", "message": "no such account"}));
    assert_eq!(alice.call(METHOD, report()).await.error(), (400, "InvalidSubject"));
    let answer = alice.call(METHOD, json!({"reasonType": "a"})).await;
    assert_eq!(answer.body["message"], "Input must have the property \"subject\"");
    assert_eq!(service.seen().len(), 2);
    // Also for those who were taken down, and wish to object.
    let subject = json!({"subject": {"$type": "com.atproto.admin.defs#repoRef", "did": alice.did}, "takedown": {"applied": true}});
    assert_eq!(pds.admin("com.atproto.admin.updateSubjectStatus", subject).await.status, 200);
    let login = json!({"identifier": "alice.pds.test", "password": "correct horse", "allowTakendown": true});
    let session = send(pds.post("com.atproto.server.createSession").json(&login)).await.ok();
    service.json(METHOD, 200, &[], kept);
    let request = pds.post(METHOD).bearer_auth(session["accessJwt"].as_str().unwrap());
    assert_eq!(send(request.json(&report())).await.status, 200);
    assert!(app_view.seen().is_empty());
}

#[tokio::test]
async fn without_a_service_there_are_no_reports() {
    let pds = TestPds::sqlite().await;
    let alice = pds.person("alice").await;
    let answer = alice.call(METHOD, report()).await;
    assert_eq!(answer.error(), (400, "InvalidRequest"));
    assert_eq!(answer.body["message"], format!("No service configured for {METHOD}"));
}

#[tokio::test]
async fn an_account_sends_few_and_short_reports() {
    let (app_view, service) = (Upstream::start().await, Upstream::start().await);
    let settings = [
        ("PDS_REPORT_SERVICE_URL", service.url()),
        ("PDS_REPORT_SERVICE_DID", "did:web:report.example.com"),
        ("PDS_RATE_LIMITS_ENABLED", "true"),
    ];
    let pds = TestPds::with_app_view(&app_view, &settings).await;
    let (alice, bob) = (pds.person("alice").await, pds.person("bob").await);
    pds.clock.freeze();
    let mut long = report();
    long["modTool"] = json!({"name": "x", "meta": {"list": vec![json!({"a": 0}); 5_000]}});
    assert_eq!(alice.call(METHOD, long).await.error(), (413, "PayloadTooLargeError"));
    service.json(METHOD, 400, &[], json!({"error": "InvalidSubject", "message": "no such account"}));
    for _ in 1..10 {
        assert_eq!(alice.call(METHOD, report()).await.error(), (400, "InvalidSubject"));
    }
    assert_eq!(alice.call(METHOD, report()).await.error(), (429, "RateLimitExceeded"));
    assert_eq!(bob.call(METHOD, report()).await.error(), (400, "InvalidSubject"));
    assert_eq!(service.seen().len(), 10);
}
