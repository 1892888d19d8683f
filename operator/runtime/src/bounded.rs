//! Bounds what one answer of the API server may cost: time, and bytes.
//!
//! Without this an answer that never ends holds what waits for it, and an answer without an end is collected in memory. Watches have no end,
//! and lists have as many objects as there are: they are read piece by piece elsewhere, and pass. Of a watch each line is bounded.
//!
//! Of an object that is longer than it may be only the identity comes through, in a watch as in an answer about this object alone. It has no labels,
//! annotations and owners then, so that it counts as somebody else's.

use std::time::Duration;

use futures::{StreamExt, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::{Method, Request, Response};
use kube::Client;
use kube::client::Body;
use tower::{BoxError, service_fn};

/// Time limit of one answer, from the request to its last byte.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Maximum length of an object of a built-in kind, in bytes. What etcd stores in 1.5 MB can be 9 MB of JSON: built-in kinds are stored without the
/// escapes of JSON, and `<` is six bytes then. Each reader holds the text several times while it is parsed. Objects with as many annotations as they
/// may have are half as long as this.
const LONGEST: usize = 1 << 20;

/// The same for objects of custom resources, and for every other answer. They are stored as JSON, and never as long as this.
const LONGEST_CUSTOM: usize = 2 << 20;

/// The beginning of an object in which its identity is looked for, in bytes.
const HEAD: usize = 2 << 10;

type Answer = UnsyncBoxBody<Bytes, BoxError>;

/// The same client with both limits.
#[must_use]
pub fn bounded(client: Client) -> Client {
    let namespace = client.default_namespace().to_owned();
    let service = service_fn(move |request: Request<Body>| {
        let client = client.clone();
        async move {
            if !is_of_one_object(&request) {
                let is_watch =
                    request.uri().query().is_some_and(|query| query.split('&').any(|part| part == "watch=true"));
                let answer = client.send(request).await?;
                let whole = |body: Body| body.map_err(BoxError::from).boxed_unsync();
                return Ok::<_, BoxError>(if is_watch { answer.map(Lines::bound) } else { answer.map(whole) });
            }
            let answer = async {
                let (parts, body) = client.send(request).await?.into_parts();
                let bytes = object(body).await?;
                Ok(Response::from_parts(parts, Full::new(bytes).map_err(|never| match never {}).boxed_unsync()))
            };
            match tokio::time::timeout(LONGEST_WAIT, answer).await {
                Ok(answer) => answer,
                Err(_) => Err(format!("no whole answer within {} s", LONGEST_WAIT.as_secs()).into()),
            }
        }
    });
    Client::new(service, namespace)
}

/// The answer about one object, or only its identity.
async fn object(body: Body) -> Result<Bytes, BoxError> {
    let (mut pieces, mut text) = (Box::pin(body.into_data_stream()), Vec::new());
    while let Some(piece) = pieces.next().await {
        text.extend_from_slice(&piece?);
        if is_too_long(&text) {
            let identity = identity(&text, END_OF_OBJECT);
            return identity
                .map(Bytes::from)
                .ok_or_else(|| format!("an answer of more than {LONGEST_CUSTOM} bytes").into());
        }
    }
    Ok(text.into())
}

fn is_too_long(text: &[u8]) -> bool {
    text.len() > LONGEST_CUSTOM || (text.len() > LONGEST && begins_with_name(text))
}

/// Lets the lines of a watch pass, and of a line that is too long only the identity of its object.
#[derive(Default)]
struct Lines {
    /// What has come of the line so far.
    line: Vec<u8>,
    /// Whether the rest of the line is left out.
    skips: bool,
}

impl Lines {
    fn bound(body: Body) -> Answer {
        let begin = (Box::pin(body.into_data_stream()), Self::default());
        let pieces = stream::unfold(begin, |(mut pieces, mut lines)| async move {
            loop {
                match pieces.next().await? {
                    Err(error) => return Some((Err(BoxError::from(error)), (pieces, lines))),
                    Ok(piece) => {
                        let whole = lines.push(&piece);
                        if !whole.is_empty() {
                            return Some((Ok(Frame::data(Bytes::from(whole))), (pieces, lines)));
                        }
                    }
                }
            }
        });
        StreamBody::new(pieces).boxed_unsync()
    }

    /// The lines that end in a piece of the answer.
    fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        let mut whole = Vec::new();
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            let ends = part.ends_with(b"\n");
            if !self.skips {
                self.line.extend_from_slice(part);
                if is_too_long(&self.line) {
                    self.skips = true;
                    whole.extend(identity(&self.line, END_OF_EVENT).unwrap_or_default());
                    self.line = Vec::new();
                }
            }
            if ends {
                whole.append(&mut self.line);
                self.skips = false;
            }
        }
        whole
    }
}

/// How the metadata of built-in kinds begins. That of custom resources has its fields in the order of the alphabet.
const NAME_FIRST: &str = "\"metadata\":{\"name\":\"";

fn begins_with_name(text: &[u8]) -> bool {
    String::from_utf8_lossy(&text[..text.len().min(HEAD)]).contains(NAME_FIRST)
}

/// The ends of the metadata and of the object, and of the event around it in a line of a watch.
const END_OF_OBJECT: &str = "}}";
const END_OF_EVENT: &str = "}}}\n";

/// An object without what comes after the resource version: of built-in kinds the API server writes it after name, namespace and UID, which it has
/// checked, and before everything that has no bound.
fn identity(text: &[u8], end_of_text: &str) -> Option<Vec<u8>> {
    const VERSION: &str = "\"resourceVersion\":\"";
    let head = String::from_utf8_lossy(&text[..text.len().min(HEAD)]);
    let metadata = head.find(NAME_FIRST)?;
    let begin = metadata + head[metadata..].find(VERSION)? + VERSION.len();
    let end = begin + head[begin..].find('"')? + 1;
    Some([&head[..end], end_of_text].concat().into_bytes())
}

/// Whether the answer is about one object: every write, and a read that names what it reads. Lists and watches have a query.
fn is_of_one_object(request: &Request<Body>) -> bool {
    request.method() != Method::GET || request.uri().query().is_none_or(str::is_empty)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Secret;
    use kube::api::{Api, WatchParams};

    use super::*;

    fn secrets() -> (Api<Secret>, tower_test::mock::Handle<Request<Body>, Response<Answer>>) {
        let (service, handle) = tower_test::mock::pair();
        (Api::namespaced(bounded(Client::new(service, "ns")), "ns"), handle)
    }

    /// An answer that begins and goes on for ever, a piece a second.
    fn endless(piece: &'static [u8]) -> Answer {
        let pieces = stream::repeat(piece).then(async |piece| {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(Frame::data(Bytes::from_static(piece)))
        });
        StreamBody::new(pieces).boxed_unsync()
    }

    async fn ends(body: Answer) -> String {
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
        assert!(ends(endless(&PIECE)).await.contains("an answer of more than 2"));
        assert!(began.elapsed() < Duration::from_secs(10), "not by time");
    }

    /// Each answer is in memory several times while it is read, and eight reconciliations of a namespace may read at once.
    #[tokio::test]
    async fn of_an_object_that_is_too_long_the_identity_is_the_answer() {
        let (api, mut handle) = secrets();
        let begin = r#"{"kind":"Secret","apiVersion":"v1","metadata":{"name":"a","namespace":"ns","uid":"u","resourceVersion":"7","#;
        let text = format!(r#"{begin}"labels":{{"a":"{}"}}}}}}"#, r"\u003c".repeat(1 << 20));
        let pieces: Vec<_> = text.as_bytes().chunks(65_536).map(Bytes::copy_from_slice).collect();
        let server = tokio::spawn(async move {
            let (_, send) = handle.next_request().await.unwrap();
            let pieces = stream::iter(pieces).map(|piece| Ok(Frame::data(piece)));
            send.send_response(Response::new(StreamBody::new(pieces).boxed_unsync()));
        });
        let metadata = api.get("a").await.unwrap().metadata;
        assert_eq!((metadata.name.as_deref(), metadata.uid.as_deref()), (Some("a"), Some("u")));
        assert_eq!((metadata.resource_version.as_deref(), metadata.labels), (Some("7"), None));
        server.await.unwrap();
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

    /// What is stored in 1.5 MB is up to 9 MB of JSON, and is in memory several times while it is read.
    #[tokio::test]
    async fn of_a_line_that_is_too_long_the_identity_comes_and_the_watch_goes_on() {
        let event = |name: &str, rest: &str| {
            let metadata = format!(r#""name":"{name}","namespace":"ns","uid":"u","resourceVersion":"7"{rest}"#);
            format!("{{\"type\":\"MODIFIED\",\"object\":{{\"kind\":\"Secret\",\"metadata\":{{{metadata}}}}}}}\n")
        };
        let long = event("long", &format!(r#","labels":{{"a":"{}"}}"#, r"\u003c".repeat(1 << 20)));
        let custom = format!(
            r#"{{"type":"MODIFIED","object":{{"metadata":{{"annotations":{{"resourceVersion":"1","a":"{}"#,
            "x".repeat(3 << 20)
        );
        let text = [event("before", ""), long, custom + "\n", event("after", r#","labels":{"a":"b"}"#)].concat();
        for size in [1_000, 65_536, text.len()] {
            let (api, mut handle) = secrets();
            let pieces: Vec<_> = text.as_bytes().chunks(size).map(Bytes::copy_from_slice).collect();
            let server = tokio::spawn(async move {
                let (_, send) = handle.next_request().await.unwrap();
                let pieces = stream::iter(pieces).map(|piece| Ok(Frame::data(piece)));
                send.send_response(Response::new(StreamBody::new(pieces).boxed_unsync()));
            });
            let events = api.watch(&WatchParams::default(), "0").await.unwrap();
            let seen: Vec<_> = events.map(|event| event.unwrap()).collect().await;
            let seen: Vec<_> = seen
                .into_iter()
                .map(|event| match event {
                    kube::api::WatchEvent::Modified(secret) => {
                        let metadata = secret.metadata;
                        (metadata.name.unwrap(), metadata.resource_version.unwrap(), metadata.labels.is_some())
                    }
                    other => unreachable!("{other:?}"),
                })
                .collect();
            let expected = [("before", false), ("long", false), ("after", true)];
            assert_eq!(seen, expected.map(|(name, labels)| (name.to_owned(), "7".to_owned(), labels)), "{size}");
            server.await.unwrap();
        }
    }
}
