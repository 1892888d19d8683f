//! A web server with TLS and a DNS server for tests, both in this process.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use hickory_resolver::proto::{
    op::{Message, OpCode, ResponseCode},
    rr::{RData, Record, rdata::TXT},
};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use rustls::pki_types::PrivateKeyDer;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
};
use tokio_rustls::TlsAcceptor;

use crate::{Allow, Guard};

/// Short, because tests wait for it.
pub(crate) const TIMEOUT: Duration = Duration::from_millis(400);

/// A web server with a fixed response for each path.
pub(crate) struct Web {
    pub(crate) address: SocketAddr,
    certificate: reqwest::Certificate,
    /// The self-signed certificate.
    pub(crate) pem: String,
    requests: Arc<AtomicU32>,
}

impl Web {
    /// Serves `answers`, complete HTTP responses by path, under the name `host`. For an empty response, the request never ends.
    pub(crate) async fn start(host: &str, answers: &[(&str, String)]) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let own = rcgen::generate_simple_self_signed([host.to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
        let tls = rustls::ServerConfig::builder().with_no_client_auth();
        let tls = tls.with_single_cert(vec![own.cert.der().clone()], key).unwrap();
        let (acceptor, listener) = (TlsAcceptor::from(Arc::new(tls)), TcpListener::bind("127.0.0.1:0").await.unwrap());
        let address = listener.local_addr().unwrap();
        let answers: HashMap<_, _> =
            answers.iter().map(|(path, answer)| ((*path).to_owned(), answer.clone())).collect();
        let (answers, requests) = (Arc::new(answers), Arc::new(AtomicU32::new(0)));
        let count = requests.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(answer(acceptor.clone(), socket, answers.clone(), count.clone()));
            }
        });
        let certificate = reqwest::Certificate::from_der(own.cert.der()).unwrap();
        Self { address, certificate, pem: own.cert.pem(), requests }
    }

    /// A guard that trusts this server and resolves every host name to its address, which is loopback.
    pub(crate) fn guard(&self, allow: Allow) -> Guard {
        self.patient_guard(allow, TIMEOUT)
    }

    /// The same with another timeout.
    pub(crate) fn patient_guard(&self, allow: Allow, timeout: Duration) -> Guard {
        let builder = reqwest::Client::builder().tls_certs_only([self.certificate.clone()]);
        Guard::build(builder, Arc::new(Everywhere(self.address)), allow, timeout).unwrap()
    }

    /// Number of requests so far.
    pub(crate) fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }
}

/// A response with status 200 and a body.
pub(crate) fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

async fn answer(
    acceptor: TlsAcceptor,
    socket: TcpStream,
    answers: Arc<HashMap<String, String>>,
    count: Arc<AtomicU32>,
) -> Option<()> {
    let mut stream = acceptor.accept(socket).await.ok()?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    count.fetch_add(1, Ordering::Relaxed);
    let path = String::from_utf8(head).ok()?.split(' ').nth(1)?.to_owned();
    let missing = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned();
    let answer = answers.get(&path).unwrap_or(&missing);
    if answer.is_empty() {
        std::future::pending::<()>().await;
    }
    stream.write_all(answer.as_bytes()).await.ok()?;
    stream.shutdown().await.ok()
}

struct Everywhere(SocketAddr);

impl Resolve for Everywhere {
    fn resolve(&self, _: Name) -> Resolving {
        let address = self.0;
        Box::pin(async move { Ok(Box::new(std::iter::once(address)) as Addrs) })
    }
}

/// The TXT records of [`name_server`], by name with the final dot. Other names do not exist. The lookup of a name fails if its only text is
/// [`BROKEN`].
pub(crate) type Zone = Arc<Mutex<HashMap<String, Vec<String>>>>;

/// See [`Zone`].
pub(crate) const BROKEN: &str = "broken";

/// Serves `zone` over UDP until the test ends.
pub(crate) async fn name_server(zone: Zone) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut packet = [0; 1500];
        while let Ok((len, from)) = socket.recv_from(&mut packet).await {
            let query = Message::from_vec(&packet[..len]).unwrap();
            let asked = query.queries[0].clone();
            let mut answer = Message::response(query.metadata.id, OpCode::Query);
            answer.metadata.recursion_desired = true;
            answer.metadata.recursion_available = true;
            match zone.lock().unwrap().get(&asked.name().to_string()) {
                None => answer.metadata.response_code = ResponseCode::NXDomain,
                Some(texts) if *texts == [BROKEN] => answer.metadata.response_code = ResponseCode::ServFail,
                Some(texts) => {
                    for text in texts {
                        let text = RData::TXT(TXT::new(vec![text.clone()]));
                        answer.add_answer(Record::from_rdata(asked.name().clone(), 60, text));
                    }
                }
            }
            answer.add_query(asked);
            socket.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
        }
    });
    address
}

/// A DNS server that never responds. Ends when the socket is dropped.
pub(crate) async fn silent_name_server() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}
