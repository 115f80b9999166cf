//! Listening sockets: opened here, or handed over by the process before or by systemd.

use std::net::{SocketAddr, TcpListener};

use listenfd::ListenFd;
use parking_lot::Mutex;
use tokio::net::TcpSocket;

use crate::failure::{Failure, Result, io};

/// Connections that may wait until they are accepted; the system's `net.core.somaxconn` caps it.
const BACKLOG: u32 = 16 << 10;
/// What `LISTEN_FDNAMES` says where a process hands its sockets to the next.
pub(crate) const PREDECESSOR: &str = "predecessor";

/// Listening sockets that this process was handed.
#[derive(Debug, Default)]
pub(crate) struct Inherited {
    sockets: Vec<TcpListener>,
    /// Whether it was this program, which went before, that handed them over.
    pub(crate) from_predecessor: bool,
}

impl Inherited {
    /// Those that `LISTEN_FDS` tells of. It changes the environment: to be called before there are threads.
    pub(crate) fn from_environment() -> Self {
        let mut handed = ListenFd::from_env();
        let count = handed.len();
        let take = |index| match handed.take_tcp_listener(index) {
            Ok(socket) => socket.filter(|socket| socket.set_nonblocking(true).is_ok()),
            Err(error) => {
                eprintln!("warning: a socket that was handed over is of no use: {error}");
                None
            }
        };
        let sockets: Vec<_> = (0..count).filter_map(take).collect();
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        Self { from_predecessor: !sockets.is_empty() && names.starts_with(PREDECESSOR), sockets }
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }
}

/// The sockets that a server listens on.
///
/// Whoever accepts has duplicates of them, so that connections wait and are not refused while nobody accepts.
#[derive(Debug)]
pub(crate) struct Sockets(Mutex<Vec<TcpListener>>);

impl Sockets {
    /// One for each address, in this order: the one that was handed over, or else a new one.
    pub(crate) fn open(inherited: Inherited, addresses: &[SocketAddr]) -> Result<Self> {
        let mut handed = inherited.sockets;
        let taken: Vec<_> = addresses.iter().map(|address| take(&mut handed, *address)).collect();
        for address in handed.drain(..).filter_map(|socket| socket.local_addr().ok()) {
            tracing::warn!(%address, "closed a socket that was handed over: it is neither server.listen nor admin_listen");
        }
        Ok(Self(Mutex::new(filled(taken, addresses)?)))
    }

    /// Duplicates of all.
    pub(crate) fn duplicates(&self) -> Result<Vec<TcpListener>> {
        self.0.lock().iter().map(|socket| socket.try_clone().map_err(io("the listener"))).collect()
    }

    /// Duplicates for whoever listens on these addresses next, and new ones where there are none. They stay open here.
    pub(crate) fn for_next(&self, addresses: &[SocketAddr]) -> Result<Vec<TcpListener>> {
        let mut open = self.duplicates()?;
        let taken = addresses.iter().map(|address| take(&mut open, *address)).collect();
        filled(taken, addresses)
    }

    /// Closes them: connections are refused once nobody has a duplicate.
    pub(crate) fn close(&self) {
        self.0.lock().clear();
    }

    /// The address of the first, with its port.
    pub(crate) fn address(&self) -> Result<SocketAddr> {
        let sockets = self.0.lock();
        let first = sockets.first().ok_or_else(|| Failure::Other("there is no listener".to_owned()))?;
        first.local_addr().map_err(io("the listener"))
    }
}

/// The socket with this address; port 0 is any port.
fn take(sockets: &mut Vec<TcpListener>, wanted: SocketAddr) -> Option<TcpListener> {
    let fits = |socket: &TcpListener| {
        let address = socket.local_addr().ok();
        address.is_some_and(|it| it.ip() == wanted.ip() && (wanted.port() == 0 || it.port() == wanted.port()))
    };
    let position = sockets.iter().position(fits)?;
    Some(sockets.remove(position))
}

fn filled(taken: Vec<Option<TcpListener>>, addresses: &[SocketAddr]) -> Result<Vec<TcpListener>> {
    let filled = taken.into_iter().zip(addresses).map(|(socket, address)| socket.map_or_else(|| listen(*address), Ok));
    filled.collect()
}

fn listen(address: SocketAddr) -> Result<TcpListener> {
    let open = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)?.into_std()
    };
    open().map_err(io(format!("cannot listen on {address}")))
}
