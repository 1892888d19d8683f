//! One HTTP connection, kept open; one request at a time. It does little, so that the machine is left to what is measured.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Method, Request, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpSocket;

/// A request that can be sent again and again.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) path: String,
    /// The value of the header `Authorization`.
    pub(crate) authorization: Option<String>,
    pub(crate) content_type: &'static str,
    /// Whether the answer may be compressed.
    pub(crate) gzip: bool,
    pub(crate) body: Bytes,
}

impl Call {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            authorization: None,
            content_type: "",
            gzip: false,
            body: Bytes::new(),
        }
    }

    /// A procedure with JSON input.
    pub(crate) fn post(nsid: &str, token: Option<&str>, input: &Value) -> Self {
        Self {
            method: Method::POST,
            path: format!("/xrpc/{nsid}"),
            authorization: token.map(|token| format!("Bearer {token}")),
            content_type: "application/json",
            gzip: false,
            body: input.to_string().into(),
        }
    }
}

pub(crate) struct Client {
    address: SocketAddr,
    /// This client's own address, unless the system chooses one.
    source: Option<Ipv4Addr>,
    sender: SendRequest<Full<Bytes>>,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self> {
        Ok(Self { address, source: None, sender: open(address, None).await? })
    }

    /// As [`Self::connect`], from an address of this machine.
    pub(crate) async fn connect_from(source: Ipv4Addr, address: SocketAddr) -> Result<Self> {
        Ok(Self { address, source: Some(source), sender: open(address, Some(source)).await? })
    }

    /// Sends and reads the answer to its end. Answers its length; fails unless the status is 200.
    pub(crate) async fn send(&mut self, call: Call) -> Result<u64> {
        let mut length = 0;
        let refusal = self.exchange(call, |chunk| length += chunk.len() as u64).await?;
        refusal.map_or(Ok(length), |refusal| Err(refusal.into()))
    }

    /// Sends and reads the answer to its end; the answer's status, whichever it is.
    pub(crate) async fn status(&mut self, call: Call) -> Result<u16> {
        Ok(self.exchange(call, |_| ()).await?.map_or(200, |refusal| refusal.status))
    }

    /// As [`Self::send`], and keeps the answer.
    pub(crate) async fn json(&mut self, call: Call) -> Result<Value> {
        let mut body = BytesMut::new();
        let refusal = self.exchange(call, |chunk| body.extend_from_slice(&chunk)).await?;
        match refusal {
            Some(refusal) => Err(refusal.into()),
            None => serde_json::from_slice(&body).context("the answer is not JSON"),
        }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<u64> {
        self.send(Call::get(path)).await
    }

    /// `Some` is the server's refusal, after which the connection still serves.
    async fn exchange(&mut self, call: Call, mut chunk: impl FnMut(Bytes)) -> Result<Option<Refusal>> {
        if self.sender.is_closed() || self.sender.ready().await.is_err() {
            self.sender = open(self.address, self.source).await?;
            self.sender.ready().await?;
        }
        let path = call.path.clone();
        let response = self.sender.send_request(request(self.address, call)?).await.context("send the request")?;
        let status = response.status().as_u16();
        let mut body = response.into_body();
        let mut refusal = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.context("read the answer")?.into_data() else { continue };
            if status == 200 { chunk(data) } else { refusal.extend_from_slice(&data) }
        }
        if status == 200 {
            return Ok(None);
        }
        Ok(Some(Refusal { path, status, body: String::from_utf8_lossy(&refusal).into_owned() }))
    }
}

/// An answer other than 200.
#[derive(Debug)]
struct Refusal {
    path: String,
    status: u16,
    body: String,
}

impl From<Refusal> for anyhow::Error {
    fn from(Refusal { path, status, body }: Refusal) -> Self {
        anyhow::anyhow!("{path}: {status}: {body}")
    }
}

async fn open(address: SocketAddr, source: Option<Ipv4Addr>) -> Result<SendRequest<Full<Bytes>>> {
    let socket = TcpSocket::new_v4()?;
    if let Some(source) = source {
        socket.bind((source, 0).into())?;
    }
    let stream = socket.connect(address).await.with_context(|| format!("connect to {address}"))?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the sender. What goes wrong shows at the sender too.
    tokio::spawn(connection);
    Ok(sender)
}

fn request(address: SocketAddr, call: Call) -> Result<Request<Full<Bytes>>> {
    let mut request = Request::builder().method(call.method).uri(call.path).header(header::HOST, address.to_string());
    if let Some(authorization) = call.authorization {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    if call.gzip {
        request = request.header(header::ACCEPT_ENCODING, "gzip");
    }
    if !call.content_type.is_empty() {
        request = request.header(header::CONTENT_TYPE, call.content_type);
    }
    request.body(Full::new(call.body)).context("build a request")
}
