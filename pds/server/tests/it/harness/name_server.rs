//! A name server that knows one handle's DID.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::net::UdpSocket;

/// Answers every question for a TXT record with `did=...`, over UDP, until the test ends.
pub(crate) struct NameServer {
    pub(crate) address: SocketAddr,
    did: Arc<Mutex<String>>,
    /// Names that contain this text get no answer.
    silent: Arc<Mutex<Option<String>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl NameServer {
    pub(crate) async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (address, did) = (socket.local_addr().unwrap(), Arc::<Mutex<String>>::default());
        let (silent, asked) = (Arc::<Mutex<Option<String>>>::default(), Arc::<Mutex<Vec<String>>>::default());
        let (known, without, log) = (did.clone(), silent.clone(), asked.clone());
        tokio::spawn(async move {
            let mut packet = [0; 1500];
            while let Ok((len, from)) = socket.recv_from(&mut packet).await {
                let name = question(&packet[..len]);
                log.lock().unwrap().push(name.clone());
                if without.lock().unwrap().as_ref().is_some_and(|silent| name.contains(silent)) {
                    continue;
                }
                let text = format!("did={}", known.lock().unwrap());
                socket.send_to(&answer(&packet[..len], text.as_bytes()), from).await.unwrap();
            }
        });
        Self { address, did, silent, asked }
    }

    /// The DID of all handles from now on.
    pub(crate) fn set(&self, did: &str) {
        did.clone_into(&mut self.did.lock().unwrap());
    }

    /// Leaves questions for names with this text unanswered from now on.
    pub(crate) fn silence(&self, text: &str) {
        *self.silent.lock().unwrap() = Some(text.to_owned());
    }

    /// The different names with this text that were asked for.
    pub(crate) fn asked(&self, text: &str) -> usize {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|name| name.contains(text)).collect::<std::collections::BTreeSet<_>>().len()
    }
}

/// The name that a packet asks for, in lower case.
fn question(packet: &[u8]) -> String {
    let (mut at, mut name) = (12, String::new());
    while packet[at] != 0 {
        let end = at + 1 + usize::from(packet[at]);
        name.push_str(&String::from_utf8_lossy(&packet[at + 1..end]).to_lowercase());
        name.push('.');
        at = end;
    }
    name
}

/// One TXT record for the question of a packet. Source: RFC 1035, section 4.
fn answer(packet: &[u8], text: &[u8]) -> Vec<u8> {
    const HEADER: usize = 12;
    let mut end = HEADER;
    while packet[end] != 0 {
        end += 1 + usize::from(packet[end]);
    }
    let question = &packet[HEADER..end + 5];
    let mut out = packet[..2].to_vec();
    // A response without an error; one question and one answer.
    out.extend([0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
    out.extend(question);
    // The name of the question, TXT, IN, one minute.
    out.extend([0xc0, 0x0c, 0, 16, 0, 1, 0, 0, 0, 60]);
    let len = u8::try_from(text.len()).unwrap();
    out.extend([0, len + 1, len]);
    out.extend(text);
    out
}
