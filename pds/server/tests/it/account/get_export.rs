//! `dev.auroralocus.account.getExport`, read by the system's `tar`, and `dev.auroralocus.admin.getExport`.

use std::{collections::BTreeMap, fs, path::Path, process::Command, time::Duration};

use pds_repo::{Cid, Codec};
use reqwest::Response;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use crate::{
    harness::{ADMIN_PASSWORD, Person, TestPds},
    on_both, on_places,
    sync::verify,
};

const METHOD: &str = "dev.auroralocus.account.getExport";

/// The files of an archive by their names, as another program reads them.
pub(crate) fn unpacked(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("export.tar"), archive).unwrap();
    let out = folder.path().join("out");
    fs::create_dir(&out).unwrap();
    let tar =
        Command::new("tar").arg("-xf").arg(folder.path().join("export.tar")).arg("-C").arg(&out).output().unwrap();
    assert!(tar.status.success() && tar.stderr.is_empty(), "{}", String::from_utf8_lossy(&tar.stderr));
    let mut files = BTreeMap::new();
    collect(&out, &out, &mut files);
    files
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            files.insert(path.strip_prefix(root).unwrap().display().to_string(), fs::read(path).unwrap());
        }
    }
}

fn json_of(files: &BTreeMap<String, Vec<u8>>, name: &str) -> Value {
    serde_json::from_slice(&files[name]).unwrap()
}

async fn ask(pds: &TestPds, person: &Person) -> Response {
    pds.get(METHOD).bearer_auth(&person.access).send().await.unwrap()
}

async fn export(pds: &TestPds, person: &Person) -> BTreeMap<String, Vec<u8>> {
    let answer = ask(pds, person).await;
    assert_eq!(answer.status(), 200);
    unpacked(&answer.bytes().await.unwrap())
}

fn cid(blob: &Value) -> String {
    blob["ref"]["$link"].as_str().unwrap().to_owned()
}

/// The blobs of an archive, each checked against its name.
fn blobs(files: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let named = files.iter().filter_map(|(name, content)| Some((name.strip_prefix("blobs/")?, content)));
    let checked = named.map(|(name, content)| {
        assert_eq!(Cid::from_digest(Codec::Raw, Sha256::digest(content).into()).to_string(), name);
        name.to_owned()
    });
    checked.collect()
}

/// Preferences belong to an app view.
const APP_VIEW: [(&str, &str); 2] =
    [("PDS_BSKY_APP_VIEW_URL", "https://appview.invalid"), ("PDS_BSKY_APP_VIEW_DID", "did:web:appview.invalid")];

on_places!(everything_of_an_account_is_in_one_file, APP_VIEW, |pds, place| async move {
    // AL-LIFE-3
    let alice = pds.person("alice").await;
    for n in 0..300 {
        alice.create("com.example.thing", json!({"n": n, "text": "x".repeat(n * 3)})).await.ok();
    }
    alice.create("com.example.thing", json!({"text": "x".repeat(20_000)})).await.ok();
    let phone = alice.app_password("phone", true).await;
    pds.log_in(&alice.did, &phone).await.ok();
    let preference = json!({"$type": "app.bsky.actor.defs#personalDetailsPref", "birthDate": "1990-01-01T00:00:00Z"});
    alice.call("app.bsky.actor.putPreferences", json!({"preferences": [preference]})).await.ok();
    let mut uploaded = Vec::new();
    for size in [1, 511, 512, 513, 300_000] {
        let blob = alice.upload(vec![7; size], "text/plain").await.ok()["blob"].clone();
        alice.create("com.example.file", json!({"file": blob})).await.ok();
        uploaded.push(cid(&blob));
    }
    uploaded.push(cid(&alice.upload(b"no record refers to it".to_vec(), "text/plain").await.ok()["blob"]));
    // Somebody else's are not hers.
    let bob = pds.person("bob").await;
    bob.upload(b"of bob".to_vec(), "text/plain").await.ok();

    let answer = ask(&pds, &alice).await;
    assert_eq!(answer.headers()["content-type"], "application/x-tar");
    assert!(answer.headers().get("content-encoding").is_none());
    let disposition = answer.headers()["content-disposition"].to_str().unwrap().to_owned();
    assert_eq!(disposition, format!("attachment; filename=\"{}.tar\"", alice.did.replace(':', "-")));
    let archive = answer.bytes().await.unwrap();
    let files = unpacked(&archive);

    assert_eq!(verify(&files["repo.car"], &alice.did), 306);
    assert_eq!(files["repo.car"], alice.car().await);
    uploaded.sort();
    assert_eq!(blobs(&files), uploaded);
    let account = json_of(&files, "account.json");
    let field = |name: &str| account[name].clone();
    assert_eq!((field("did"), field("handle")), (json!(alice.did), json!("alice.pds.test")));
    assert_eq!((field("email"), field("active")), (json!("alice@example.com"), json!(true)));
    assert_eq!(
        (&account["appPasswords"][0]["name"], &account["appPasswords"][0]["privileged"]),
        (&json!("phone"), &json!(true))
    );
    assert_eq!((account["sessions"].as_array().unwrap().len(), field("moreSessions")), (2, json!(false)));
    assert!(account["usedInviteCode"].is_string() && account["createdAt"].is_string());
    let shown = alice.query("app.bsky.actor.getPreferences", &[]).await.ok();
    assert_eq!(json_of(&files, "preferences.json"), shown);
    let manifest = json_of(&files, "manifest.json");
    let latest = pds.query("com.atproto.sync.getLatestCommit", &[("did", &alice.did)]).await.ok();
    assert_eq!(
        manifest["repository"],
        json!({"root": latest["cid"], "rev": latest["rev"], "bytes": files["repo.car"].len()})
    );
    let sizes: usize =
        files.iter().filter(|(name, _)| name.starts_with("blobs/")).map(|(_, content)| content.len()).sum();
    assert_eq!(manifest["blobs"], json!({"count": 6, "bytes": sizes}));
    assert_eq!(manifest["missing"], json!({"count": 0, "blobs": []}));
    assert_eq!((&manifest["did"], &manifest["server"]), (&json!(alice.did), &json!("pds.test")));

    // Nothing that opens anything.
    let text = String::from_utf8_lossy(&archive);
    for secret in ["correct horse", &phone, "$argon2", &alice.access, &alice.refresh] {
        assert!(!text.contains(secret), "{secret}");
    }
    drop(place);
});

on_places!(what_is_missing_is_named, [], |pds, place| async move {
    // AL-LIFE-3
    let alice = pds.person("alice").await;
    let mut cids = Vec::new();
    for text in ["kept", "lost", "taken down"] {
        let blob = alice.upload(text.as_bytes().to_vec(), "text/plain").await.ok()["blob"].clone();
        alice.create("com.example.file", json!({"file": blob})).await.ok();
        cids.push(cid(&blob));
    }
    let id = pds_store::account::by_did(&pds.app.db, &alice.did.parse().unwrap()).await.unwrap().unwrap().id;
    let lost = pds_store::blob::get(&pds.app.db, id, &cids[1].parse().unwrap()).await.unwrap().unwrap();
    pds.app.blobs.store().delete(&lost.storage_key.parse().unwrap()).await.unwrap();
    let subject = json!({"$type": "com.atproto.admin.defs#repoBlobRef", "did": alice.did, "cid": cids[2]});
    let input = json!({"subject": subject, "takedown": {"applied": true}});
    pds.admin("com.atproto.admin.updateSubjectStatus", input).await.ok();

    let files = export(&pds, &alice).await;
    assert_eq!(blobs(&files), [cids[0].clone()]);
    let manifest = json_of(&files, "manifest.json");
    assert_eq!(manifest["missing"]["count"], 2);
    for (cid, reason) in [(&cids[1], "lost"), (&cids[2], "takenDown")] {
        let listed = manifest["missing"]["blobs"].as_array().unwrap();
        assert!(listed.contains(&json!({"cid": cid, "reason": reason})), "{reason}: {manifest}");
    }
    // The owner is told of the lost one elsewhere, too.
    let missing = alice.query("com.atproto.repo.listMissingBlobs", &[]).await.ok();
    assert_eq!(missing["blobs"][0]["cid"], json!(cids[1]));
    drop(place);
});

on_both!(blobs_that_are_still_to_come_are_named, |pds| async move {
    let alice = pds.person("alice").await;
    let blob = alice.upload(b"here".to_vec(), "text/plain").await.ok()["blob"].clone();
    alice.create("com.example.file", json!({"file": blob})).await.ok();
    let car = alice.car().await;
    // The account's own repository, in another account's place, would be refused: import it where its blob is gone.
    let id = pds_store::account::by_did(&pds.app.db, &alice.did.parse().unwrap()).await.unwrap().unwrap().id;
    let rkey = alice
        .query("com.atproto.repo.listRecords", &[("repo", &alice.did), ("collection", "com.example.file")])
        .await
        .ok();
    let rkey = rkey["records"][0]["uri"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let input = json!({"repo": alice.did, "collection": "com.example.file", "rkey": rkey});
    alice.call("com.atproto.repo.deleteRecord", input).await.ok();
    let mut tx = pds.app.db.begin().await.unwrap();
    pds_store::blob::delete_temporary(&mut tx, id, &cid(&blob).parse().unwrap(), i64::MAX).await.unwrap();
    tx.commit().await.unwrap();
    let import = pds.post("com.atproto.repo.importRepo").bearer_auth(&alice.access);
    let import = import.header("content-type", "application/vnd.ipld.car").body(car).send().await.unwrap();
    assert_eq!(import.status(), 200);

    let manifest = json_of(&export(&pds, &alice).await, "manifest.json");
    assert_eq!(manifest["missing"], json!({"count": 1, "blobs": [{"cid": cid(&blob), "reason": "notUploaded"}]}));
    assert_eq!(manifest["blobs"], json!({"count": 0, "bytes": 0}));
});

on_both!(only_the_owner_and_the_administrator_get_it, |pds| async move {
    let (alice, bob) = (pds.person("alice").await, pds.person("bob").await);
    alice.post("hello").await;
    for privileged in [false, true] {
        let password = alice.app_password(&format!("client {privileged}"), privileged).await;
        let client = pds.person_of(pds.log_in(&alice.did, &password).await.ok());
        assert_eq!(client.query(METHOD, &[]).await.error(), (400, "InvalidToken"));
    }
    let admin = "dev.auroralocus.admin.getExport";
    assert_eq!(bob.query(admin, &[("did", &alice.did)]).await.status, 401);
    let request = pds.get(admin).basic_auth("admin", Some(ADMIN_PASSWORD)).query(&[("did", &alice.did)]);
    let files = unpacked(&request.send().await.unwrap().bytes().await.unwrap());
    assert_eq!(verify(&files["repo.car"], &alice.did), 1);
    assert_eq!(json_of(&files, "account.json")["did"], json!(alice.did));
    let nobody = pds.admin_query(admin, &[("did", "did:plc:ewvi7nxzyoun6zhxrhs64oiz")]).await;
    assert_eq!(nobody.error(), (400, "NotFound"));
    // What the administrator deleted cannot be fetched any more; the owner of an account that was taken down fetches it.
    let subject = json!({"$type": "com.atproto.admin.defs#repoRef", "did": bob.did});
    pds.admin("com.atproto.admin.updateSubjectStatus", json!({"subject": subject, "takedown": {"applied": true}}))
        .await
        .ok();
    let input = json!({"identifier": bob.did, "password": "correct horse", "allowTakendown": true});
    let leaving =
        pds.person_of(crate::harness::send(pds.post("com.atproto.server.createSession").json(&input)).await.ok());
    let account = json_of(&export(&pds, &leaving).await, "account.json");
    assert_eq!((&account["active"], &account["status"]), (&json!(false), &json!("takendown")));
});

/// A request for the export whose answer is read from a small window.
async fn slowly(pds: &TestPds, person: &Person) -> TcpStream {
    let host = pds.url.trim_start_matches("http://").to_owned();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 << 10).unwrap();
    let mut stream = socket.connect(host.parse().unwrap()).await.unwrap();
    let token = &person.access;
    let head = format!("GET /xrpc/{METHOD} HTTP/1.0\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

on_places!(a_slow_reader_gets_all_of_it_and_delays_nobody, [], |pds, place| async move {
    let alice = pds.person("alice").await;
    for n in 0..12 {
        alice.create("com.example.thing", json!({"n": n, "text": "x".repeat(500_000)})).await.ok();
        alice.upload(vec![n; 700_000], "application/octet-stream").await.ok();
    }
    let mut slow = slowly(&pds, &alice).await;
    slow.readable().await.unwrap();
    // While it does not read, others get theirs.
    for _ in 0..2 {
        let whole =
            tokio::time::timeout(Duration::from_secs(20), export(&pds, &alice)).await.expect("it waits for nobody");
        assert_eq!(blobs(&whole).len(), 12);
    }
    let (mut file, mut piece) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        let read = slow.read(&mut piece).await.unwrap();
        if read == 0 {
            break;
        }
        file.extend_from_slice(&piece[..read]);
    }
    let body = file.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
    let files = unpacked(&file[body..]);
    assert_eq!((blobs(&files).len(), verify(&files["repo.car"], &alice.did)), (12, 12));
    assert!(files.contains_key("manifest.json"));
    drop(place);
});
