//! Client of a PLC directory.

use std::time::Duration;

use async_trait::async_trait;
use pds_syntax::Did;
use reqwest::{Client, Response, StatusCode};
use serde::{Deserialize, de::DeserializeOwned};
use url::Url;

use super::{Directory, Last, SignedOperation};
use crate::{
    DidDocument, Error, Roots,
    guard::{body, reason},
};

/// Maximum size of an answer: the document or an operation of a DID, whose owner has chosen what is in it.
const MAX_BYTES: usize = 64 * 1024;

/// Client of the PLC directory that the operator of this server configured. Not guarded, because its URL does not come from users.
#[derive(Clone, Debug)]
pub struct HttpDirectory {
    http: Client,
    url: String,
}

#[derive(Deserialize)]
struct Message {
    message: String,
}

impl HttpDirectory {
    /// `timeout` is the maximum time of each request.
    ///
    /// # Errors
    /// If the TLS configuration of the system cannot be used.
    pub fn new(url: &Url, timeout: Duration, roots: &Roots) -> Result<Self, reqwest::Error> {
        Ok(Self {
            http: roots.trusted_by(Client::builder()).timeout(timeout).build()?,
            url: url.as_str().trim_end_matches('/').to_owned(),
        })
    }

    fn unreachable(&self, error: &reqwest::Error) -> Error {
        Error::Unreachable { name: self.url.clone(), reason: reason(error) }
    }

    async fn json<T: DeserializeOwned>(&self, did: &Did, path: &str) -> Result<T, Error> {
        let body = self.body(did, path).await?;
        serde_json::from_slice(&body).map_err(|error| self.invalid(error.to_string()))
    }

    /// The body of an answer with status 200.
    async fn body(&self, did: &Did, path: &str) -> Result<Vec<u8>, Error> {
        let mut answer = self
            .http
            .get(format!("{}/{did}{path}", self.url))
            .send()
            .await
            .map_err(|error| self.unreachable(&error))?;
        match answer.status() {
            StatusCode::OK => body(&mut answer, &self.url, MAX_BYTES).await,
            StatusCode::NOT_FOUND => Err(Error::NotFound(did.to_string())),
            StatusCode::GONE => Err(Error::Tombstoned(did.to_string())),
            status => Err(Error::Unreachable { name: self.url.clone(), reason: message(status, answer).await }),
        }
    }

    fn invalid(&self, reason: String) -> Error {
        Error::Answer { name: self.url.clone(), reason }
    }
}

async fn message(status: StatusCode, mut answer: Response) -> String {
    let text = body(&mut answer, "", MAX_BYTES).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let said = serde_json::from_str::<Message>(&text).map_or(text, |message| message.message);
    format!("{status}: {}", said.chars().take(300).collect::<String>())
}

#[async_trait]
impl Directory for HttpDirectory {
    async fn submit(&self, did: &Did, operation: &SignedOperation) -> Result<(), Error> {
        let request = self.http.post(format!("{}/{did}", self.url)).json(operation);
        let answer = request.send().await.map_err(|error| self.unreachable(&error))?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status if status.is_client_error() => Err(Error::Refused { message: message(status, answer).await }),
            status => Err(Error::Unreachable { name: self.url.clone(), reason: message(status, answer).await }),
        }
    }

    async fn document(&self, did: &Did) -> Result<DidDocument, Error> {
        DidDocument::read(&self.body(did, "").await?).map_err(|reason| self.invalid(reason))
    }

    async fn last(&self, did: &Did) -> Result<Last, Error> {
        Last::read(did, self.json(did, "/log/last").await?)
    }

    async fn health(&self) -> Result<(), Error> {
        let answer =
            self.http.get(format!("{}/_health", self.url)).send().await.map_err(|error| self.unreachable(&error))?;
        match answer.status() {
            StatusCode::OK => Ok(()),
            status => Err(Error::Unreachable { name: self.url.clone(), reason: status.to_string() }),
        }
    }
}
