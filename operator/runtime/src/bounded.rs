//! Bounds what one answer of the API server may cost: time, and bytes.
//!
//! Without this an answer that never ends holds what waits for it, and an answer without an end is collected in memory. Watches have no end,
//! and lists have as many objects as there are: they are read piece by piece elsewhere, and pass.

use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::{Method, Request, Response};
use kube::Client;
use kube::client::Body;
use tower::{BoxError, service_fn};

/// Time limit of one answer, from the request to its last byte.
const LONGEST: Duration = Duration::from_secs(30);

/// Maximum number of bytes of one answer. The API server takes objects of up to 1.5 MB, with managed fields that can be as large again.
const MOST_BYTES: usize = 4 << 20;

/// The same client with both limits.
#[must_use]
pub fn bounded(client: Client) -> Client {
    let namespace = client.default_namespace().to_owned();
    let service = service_fn(move |request: Request<Body>| {
        let client = client.clone();
        async move {
            if !is_of_one_object(&request) {
                return client.send(request).await.map_err(BoxError::from);
            }
            let answer = async {
                let (parts, body) = client.send(request).await?.into_parts();
                let bytes = Limited::new(body, MOST_BYTES).collect().await?.to_bytes();
                Ok(Response::from_parts(parts, Body::from(bytes)))
            };
            match tokio::time::timeout(LONGEST, answer).await {
                Ok(answer) => answer,
                Err(_) => Err(format!("no whole answer within {} s", LONGEST.as_secs()).into()),
            }
        }
    });
    Client::new(service, namespace)
}

/// Whether the answer is about one object: every write, and a read that names what it reads. Lists and watches have a query.
fn is_of_one_object(request: &Request<Body>) -> bool {
    request.method() != Method::GET || request.uri().query().is_none_or(str::is_empty)
}

#[cfg(test)]
mod tests {
    use futures::{StreamExt, stream};
    use http_body_util::StreamBody;
    use http_body_util::combinators::UnsyncBoxBody;
    use hyper::body::{Bytes, Frame};
    use k8s_openapi::api::core::v1::Secret;
    use kube::api::{Api, WatchParams};

    use super::*;

    type Pieces = UnsyncBoxBody<Bytes, BoxError>;

    fn secrets() -> (Api<Secret>, tower_test::mock::Handle<Request<Body>, Response<Pieces>>) {
        let (service, handle) = tower_test::mock::pair();
        (Api::namespaced(bounded(Client::new(service, "ns")), "ns"), handle)
    }

    /// An answer that begins and goes on for ever, a piece a second.
    fn endless(piece: &'static [u8]) -> Pieces {
        let pieces = stream::repeat(piece).then(async |piece| {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(Frame::data(Bytes::from_static(piece)))
        });
        StreamBody::new(pieces).boxed_unsync()
    }

    async fn ends(body: Pieces) -> String {
        let (api, mut handle) = secrets();
        let server = tokio::spawn(async move {
            let (_, send) = handle.next_request().await.unwrap();
            send.send_response(Response::new(body));
        });
        let error = tokio::time::timeout(Duration::from_secs(60), api.get("a")).await.unwrap().unwrap_err();
        server.await.unwrap();
        error.to_string()
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_without_an_end_is_given_up_by_time_or_by_bytes() {
        static PIECE: [u8; 1 << 20] = [b' '; 1 << 20];
        assert!(ends(endless(b" ")).await.contains("no whole answer within 30 s"));
        let began = tokio::time::Instant::now();
        assert!(ends(endless(&PIECE)).await.contains("length limit exceeded"));
        assert!(began.elapsed() < Duration::from_secs(10), "not by time");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_without_an_answer_is_given_up() {
        let (api, _handle) = secrets();
        let error = tokio::time::timeout(Duration::from_secs(60), api.get("a")).await.unwrap().unwrap_err();
        assert!(error.to_string().contains("no whole answer within 30 s"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_watch_goes_on_for_as_long_as_it_does() {
        let (api, mut handle) = secrets();
        let server = tokio::spawn(async move {
            let (_, send) = handle.next_request().await.unwrap();
            send.send_response(Response::new(endless(
                b"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"a\"}}}\n",
            )));
        });
        let events = api.watch(&WatchParams::default(), "0").await.unwrap();
        assert_eq!(events.take(100).filter(|event| std::future::ready(event.is_ok())).count().await, 100);
        server.await.unwrap();
    }
}
