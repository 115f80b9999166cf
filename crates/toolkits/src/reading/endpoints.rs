//! Endpoints, whose keys depend on their type.

use kernel::Span;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};
use upstream::{HttpConfig, ProgramConfig};

use super::{Reader, nearest};
use crate::file::{Endpoint, EndpointKind};

/// The keys that are not those of the service or the program.
const KEYS: [&str; 13] = [
    "path",
    "methods",
    "type",
    "description",
    "response_format",
    "max_body_size",
    "client_filter",
    "inject_db_context",
    "overwrite_wrapping",
    "rights",
    "pseudo_querys",
    "answer",
    SECONDS,
];
/// Another way to write `timeout`.
const SECONDS: &str = "timeout_seconds";
/// The longest time that it can ask for.
const MOST_SECONDS: i64 = 3_600;

impl Reader {
    /// `[endpoints.0]`, `[endpoints.1]` …, or `[[endpoints]]`.
    pub(super) fn endpoints(&mut self, section: Option<Spanned<DeValue<'_>>>) -> Vec<Endpoint> {
        let mut entries: Vec<_> = match section.map(Spanned::into_inner) {
            None => return Vec::new(),
            Some(DeValue::Array(array)) => array.into_iter().enumerate().collect(),
            Some(DeValue::Table(table)) => {
                let mut entries = Vec::new();
                for (key, value) in table {
                    match key.get_ref().parse::<usize>() {
                        Ok(number) if number.to_string() == **key.get_ref() => entries.push((number, value)),
                        _ => self.complaints.add(
                            &format!("endpoints.{}", key.get_ref()),
                            "endpoints have numbers: [endpoints.0], [endpoints.1], or [[endpoints]]",
                        ),
                    }
                }
                entries
            }
            Some(other) => {
                let problem = format!("write [endpoints.0] or [[endpoints]], not {}", other.type_str());
                self.complaints.add("endpoints", problem);
                return Vec::new();
            }
        };
        entries.sort_by_key(|(number, _)| *number);
        let read = entries.into_iter().filter_map(|(number, value)| {
            let path = format!("endpoints.{number}");
            let table = self.table(value, &path)?;
            Some(Endpoint { number, ..self.endpoint(table, &path)? })
        });
        read.collect()
    }

    fn endpoint(&mut self, table: Spanned<DeTable<'_>>, path: &str) -> Option<Endpoint> {
        let span = table.span();
        let (mut common, mut rest) = (DeTable::new(), DeTable::new());
        for (key, value) in table.into_inner() {
            let part = if KEYS.contains(&&**key.get_ref()) { &mut common } else { &mut rest };
            part.insert(key, value);
        }
        let seconds = common.remove(SECONDS);
        let (endpoint, clean) = self.typed::<Endpoint>(Spanned::new(span.clone(), common), path, &[]);
        let mut endpoint = endpoint?;
        let rest = Spanned::new(span, rest);
        let timeout = match (&seconds, endpoint.kind) {
            (Some(_), EndpointKind::Internal) => {
                let problem = "there is no such key of an internal endpoint; leave it out";
                self.complaints.add(&format!("{path}.{SECONDS}"), problem);
                None
            }
            (Some(seconds), _) => Some(self.seconds(seconds, path)?),
            (None, _) => None,
        };
        let whole = match endpoint.kind {
            EndpointKind::Internal => self.refuse_all(&rest, path),
            EndpointKind::Http => {
                let (config, whole) = self.typed::<HttpConfig>(rest, path, &KEYS);
                let timed = |config: HttpConfig| HttpConfig { timeout: timeout.unwrap_or(config.timeout), ..config };
                endpoint.http = config.map(timed);
                whole
            }
            EndpointKind::Executable => {
                let (config, whole) = self.typed::<ProgramConfig>(rest, path, &KEYS);
                let timed =
                    |config: ProgramConfig| ProgramConfig { timeout: timeout.unwrap_or(config.timeout), ..config };
                endpoint.program = config.map(timed);
                whole
            }
        };
        (clean && whole).then_some(endpoint)
    }

    fn refuse_all(&mut self, rest: &Spanned<DeTable<'_>>, path: &str) -> bool {
        for key in rest.get_ref().keys() {
            let problem = format!("there is no such key of an internal endpoint; {}", nearest(key.get_ref(), &KEYS));
            self.complaints.add(&format!("{path}.{}", key.get_ref()), problem);
        }
        rest.get_ref().is_empty()
    }

    fn seconds(&mut self, value: &Spanned<DeValue<'_>>, path: &str) -> Option<Span> {
        let number = value.get_ref().as_integer().and_then(|integer| integer.as_str().parse::<i64>().ok());
        let fit = number.filter(|number| (1..=MOST_SECONDS).contains(number));
        if fit.is_none() {
            let problem = format!("expected a whole number of seconds from 1 to {MOST_SECONDS}");
            self.complaints.add(&format!("{path}.{SECONDS}"), problem);
        }
        fit.map(|seconds| Span::seconds(seconds as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::{KEYS, SECONDS};
    use crate::file::Endpoint;

    /// The list is that of the type.
    #[test]
    fn the_keys_are_those_of_an_endpoint() {
        let error = toml::from_str::<Endpoint>("no_such_key = 1").unwrap_err().message().to_owned();
        let known: Vec<_> = error.split('`').skip(3).step_by(2).collect();
        let mut listed = KEYS.to_vec();
        listed.retain(|key| *key != SECONDS);
        assert_eq!(known, listed);
    }
}
