//! What the types of the configuration alone cannot refuse. Every further check of `insula.toml` has its place here, but
//! those that `identity.toml` shares: they are in [`identity::IdentityConfig::mistakes`].

use std::ops::RangeInclusive;

use kernel::{
    ByteSize, Span,
    bounds::outside,
    seal::SealingKey,
    settings::{MOST_CONDITIONS, MOST_ROWS},
};

use super::{Config, mistake};

/// A key with what is wrong with its value.
pub(super) type Refusal = (String, String);

/// The levels of the log, as they are written.
const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
const YEAR: Span = Span::days(366);

impl Config {
    /// The path of each wrong value and what is wrong with it.
    pub(super) fn refused(&self) -> Vec<Refusal> {
        let mut refused = self.out_of_bounds();
        refused.extend(level_mistake(&self.log.level).map(|problem| ("log.level".to_owned(), problem)));
        refused.extend(self.key_mistakes());
        refused.extend(self.place_mistakes());
        let identity = self.identity.mistakes().into_iter();
        refused.extend(identity.map(|(key, problem)| (format!("identity.{key}"), problem)));
        refused
    }

    /// Numbers, sizes and times that say nothing sensible. A time of zero is allowed where it means at once.
    fn out_of_bounds(&self) -> Vec<Refusal> {
        let Self { server, store, query, audit, .. } = self;
        let kilobytes = |least: u64, most: u64| ByteSize(least << 10)..=ByteSize(most << 10);
        let sizes = [
            ("server.max_body_size", server.max_body_size, kilobytes(1, 1 << 20)),
            ("server.max_header_size", server.max_header_size, kilobytes(1, 128)),
            ("audit.max_spool_size", audit.max_spool_size, kilobytes(1 << 10, 1 << 40)),
        ];
        let (tick, second, none) = (Span(std::time::Duration::from_millis(100)), Span::seconds(1), Span::seconds(0));
        let times = [
            ("server.header_timeout", server.header_timeout, tick..=Span::days(1)),
            ("server.write_timeout", server.write_timeout, tick..=Span::days(1)),
            ("server.request_timeout", server.request_timeout, tick..=Span::days(1)),
            ("server.shutdown_deadline", server.shutdown_deadline, none..=Span::days(1)),
            ("server.restart_idle", server.restart_idle, none..=Span::days(1)),
            ("server.restart_ceiling", server.restart_ceiling, none..=YEAR),
            ("server.restart_deadline", server.restart_deadline, none..=Span::days(1)),
            ("server.restart_flush_timeout", server.restart_flush_timeout, tick..=Span::days(1)),
            ("store.idle", store.idle, second..=YEAR),
            ("audit.retention", audit.retention, none..=Span::days(36_600)),
        ];
        let (rows, conditions) = (u64::from(MOST_ROWS), u64::from(MOST_CONDITIONS));
        let numbers = [
            ("store.max_open", store.max_open, 1..=1_000_000),
            ("store.connections", store.connections as u64, 1..=10_000),
            ("store.sqlite.readers", store.sqlite.readers as u64, 1..=1_000),
            ("store.sqlite.read_timeout_seconds", store.sqlite.read_timeout_seconds, 1..=24 * 60 * 60),
            ("query.default_limit", query.default_limit, 1..=rows),
            ("query.default_max_limit", query.default_max_limit, 1..=rows),
            ("query.default_max_where_conditions", query.default_max_where_conditions, 0..=conditions),
            ("query.max_compiled_tenants", query.max_compiled_tenants, 1..=10_000_000),
        ];
        let powers = [
            ("query.min_reload_power", query.min_reload_power),
            ("query.min_manual_restart_power", query.min_manual_restart_power),
        ];
        let powers = powers.into_iter().filter_map(|(key, power)| Some((key, u64::from(power?), 1..=100)));
        let mut refused = all_outside(sizes);
        refused.extend(all_outside(times));
        refused.extend(all_outside(numbers.into_iter().chain(powers)));
        refused
    }

    fn key_mistakes(&self) -> Vec<Refusal> {
        let keys = [("master_key", &self.master_key), ("previous_master_key", &self.previous_master_key)];
        let is_wrong = |key: &kernel::Secret| SealingKey::from_text(key.expose()).is_none();
        let wrong = keys.into_iter().filter(|(_, key)| key.as_ref().is_some_and(is_wrong));
        let mut mistakes: Vec<Refusal> = wrong
            .map(|(path, _)| (path.to_owned(), "a master key is 32 bytes as base64 without padding".to_owned()))
            .collect();
        let Some(command) = &self.master_key_command else { return mistakes };
        let mut add = |problem: &str| mistakes.push(("master_key_command".to_owned(), problem.to_owned()));
        if command.first().is_none_or(String::is_empty) {
            add("write a program and its arguments: [\"program\", \"…\"]");
        }
        if self.master_key.is_some() {
            add("master_key is set too; keep one of them");
        }
        mistakes
    }

    fn place_mistakes(&self) -> impl Iterator<Item = Refusal> {
        let places = [("store.database", &self.store.database), ("store.control", &self.store.control)];
        let schemes = ["postgres://", "postgresql://", "mysql://", "mariadb://"];
        let is_wrong = move |place: &str| place != "sqlite" && !schemes.iter().any(|scheme| place.starts_with(scheme));
        let wrong = places.into_iter().filter(move |(_, place)| is_wrong(place.expose()));
        let problem = "write \"sqlite\" or a URL that begins with postgres:// or mysql://";
        wrong.map(move |(path, _)| (path.to_owned(), problem.to_owned()))
    }
}

fn all_outside<T: PartialOrd + std::fmt::Display>(
    values: impl IntoIterator<Item = (&'static str, T, RangeInclusive<T>)>,
) -> Vec<Refusal> {
    values.into_iter().filter_map(|(key, value, allowed)| outside(key, &value, &allowed)).collect()
}

/// What is wrong with a level of the log. A word that is no level would name a part of the program that there is not,
/// and silence all others.
fn level_mistake(text: &str) -> Option<String> {
    let wrong = text.split(',').map(str::trim).find_map(|directive| {
        let (part, level) = directive.rsplit_once('=').map_or((None, directive), |(part, level)| (Some(part), level));
        let is_part = |part: &str| {
            !part.is_empty() && part.chars().all(|letter| letter.is_ascii_alphanumeric() || "_:".contains(letter))
        };
        if !LEVELS.contains(&level.to_ascii_lowercase().as_str()) {
            let near = mistake::nearest(level, &LEVELS).map(|near| format!("; did you mean \"{near}\"?"));
            return Some(format!("{level:?} is no level{}", near.unwrap_or_default()));
        }
        (!part.is_none_or(is_part)).then(|| format!("{directive:?} names no part of the program"))
    })?;
    let levels = LEVELS.join(", ");
    Some(format!(
        "{wrong}; write one of {levels}, and with a comma those of single parts, such as \"info,store=debug\""
    ))
}

#[cfg(test)]
mod tests {
    use super::level_mistake;

    #[test]
    fn levels_are_known_words() {
        for good in ["info", "INFO", "info,tokio_postgres=warn", "info, store::sqlite=trace", "off,store=debug"] {
            assert_eq!(level_mistake(good), None, "{good}");
        }
        for (bad, part) in [
            ("inof", "did you mean \"info\""),
            ("", "\"\" is no level"),
            ("info,", "\"\" is no level"),
            ("info,store=debgu", "did you mean \"debug\""),
            ("info,=debug", "names no part"),
            ("store", "\"store\" is no level"),
            ("3", "\"3\" is no level"),
        ] {
            let said = level_mistake(bad).unwrap();
            assert!(said.contains(part) && said.contains("error, warn, info"), "{bad}: {said}");
        }
    }
}
