//! The S3 server of the tests, as its administrator sees it.

use std::net::SocketAddr;
use std::sync::Arc;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Builder, Credentials, Region};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::harness::variable;
use super::wait::PATIENCE;

pub(crate) fn admin() -> Client {
    let (id, secret) = (variable("AURORA_TEST_S3_ACCESS_KEY"), variable("AURORA_TEST_S3_SECRET_KEY"));
    client(&id, &secret)
}

/// A client with any credential.
pub(crate) fn client(id: &str, secret: &str) -> Client {
    let keys = Credentials::new(id, secret, None, None, "test");
    let config = Builder::new().behavior_version(BehaviorVersion::latest()).region(Region::new("us-east-1"));
    let config = config.endpoint_url(variable("AURORA_TEST_S3_ENDPOINT")).credentials_provider(keys);
    Client::from_conf(config.force_path_style(true).build())
}

pub(crate) async fn put(bucket: &str, key: &str) {
    admin().put_object().bucket(bucket).key(key).body(b"bytes".to_vec().into()).send().await.unwrap();
}

pub(crate) async fn exists(bucket: &str) -> bool {
    admin().head_bucket().bucket(bucket).send().await.is_ok()
}

/// Whether the user of a bucket is there: the server knows the key, whatever the signature is worth.
pub(crate) async fn user_exists(bucket: &str) -> bool {
    use aws_sdk_s3::error::ProvideErrorMetadata;
    let answer = client(bucket, "wrong").list_buckets().send().await;
    answer.unwrap_err().code() != Some("InvalidAccessKeyId")
}

/// Deletes a bucket with what is in it, other than versions.
pub(crate) async fn delete(bucket: &str) {
    let admin = admin();
    for object in admin.list_objects_v2().bucket(bucket).send().await.unwrap().contents() {
        admin.delete_object().bucket(bucket).key(object.key().unwrap()).send().await.unwrap();
    }
    admin.delete_bucket().bucket(bucket).send().await.unwrap();
}

/// Another address of the S3 server, that can be away.
pub(crate) struct Door {
    address: SocketAddr,
    open: Option<JoinHandle<()>>,
}

impl Door {
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { address, open: Some(tokio::spawn(pass(listener))) }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends every connection and takes no other.
    pub(crate) async fn close(&mut self) {
        if let Some(open) = self.open.take() {
            open.abort();
            open.await.ok();
        }
    }

    pub(crate) async fn open_again(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.open = Some(tokio::spawn(pass(listener)));
    }
}

/// Host and port of the S3 server.
fn server() -> String {
    variable("AURORA_TEST_S3_ENDPOINT").trim_start_matches("http://").trim_end_matches('/').to_owned()
}

async fn pass(listener: TcpListener) {
    let server = server();
    let mut connections = JoinSet::new();
    while let Ok((mut from, _)) = listener.accept().await {
        let server = server.clone();
        connections.spawn(async move {
            let mut to = TcpStream::connect(server).await.unwrap();
            tokio::io::copy_bidirectional(&mut from, &mut to).await.ok();
        });
    }
}

/// Another address of the S3 server. The answer to the first request with a certain text in its head is held until the test lets it go.
pub(crate) struct Pause {
    address: SocketAddr,
    asked: watch::Receiver<bool>,
    go: watch::Sender<bool>,
    open: JoinHandle<()>,
}

impl Pause {
    pub(crate) async fn before_the_answer_to(text: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, asked) = watch::channel(false);
        let (go, gone) = watch::channel(false);
        let text = text.as_bytes().to_vec();
        let open = tokio::spawn(async move {
            let server = server();
            let tell = Arc::new(tell);
            let mut connections = JoinSet::new();
            while let Ok((from, _)) = listener.accept().await {
                let to = TcpStream::connect(&server).await.unwrap();
                connections.spawn(hold(from, to, text.clone(), tell.clone(), gone.clone()));
            }
        });
        Self { address, asked, go, open }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits until the request came.
    pub(crate) async fn asked(&mut self) {
        let asked = tokio::time::timeout(PATIENCE, self.asked.wait_for(|asked| *asked)).await;
        asked.expect("the request does not come").unwrap();
    }

    pub(crate) fn let_go(&self) {
        self.go.send(true).unwrap();
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        self.open.abort();
    }
}

async fn hold(
    from: TcpStream,
    to: TcpStream,
    text: Vec<u8>,
    tell: Arc<watch::Sender<bool>>,
    mut gone: watch::Receiver<bool>,
) {
    let ((mut client, mut back), (mut answers, mut requests)) = (from.into_split(), to.into_split());
    let holds = watch::Sender::new(false);
    let mut held = holds.subscribe();
    let asks = async {
        let mut bytes = vec![0; 64 << 10];
        while let Ok(count @ 1..) = client.read(&mut bytes).await {
            let is_it = bytes[..count].windows(text.len()).any(|part| part == text);
            // The first one alone.
            if is_it && tell.send_if_modified(|asked| !std::mem::replace(asked, true)) {
                holds.send_replace(true);
            }
            if requests.write_all(&bytes[..count]).await.is_err() {
                return;
            }
        }
    };
    let answers = async {
        let mut bytes = vec![0; 64 << 10];
        while let Ok(count @ 1..) = answers.read(&mut bytes).await {
            if *held.borrow_and_update() {
                gone.wait_for(|gone| *gone).await.ok();
            }
            if back.write_all(&bytes[..count]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! { () = asks => {} () = answers => {} }
}
