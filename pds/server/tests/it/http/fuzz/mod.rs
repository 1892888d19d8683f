//! Every method with inputs that are good, nearly good, and nothing like it: the server refuses what is wrong, stays up and does not grow.
//!
//! The methods come from the table, their good inputs from their lexicons. A request follows from a seed, its method and the number of its round:
//! the message of a failure has all three. `AURORA_FUZZ_SEED` gives another seed, and with `AURORA_FUZZ_SECONDS` the rounds go on so long.

mod inputs;
mod mutation;
mod random;
mod wire;

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{body::Body, response::Response};
use pds_lexicon::{Catalog, Kind};
use pds_server::{
    api::table::{METHODS, Method},
    auth::Requirement,
};
use reqwest::Method as Verb;
use serde_json::{Value, json};

use self::{
    inputs::{Schemas, World},
    random::Random,
    wire::{Answer, Request},
};
use crate::{
    command::{
        SECRETS,
        process::{Pds, run},
    },
    harness::{ADMIN_PASSWORD, Database, Mailpit, Person, Upstream, send},
};

const SEED: u64 = 14;
/// Requests of each method before the next method, and how often all methods get their turn.
const ROUNDS: u64 = 8;
const PASSES: u64 = 2;
/// What the server may take more after the last pass than after the first: records, sessions, what is known about other servers, and the memory of two
/// hashes of passwords, which is kept for a while.
const MOST_GROWTH: u64 = 64 << 20;
/// Failures that are shown.
const SHOWN: usize = 10;

/// The server, with what requests refer to.
struct Site {
    pds: Pds,
    address: SocketAddr,
    schemas: Arc<Schemas>,
    world: Arc<World>,
    /// Who writes records.
    writer: Person,
    /// Whose sessions end and whose account is switched off.
    victim: Person,
}

impl Site {
    async fn new(folder: &Path, settings: &[(&str, &str)]) -> Self {
        let pds = Pds::start(folder, settings).await;
        let address = SocketAddr::from(([127, 0, 0, 1], pds.port()));
        let writer = sign_up(&pds, "alice").await;
        let (subject, victim) = (sign_up(&pds, "bob").await, sign_up(&pds, "carol").await);
        let rkey = writer.post("hello").await;
        let blob = writer.upload(b"some bytes".to_vec(), "text/plain").await.ok()["blob"].clone();
        let file = writer.create("com.example.thing", json!({"file": blob})).await.ok();
        let commit = writer.query("com.atproto.sync.getLatestCommit", &[("did", &writer.did)]).await.ok();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let world = World {
            did: writer.did.clone(),
            handle: writer.handle.clone(),
            subject: subject.did,
            subject_handle: subject.handle,
            rkey,
            cids: vec![text(&file["cid"]), text(&commit["cid"]), text(&blob["ref"]["$link"])],
            rev: text(&commit["rev"]),
            blob,
            email: "alice@example.com".into(),
            password: PASSWORD.into(),
            car: writer.car().await,
        };
        let (schemas, world) = (Arc::new(Schemas::bundled()), Arc::new(world));
        Self { pds, address, schemas, world, writer, victim }
    }

    /// Makes another account for administrators to change, once the one before is gone.
    async fn replace_subject(&mut self) {
        let path = format!("/xrpc/com.atproto.admin.getAccountInfo?did={}", self.world.subject);
        let asked = self.pds.request(Verb::GET, &path).basic_auth("admin", Some(ADMIN_PASSWORD));
        if send(asked).await.status != 200 {
            let subject = sign_up(&self.pds, &format!("bob{}", number_of(&self.world.subject))).await;
            let known = World::clone(&self.world);
            self.world = Arc::new(World { subject: subject.did, subject_handle: subject.handle, ..known });
        }
    }

    /// Gives the victim a session again, if it has none left.
    async fn revive(&mut self) {
        if self.victim.query("com.atproto.server.getSession", &[]).await.status == 200 {
            return;
        }
        let input = json!({"identifier": self.victim.did, "password": PASSWORD, "allowTakendown": true});
        let url = "/xrpc/com.atproto.server.createSession";
        let answer = send(self.pds.request(Verb::POST, url).json(&input)).await;
        self.victim = match answer.status.as_u16() {
            200 => self.person(&answer.body),
            // Its password was changed or it is gone.
            _ => sign_up(&self.pds, &format!("carol{}", number_of(&self.victim.did))).await,
        };
    }

    fn person(&self, session: &Value) -> Person {
        Person::new(&format!("http://{}", self.address), &reqwest::Client::new(), session)
    }

    fn credential(&self, method: &Method) -> Option<String> {
        let basic = || format!("Basic {}", data_encoding::BASE64.encode(format!("admin:{ADMIN_PASSWORD}").as_bytes()));
        let is_own = ["com.atproto.server.", "com.atproto.identity.", "dev.auroralocus.server."];
        let person = match is_own.iter().any(|family| method.nsid.starts_with(family)) {
            true => &self.victim,
            false => &self.writer,
        };
        match method.requirement {
            Requirement::Nothing | Requirement::OptionalService => None,
            Requirement::Admin | Requirement::Moderator => Some(basic()),
            Requirement::Refresh => Some(format!("Bearer {}", person.refresh)),
            _ => Some(format!("Bearer {}", person.access)),
        }
    }

    /// The request of a round. The first of each pass is as the lexicon wants it.
    fn request(&self, method: &'static Method, seed: u64, round: u64) -> Request {
        let mut random = Random::of(seed, method.nsid, round);
        let (random, is_good) = (&mut random, round.is_multiple_of(ROUNDS));
        let lexicon = Catalog::bundled().method(method.nsid).unwrap();
        let verb = if lexicon.kind() == Kind::Procedure { "POST" } else { "GET" };
        let mut request = Request { verb, nsid: method.nsid, query: Vec::new(), headers: Vec::new(), body: None };
        request.headers.extend(self.credential(method).map(|value| ("authorization", value.into_bytes())));
        if lexicon.kind() == Kind::Subscription {
            let upgrade = [
                ("upgrade", "websocket"),
                ("sec-websocket-version", "13"),
                ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ];
            request.headers.extend(upgrade.map(|(name, value)| (name, value.into())));
        }
        let mut input = self.schemas.input(method.nsid, &self.world, random);
        if let (false, Some(input)) = (is_good, &mut input) {
            mutation::change(input, &self.world, random);
        }
        match (verb, input) {
            ("GET", input) => request.query = mutation::query_text(&input.unwrap_or(json!({})), random, !is_good),
            (_, Some(input)) => {
                request.headers.push(("content-type", b"application/json".into()));
                request.body = Some(match is_good {
                    true => input.to_string().into_bytes(),
                    false => mutation::json_text(&input, random),
                });
            }
            (_, None) => {
                if let Some(encoding) = lexicon.input_encoding() {
                    let is_car = encoding.ends_with(".car");
                    let kind = if is_car { encoding } else { "text/plain" };
                    request.headers.push(("content-type", kind.into()));
                    let mut body = if is_car { self.world.car.clone() } else { b"an upload".to_vec() };
                    if !is_good {
                        mutation::change_bytes(&mut body, random);
                    }
                    request.body = Some(body);
                }
            }
        }
        if !is_good && random.one_in(6) {
            mutation::change_request(&mut request, random);
        }
        request
    }

    /// One turn of every method; what was wrong.
    async fn pass(&mut self, seed: u64, pass: u64) -> Vec<String> {
        let mut faults = Vec::new();
        for method in METHODS {
            self.revive().await;
            if method.nsid.contains(".admin.") {
                self.replace_subject().await;
            }
            for round in pass * ROUNDS..(pass + 1) * ROUNDS {
                let request = self.request(method, seed, round);
                let answer = request.send(self.address).await;
                if let Some(fault) = fault(method, &answer, round.is_multiple_of(ROUNDS)) {
                    faults.push(format!("seed {seed}, {}, round {round}: {fault}\n  {request:?}", method.nsid));
                }
            }
        }
        faults
    }
}

const PASSWORD: &str = "correct horse";

/// Another for each account.
fn number_of(did: &str) -> u64 {
    Random::of(0, did, 0).next() >> 32
}

async fn sign_up(pds: &Pds, name: &str) -> Person {
    let input = json!({"handle": format!("{name}.test"), "email": format!("{name}@example.com"), "password": PASSWORD});
    let answer = send(pds.request(Verb::POST, "/xrpc/com.atproto.server.createAccount").json(&input)).await;
    Person::new(&format!("http://127.0.0.1:{}", pds.port()), &reqwest::Client::new(), &answer.ok())
}

/// What is wrong with an answer.
fn fault(method: &Method, answer: &Answer, is_good: bool) -> Option<String> {
    let text = answer.text();
    let told = || text.chars().take(400).collect::<String>();
    match answer.status {
        0 => Some("no answer".to_owned()),
        500.. if !is_allowed(method.nsid, answer.status, &text) => Some(format!("{} {}", answer.status, told())),
        // The generator does not know the lexicon.
        400 if is_good && (text.contains("\"Input") || text.contains("\"Params")) => {
            Some(format!("a good input: {}", told()))
        }
        _ => None,
    }
}

/// Whether a method may say this about another server that it depends on.
fn is_allowed(_nsid: &str, _status: u16, _text: &str) -> bool {
    false
}

/// Lets the app view answer as its lexicons want it, and nearly so. It has seen little of what the writer has written since.
fn feed(app_view: &Upstream, site: &Site, seed: u64) {
    let generator = json!({
        "$type": "app.bsky.feed.generator", "did": "did:web:feed.example.com", "displayName": "A feed", "createdAt": "2026-01-01T00:00:00.000Z",
    });
    let uri = format!("at://{}/app.bsky.feed.generator/x", site.world.did);
    app_view.json(
        "com.atproto.repo.getRecord",
        200,
        &[],
        json!({"uri": uri, "cid": site.world.cids[0], "value": generator}),
    );
    for method in METHODS.iter().filter(|method| method.nsid.starts_with("app.bsky.")) {
        let (schemas, world, asked) = (site.schemas.clone(), site.world.clone(), AtomicU64::new(0));
        app_view.answer(method.nsid, move |_| {
            let mut random =
                Random::of(seed, &format!("answer of {}", method.nsid), asked.fetch_add(1, Ordering::Relaxed));
            let output = schemas.output(method.nsid, &world, &mut random);
            let body = output.map_or(Vec::new(), |mut output| match random.one_in(3) {
                true => output.to_string().into_bytes(),
                false => {
                    mutation::change(&mut output, &world, &mut random);
                    mutation::json_text(&output, &mut random)
                }
            });
            let answer = Response::builder()
                .header("content-type", "application/json")
                .header("atproto-repo-rev", if random.one_in(8) { "%" } else { &world.rev });
            let answer = answer.body(Body::from(body)).unwrap();
            Box::pin(async move { answer })
        });
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{name} must be a number, found {text}")))
}

async fn no_input_breaks_the_server(database: Database) {
    let (folder, mail, app_view) = (tempfile::tempdir().unwrap(), Mailpit::shared(), Upstream::start().await);
    let directory = std::env::var("AURORA_TEST_PLC_URL").expect("AURORA_TEST_PLC_URL is not set: run `make test`");
    let mut settings = mail.settings();
    settings.extend(app_view.as_app_view());
    settings.extend(SECRETS.map(|(name, value)| (name, value.to_owned())));
    settings.extend(
        [
            ("PDS_DATABASE_URL", database.url.as_str()),
            ("PDS_DID_PLC_URL", &directory),
            ("PDS_INVITE_REQUIRED", "false"),
            ("PDS_RATE_LIMITS_ENABLED", "false"),
            ("PDS_ID_RESOLVER_TIMEOUT", "200"),
            ("PDS_LEXICON_RESOLVER_TIMEOUT", "0"),
            ("PDS_MAX_REPO_IMPORT_SIZE", "1MiB"),
            ("PDS_BLOB_UPLOAD_LIMIT", "1MiB"),
        ]
        .map(|(name, value)| (name, value.to_owned())),
    );
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert!(run(folder.path(), &["migrate"], &settings).status.success());
    let mut site = Site::new(folder.path(), &settings).await;

    let seed = number("AURORA_FUZZ_SEED").unwrap_or(SEED);
    feed(&app_view, &site, seed);
    let long = number("AURORA_FUZZ_SECONDS").map(Duration::from_secs);
    let (began, mut pass) = (Instant::now(), 0);
    let mut faults = site.pass(seed, pass).await;
    let before = site.pds.memory_bytes();
    while faults.len() < SHOWN && long.map_or(pass + 1 < PASSES, |long| began.elapsed() < long) {
        pass += 1;
        faults.extend(site.pass(seed, pass).await);
    }
    let (after, log) = (site.pds.memory_bytes(), site.pds.log());
    let panics: Vec<_> = log.lines().filter(|line| line.contains("panicked")).take(SHOWN).collect();
    assert!(panics.is_empty(), "{}\n{}", panics.join("\n"), faults.join("\n"));
    faults.truncate(SHOWN);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(
        after < before + MOST_GROWTH,
        "{} MiB after the first pass, {} MiB after pass {}",
        before >> 20,
        after >> 20,
        pass + 1
    );
}

#[tokio::test]
async fn no_input_breaks_the_server_on_sqlite() {
    no_input_breaks_the_server(Database::sqlite()).await;
}

#[tokio::test]
async fn no_input_breaks_the_server_on_postgres() {
    no_input_breaks_the_server(Database::postgres().await).await;
}
