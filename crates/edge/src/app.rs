//! Puts the edge and the features together.

use std::{
    net::IpAddr,
    sync::{Arc, atomic::AtomicBool},
    time::Instant,
};

use axum::Router;
use kernel::{Authenticator, Error, Probe, Reason, TenantDirectory};

use crate::{
    Activity, EdgeConfig, Failure, MaybeCaller, Routes, address::Trust, docs, health, health::Health, home, host::Room,
    limit::Limiter, metric::Metrics, openapi, walk,
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
    /// Tells how many statements this process has run on its databases, for the metrics.
    pub statements: fn() -> u64,
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
    pub(crate) activity: Arc<Activity>,
    pub(crate) started: Instant,
    pub(crate) routes: RoomRouters,
}

/// The whole HTTP application, ready to be served.
#[derive(Clone)]
pub struct App {
    pub(crate) core: Arc<Core>,
    openapi: Arc<utoipa::openapi::OpenApi>,
}

/// The routes of the features, each with its tag for the OpenAPI document, by the room that they are in.
#[derive(Default)]
pub struct Rooms {
    /// On `api.` hosts.
    pub api: Vec<(&'static str, Routes)>,
    /// On `assets.` hosts; the document names the host with them.
    pub assets: Vec<(&'static str, Routes)>,
    /// On `webhooks.` hosts; not in the document, whose paths are those of `api.` hosts.
    pub webhooks: Vec<Routes>,
}

impl From<Vec<(&'static str, Routes)>> for Rooms {
    fn from(api: Vec<(&'static str, Routes)>) -> Self {
        Self { api, ..Self::default() }
    }
}

/// A router for each room.
pub(crate) struct RoomRouters {
    api: Router,
    assets: Router,
    webhooks: Router,
}

impl RoomRouters {
    /// The router of a room; that of `api.` hosts while there is no tenant yet.
    pub(crate) fn of(&self, room: Option<Room>) -> &Router {
        match room {
            None | Some(Room::Api) => &self.api,
            Some(Room::Assets) => &self.assets,
            Some(Room::Webhooks) => &self.webhooks,
        }
    }
}

/// Assembles everything.
pub fn app(edge: Edge, rooms: impl Into<Rooms>) -> App {
    let Edge { config, directory, authenticator, probe, statements, build } = edge;
    let rooms = rooms.into();
    let mut document = openapi::base();
    let (mut api, mut assets, mut webhooks) = (Router::new(), Router::new(), Router::new());
    let own = home::routes(&config.name, build).merge(health::routes(Health::new(probe))).merge(docs::pages());
    for (tag, feature) in std::iter::once(("server", own)).chain(rooms.api) {
        let (router, mut part) = feature.split_for_parts();
        openapi::tag(&mut part, tag);
        document.merge(part);
        api = api.merge(router);
    }
    for (tag, feature) in rooms.assets {
        let (router, mut part) = feature.split_for_parts();
        openapi::tag(&mut part, tag);
        openapi::on_assets_hosts(&mut part);
        document.merge(part);
        assets = assets.merge(router);
    }
    for feature in rooms.webhooks {
        webhooks = webhooks.merge(feature.split_for_parts().0);
    }
    openapi::complete(&mut document);
    let routes = RoomRouters {
        api: finished(api.merge(docs::document(&document))),
        assets: finished(assets),
        webhooks: finished(webhooks),
    };
    let limits = &config.rate_limit;
    let core = Core {
        trust: Trust { proxies: config.trusted_proxies.clone(), real_ip: config.trust_x_real_ip },
        auth_limit: Limiter::new(limits.auth_per_second, limits.auth_per_minute),
        api_limit: Limiter::new(limits.api_per_second, limits.api_per_minute),
        metrics: Arc::new(Metrics::install(statements)),
        activity: Activity::new(),
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

    /// Whether anybody is asking anything.
    pub fn activity(&self) -> &Arc<Activity> {
        &self.core.activity
    }

    /// The whole stack as a router, for tests. The peer is the extension `ConnectInfo<SocketAddr>`, else loopback.
    pub fn router(&self) -> Router {
        Router::new().fallback_service(walk::Walk {
            core: self.core.clone(),
            peer: None,
            asked: Arc::default(),
            closing: Arc::default(),
        })
    }

    /// What answers the requests of one connection.
    pub(crate) fn walk(&self, peer: IpAddr, closing: &Arc<AtomicBool>) -> walk::Walk {
        walk::Walk { core: self.core.clone(), peer: Some(peer), asked: Arc::default(), closing: Arc::clone(closing) }
    }
}

fn finished(routes: Router) -> Router {
    routes.fallback(unknown).method_not_allowed_fallback(wrong_method).layer(walk::RememberRoute)
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
