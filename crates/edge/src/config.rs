//! The edge's part of the configuration.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::{NonZeroU32, NonZeroUsize},
};

use ipnet::IpNet;
use kernel::{ByteSize, Span};
use serde::{Deserialize, Serialize};

/// How the server listens and what it lets in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EdgeConfig {
    /// The server's name, as `GET /` tells it.
    pub name: String,
    /// Address and port to serve on, plain HTTP.
    pub listen: SocketAddr,
    /// Address and port for `GET /metrics`; not served where absent. Keep it private.
    pub admin_listen: Option<SocketAddr>,
    /// The largest request body, from 1KB to 1GB.
    pub max_body_size: ByteSize,
    /// The largest request head: names and values of all headers together, from 1KB to 128KB.
    pub max_header_size: ByteSize,
    /// Connections that may be open at once; more wait to be accepted.
    pub max_connections: NonZeroUsize,
    /// Time that a client has to send a request's head, and that a connection may idle.
    pub header_timeout: Span,
    /// Time for which a client may take nothing of its answer before the connection is closed.
    pub write_timeout: Span,
    /// Time after which an unanswered request is refused with 504.
    pub request_timeout: Span,
    /// Time that running requests get when the server stops; `0s` cuts them off at once.
    pub shutdown_deadline: Span,
    /// Time without a request after which a restart comes that was asked for and not forced.
    pub restart_idle: Span,
    /// Time after which that restart comes although there are requests; they then get `shutdown_deadline`.
    pub restart_ceiling: Span,
    /// Time that running requests get when a restart is forced; `0s` cuts them off at once.
    pub restart_deadline: Span,
    /// Time that a restart or the end of the server spends at most on writing down what sessions did.
    pub restart_flush_timeout: Span,
    /// Networks of the reverse proxies whose `X-Forwarded-For`, `Forwarded` and `X-Forwarded-Proto` are believed.
    #[schemars(with = "Vec<String>", inner(pattern(r"^[0-9A-Fa-f.:]+/[0-9]{1,3}$")))]
    pub trusted_proxies: Vec<IpNet>,
    /// Whether a trusted proxy's `X-Real-IP` is believed, before the other headers.
    pub trust_x_real_ip: bool,
    /// Further host names on which a new installation may be initialised.
    pub bootstrap_hosts: Vec<String>,
    /// Limits on requests from one address.
    pub rate_limit: RateLimitConfig,
}

impl Default for EdgeConfig {
    fn default() -> Self {
        Self {
            name: "Insula".to_owned(),
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5777),
            admin_listen: None,
            max_body_size: ByteSize(1 << 20),
            max_header_size: ByteSize(16 << 10),
            max_connections: NonZeroUsize::MIN.saturating_add(9_999),
            header_timeout: Span::seconds(10),
            write_timeout: Span::seconds(60),
            request_timeout: Span::seconds(30),
            shutdown_deadline: Span::seconds(10),
            restart_idle: Span::seconds(10),
            restart_ceiling: Span::seconds(15 * 60),
            restart_deadline: Span::seconds(5),
            restart_flush_timeout: Span::seconds(5),
            trusted_proxies: Vec::new(),
            trust_x_real_ip: false,
            bootstrap_hosts: Vec::new(),
            rate_limit: RateLimitConfig::default(),
        }
    }
}

/// Limits on requests from one client address (an IPv6 network of 64 bits counts as one address).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RateLimitConfig {
    /// Whether there are limits at all. Never switch them off in production.
    pub enabled: bool,
    /// Requests a second below `/auth/`.
    pub auth_per_second: NonZeroU32,
    /// Requests a minute below `/auth/`.
    pub auth_per_minute: NonZeroU32,
    /// Requests a second to everything else.
    pub api_per_second: NonZeroU32,
    /// Requests a minute to everything else.
    pub api_per_minute: NonZeroU32,
}

impl Default for RateLimitConfig {
    fn default() -> Self {
        let count = |number: u32| NonZeroU32::MIN.saturating_add(number - 1);
        Self {
            enabled: true,
            auth_per_second: count(5),
            auth_per_minute: count(30),
            api_per_second: count(50),
            api_per_minute: count(1_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::EdgeConfig;

    #[test]
    fn an_empty_file_gives_the_defaults_and_what_is_written_reads_back() {
        let config: EdgeConfig = toml::from_str("").unwrap();
        assert_eq!(config, EdgeConfig::default());
        assert_eq!(config.listen.to_string(), "127.0.0.1:5777");
        let again: EdgeConfig = toml::from_str(&toml::to_string(&config).unwrap()).unwrap();
        assert_eq!(again, config);
    }

    #[test]
    fn unknown_keys_bad_networks_and_limits_of_zero_are_errors() {
        for bad in ["nmae = \"x\"", "trusted_proxies = [\"10.0.0.0/33\"]", "[rate_limit]\nauth_per_second = 0"] {
            assert!(toml::from_str::<EdgeConfig>(bad).is_err(), "{bad}");
        }
    }
}
