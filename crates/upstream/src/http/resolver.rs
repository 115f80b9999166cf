//! Looks up hosts without letting slow name servers take the threads that others need.

use std::{
    collections::HashMap,
    future::Future,
    io,
    net::{SocketAddr, ToSocketAddrs},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use hyper_util::client::legacy::connect::dns::Name;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};

/// Threads that may wait for name servers at once. A lookup cannot be given up, only waited for.
const MOST_LOOKUPS: usize = 8;

type Found = Result<Vec<SocketAddr>, String>;
type Lookup = watch::Receiver<Option<Found>>;

/// Looks up each host once at a time, whoever asks.
#[derive(Clone)]
pub(super) struct Resolver {
    running: Arc<Mutex<HashMap<Box<str>, Lookup>>>,
    threads: Arc<Semaphore>,
}

impl Resolver {
    pub(super) fn new() -> Self {
        Self { running: Arc::default(), threads: Arc::new(Semaphore::new(MOST_LOOKUPS)) }
    }

    /// The lookup of a host that runs already, or a new one.
    fn lookup(&self, host: &str) -> Lookup {
        let mut running = self.running.lock();
        if let Some(lookup) = running.get(host) {
            return lookup.clone();
        }
        let (tell, told) = watch::channel(None);
        running.insert(host.into(), told.clone());
        let (own, host) = (self.clone(), Box::<str>::from(host));
        tokio::spawn(async move {
            let found = own.ask(&host).await;
            own.running.lock().remove(&host);
            tell.send_replace(Some(found));
        });
        told
    }

    async fn ask(&self, host: &str) -> Found {
        let _thread = self.threads.acquire().await.map_err(|error| error.to_string())?;
        let host = host.to_owned();
        let found =
            tokio::task::spawn_blocking(move || (host.as_str(), 0).to_socket_addrs().map(Iterator::collect)).await;
        found.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }
}

impl tower::Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let mut lookup = self.lookup(name.as_str());
        Box::pin(async move {
            let found = lookup.wait_for(Option::is_some).await.map_err(io::Error::other)?.clone();
            found.unwrap_or_else(|| Err("no answer".to_owned())).map(Vec::into_iter).map_err(io::Error::other)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Resolver;
    use tower::Service;

    #[tokio::test]
    async fn hosts_are_found_and_lookups_are_forgotten() {
        let mut resolver = Resolver::new();
        let (first, second) =
            (resolver.call("localhost".parse().unwrap()), resolver.call("localhost".parse().unwrap()));
        assert_eq!(resolver.running.lock().len(), 1, "one lookup serves both");
        for found in [first.await, second.await] {
            assert!(found.unwrap().all(|address| address.ip().is_loopback()));
        }
        assert!(resolver.call("no-such-host.invalid".parse().unwrap()).await.is_err());
        assert!(resolver.running.lock().is_empty());
    }
}
