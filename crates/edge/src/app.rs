//! Puts the edge and the features together.

use std::{net::IpAddr, sync::Arc, time::Instant};

use axum::Router;
use kernel::{Authenticator, Error, Probe, Reason, TenantDirectory};

use crate::{
    EdgeConfig, Failure, MaybeCaller, Routes, address::Trust, docs, health, health::Health, home, limit::Limiter,
    metric::Metrics, openapi, walk,
};

/// What the edge needs from the rest of the program.
pub struct Edge {
    /// The configuration.
    pub config: EdgeConfig,
    /// Finds tenants.
    pub directory: Arc<dyn TenantDirectory>,
    /// Checks tokens.
    pub authenticator: Arc<dyn Authenticator>,
    /// Asks the database for a sign of life.
    pub probe: Arc<dyn Probe>,
    /// The git commit that was built.
    pub build: &'static str,
}

/// What every request needs.
pub(crate) struct Core {
    pub(crate) config: EdgeConfig,
    pub(crate) directory: Arc<dyn TenantDirectory>,
    pub(crate) authenticator: Arc<dyn Authenticator>,
    pub(crate) trust: Trust,
    pub(crate) auth_limit: Limiter,
    pub(crate) api_limit: Limiter,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) started: Instant,
    pub(crate) routes: Router,
}

/// The whole HTTP application, ready to be served.
#[derive(Clone)]
pub struct App {
    pub(crate) core: Arc<Core>,
    openapi: Arc<utoipa::openapi::OpenApi>,
}

/// Assembles everything; `features` are pairs of a tag for the OpenAPI document and routes.
pub fn app(edge: Edge, features: Vec<(&'static str, Routes)>) -> App {
    let Edge { config, directory, authenticator, probe, build } = edge;
    let mut document = openapi::base();
    let mut routes = Router::new();
    let own = home::routes(&config.name, build).merge(health::routes(Health::new(probe))).merge(docs::pages());
    for (tag, feature) in std::iter::once(("server", own)).chain(features) {
        let (router, mut part) = feature.split_for_parts();
        openapi::tag(&mut part, tag);
        document.merge(part);
        routes = routes.merge(router);
    }
    openapi::complete(&mut document);
    let routes = routes
        .merge(docs::document(&document))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(walk::RememberRoute);
    let limits = &config.rate_limit;
    let core = Core {
        trust: Trust { proxies: config.trusted_proxies.clone(), real_ip: config.trust_x_real_ip },
        auth_limit: Limiter::new(limits.auth_per_second, limits.auth_per_minute),
        api_limit: Limiter::new(limits.api_per_second, limits.api_per_minute),
        metrics: Arc::new(Metrics::install()),
        started: Instant::now(),
        config,
        directory,
        authenticator,
        routes,
    };
    App { core: Arc::new(core), openapi: Arc::new(document) }
}

impl App {
    /// The OpenAPI document.
    pub fn openapi(&self) -> &utoipa::openapi::OpenApi {
        &self.openapi
    }

    /// The whole stack as a router, for tests. The peer is the extension `ConnectInfo<SocketAddr>`, else loopback.
    pub fn router(&self) -> Router {
        Router::new().fallback_service(walk::Walk { core: self.core.clone(), peer: None })
    }

    pub(crate) fn walk(&self, peer: IpAddr) -> walk::Walk {
        walk::Walk { core: self.core.clone(), peer: Some(peer) }
    }
}

/// Only who may come in learns which paths there are.
async fn unknown(MaybeCaller(caller): MaybeCaller) -> Failure {
    match caller {
        Ok(_) => Failure::from(Error::plain(Reason::RouteNotFound)),
        Err(error) => error.into(),
    }
}

async fn wrong_method() -> Failure {
    Error::plain(Reason::MethodNotAllowed).into()
}
