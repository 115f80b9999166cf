//! A toolkit that was checked, ready to be used.

use std::{collections::BTreeMap, sync::Arc};

use kernel::{ByteSize, Group};
use upstream::{HttpConfig, HttpUpstream, ProgramConfig, ProgramUpstream};

use crate::{
    file::{Method, ResponseFormat, ToolkitFile},
    matching::Pattern,
    places::Place,
    query::PreparedQuery,
    schedule::Schedule,
};

/// A toolkit in force.
pub(crate) struct Toolkit {
    /// What its author wrote.
    pub(crate) file: ToolkitFile,
    /// The groups of the file.
    pub(crate) groups: BTreeMap<String, Arc<Place>>,
    pub(crate) fallbacks: BTreeMap<u8, Arc<Place>>,
    pub(crate) endpoints: Vec<Arc<Endpoint>>,
    pub(crate) schedules: Vec<Schedule>,
    /// What queries with the toolkit's own rights act as.
    pub(crate) acting: Arc<Group>,
    /// What the database must have.
    pub(crate) needs: Vec<Need>,
}

/// A table or a column that a file speaks of, and where. That it is there shows only in the tenant's database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Need {
    pub(crate) line: usize,
    pub(crate) key: String,
    pub(crate) table: String,
    pub(crate) column: Option<String>,
    /// Whether a value is to be put into it.
    pub(crate) filled: bool,
}

/// An endpoint of a toolkit.
pub(crate) struct Endpoint {
    pub(crate) pattern: Pattern,
    pub(crate) methods: Vec<Method>,
    pub(crate) file: crate::file::Endpoint,
    pub(crate) db_context: Vec<Arc<PreparedQuery>>,
    pub(crate) work: Work,
}

/// What answers.
pub(crate) enum Work {
    /// Queries, and the place of the one whose answer is the answer.
    Internal { steps: Vec<Arc<PreparedQuery>>, answer: Option<usize> },
    /// A service, with the settings that it was made of.
    Http { config: Box<HttpConfig>, service: Arc<HttpUpstream> },
    /// A program.
    Program { config: Box<ProgramConfig>, program: Arc<ProgramUpstream> },
}

impl Endpoint {
    pub(crate) fn is_passthrough(&self) -> bool {
        self.file.response_format == ResponseFormat::Passthrough
    }
}

/// An endpoint that a request means, with what was taken out of its path.
pub(crate) struct Found<'t> {
    pub(crate) endpoint: &'t Arc<Endpoint>,
    pub(crate) values: BTreeMap<String, String>,
}

/// Why a request means no endpoint.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    Path,
    /// The path is there, with other methods.
    Method(Vec<Method>),
}

impl Toolkit {
    /// The endpoint that a path and a method mean.
    pub(crate) fn find(&self, path: &[String], method: Method) -> Result<Found<'_>, Missing> {
        let fitting = self.endpoints.iter().filter_map(|endpoint| Some((endpoint.pattern.matches(path)?, endpoint)));
        let fitting: Vec<_> = fitting.collect();
        let best = fitting.iter().map(|((fit, _), _)| fit).max().ok_or(Missing::Path)?.clone();
        let mut methods = Vec::new();
        for ((fit, values), endpoint) in fitting {
            if fit != best {
                continue;
            }
            if endpoint.methods.contains(&method) {
                return Ok(Found { endpoint, values: values.into_iter().collect() });
            }
            methods.extend(&endpoint.methods);
        }
        Err(Missing::Method(methods))
    }

    /// The rights that a power gives where there is no other place.
    pub(crate) fn fallback(&self, power: u8) -> Option<Arc<Place>> {
        self.fallbacks.range(..=power).next_back().map(|(_, place)| Arc::clone(place))
    }

    /// The largest body that an endpoint takes, where it or the toolkit says so.
    pub(crate) fn max_body_size(&self, endpoint: &Endpoint) -> Option<ByteSize> {
        endpoint.file.max_body_size.or(self.file.max_body_size)
    }

    /// The endpoint of another version of the toolkit that has a path.
    pub(crate) fn endpoint_at(&self, path: &str, method: Method) -> Option<&Arc<Endpoint>> {
        self.endpoints.iter().find(|endpoint| endpoint.pattern.text == path && endpoint.methods.contains(&method))
    }
}

/// What queries with a toolkit's own rights act as: a group that no database has, with its tables alone.
pub(crate) fn acting(file: &ToolkitFile) -> Arc<Group> {
    Arc::new(Group {
        id: 0,
        name: format!("toolkit:{}", file.name),
        power: 0,
        basic_rules: file.tables.iter().map(|table| format!("{table}:rwa")).collect(),
        advanced_rules: Vec::new(),
        abilities: crate::internal::data_abilities(),
        max_limit: None,
        max_where_conditions: None,
        allow_batch_operations: false,
        session_timeout_minutes: None,
        max_concurrent_sessions: None,
        user_settings_access: "read-own-only".to_owned(),
        toolkits: Arc::default(),
    })
}
