//! An app view that answers every query at once, in the driver's process.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, header};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub(crate) const DID: &str = "did:web:appview.example.com";
/// Posts in a feed: a page as apps ask for it.
const POSTS: usize = 50;

/// Starts it; it lasts as long as the driver.
pub(crate) async fn start() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let feed = Bytes::from(feed().to_string());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            let feed = feed.clone();
            let service = service_fn(move |request| answer(request, feed.clone()));
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    Ok(address)
}

/// A feed. The revision that it says to know of the caller's repository is the parameter `rev` of the query.
async fn answer(request: Request<Incoming>, feed: Bytes) -> Result<Response<Full<Bytes>>, Infallible> {
    let rev = request.uri().query().and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("rev=")));
    let mut response = Response::builder().header(header::CONTENT_TYPE, "application/json; charset=utf-8");
    if let Some(rev) = rev {
        response = response.header("atproto-repo-rev", rev);
    }
    let _ = request.into_body().collect().await;
    Ok(response.body(Full::new(feed)).unwrap_or_default())
}

fn feed() -> Value {
    let post = |number: usize| {
        let did = format!("did:plc:{number:024}");
        let time = format!("2026-01-01T00:{:02}:00.000Z", 59 - number);
        json!({"post": {
            "uri": format!("at://{did}/app.bsky.feed.post/{number}"),
            "cid": "bafyreiclp443lavogvhj3d2ob2cxbfuscni2k5jk7bebjzg7khl3esabwq",
            "author": {
                "did": did, "handle": format!("user{number}.example.com"), "displayName": format!("User {number}"),
                "avatar": "https://cdn.example.com/img/avatar/plain/bafkreiclp443lavogvhj3d2ob2cxbfuscni2k5jk7bebjzg7khl3esabwq@jpeg",
                "labels": [], "createdAt": time,
            },
            "record": {"$type": "app.bsky.feed.post", "createdAt": time, "langs": ["en"], "text": "Some words that a person may write. ".repeat(4)},
            "replyCount": 1, "repostCount": 2, "likeCount": 3, "quoteCount": 0, "indexedAt": time, "labels": [],
        }})
    };
    json!({"feed": (0..POSTS).map(post).collect::<Vec<_>>(), "cursor": "2026-01-01T00:00:00.000Z"})
}
