//! The connections to services, shared by all tenants.

use std::{sync::OnceLock, time::Duration};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, ResponseFuture, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};

use super::resolver::Resolver;

/// Many services end idle connections after 5 seconds; a request on a connection that is just being ended is lost.
const IDLE: Duration = Duration::from_secs(4);
const MOST_IDLE: usize = 32;

/// Of the head of an answer, and of what is read at once.
const MOST_BUFFERED: usize = 256 << 10;

/// After this even an attempt to connect that nobody waits for any more is given up.
const MOST_TO_CONNECT: Duration = Duration::from_mins(1);

type Plain = HttpConnector<Resolver>;
type Secure = HttpsConnector<Plain>;
type Pool<C> = Client<C, Full<Bytes>>;

/// The connection pools for services: one value for all tenants. Redirects are never followed, proxies never used.
pub struct Clients {
    plain: Pool<Plain>,
    secure: OnceLock<Result<Pool<Secure>, String>>,
    connector: Plain,
}

impl Clients {
    /// Pools without connections.
    pub fn new() -> Self {
        let mut connector = HttpConnector::new_with_resolver(Resolver::new());
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(MOST_TO_CONNECT));
        Self { plain: pool(connector.clone()), secure: OnceLock::new(), connector }
    }

    /// Makes `https` ready, which reads the certificates of the machine. Errors: why it cannot be used.
    pub(super) fn prepare_secure(&self) -> Result<(), String> {
        self.secure().map(drop)
    }

    /// Sends a request. Errors: why `https` cannot be used.
    pub(super) fn send(&self, request: Request<Full<Bytes>>, secure: bool) -> Result<ResponseFuture, String> {
        Ok(if secure { self.secure()?.request(request) } else { self.plain.request(request) })
    }

    fn secure(&self) -> Result<&Pool<Secure>, String> {
        let make = || {
            let tls = HttpsConnectorBuilder::new()
                .with_provider_and_platform_verifier(rustls::crypto::aws_lc_rs::default_provider())
                .map_err(|error| error.to_string())?;
            Ok(pool(tls.https_only().enable_http1().wrap_connector(self.connector.clone())))
        };
        self.secure.get_or_init(make).as_ref().map_err(Clone::clone)
    }
}

impl Default for Clients {
    fn default() -> Self {
        Self::new()
    }
}

fn pool<C>(connector: C) -> Pool<C>
where
    C: hyper_util::client::legacy::connect::Connect + Clone,
{
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(MOST_IDLE)
        .http1_max_buf_size(MOST_BUFFERED)
        .build(connector)
}
