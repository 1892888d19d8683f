//! The client of a request: its address behind trusted proxies, and its connection.

use std::{convert::Infallible, net::SocketAddr};

use axum::{
    extract::{ConnectInfo, FromRequestParts, Request, State},
    http::{HeaderName, request::Parts},
    middleware::Next,
    response::Response,
};

use crate::{
    app::App,
    rate_limit::{Client, client, subject},
    xrpc::HeldInput,
};

const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Leaves the client with the request, and frees the memory of its input when the answer is known.
pub async fn identify(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let proxies = &app.settings.service.trusted_proxies;
    let address = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| {
        let lines = request.headers().get_all(FORWARDED).iter().filter_map(|line| line.to_str().ok());
        client(peer.ip(), lines, proxies)
    });
    // An address of a proxy stands for many clients.
    let own = address.filter(|address| !proxies.iter().any(|network| network.contains(*address)));
    let subject = own.map(subject).unwrap_or_default().into();
    let connection = request.extensions().get().cloned();
    let held = HeldInput::default();
    let extensions = request.extensions_mut();
    extensions.insert(Client { subject, connection });
    extensions.insert(Address(address));
    extensions.insert(held.clone());
    let answer = next.run(request).await;
    held.release();
    answer
}

/// The address of the client, or of the nearest proxy if only that is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Address(pub(super) Option<std::net::IpAddr>);

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::of(&parts.extensions))
    }
}
