//! One HTTP connection, kept open; one request at a time. It does little, so that the machine is left to what is measured.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Method, Request, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// A request that can be sent again and again.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) path: String,
    pub(crate) token: Option<String>,
    pub(crate) content_type: &'static str,
    pub(crate) body: Bytes,
}

impl Call {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), token: None, content_type: "", body: Bytes::new() }
    }

    /// A procedure with JSON input.
    pub(crate) fn post(nsid: &str, token: Option<&str>, input: &Value) -> Self {
        Self {
            method: Method::POST,
            path: format!("/xrpc/{nsid}"),
            token: token.map(str::to_owned),
            content_type: "application/json",
            body: input.to_string().into(),
        }
    }
}

pub(crate) struct Client {
    address: SocketAddr,
    sender: SendRequest<Full<Bytes>>,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self> {
        Ok(Self { address, sender: open(address).await? })
    }

    /// Sends and reads the answer to its end. Answers its length; fails unless the status is 200.
    pub(crate) async fn send(&mut self, call: Call) -> Result<u64> {
        let mut length = 0;
        let refusal = self.exchange(call, |chunk| length += chunk.len() as u64).await?;
        refusal.map_or(Ok(length), Err)
    }

    /// As [`Self::send`], and keeps the answer.
    pub(crate) async fn json(&mut self, call: Call) -> Result<Value> {
        let mut body = BytesMut::new();
        let refusal = self.exchange(call, |chunk| body.extend_from_slice(&chunk)).await?;
        match refusal {
            Some(refusal) => Err(refusal),
            None => serde_json::from_slice(&body).context("the answer is not JSON"),
        }
    }

    pub(crate) async fn get(&mut self, path: &str, token: Option<&str>) -> Result<u64> {
        self.send(Call { token: token.map(str::to_owned), ..Call::get(path) }).await
    }

    /// `Some` is the server's refusal, after which the connection still serves.
    async fn exchange(&mut self, call: Call, mut chunk: impl FnMut(Bytes)) -> Result<Option<anyhow::Error>> {
        if self.sender.is_closed() || self.sender.ready().await.is_err() {
            self.sender = open(self.address).await?;
            self.sender.ready().await?;
        }
        let path = call.path.clone();
        let response = self.sender.send_request(request(self.address, call)?).await.context("send the request")?;
        let status = response.status();
        let mut body = response.into_body();
        let mut refusal = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.context("read the answer")?.into_data() else { continue };
            if status.as_u16() == 200 { chunk(data) } else { refusal.extend_from_slice(&data) }
        }
        if status.as_u16() == 200 {
            return Ok(None);
        }
        Ok(Some(anyhow::anyhow!("{path}: {status}: {}", String::from_utf8_lossy(&refusal))))
    }
}

async fn open(address: SocketAddr) -> Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await.with_context(|| format!("connect to {address}"))?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the sender. What goes wrong shows at the sender too.
    tokio::spawn(connection);
    Ok(sender)
}

fn request(address: SocketAddr, call: Call) -> Result<Request<Full<Bytes>>> {
    let mut request = Request::builder().method(call.method).uri(call.path).header(header::HOST, address.to_string());
    if let Some(token) = call.token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    if !call.content_type.is_empty() {
        request = request.header(header::CONTENT_TYPE, call.content_type);
    }
    request.body(Full::new(call.body)).context("build a request")
}
