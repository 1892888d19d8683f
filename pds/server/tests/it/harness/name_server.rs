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
}

impl NameServer {
    pub(crate) async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (address, did) = (socket.local_addr().unwrap(), Arc::<Mutex<String>>::default());
        let known = did.clone();
        tokio::spawn(async move {
            let mut packet = [0; 1500];
            while let Ok((len, from)) = socket.recv_from(&mut packet).await {
                let text = format!("did={}", known.lock().unwrap());
                socket.send_to(&answer(&packet[..len], text.as_bytes()), from).await.unwrap();
            }
        });
        Self { address, did }
    }

    /// The DID of all handles from now on.
    pub(crate) fn set(&self, did: &str) {
        did.clone_into(&mut self.did.lock().unwrap());
    }
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
