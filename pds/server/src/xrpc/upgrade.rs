//! Requests that ask for a websocket.

use axum::{
    body::Body,
    extract::{FromRequest, Request},
    http::Method,
    response::Response,
};
use hyper::upgrade::OnUpgrade;
use hyper_tungstenite::{HyperWebsocket, is_upgrade_request, tungstenite::protocol::WebSocketConfig};

use super::{Socket, XrpcError};
use crate::rate_limit::{self, Connection};

/// Maximum size of a message from a client. Such messages mean nothing so far.
const MAX_INCOMING_BYTES: usize = 4 * 1024;
/// Answers to pings that a client has not read. A client with more is disconnected.
const MAX_UNREAD_BYTES: usize = 64 * 1024;

/// A request that asks for a socket.
pub struct Upgrade {
    answer: Response,
    socket: HyperWebsocket,
    /// Keeps the connection open although no request on it makes progress.
    keep_open: Option<rate_limit::Socket>,
}

impl<S: Send + Sync> FromRequest<S> for Upgrade {
    type Rejection = XrpcError;

    async fn from_request(mut request: Request, _: &S) -> Result<Self, XrpcError> {
        let can_upgrade = request.method() == Method::GET && request.extensions().get::<OnUpgrade>().is_some();
        if !can_upgrade || !is_upgrade_request(&request) {
            return Err(XrpcError::invalid(
                "this method answers over a websocket: Connection must be upgrade, Upgrade websocket",
            ));
        }
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_INCOMING_BYTES))
            .max_frame_size(Some(MAX_INCOMING_BYTES))
            .read_buffer_size(MAX_INCOMING_BYTES)
            .write_buffer_size(MAX_INCOMING_BYTES)
            .max_write_buffer_size(MAX_UNREAD_BYTES);
        let (answer, socket) = hyper_tungstenite::upgrade(&mut request, Some(config))
            .map_err(|error| XrpcError::invalid(error.to_string()))?;
        let keep_open = request.extensions().get::<Connection>().map(Connection::socket);
        Ok(Self { answer: answer.map(|_| Body::empty()), socket, keep_open })
    }
}

impl Upgrade {
    /// The answer to the request. Once the client has received it, `work` gets the socket, on a task of its own.
    pub fn then<F: Future<Output = ()> + Send>(self, work: impl FnOnce(Socket) -> F + Send + 'static) -> Response {
        let (socket, keep_open) = (self.socket, self.keep_open);
        tokio::spawn(async move {
            let _keep_open = keep_open;
            match socket.await {
                Ok(stream) => work(Socket::new(stream)).await,
                Err(error) => tracing::debug!("the upgrade of a request to a websocket failed: {error}"),
            }
        });
        self.answer
    }
}
