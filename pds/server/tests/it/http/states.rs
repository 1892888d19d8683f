//! What each reader gets from each query about an account, in each state of the account: method x state x reader.
//!
//! A query that is in no rule fails the test, so that no new one forgets to look at the state.

use pds_lexicon::{Catalog, Kind};
use pds_server::api::table::METHODS;
use pds_store::email_token::Purpose;
use serde_json::{Value, json};

use crate::{
    harness::{ADMIN_PASSWORD, Person, TestPds, send},
    on_both,
};

/// The columns of the table.
const STATES: [&str; 5] = ["active", "deactivated", "suspended", "takendown", "deleted"];

/// Status and error name in each of the states.
type Cells = [&'static str; STATES.len()];

/// Queries that answer alike.
struct Rule {
    queries: &'static [&'static str],
    anonymous: Cells,
    owner: Cells,
    administrator: Cells,
}

/// The families of the table; queries of the others are the administrator's or other services'.
const FAMILIES: [&str; 7] = [
    "com.atproto.identity.",
    "com.atproto.repo.",
    "com.atproto.server.",
    "com.atproto.sync.",
    "dev.auroralocus.account.",
    "dev.auroralocus.blob.",
    "dev.auroralocus.server.",
];

const OK: &str = "200";

/// The queries that are about no account, or about all of them.
const OF_NO_ACCOUNT: [&str; 3] =
    ["com.atproto.server.describeServer", "com.atproto.sync.listRepos", "com.atproto.sync.subscribeRepos"];

const RULES: &[Rule] = &[
    // Contents of a repository as other servers read them.
    Rule {
        queries: &[
            "com.atproto.sync.getBlob",
            "com.atproto.sync.getBlocks",
            "com.atproto.sync.getCheckout",
            "com.atproto.sync.getHead",
            "com.atproto.sync.getLatestCommit",
            "com.atproto.sync.getRecord",
            "com.atproto.sync.getRepo",
            "com.atproto.sync.listBlobs",
            "dev.auroralocus.blob.getMetadata",
        ],
        anonymous: [OK, "400 RepoDeactivated", "400 RepoSuspended", "400 RepoTakendown", "400 RepoNotFound"],
        owner: [OK, OK, OK, OK, "400 AccountNotFound"],
        administrator: [OK, OK, OK, OK, "400 RepoNotFound"],
    },
    Rule {
        queries: &["com.atproto.sync.getRepoStatus"],
        anonymous: [OK, OK, OK, OK, "400 RepoNotFound"],
        owner: [OK, OK, OK, OK, "400 RepoNotFound"],
        administrator: [OK, OK, OK, OK, "400 RepoNotFound"],
    },
    // Contents as apps read them: in the state of the account alone, whoever asks.
    Rule {
        queries: &["com.atproto.repo.describeRepo"],
        anonymous: [OK, "400 RepoDeactivated", "400 RepoSuspended", "400 RepoTakendown", "400 RepoNotFound"],
        owner: [OK, "400 RepoDeactivated", "400 RepoSuspended", "400 RepoTakendown", "400 RepoNotFound"],
        administrator: [OK, "400 RepoDeactivated", "400 RepoSuspended", "400 RepoTakendown", "400 RepoNotFound"],
    },
    Rule {
        queries: &["com.atproto.repo.getRecord"],
        anonymous: [OK, "400 RecordNotFound", "400 RecordNotFound", "400 RecordNotFound", "400 RecordNotFound"],
        owner: [OK, "400 RecordNotFound", "400 RecordNotFound", "400 RecordNotFound", "400 RecordNotFound"],
        administrator: [OK, "400 RecordNotFound", "400 RecordNotFound", "400 RecordNotFound", "400 RecordNotFound"],
    },
    Rule {
        queries: &["com.atproto.repo.listRecords"],
        anonymous: [OK, "400 InvalidRequest", "400 InvalidRequest", "400 InvalidRequest", "400 InvalidRequest"],
        owner: [OK, "400 InvalidRequest", "400 InvalidRequest", "400 InvalidRequest", "400 InvalidRequest"],
        administrator: [OK, "400 InvalidRequest", "400 InvalidRequest", "400 InvalidRequest", "400 InvalidRequest"],
    },
    // The directory has the document whatever the account's state here.
    Rule {
        queries: &["com.atproto.identity.resolveDid", "com.atproto.identity.resolveIdentity"],
        anonymous: [OK, OK, OK, OK, OK],
        owner: [OK, OK, OK, OK, OK],
        administrator: [OK, OK, OK, OK, OK],
    },
    Rule {
        queries: &["com.atproto.identity.resolveHandle"],
        anonymous: [OK, "400 HandleNotFound", "400 HandleNotFound", "400 HandleNotFound", "400 HandleNotFound"],
        owner: [OK, "400 HandleNotFound", "400 HandleNotFound", "400 HandleNotFound", "400 HandleNotFound"],
        administrator: [OK, "400 HandleNotFound", "400 HandleNotFound", "400 HandleNotFound", "400 HandleNotFound"],
    },
    // The owner's own affairs.
    Rule {
        queries: &[
            "com.atproto.identity.getRecommendedDidCredentials",
            "com.atproto.repo.listMissingBlobs",
            "com.atproto.server.checkAccountStatus",
            "com.atproto.server.getAccountInviteCodes",
            "com.atproto.server.getSession",
            "com.atproto.server.listAppPasswords",
            "dev.auroralocus.server.listSessions",
        ],
        anonymous: ["401 AuthMissing"; STATES.len()],
        owner: [OK, OK, OK, "401 AccountTakedown", "400 AccountNotFound"],
        administrator: ["400 InvalidToken"; STATES.len()],
    },
    // Whoever was taken down may leave with it.
    Rule {
        queries: &["com.atproto.server.getServiceAuth", "dev.auroralocus.account.getExport"],
        anonymous: ["401 AuthMissing"; STATES.len()],
        owner: [OK, OK, OK, OK, "400 AccountNotFound"],
        administrator: ["400 InvalidToken"; STATES.len()],
    },
];

/// An account, with what it had before its state changed.
struct Subject {
    owner: Person,
    rkey: String,
    blob: String,
    commit: String,
}

impl Subject {
    async fn new(pds: &TestPds, name: &str) -> Self {
        let owner = pds.person(name).await;
        let rkey = owner.post("hello").await;
        let blob = owner.upload(name.into(), "text/plain").await.ok()["blob"].clone();
        owner.create("com.example.file", json!({"file": blob})).await.ok();
        let head = pds.query("com.atproto.sync.getLatestCommit", &[("did", &owner.did)]).await.ok();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self { rkey, blob: text(&blob["ref"]["$link"]), commit: text(&head["cid"]), owner }
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
                let input = json!({"did": self.owner.did, "password": "correct horse", "token": code});
                assert_eq!(self.owner.call("com.atproto.server.deleteAccount", input).await.status, 200);
            }
            _ => {}
        }
    }

    fn params(&self, query: &str) -> Vec<(&'static str, &str)> {
        let (did, rkey) = (("did", &*self.owner.did), ("rkey", &*self.rkey));
        let (repo, collection) = (("repo", &*self.owner.did), ("collection", "app.bsky.feed.post"));
        match query {
            "com.atproto.sync.getBlob" | "dev.auroralocus.blob.getMetadata" => vec![did, ("cid", &self.blob)],
            "com.atproto.sync.getBlocks" => vec![did, ("cids", &self.commit)],
            "com.atproto.sync.getRecord" => vec![did, collection, rkey],
            "com.atproto.repo.getRecord" => vec![repo, collection, rkey],
            "com.atproto.repo.listRecords" => vec![repo, collection],
            "com.atproto.repo.describeRepo" => vec![repo],
            "com.atproto.identity.resolveHandle" => vec![("handle", &self.owner.handle)],
            "com.atproto.identity.resolveIdentity" => vec![("identifier", &self.owner.did)],
            "com.atproto.server.getServiceAuth" => {
                vec![("aud", "did:web:other.example"), ("lxm", "com.atproto.server.createAccount")]
            }
            query if query.starts_with("com.atproto.sync.") || query.ends_with("resolveDid") => vec![did],
            _ => Vec::new(),
        }
    }
}

async fn one_in_each_state(pds: &TestPds) -> Vec<Subject> {
    let mut subjects = Vec::new();
    for (name, state) in ["alice", "bob", "carol", "dave", "erin"].into_iter().zip(STATES) {
        let subject = Subject::new(pds, name).await;
        subject.enter(pds, state).await;
        subjects.push(subject);
    }
    subjects
}

on_both!(each_reader_gets_what_the_state_of_the_account_allows, |pds| async move {
    // AL-MOD-1, AL-MOD-3, AL-ACC-5
    let subjects = one_in_each_state(&pds).await;
    let mut wrong = Vec::new();
    for (rule, query) in RULES.iter().flat_map(|rule| rule.queries.iter().map(move |query| (rule, *query))) {
        for (at, (state, subject)) in STATES.iter().zip(&subjects).enumerate() {
            let ask = || pds.get(query).query(&subject.params(query));
            for (reader, request, cells) in [
                ("anonymous", ask(), rule.anonymous),
                ("owner", ask().bearer_auth(&subject.owner.access), rule.owner),
                ("administrator", ask().basic_auth("admin", Some(ADMIN_PASSWORD)), rule.administrator),
            ] {
                let answer = send(request).await;
                let said = match answer.error() {
                    (status, "") => status.to_string(),
                    (status, name) => format!("{status} {name}"),
                };
                if said != cells[at] {
                    wrong
                        .push(format!("{query} of an account that is {state}, to {reader}: {said}, not {}", cells[at]));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
});

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
fn every_query_about_an_account_is_in_the_table() {
    let queries = METHODS.iter().map(|method| method.nsid).filter(|nsid| {
        let kind = Catalog::bundled().method(nsid).unwrap().kind();
        FAMILIES.iter().any(|family| nsid.starts_with(family)) && kind != Kind::Procedure
    });
    let is_known = |nsid: &&str| OF_NO_ACCOUNT.contains(nsid) || RULES.iter().any(|rule| rule.queries.contains(nsid));
    let missing: Vec<_> = queries.filter(|nsid| !is_known(nsid)).collect();
    assert!(missing.is_empty(), "say in RULES what each reader gets from {}", missing.join(", "));
}
