//! A data directory as the reference implementation leaves it, made of its tables. `e2e/adoption` works with one that the reference itself has made.

use std::{fs, path::Path};

use data_encoding::HEXLOWER;
use pds_crypto::SigningKey;
use pds_repo::{Cid, Repo, Write, car, cbor, mst::Item};
use pds_syntax::{Did, Tid};
use rusqlite::{Connection, params};
use serde_json::json;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// The tables that an import reads, with the columns that the reference gives them.
const ACCOUNTS: &str = "
    create table kysely_migration (name varchar(255) primary key, timestamp varchar(255) not null);
    insert into kysely_migration values ('001', ''), ('002', ''), ('003', ''), ('004', ''), ('005', ''), ('006', ''), ('007', '');
    create table actor (did varchar primary key, handle varchar, createdAt varchar not null, takedownRef varchar, deactivatedAt varchar,
        deleteAfter varchar);
    create table account (did varchar primary key, email varchar not null, passwordScrypt varchar not null, emailConfirmedAt varchar,
        invitesDisabled int2 default 0 not null);
    create table app_password (did varchar not null, name varchar not null, passwordScrypt varchar not null, createdAt varchar not null,
        privileged integer default 0 not null, primary key (did, name));
    create table refresh_token (id varchar primary key, did varchar not null, expiresAt varchar not null, nextId varchar,
        appPasswordName varchar);
    create table invite_code (code varchar primary key, availableUses integer not null, disabled int2 default 0, forAccount varchar not null,
        createdBy varchar not null, createdAt varchar not null);
    create table invite_code_use (code varchar not null, usedBy varchar not null, usedAt varchar not null, primary key (code, usedBy));";
const ACTOR: &str = "
    create table kysely_migration (name varchar(255) primary key, timestamp varchar(255) not null);
    insert into kysely_migration values ('001', '');
    create table repo_root (did varchar primary key, cid varchar not null, rev varchar not null, indexedAt varchar not null);
    create table repo_block (cid varchar primary key, repoRev varchar not null, size integer not null, content blob not null);
    create table record (uri varchar primary key, cid varchar not null, collection varchar not null, rkey varchar not null,
        repoRev varchar not null, indexedAt varchar not null, takedownRef varchar);
    create table blob (cid varchar primary key, mimeType varchar not null, size integer not null, tempKey varchar, width integer,
        height integer, createdAt varchar not null, takedownRef varchar);
    create table account_pref (id integer primary key autoincrement, name varchar not null, valueJson text not null);";
const SEQUENCE: &str = "
    create table kysely_migration (name varchar(255) primary key, timestamp varchar(255) not null);
    insert into kysely_migration values ('001', '');
    create table repo_seq (seq integer primary key autoincrement, did varchar not null, eventType varchar not null, event blob not null,
        invalidated int2 default 0 not null, sequencedAt varchar not null);";

/// The password of every account.
pub(crate) const PASSWORD: &str = "correct horse";
/// An app password of every account.
pub(crate) const APP_PASSWORD: &str = "abcd-efgh-ijkl-mnop";
/// Of [`PASSWORD`], by Node's scrypt with its defaults.
const HASH: &str = "00112233445566778899aabbccddeeff:3e19ebeabf15ad17c24de695284e79441c0d80c6d98b95a3c052c58a0d57b09f83b0742a5805af28a0b5bbcf673af62819b91eb830a104fb0bb42def767f52aa";
/// Of every blob.
pub(crate) const BLOB: &[u8] = b"the bytes of a blob";
const BLOB_TYPE: &str = "text/plain";

/// The directory. Nothing in it is open between two calls, as if the reference had been stopped.
pub(crate) struct Reference {
    pub(crate) folder: TempDir,
}

/// An account in it.
#[derive(Clone)]
pub(crate) struct Resident {
    pub(crate) did: Did,
    pub(crate) handle: String,
    pub(crate) rev: Tid,
    pub(crate) commit: Cid,
    /// Blocks of the repository, sorted.
    pub(crate) blocks: Vec<(String, Vec<u8>)>,
    pub(crate) blob: Cid,
}

impl Reference {
    /// With the settings file of a server named `hostname`.
    pub(crate) fn new(hostname: &str, rotation_key: &str, jwt_secret: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let env = format!(
            "PDS_HOSTNAME={hostname}\nPDS_JWT_SECRET={jwt_secret}\nPDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX={rotation_key}\n\
             PDS_DATA_DIRECTORY=/pds\nPDS_BLOBSTORE_DISK_LOCATION=/pds/blocks\n"
        );
        fs::write(folder.path().join("pds.env"), env).unwrap();
        open(&folder.path().join("account.sqlite"), ACCOUNTS);
        open(&folder.path().join("sequencer.sqlite"), SEQUENCE);
        Self { folder }
    }

    /// Says in its settings that the blobs are in this bucket, and removes the folder in which they were.
    pub(crate) fn move_blobs(&self, bucket: &[(&'static str, String)]) {
        let file = self.folder.path().join("pds.env");
        let env = fs::read_to_string(&file).unwrap().replace("PDS_BLOBSTORE_DISK_LOCATION=/pds/blocks\n", "");
        let bucket: String = bucket.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        fs::write(&file, env + &bucket).unwrap();
        fs::remove_dir_all(self.folder.path().join("blocks")).unwrap();
    }

    /// Adds a line to its settings, which replaces an earlier one.
    pub(crate) fn set(&self, line: &str) {
        let file = self.folder.path().join("pds.env");
        let env = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("{env}{line}\n")).unwrap();
    }

    /// One of its files, open as the running reference has it.
    pub(crate) fn open(&self, file: &str) -> Connection {
        Connection::open(self.folder.path().join(file)).unwrap()
    }

    pub(crate) fn path(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    /// A statement on the accounts.
    pub(crate) fn accounts(&self, sql: &str) {
        self.open("account.sqlite").execute_batch(sql).unwrap();
    }

    /// A statement on the data of one account.
    pub(crate) fn actor(&self, did: &Did, sql: &str) {
        Connection::open(self.actor_folder(did).join("store.sqlite")).unwrap().execute_batch(sql).unwrap();
    }

    /// The folder with the key and the repository of an account.
    pub(crate) fn actor_folder(&self, did: &Did) -> std::path::PathBuf {
        let hash = Sha256::digest(did.as_str().as_bytes());
        self.folder.path().join("actors").join(format!("{:02x}", hash[0])).join(did.as_str())
    }

    /// An account with `posts` posts, a blob, an app password, preferences, and the events of its making.
    pub(crate) fn account(&self, name: &str, posts: u64) -> Resident {
        let (did, key) = (did(name), SigningKey::generate());
        let handle = format!("{name}.test");
        let resident = self.repository(&did, handle, &key, posts);
        let (now, accounts) = (time(0), self.open("account.sqlite"));
        accounts
            .execute(
                "insert into actor (did, handle, createdAt) values (?1, ?2, ?3)",
                params![did.as_str(), resident.handle, now],
            )
            .unwrap();
        let email = format!("{name}@example.com");
        accounts
            .execute(
                "insert into account (did, email, passwordScrypt, emailConfirmedAt) values (?1, ?2, ?3, ?4)",
                params![did.as_str(), email, HASH, now],
            )
            .unwrap();
        accounts
            .execute(
                "insert into app_password (did, name, passwordScrypt, createdAt, privileged) values (?1, 'phone', ?2, ?3, 1)",
                params![did.as_str(), app_password_hash(&did), now],
            )
            .unwrap();
        self.announce(&resident);
        resident
    }

    fn repository(&self, did: &Did, handle: String, key: &SigningKey, posts: u64) -> Resident {
        let folder = self.actor_folder(did);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("key"), *key.to_bytes()).unwrap();
        let blob = Cid::raw(BLOB);
        let mut records = vec![(
            "com.example.thing/one".to_owned(),
            json!({"$type": "com.example.thing", "blob": {"$type": "blob", "ref": {"$link": blob.to_string()}, "mimeType": BLOB_TYPE, "size": BLOB.len()}}),
        )];
        records.extend((0..posts).map(|n| {
            (
                format!("com.example.post/{n:06}"),
                json!({"$type": "com.example.post", "text": format!("post {n} of {did}")}),
            )
        }));
        let begin = u64::try_from(jiff::Timestamp::now().as_microsecond()).unwrap();
        let rev = |n: usize| Tid::from_micros(begin + n as u64, 0);
        let (mut repo, _) = Repo::create(did.clone(), rev(0), &[], key).unwrap();
        let (mut blocks, mut commit) = (Vec::new(), None);
        for (n, some) in records.chunks(100).enumerate() {
            let writes: Vec<_> = some
                .iter()
                .map(|(path, json)| {
                    let record = pds_repo::record::from_json(json).unwrap();
                    blocks.push((record.cid.to_string(), record.bytes.to_vec()));
                    Write::Create { path: path.parse().unwrap(), cid: record.cid, bytes: record.bytes }
                })
                .collect();
            let (next, diff) = repo.apply(&writes, rev(n + 1), key).unwrap();
            (repo, commit) = (next, Some(diff.commit_bytes));
        }
        blocks.push((repo.head.commit.to_string(), commit.unwrap().to_vec()));
        blocks.extend(repo.tree.preorder().filter_map(|item| match item {
            Item::Node(cid, block) => Some((cid.to_string(), block.to_vec())),
            Item::Record(..) => None,
        }));
        let head = repo.head;
        let store = open(&folder.join("store.sqlite"), ACTOR);
        let now = time(0);
        let root = params![did.as_str(), head.commit.to_string(), head.rev.to_string(), now];
        store.execute("insert into repo_root values (?1, ?2, ?3, ?4)", root).unwrap();
        for (cid, block) in &blocks {
            store
                .execute(
                    "insert or ignore into repo_block values (?1, 'r', ?2, ?3)",
                    params![cid, block.len() as i64, block],
                )
                .unwrap();
        }
        for (path, _) in &records {
            let (collection, rkey) = path.split_once('/').unwrap();
            let uri = format!("at://{did}/{path}");
            store
                .execute(
                    "insert into record values (?1, 'c', ?2, ?3, 'r', ?4, null)",
                    params![uri, collection, rkey, now],
                )
                .unwrap();
        }
        let row = params![blob.to_string(), BLOB_TYPE, BLOB.len() as i64, now];
        store.execute("insert into blob values (?1, ?2, ?3, null, null, null, ?4, null)", row).unwrap();
        let preference = json!({"$type": "app.bsky.actor.defs#adultContentPref", "enabled": true}).to_string();
        store.execute("insert into account_pref (name, valueJson) values ('p', ?1)", [preference]).unwrap();
        let place = self.folder.path().join("blocks").join(did.as_str());
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join(blob.to_string()), BLOB).unwrap();
        blocks.sort();
        blocks.dedup();
        Resident { did: did.clone(), handle, rev: head.rev, commit: head.commit, blocks, blob }
    }

    /// Identity, account and repository, as three events.
    fn announce(&self, resident: &Resident) {
        let Resident { did, handle, rev, commit, blocks, .. } = resident;
        let (cid, block) = blocks.iter().find(|(cid, _)| *cid == commit.to_string()).unwrap();
        let (cid, block) = (cid.parse::<Cid>().unwrap(), bytes::Bytes::from(block.clone()));
        let mut identity = cbor::Writer::default();
        identity.map(2).text("did").text(did.as_str()).text("handle").text(handle);
        let mut account = cbor::Writer::default();
        account.map(2).text("did").text(did.as_str()).text("active").bool(true);
        let mut sync = cbor::Writer::default();
        sync.map(3).text("did").text(did.as_str()).text("rev").text(&rev.to_string());
        sync.text("blocks").bytes(&car::write(&cid, [(&cid, &block)]));
        for (kind, body) in [("identity", identity), ("account", account), ("sync", sync)] {
            self.event(did, kind, &body.into_bytes(), 0);
        }
    }

    /// An event that was written so many hours ago.
    pub(crate) fn event(&self, did: &Did, kind: &str, body: &[u8], hours_ago: i64) {
        let row = params![did.as_str(), kind, body, time(hours_ago)];
        self.open("sequencer.sqlite")
            .execute("insert into repo_seq (did, eventType, event, sequencedAt) values (?1, ?2, ?3, ?4)", row)
            .unwrap();
    }

    /// A statement on the events.
    pub(crate) fn sequence(&self, sql: &str) {
        self.open("sequencer.sqlite").execute_batch(sql).unwrap();
    }

    /// The digest of everything in the directory.
    pub(crate) fn digest(&self) -> String {
        let mut hash = Sha256::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
            entries.sort();
            for path in entries {
                hash.update(path.to_str().unwrap().as_bytes());
                if path.is_dir() { folders.push(path) } else { hash.update(fs::read(path).unwrap()) }
            }
        }
        HEXLOWER.encode(&hash.finalize())
    }
}

/// As the reference hashes it, so that it can be searched for.
fn app_password_hash(did: &Did) -> String {
    let salt = HEXLOWER.encode(&Sha256::digest(did.as_str().as_bytes())[..16]);
    let mut hash = [0; 64];
    let params = scrypt::Params::new(14, 8, 1).unwrap();
    scrypt::scrypt(APP_PASSWORD.as_bytes(), salt.as_bytes(), &params, &mut hash).unwrap();
    format!("{salt}:{}", HEXLOWER.encode(&hash))
}

/// A DID with the form of those that the directory of did:plc gives.
fn did(name: &str) -> Did {
    let hash = data_encoding::BASE32_NOPAD.encode(&Sha256::digest(name.as_bytes())[..15]).to_lowercase();
    format!("did:plc:{hash}").parse().unwrap()
}

fn time(hours_ago: i64) -> String {
    let at = jiff::Timestamp::now() - jiff::Span::new().hours(hours_ago);
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// With the journal that the reference uses.
fn open(path: &Path, schema: &str) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.pragma_update(None, "journal_mode", "wal").unwrap();
    connection.execute_batch(schema).unwrap();
    connection
}
