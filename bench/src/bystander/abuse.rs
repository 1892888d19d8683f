//! What the abusers do. Each costs the driver little: what is sent was prepared before, answers are not read or thrown away, and requests have a pace.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::crowd::{AGAIN, Crowd, Member, head, hold, status};
use super::repository::{Repository, rkey};
use crate::client::Call;
use crate::fixture::{Account, POST};

/// What an import's file is read and sent in.
const PIECE: usize = 256 << 10;
/// The longest wait for the answer to an import.
const IMPORTED: Duration = Duration::from_secs(900);
/// Socket buffer of a client that reads little.
const SMALL: u32 = 8 << 10;
/// `admin` and the password of every target.
const ADMIN: &str = "Basic YWRtaW46YmVuY2htYXJrLWFkbWlu";

/// An account brings a repository. The task ends with the answer.
pub(super) fn import(crowd: &mut Crowd, account: Account, repository: Repository) {
    crowd.join(|member| async move { bring(&member, &account, &repository).await });
}

async fn bring(member: &Member, account: &Account, repository: &Repository) -> Result<()> {
    let beginning = repository.beginning(&account.did)?;
    let length = beginning.len() as u64 + repository.bytes;
    let rest = format!(
        "Authorization: Bearer {}\r\nContent-Type: application/vnd.ipld.car\r\nContent-Length: {length}\r\n",
        account.token
    );
    let mut stream = member.socket(SMALL).await?;
    stream.write_all(head("POST", "/xrpc/com.atproto.repo.importRepo", &rest).as_bytes()).await?;
    stream.write_all(&beginning).await?;
    let (mut file, mut piece) = (File::open(&repository.blocks).await?, vec![0; PIECE]);
    loop {
        let read = file.read(&mut piece).await?;
        // A server that refuses the rest has answered.
        if read == 0 || stream.write_all(&piece[..read]).await.is_err() {
            break;
        }
    }
    match timeout(IMPORTED, status(&mut stream)).await {
        Ok(Some(status)) => member.saw(&status.to_string()),
        Ok(None) => member.saw("broken off"),
        Err(_) => member.saw("no answer"),
    }
    Ok(())
}

/// 8 loops of proofs, each of at most 10 a second, from the repositories in turn: the server's memory does not hold them together.
pub(super) fn cold_proofs(crowd: &mut Crowd, repositories: &[(Account, usize)]) {
    let number = Arc::new(AtomicUsize::new(0));
    for _ in 0..8 {
        let (repositories, number) = (repositories.to_vec(), number.clone());
        crowd.join(|member| {
            member.repeat(Duration::from_millis(100), move |_| {
                let number = number.fetch_add(1, Ordering::Relaxed);
                let (account, records) = &repositories[number % repositories.len()];
                let (did, rkey) = (&account.did, rkey(number * 7919 % records));
                Call::get(format!("/xrpc/com.atproto.sync.getRecord?did={did}&collection={POST}&rkey={rkey}"))
            })
        });
    }
}

/// 48 exports of the repository at 20 kB/s each; whoever is refused or broken off comes again.
pub(super) fn slow_exports(crowd: &mut Crowd, did: &str) {
    for _ in 0..48 {
        let request = head("GET", &format!("/xrpc/com.atproto.sync.getRepo?did={did}"), "");
        crowd.join(|member| async move {
            loop {
                if let Some((mut stream, 200)) = member.ask(SMALL, &request).await {
                    let mut some = [0; 4096];
                    while stream.read(&mut some).await.is_ok_and(|read| read > 0) {
                        sleep(Duration::from_millis(200)).await;
                    }
                    member.saw("ended");
                }
                sleep(AGAIN).await;
            }
        });
    }
}

/// 20 new readers a second, each of which asks for the largest page and reads nothing of it.
pub(super) fn silent_readers(crowd: &mut Crowd, path: &str, length: Duration) {
    for number in 0..u32::try_from(length.as_secs() * 20).unwrap_or(u32::MAX) {
        let request = head("GET", path, "");
        crowd.join(|member| async move {
            sleep(Duration::from_millis(50) * number).await;
            loop {
                if let Some((stream, _)) = member.ask(SMALL, &request).await {
                    hold(stream, b"\r\n").await;
                    member.saw("ended");
                }
                sleep(AGAIN).await;
            }
        });
    }
}

/// 100 clients with wrong passwords for accounts that are there, each at most four times a second.
pub(super) fn login_flood(crowd: &mut Crowd, accounts: &[Account]) {
    for client in 0..100 {
        let input = json!({"identifier": accounts[client % accounts.len()].handle, "password": "wrong"});
        let call = Call::post("com.atproto.server.createSession", None, &input);
        crowd.join(|member| member.repeat(Duration::from_millis(250), move |_| call.clone()));
    }
}

/// 10 uploads of each account at once, which are 20 MB by their head. Half of them send a byte a second, half 9 KiB a second, which is a
/// little more than what the server asks for.
pub(super) fn dripping_uploads(crowd: &mut Crowd, accounts: &[Account]) {
    for number in 0..accounts.len() * 10 {
        let rest = format!(
            "Authorization: Bearer {}\r\nContent-Type: application/octet-stream\r\nContent-Length: 20000000\r\n",
            accounts[number / 10].token
        );
        let request = head("POST", "/xrpc/com.atproto.repo.uploadBlob", &rest);
        let drop = vec![b'x'; if number % 2 == 0 { 1 } else { 9 << 10 }];
        crowd.join(|member| async move {
            loop {
                match member.socket(SMALL).await {
                    Ok(stream) => drip(&member, stream, &request, &drop).await,
                    Err(_) => member.saw("no connection"),
                }
                sleep(AGAIN).await;
            }
        });
    }
}

async fn drip(member: &Member, mut stream: TcpStream, request: &str, drop: &[u8]) {
    if stream.write_all(request.as_bytes()).await.is_err() {
        return member.saw("broken off");
    }
    member.saw("begun");
    loop {
        // An answer that comes before the end of the upload is a refusal.
        if timeout(Duration::from_secs(1), stream.readable()).await.is_ok() {
            return match status(&mut stream).await {
                Some(status) => member.saw(&status.to_string()),
                None => member.saw("broken off"),
            };
        }
        if stream.write_all(drop).await.is_err() {
            return member.saw("broken off");
        }
    }
}

/// 1,000 subscribers that read nothing: half from the first event on, half from now on. Whoever is refused or dropped comes again.
pub(super) fn silent_followers(crowd: &mut Crowd) {
    const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n";
    /// An empty pong of a client, which nobody asked for and nobody answers.
    const PONG: &[u8] = &[0x8a, 0x80, 0, 0, 0, 0];
    for number in 0..1000 {
        let cursor = if number % 2 == 0 { "?cursor=0" } else { "" };
        let request = head("GET", &format!("/xrpc/com.atproto.sync.subscribeRepos{cursor}"), UPGRADE);
        crowd.join(|member| async move {
            loop {
                if let Some((stream, 101)) = member.ask(SMALL, &request).await {
                    hold(stream, PONG).await;
                    member.saw("ended");
                }
                sleep(AGAIN).await;
            }
        });
    }
}

/// 8 loops of takedowns and reinstatements, 200 a second together.
pub(super) fn takedown_storm(crowd: &mut Crowd, accounts: &[Account]) {
    for worker in 0..8 {
        let accounts: Vec<_> = accounts.iter().skip(worker).step_by(8).map(|account| account.did.clone()).collect();
        crowd.join(|member| {
            member.repeat(Duration::from_millis(40), move |number| {
                let (did, applied) = (&accounts[number / 2 % accounts.len()], number % 2 == 0);
                let input = json!({
                    "subject": {"$type": "com.atproto.admin.defs#repoRef", "did": did},
                    "takedown": {"applied": applied},
                });
                let call = Call::post("com.atproto.admin.updateSubjectStatus", None, &input);
                Call { authorization: Some(ADMIN.to_owned()), ..call }
            })
        });
    }
}

/// Brings a repository outside a measurement; what it was answered.
pub(super) async fn imported(address: SocketAddr, account: Account, repository: Repository) -> String {
    let mut crowd = Crowd::new(address);
    import(&mut crowd, account, repository);
    while crowd.tasks.join_next().await.is_some() {}
    crowd.answers.text()
}
