//! Ports that both address families reach.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    os::fd::OwnedFd,
};

use anyhow::Context;
use rustix::{
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, bind, ipproto, listen as accept_from_now_on, socket_with, sockopt},
};

/// Connections that wait to be accepted: as many as the system allows, as in the standard library.
const BACKLOG: i32 = -1;

/// Listens on `port` of every address, IPv6 and IPv4 alike; on IPv4 alone where the system has no IPv6.
pub(super) fn listen(port: u16) -> anyhow::Result<TcpListener> {
    let listener = or_ipv4(dual_stack(port), port).with_context(|| format!("listen on port {port}"))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn or_ipv4(dual_stack: Result<OwnedFd, Errno>, port: u16) -> io::Result<TcpListener> {
    match dual_stack {
        Ok(socket) => Ok(socket.into()),
        Err(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)),
        Err(error) => Err(error.into()),
    }
}

/// By hand, because whether `[::]` takes IPv4 too is otherwise the system's choice (`net.ipv6.bindv6only`).
fn dual_stack(port: u16) -> Result<OwnedFd, Errno> {
    let socket = socket_with(AddressFamily::INET6, SocketType::STREAM, SocketFlags::CLOEXEC, Some(ipproto::TCP))?;
    sockopt::set_ipv6_v6only(&socket, false)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)))?;
    accept_from_now_on(&socket, BACKLOG)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_ipv6_there_is_ipv4() {
        for error in [Errno::AFNOSUPPORT, Errno::ADDRNOTAVAIL] {
            assert!(or_ipv4(Err(error), 0).unwrap().local_addr().unwrap().is_ipv4());
        }
        assert_eq!(or_ipv4(Err(Errno::ADDRINUSE), 0).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
