//! Somebody with a session.

use serde_json::{Value, json};

use super::{Answer, send};

#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) did: String,
    pub(crate) handle: String,
    pub(crate) access: String,
    pub(crate) refresh: String,
    url: String,
    http: reqwest::Client,
}

impl Person {
    /// With the answer to a sign-up or a login at the server with this URL.
    pub(crate) fn new(url: &str, http: &reqwest::Client, session: &Value) -> Self {
        let text = |field: &str| session[field].as_str().unwrap_or_else(|| panic!("{field} in {session}")).to_owned();
        let (did, handle, access, refresh) = (text("did"), text("handle"), text("accessJwt"), text("refreshJwt"));
        Self { did, handle, access, refresh, url: url.to_owned(), http: http.clone() }
    }

    /// The same person at the replica with this URL.
    pub(crate) fn at(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.clone() }
    }

    pub(crate) async fn call(&self, method: &str, input: Value) -> Answer {
        send(self.http.post(format!("{}/xrpc/{method}", self.url)).bearer_auth(&self.access).json(&input)).await
    }

    /// A new app password.
    pub(crate) async fn app_password(&self, name: &str, privileged: bool) -> String {
        let input = json!({"name": name, "privileged": privileged});
        let made = self.call("com.atproto.server.createAppPassword", input).await.ok();
        made["password"].as_str().unwrap().to_owned()
    }

    /// A procedure without input.
    pub(crate) async fn bare(&self, method: &str) -> Answer {
        send(self.http.post(format!("{}/xrpc/{method}", self.url)).bearer_auth(&self.access)).await
    }

    pub(crate) async fn query(&self, method: &str, params: &[(&str, &str)]) -> Answer {
        send(self.http.get(format!("{}/xrpc/{method}", self.url)).bearer_auth(&self.access).query(params)).await
    }

    pub(crate) async fn with_refresh(&self, method: &str, token: &str) -> Answer {
        send(self.http.post(format!("{}/xrpc/{method}", self.url)).bearer_auth(token)).await
    }

    pub(crate) async fn create(&self, collection: &str, record: Value) -> Answer {
        self.call(
            "com.atproto.repo.createRecord",
            json!({"repo": self.did, "collection": collection, "record": record}),
        )
        .await
    }

    /// A post; its record key.
    pub(crate) async fn post(&self, text: &str) -> String {
        let record = json!({"$type": "app.bsky.feed.post", "text": text, "createdAt": "2026-01-01T00:00:00.000Z"});
        let answer = self.create("app.bsky.feed.post", record).await.ok();
        answer["uri"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
    }

    pub(crate) async fn upload(&self, bytes: Vec<u8>, kind: &str) -> Answer {
        let request =
            self.http.post(format!("{}/xrpc/com.atproto.repo.uploadBlob", self.url)).bearer_auth(&self.access);
        send(request.header("content-type", kind).body(bytes)).await
    }

    pub(crate) async fn car(&self) -> Vec<u8> {
        let url = format!("{}/xrpc/com.atproto.sync.getRepo?did={}", self.url, self.did);
        self.http.get(url).send().await.unwrap().bytes().await.unwrap().to_vec()
    }
}
