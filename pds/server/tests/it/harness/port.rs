//! Ports for programs that have to be told where to listen.

use std::{
    net::{Ipv4Addr, TcpListener},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

/// The ports from which they are taken. The system gives those from 32768 on to connections, and to whoever leaves the choice to it: such a port may
/// be taken before the program listens.
const FIRST: u32 = 16_384;
const COUNT: u32 = 16_000;

/// One that nobody listens on, and that no other test gets.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Other test programs run at the same time.
    let own = process::id().wrapping_mul(997);
    let mut ports = (0..COUNT).map(|_| {
        let next = own.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        u16::try_from(FIRST + next % COUNT).unwrap()
    });
    ports.find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()).expect("a port is free")
}
