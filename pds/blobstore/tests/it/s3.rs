//! Properties of the S3 store only.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use pds_blobstore::{BlobKey, BlobStore, Error, Link, PART_BYTES, S3, S3Checksum, S3Options};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::harness::{bucket, pattern};

#[tokio::test]
async fn a_cut_upload_leaves_neither_parts_nor_object() {
    let bucket = bucket().await;
    let store = S3::connect(bucket.options.clone()).await;
    let mut upload = store.begin(&BlobKey::random()).await.unwrap();
    upload.write(pattern(PART_BYTES * 3)).await.unwrap();
    assert_eq!(bucket.uploads().await, 1);
    drop(upload);
    bucket.wait_until_empty().await;
}

#[tokio::test]
async fn a_cut_upload_is_aborted_only_after_the_part_under_way() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (seen, mut requests) = tokio::sync::mpsc::unbounded_channel();
    let answer_part = Arc::new(Notify::new());
    let may_answer = answer_part.clone();
    let server = tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let (seen, may_answer) = (seen.clone(), may_answer.clone());
            tokio::spawn(async move {
                let mut socket = BufStream::new(socket);
                while let Some((line, length)) = head(&mut socket).await {
                    let mut body = (&mut socket).take(length);
                    tokio::io::copy(&mut body, &mut tokio::io::sink()).await.unwrap();
                    let method = line.split(' ').next().unwrap().to_owned();
                    seen.send(method.clone()).unwrap();
                    if method == "PUT" {
                        may_answer.notified().await;
                    }
                    let body =
                        "<InitiateMultipartUploadResult><UploadId>one</UploadId></InitiateMultipartUploadResult>";
                    let answer = match method.as_str() {
                        "POST" => format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
                        "PUT" => "HTTP/1.1 200 OK\r\nETag: \"part\"\r\nContent-Length: 0\r\n\r\n".to_owned(),
                        _ => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
                    };
                    socket.write_all(answer.as_bytes()).await.unwrap();
                    socket.flush().await.unwrap();
                }
            });
        }
    });
    let mut options = bucket().await.options;
    options.endpoint = Some(endpoint.parse().unwrap());
    let store = S3::connect(options).await;
    let mut upload = store.begin(&BlobKey::random()).await.unwrap();
    upload.write(pattern(PART_BYTES + 1)).await.unwrap();
    assert_eq!((requests.recv().await, requests.recv().await), (Some("POST".to_owned()), Some("PUT".to_owned())));
    drop(upload);
    // The abort would come at once.
    assert!(tokio::time::timeout(Duration::from_millis(300), requests.recv()).await.is_err());
    answer_part.notify_one();
    assert_eq!(requests.recv().await, Some("DELETE".to_owned()));
    server.abort();
}

/// The request line and the length of the body. `None` at the end of the connection.
async fn head(socket: &mut BufStream<TcpStream>) -> Option<(String, u64)> {
    let (mut first, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if socket.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            return Some((first, length));
        }
        if first.is_empty() {
            first = line.to_owned();
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
}

#[tokio::test]
async fn a_finish_that_nobody_waits_for_leaves_nothing() {
    let bucket = bucket().await;
    let store = S3::connect(bucket.options.clone()).await;
    for length in [1_000, PART_BYTES * 2] {
        let mut upload = store.begin(&BlobKey::random()).await.unwrap();
        upload.write(pattern(length)).await.unwrap();
        let finish = tokio::time::timeout(Duration::from_micros(200), upload.finish()).await;
        assert!(finish.is_err(), "finished before it could be dropped");
        bucket.wait_until_empty().await;
    }
}

#[tokio::test]
async fn small_objects_take_one_request() {
    let bucket = bucket().await;
    let store = S3::connect(bucket.options.clone()).await;
    let mut upload = store.begin(&BlobKey::random()).await.unwrap();
    upload.write(pattern(PART_BYTES)).await.unwrap();
    assert_eq!(bucket.uploads().await, 0);
    upload.finish().await.unwrap();
    assert_eq!(bucket.objects().await.len(), 1);
}

#[tokio::test]
async fn a_sweep_aborts_old_uploads_only() {
    let bucket = bucket().await;
    let store = S3::connect(bucket.options.clone()).await;
    let create = bucket.client.create_multipart_upload().bucket(&bucket.options.bucket).key("left-behind-by-a-kill");
    create.send().await.unwrap();
    assert_eq!(store.sweep(SystemTime::now() - Duration::from_secs(3600)).await.unwrap(), 0);
    assert_eq!(store.sweep(SystemTime::now() + Duration::from_secs(3600)).await.unwrap(), 1);
    assert_eq!(bucket.uploads().await, 0);
}

/// The operator stores its mark of ownership there.
#[tokio::test]
async fn a_sweep_leaves_alone_what_is_not_a_blob() {
    let bucket = bucket().await;
    let store = S3::connect(bucket.options.clone()).await;
    let name = &bucket.options.bucket;
    let mark =
        bucket.client.put_object().bucket(name).key(".aurora-locus/owner").body(Bytes::from_static(b"{}").into());
    mark.send().await.unwrap();
    for key in [".aurora-locus/archive", "folder/left-behind-by-a-kill", "left-behind-by-a-kill"] {
        bucket.client.create_multipart_upload().bucket(name).key(key).send().await.unwrap();
    }
    assert_eq!(store.sweep(SystemTime::now() + Duration::from_secs(3600)).await.unwrap(), 1);
    assert_eq!((bucket.uploads().await, bucket.objects().await), (2, vec![".aurora-locus/owner".to_owned()]));
}

#[tokio::test]
async fn wrong_keys_and_missing_buckets_are_not_healthy() {
    let bucket = bucket().await;
    let mut options = bucket.options.clone();
    options.bucket = "blobstore-that-nobody-made".into();
    let error = S3::connect(options).await.health().await.unwrap_err();
    assert!(error.to_string().contains("blobstore-that-nobody-made"), "{error}");

    let mut options = bucket.options.clone();
    options.credentials.as_mut().unwrap().secret_access_key = "wrong".into();
    let store = S3::connect(options).await;
    assert!(store.health().await.unwrap_err().is_unavailable());
    assert!(store.put(&BlobKey::random(), Bytes::from_static(b"no")).await.is_err());
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let silent = tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((socket, _)) = listener.accept().await {
            open.push(socket);
        }
    });
    let mut options = bucket().await.options;
    options.endpoint = Some(format!("http://{address}").parse().unwrap());
    options.request_timeout = Duration::from_millis(200);
    options.upload_timeout = Duration::from_millis(300);
    let store = S3::connect(options).await;
    assert!(matches!(store.health().await, Err(Error::TimedOut { .. })));
    assert!(matches!(store.put(&BlobKey::random(), pattern(10)).await, Err(Error::TimedOut { .. })));
    silent.abort();
}

/// The test runs itself again with the environment that AWS sets in a pod, because a process cannot safely change its own.
#[tokio::test]
async fn without_keys_the_aws_environment_gives_them() {
    const CHILD: &str = "AURORA_TEST_S3_CHILD_BUCKET";
    let Ok(name) = std::env::var(CHILD) else {
        let bucket = bucket().await;
        let variable = |name: &str| std::env::var(name).unwrap();
        let status = tokio::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "s3::without_keys_the_aws_environment_gives_them"])
            .env(CHILD, &bucket.options.bucket)
            .env("AWS_ENDPOINT_URL", variable("AURORA_TEST_S3_ENDPOINT"))
            .env("AWS_ACCESS_KEY_ID", variable("AURORA_TEST_S3_ACCESS_KEY"))
            .env("AWS_SECRET_ACCESS_KEY", variable("AURORA_TEST_S3_SECRET_KEY"))
            .env("AWS_REGION", "us-east-1")
            .status();
        assert!(status.await.unwrap().success());
        assert_eq!(bucket.objects().await.len(), 2);
        return;
    };
    let timeout = Duration::from_secs(20);
    let options = S3Options {
        bucket: name,
        region: None,
        endpoint: None,
        public_endpoint: None,
        force_path_style: true,
        checksum: S3Checksum::WhenRequired,
        credentials: None,
        ca_bundle: None,
        upload_timeout: timeout,
        request_timeout: timeout,
        upload_memory_bytes: 16 << 20,
    };
    let store = S3::connect(options).await;
    for length in [10, PART_BYTES * 2 + 1] {
        let key = BlobKey::random();
        store.put(&key, pattern(length)).await.unwrap();
        assert!(store.get(&key, None).await.unwrap().bytes().await.unwrap() == pattern(length));
    }
}

/// Some servers refuse checksums that the protocol does not require.
#[tokio::test]
async fn checksums_are_sent_as_configured() {
    for (checksum, sent) in [(S3Checksum::WhenRequired, false), (S3Checksum::WhenSupported, true)] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let options = S3Options { endpoint: Some(endpoint), checksum, ..bucket().await.options };
        let request = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.windows(4).any(|window| window == b"\r\n\r\n") {
                let mut piece = [0; 4096];
                let count = socket.read(&mut piece).await.unwrap();
                head.extend_from_slice(&piece[..count]);
            }
            socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\netag: \"x\"\r\n\r\n").await.unwrap();
            String::from_utf8_lossy(&head).to_ascii_lowercase()
        });
        S3::connect(options).await.put(&BlobKey::random(), pattern(10)).await.unwrap();
        let head = request.await.unwrap();
        assert!(head.starts_with("put /blobstore-"), "{head}");
        assert_eq!(head.contains("x-amz-checksum-crc32"), sent, "{head}");
        assert_eq!(head.contains("x-amz-sdk-checksum"), sent, "{head}");
    }
}

const LINK: Link<'_> = Link {
    content_type: "image/png",
    content_disposition: "attachment; filename=\"cat\"",
    cache_control: "private, max-age=300",
    valid: Duration::from_secs(300),
};

#[tokio::test]
async fn a_link_gives_everybody_the_object_with_the_headers_asked_for() {
    for checksum in [S3Checksum::WhenRequired, S3Checksum::WhenSupported] {
        let store = S3::connect(S3Options { checksum, ..bucket().await.options }).await;
        let key = BlobKey::random();
        store.put(&key, pattern(100)).await.unwrap();
        let link = store.link(&key, &LINK).await.unwrap().unwrap();
        assert!(link.as_str().contains("X-Amz-Expires=300&"), "{link}");
        assert!(link.as_str().contains("X-Amz-SignedHeaders=host&"), "{link}");

        let answer = reqwest::get(link.clone()).await.unwrap();
        assert_eq!(answer.status(), 200);
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), LINK.content_type);
        assert_eq!(header("content-disposition"), LINK.content_disposition);
        assert_eq!(header("cache-control"), LINK.cache_control);
        assert_eq!(answer.bytes().await.unwrap(), pattern(100));

        let part = reqwest::Client::new().get(link).header("range", "bytes=5-9").send().await.unwrap();
        assert_eq!(part.status(), 206);
        assert_eq!(part.bytes().await.unwrap(), pattern(100).slice(5..10));
    }
}

#[tokio::test]
async fn a_link_names_the_server_as_clients_reach_it_and_serves_nothing_else() {
    let options = bucket().await.options;
    let public = "https://blobs.example.com".parse().ok();
    let store = S3::connect(S3Options { public_endpoint: public, ..options.clone() }).await;
    let key = BlobKey::random();
    let link = store.link(&key, &LINK).await.unwrap().unwrap();
    assert!(link.as_str().starts_with(&format!("https://blobs.example.com/{}/{key}?", options.bucket)), "{link}");

    let store = S3::connect(options).await;
    let other = BlobKey::random();
    store.put(&other, pattern(10)).await.unwrap();
    let link = store.link(&key, &LINK).await.unwrap().unwrap();
    assert_eq!(reqwest::get(link.clone()).await.unwrap().status(), 404);
    let tampered = link.as_str().replace(key.as_str(), other.as_str());
    assert_eq!(reqwest::get(tampered).await.unwrap().status(), 403);
}

#[tokio::test]
async fn uploads_share_a_memory_budget() {
    let store = S3::connect(S3Options { upload_memory_bytes: 2 * PART_BYTES, ..bucket().await.options }).await;
    let (mut first, mut second) =
        (store.begin(&BlobKey::random()).await.unwrap(), store.begin(&BlobKey::random()).await.unwrap());
    first.write(pattern(PART_BYTES)).await.unwrap();
    second.write(pattern(PART_BYTES)).await.unwrap();
    let key = BlobKey::random();
    let mut third = store.begin(&key).await.unwrap();
    {
        let mut blocked = third.write(pattern(1));
        assert!(futures::poll!(&mut blocked).is_pending());
        first.finish().await.unwrap();
        blocked.await.unwrap();
    }
    third.finish().await.unwrap();
    assert!(store.exists(&key).await.unwrap());
}
