//! An XRPC client in Rust, for tests that need speed or exact control. The stock clients are in [`crate::stock`].

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use reqwest::{Certificate, StatusCode};
use serde_json::{Value, json};

use crate::Cluster;

/// A client of the PDS at `https://hostname:port`. It resolves the name to a fixed address and trusts the tests' certificate authority.
#[derive(Clone)]
pub struct Pds {
    pub http: reqwest::Client,
    pub url: String,
    pub hostname: String,
    pub address: String,
}

/// A client with an account and a session.
#[derive(Clone)]
pub struct Account {
    pub pds: Pds,
    pub did: String,
    pub handle: String,
    pub password: String,
    access: String,
}

static NEXT: AtomicU64 = AtomicU64::new(0);

impl Pds {
    pub fn new(cluster: &Cluster, hostname: &str, port: u16, address: &str) -> Result<Self> {
        let authority = Certificate::from_pem(&std::fs::read(&cluster.ca_file)?)?;
        let http = reqwest::Client::builder()
            .tls_certs_merge([authority])
            .resolve(hostname, SocketAddr::new(address.parse().context("address")?, port))
            .connect_timeout(Duration::from_secs(2))
            .timeout(Duration::from_secs(20))
            // After a test has killed a pod, requests must not use pooled connections to that pod.
            .pool_idle_timeout(Duration::from_secs(1))
            .build()?;
        let url = if port == 443 { format!("https://{hostname}") } else { format!("https://{hostname}:{port}") };
        Ok(Self { http, url, hostname: hostname.to_owned(), address: address.to_owned() })
    }

    /// Sends a query. An answer other than 200 becomes an error with status and body.
    pub async fn query(&self, method: &str, params: &[(&str, &str)]) -> Result<Value> {
        let answer = self.http.get(format!("{}/xrpc/{method}", self.url)).query(params).send().await?;
        body(method, answer).await
    }

    /// Creates an account with an invite code that the administrator makes. `name` gets a number, so that handles are unique.
    pub async fn sign_up(&self, name: &str, admin_password: &str) -> Result<Account> {
        let code = self
            .http
            .post(format!("{}/xrpc/com.atproto.server.createInviteCode", self.url))
            .basic_auth("admin", Some(admin_password))
            .json(&json!({"useCount": 1}))
            .send()
            .await?;
        let code = body("createInviteCode", code).await?;
        let name = format!("{name}{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let handle = format!("{name}.{}", self.hostname);
        let password = "correct horse battery staple".to_owned();
        let answer = self
            .http
            .post(format!("{}/xrpc/com.atproto.server.createAccount", self.url))
            .json(&json!({"handle": handle, "email": format!("{name}@example.com"), "password": password, "inviteCode": code["code"]}))
            .send()
            .await?;
        let session = body("createAccount", answer).await?;
        self.account(&session, &password)
    }

    /// Logs in to an existing account, for example after a restore.
    pub async fn log_in(&self, identifier: &str, password: &str) -> Result<Account> {
        let answer = self
            .http
            .post(format!("{}/xrpc/com.atproto.server.createSession", self.url))
            .json(&json!({"identifier": identifier, "password": password}))
            .send()
            .await?;
        let session = body("createSession", answer).await?;
        self.account(&session, password)
    }
}

impl Pds {
    fn account(&self, session: &Value, password: &str) -> Result<Account> {
        let text = |field: &str| {
            session[field].as_str().map(str::to_owned).with_context(|| format!("no {field} in the session"))
        };
        Ok(Account {
            pds: self.clone(),
            did: text("did")?,
            handle: text("handle")?,
            password: password.to_owned(),
            access: text("accessJwt")?,
        })
    }
}

impl Account {
    /// The same session, used with another replica.
    pub fn through(&self, pds: &Pds) -> Self {
        Self { pds: pds.clone(), ..self.clone() }
    }

    pub async fn procedure(&self, method: &str, input: Value) -> Result<Value> {
        let answer = self
            .pds
            .http
            .post(format!("{}/xrpc/{method}", self.pds.url))
            .bearer_auth(&self.access)
            .json(&input)
            .send()
            .await?;
        body(method, answer).await
    }

    /// Sends a query with the session.
    pub async fn query(&self, method: &str, params: &[(&str, &str)]) -> Result<Value> {
        let request = self.pds.http.get(format!("{}/xrpc/{method}", self.pds.url)).query(params);
        body(method, request.bearer_auth(&self.access).send().await?).await
    }

    /// Calls a procedure that has no input.
    pub async fn ask(&self, method: &str) -> Result<Value> {
        let request = self.pds.http.post(format!("{}/xrpc/{method}", self.pds.url));
        body(method, request.bearer_auth(&self.access).send().await?).await
    }

    /// Creates a post and returns the acknowledged write.
    pub async fn post(&self, text: &str) -> Result<Acknowledged> {
        let record = json!({"$type": "app.bsky.feed.post", "text": text, "createdAt": "2026-01-01T00:00:00.000Z"});
        let input = json!({"repo": self.did, "collection": "app.bsky.feed.post", "record": record});
        let answer = self.procedure("com.atproto.repo.createRecord", input).await?;
        let text = |value: &Value| {
            value.as_str().map(str::to_owned).with_context(|| format!("createRecord answered {answer}"))
        };
        let uri = text(&answer["uri"])?;
        let path = uri.strip_prefix(&format!("at://{}/", self.did)).context("uri of another repository")?.to_owned();
        Ok(Acknowledged {
            did: self.did.clone(),
            path,
            cid: text(&answer["cid"])?,
            rev: text(&answer["commit"]["rev"])?,
        })
    }

    pub async fn upload_blob(&self, bytes: Vec<u8>, content_type: &str) -> Result<Value> {
        let answer = self
            .pds
            .http
            .post(format!("{}/xrpc/com.atproto.repo.uploadBlob", self.pds.url))
            .bearer_auth(&self.access)
            .header("content-type", content_type)
            .body(bytes)
            .send()
            .await?;
        Ok(body("uploadBlob", answer).await?["blob"].take())
    }
}

/// A write that the server has answered with success.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Acknowledged {
    pub did: String,
    pub path: String,
    pub cid: String,
    pub rev: String,
}

async fn body(method: &str, answer: reqwest::Response) -> Result<Value> {
    let status = answer.status();
    let text = answer.text().await?;
    if status != StatusCode::OK {
        bail!("{method} answered {status}: {text}");
    }
    if text.is_empty() {
        Ok(Value::Null)
    } else {
        serde_json::from_str(&text).with_context(|| format!("{method}: {text}"))
    }
}
