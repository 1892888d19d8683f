//! What each reader gets from each method about an account, in each state of the account: method x state x reader.
//!
//! A method that is in no rule fails the test, so that no new one forgets to look at the state.

mod procedures;
mod queries;
mod rule;

use std::sync::atomic::{AtomicUsize, Ordering};

use pds_lexicon::{Catalog, Kind};
use pds_server::{api::table::METHODS, auth::Requirement};
use pds_store::email_token::Purpose;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use self::{
    procedures::PROCEDURES,
    queries::QUERIES,
    rule::{Fresh, Rule, STATES},
};
use crate::{
    harness::{ADMIN_PASSWORD, APP_VIEW, Database, Mailpit, Person, TestPds, others, send},
    on_both,
};

const PASSWORD: &str = "correct horse";

/// The methods that are about no account, or about all of them.
const OF_NO_ACCOUNT: [&str; 17] = [
    "com.atproto.admin.disableInviteCodes",
    "com.atproto.admin.getInviteCodes",
    "com.atproto.admin.searchAccounts",
    "com.atproto.lexicon.resolveLexicon",
    "com.atproto.server.createAccount",
    "com.atproto.server.createInviteCode",
    "com.atproto.server.createInviteCodes",
    "com.atproto.server.describeServer",
    "com.atproto.server.reserveSigningKey",
    "com.atproto.sync.listRepos",
    "com.atproto.sync.subscribeRepos",
    "com.atproto.temp.addReservedHandle",
    "com.atproto.temp.checkHandleAvailability",
    "dev.auroralocus.admin.createInviteCodes",
    "dev.auroralocus.admin.listInviteCodes",
    "dev.auroralocus.admin.listJobs",
    "dev.auroralocus.admin.runJob",
];

fn rules() -> impl Iterator<Item = &'static Rule> {
    QUERIES.iter().chain(PROCEDURES)
}

/// An account, with what it had before its state changed.
struct Subject {
    owner: Person,
    email: String,
    rkey: String,
    blob: String,
    commit: String,
    car: Vec<u8>,
}

impl Subject {
    async fn new(pds: &TestPds, name: &str) -> Self {
        let owner = pds.person(name).await;
        let rkey = owner.post("hello").await;
        let blob = owner.upload(name.into(), "text/plain").await.ok()["blob"].clone();
        owner.create("com.example.file", json!({"file": blob})).await.ok();
        let head = pds.query("com.atproto.sync.getLatestCommit", &[("did", &owner.did)]).await.ok();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (blob, commit, car) = (text(&blob["ref"]["$link"]), text(&head["cid"]), owner.car().await);
        Self { owner, email: format!("{name}@example.com"), rkey, blob, commit, car }
    }

    /// Changes the state as the owner or the administrator does it.
    async fn enter(&self, pds: &TestPds, state: &str) {
        let subject = json!({"$type": "com.atproto.admin.defs#repoRef", "did": self.owner.did});
        match state {
            "deactivated" => {
                assert_eq!(self.owner.call("com.atproto.server.deactivateAccount", json!({})).await.status, 200);
            }
            "suspended" => {
                let input = json!({"did": self.owner.did, "until": "2999-01-01T00:00:00.000Z"});
                pds.admin("dev.auroralocus.admin.suspendAccount", input).await.ok();
            }
            "takendown" => {
                let input = json!({"subject": subject, "takedown": {"applied": true}});
                pds.admin("com.atproto.admin.updateSubjectStatus", input).await.ok();
            }
            "deleted" => {
                let code = pds.code(&self.owner, Purpose::DeleteAccount).await;
                let input = json!({"did": self.owner.did, "password": PASSWORD, "token": code});
                assert_eq!(self.owner.call("com.atproto.server.deleteAccount", input).await.status, 200);
            }
            _ => {}
        }
    }

    /// A code that the owner would be mailed; nobody is mailed one for an account that is gone.
    async fn code(&self, pds: &TestPds, purpose: Purpose) -> String {
        let found = pds_store::account::by_did(&pds.app.db, &self.owner.did.parse().unwrap()).await.unwrap();
        match found.is_some_and(|account| account.exists()) {
            true => pds.code(&self.owner, purpose).await,
            false => "AAAAA-BBBBB".to_owned(),
        }
    }

    /// An operation for the directory that this server has signed for the owner.
    async fn operation(&self, pds: &TestPds) -> Value {
        let input = json!({"token": self.code(pds, Purpose::PlcOperation).await});
        self.owner.call("com.atproto.identity.signPlcOperation", input).await.body["operation"].clone()
    }

    /// What a method is asked about this account: parameters or input.
    async fn input(&self, pds: &TestPds, method: &str) -> Value {
        let (did, handle, rkey) = (&self.owner.did, &self.owner.handle, &self.rkey);
        let record = json!({"$type": "com.example.thing", "n": 1});
        let family_is = |family: &str| method.starts_with(family);
        match method.rsplit('.').next().unwrap() {
            "getBlob" | "getMetadata" => json!({"did": did, "cid": self.blob}),
            "getBlocks" => json!({"did": did, "cids": [self.commit]}),
            "getRecord" if family_is("com.atproto.sync.") => {
                json!({"did": did, "collection": "app.bsky.feed.post", "rkey": rkey})
            }
            "getRecord" => json!({"repo": did, "collection": "app.bsky.feed.post", "rkey": rkey}),
            "listRecords" => json!({"repo": did, "collection": "app.bsky.feed.post"}),
            "describeRepo" => json!({"repo": did}),
            "createRecord" => json!({"repo": did, "collection": "com.example.thing", "record": record}),
            "putRecord" => json!({"repo": did, "collection": "com.example.thing", "rkey": "k", "record": record}),
            "deleteRecord" => json!({"repo": did, "collection": "com.example.thing", "rkey": "none"}),
            "applyWrites" => {
                let write = json!({"$type": "com.atproto.repo.applyWrites#create", "collection": "com.example.thing", "value": record});
                json!({"repo": did, "writes": [write]})
            }
            "resolveHandle" | "updateHandle" => json!({"handle": handle}),
            "resolveIdentity" | "refreshIdentity" => json!({"identifier": did}),
            "signPlcOperation" => json!({"token": self.code(pds, Purpose::PlcOperation).await}),
            "submitPlcOperation" => json!({"operation": self.operation(pds).await}),
            "getServiceAuth" => json!({"aud": "did:web:other.example", "lxm": "com.atproto.server.createAccount"}),
            "createSession" => json!({"identifier": did, "password": PASSWORD}),
            "createAppPassword" if family_is("dev.") => {
                json!({"name": uuid::Uuid::new_v4().to_string(), "scopes": ["repo:com.example.thing"]})
            }
            "createAppPassword" => json!({"name": uuid::Uuid::new_v4().to_string()}),
            "revokeAppPassword" => json!({"name": "none of this name"}),
            "revokeSession" => json!({"id": "none of this id"}),
            "confirmEmail" => json!({"email": self.email, "token": self.code(pds, Purpose::ConfirmEmail).await}),
            "updateEmail" | "requestPasswordReset" => json!({"email": self.email}),
            "resetPassword" => {
                json!({"token": self.code(pds, Purpose::ResetPassword).await, "password": "another horse"})
            }
            "deleteAccount" if family_is("com.atproto.server.") => {
                json!({"did": did, "password": PASSWORD, "token": self.code(pds, Purpose::DeleteAccount).await})
            }
            "sendEmail" => json!({"recipientDid": did, "senderDid": did, "content": "Hello"}),
            "updateAccountEmail" => json!({"account": did, "email": self.email}),
            "updateAccountHandle" => json!({"did": did, "handle": handle}),
            "updateAccountPassword" => json!({"did": did, "password": PASSWORD}),
            "updateAccountSigningKey" => {
                let reserved = send(pds.post("com.atproto.server.reserveSigningKey").json(&json!({}))).await.ok();
                json!({"did": did, "signingKey": reserved["signingKey"]})
            }
            "updateSubjectStatus" => {
                let subject = json!({"$type": "com.atproto.admin.defs#repoRef", "did": did});
                json!({"subject": subject, "takedown": {"applied": true}})
            }
            "restoreAccount" | "enableAccountInvites" | "disableAccountInvites" | "revokeAccountCredentials" => {
                json!({"account": did})
            }
            "suspendAccount" => json!({"did": did, "until": "2999-01-01T00:00:00.000Z"}),
            "setQuota" => json!({"did": did, "bytes": 0}),
            "getAccountInfos" => json!({"dids": [did]}),
            "createReport" => {
                let subject = json!({"$type": "com.atproto.admin.defs#repoRef", "did": did});
                json!({"reasonType": "com.atproto.moderation.defs#reasonAppeal", "subject": subject})
            }
            "putPreferences" => json!({"preferences": []}),
            "registerPush" | "unregisterPush" => {
                json!({"serviceDid": APP_VIEW, "token": "t", "platform": "ios", "appId": "app"})
            }
            "getProfile" | "getActorLikes" | "getAuthorFeed" => json!({"actor": did}),
            "getProfiles" => json!({"actors": [did]}),
            "getFeed" => json!({"feed": format!("at://{did}/app.bsky.feed.generator/x")}),
            "getPostThread" => json!({"uri": format!("at://{did}/app.bsky.feed.post/{rkey}")}),
            _ if family_is("com.atproto.sync.") || method.contains(".admin.") || method.ends_with("resolveDid") => {
                json!({"did": did})
            }
            _ => json!({}),
        }
    }

    /// The request of a method about this account, without a credential.
    async fn request(&self, pds: &TestPds, method: &str) -> RequestBuilder {
        let lexicon = Catalog::bundled().method(method).unwrap();
        let input = self.input(pds, method).await;
        match (lexicon.kind(), lexicon.input_encoding()) {
            (Kind::Procedure, None) => pds.post(method),
            (Kind::Procedure, Some("application/json")) => pds.post(method).json(&input),
            (Kind::Procedure, Some("*/*")) => pds.post(method).header("content-type", "text/plain").body("some bytes"),
            (Kind::Procedure, Some(kind)) => pds.post(method).header("content-type", kind).body(self.car.clone()),
            _ => {
                let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let pairs = input.as_object().unwrap().iter().flat_map(|(name, value)| match value {
                    Value::Array(values) => values.iter().map(|value| (name.clone(), text(value))).collect(),
                    value => vec![(name.clone(), text(value))],
                });
                pds.get(method).query(&pairs.collect::<Vec<_>>())
            }
        }
    }

    /// Status and error name that a reader gets.
    async fn ask(&self, pds: &TestPds, method: &str, reader: &str) -> String {
        let requirement = METHODS.iter().find(|row| row.nsid == method).unwrap().requirement;
        let token = if requirement == Requirement::Refresh { &self.owner.refresh } else { &self.owner.access };
        let request = self.request(pds, method).await;
        let answer = send(match reader {
            "owner" => request.bearer_auth(token),
            "administrator" => request.basic_auth("admin", Some(ADMIN_PASSWORD)),
            _ => request,
        })
        .await;
        match answer.error() {
            (status, "") => status.to_string(),
            (status, name) => format!("{status} {name}"),
        }
    }
}

/// A new account in a state.
async fn account(pds: &TestPds, state: &str) -> Subject {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let subject = Subject::new(pds, &format!("person{}", COUNT.fetch_add(1, Ordering::Relaxed))).await;
    subject.enter(pds, state).await;
    subject
}

async fn one_in_each_state(pds: &TestPds) -> Vec<Subject> {
    let mut subjects = Vec::new();
    for state in STATES {
        subjects.push(account(pds, state).await);
    }
    subjects
}

async fn each_reader_gets_what_the_state_of_the_account_allows(database: Database) {
    // AL-MOD-1, AL-MOD-3, AL-ACC-5
    let (others, mail) = (others().await, Mailpit::shared());
    let mut settings = mail.settings();
    settings.extend(others.as_app_view());
    settings.extend([("PDS_MOD_SERVICE_URL", others.url().to_owned()), ("PDS_MOD_SERVICE_DID", APP_VIEW.to_owned())]);
    let pds = TestPds::with(database, &settings).await;
    let subjects = one_in_each_state(&pds).await;
    let mut wrong = Vec::new();
    for (rule, method) in rules().flat_map(|rule| rule.methods.iter().map(move |method| (rule, *method))) {
        for (at, (state, shared)) in STATES.iter().zip(&subjects).enumerate() {
            let mut own = None;
            for (reader, cells) in rule.readers() {
                if rule.fresh == Fresh::EachReader || (rule.fresh == Fresh::EachState && own.is_none()) {
                    own = Some(account(&pds, state).await);
                }
                let said = own.as_ref().unwrap_or(shared).ask(&pds, method, reader).await;
                if said != cells[at] {
                    wrong.push(format!(
                        "{method} of an account that is {state}, to {reader}: {said}, not {}",
                        cells[at]
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn each_reader_gets_what_the_state_of_the_account_allows_on_sqlite() {
    each_reader_gets_what_the_state_of_the_account_allows(Database::sqlite()).await;
}

#[tokio::test]
async fn each_reader_gets_what_the_state_of_the_account_allows_on_postgres() {
    each_reader_gets_what_the_state_of_the_account_allows(Database::postgres().await).await;
}

on_both!(lists_and_single_answers_name_the_same_state, |pds| async move {
    // AL-ACC-5
    let subjects = one_in_each_state(&pds).await;
    let list = pds.query("com.atproto.sync.listRepos", &[]).await.ok();
    for (state, subject) in STATES.iter().zip(&subjects) {
        let did = subject.owner.did.as_str();
        let listed = list["repos"].as_array().unwrap().iter().find(|repo| repo["did"] == did);
        if *state == "deleted" {
            assert!(listed.is_none());
            continue;
        }
        let status = pds.query("com.atproto.sync.getRepoStatus", &[("did", did)]).await.ok();
        let expected = (json!(*state == "active"), if *state == "active" { Value::Null } else { json!(state) });
        assert_eq!((status["active"].clone(), status["status"].clone()), expected);
        let listed = listed.unwrap();
        assert_eq!((listed["active"].clone(), listed["status"].clone()), expected);
    }
});

#[test]
fn every_method_about_an_account_is_in_the_table() {
    let is_known = |nsid: &&str| OF_NO_ACCOUNT.contains(nsid) || rules().any(|rule| rule.methods.contains(nsid));
    let missing: Vec<_> = METHODS.iter().map(|method| method.nsid).filter(|nsid| !is_known(nsid)).collect();
    assert!(missing.is_empty(), "say in QUERIES or PROCEDURES what each reader gets from {}", missing.join(", "));
}
