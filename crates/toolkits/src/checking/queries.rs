//! Queries with a name, and the order in which they are asked.

use std::sync::Arc;

use kernel::identifier::is_identifier;

use super::{Draft, is_reserved};
use crate::{
    file::{PseudoQuery, QueryAction},
    placeholder::{RESERVED, Source},
    query::PreparedQuery,
    reading::nearest,
};

/// Queries of one call.
const MOST_STEPS: usize = 32;

impl Draft<'_> {
    /// Prepares all queries and looks at the form of each.
    pub(super) fn prepare_queries(&mut self) {
        for (name, query) in self.file.pseudo_querys.clone() {
            let key = format!("pseudo_querys.{name}");
            if !is_identifier(&name) || RESERVED.contains(&&*name) {
                let problem = "a query's name is letters, digits and _, and not the name of a placeholder";
                self.complaints.add(&key, problem);
            }
            if is_reserved(&query.table) {
                self.complaints.add(&format!("{key}.table"), "tables that begin with _ or jde_ are Insula's own");
            }
            let prepared = match PreparedQuery::new(&name, &query) {
                Ok(prepared) => prepared,
                Err((at, problem)) => {
                    self.complaints.add(&format!("{key}.{at}"), problem);
                    continue;
                }
            };
            let sample = prepared.build(&|_, slot| Source::sample(slot));
            if let Err(error) = sample.and_then(|sample| self.checker.grammar.check_query(&sample)) {
                let at = error.field.map_or_else(|| key.clone(), |field| format!("{key}.{field}"));
                self.complaints.add(&at, error.message);
            }
            self.known_names(&key, &prepared);
            self.queries.insert(name, prepared);
        }
    }

    /// Complains of placeholders for answers of queries that there are not.
    fn known_names(&mut self, key: &str, query: &PreparedQuery) {
        for (at, source) in query.sources() {
            if let Source::Answer { query: name, column } = source
                && !self.file.pseudo_querys.contains_key(name)
            {
                let words = RESERVED.iter().copied().chain(self.file.pseudo_querys.keys().map(String::as_str));
                let hint = nearest(name, &words.collect::<Vec<_>>());
                self.complaints.add(&format!("{key}.{at}"), format!("${name}.{column} stands for nothing; {hint}"));
            }
        }
    }

    /// The queries of a list, each of which may speak of those before it. `table` tells whether they may use a table.
    pub(super) fn steps(&mut self, key: &str, names: &[String], toolkit: bool) -> Option<Vec<Arc<PreparedQuery>>> {
        let before = self.complaints.mistakes.len();
        if names.len() > MOST_STEPS {
            self.complaints.add(key, format!("at most {MOST_STEPS} queries are asked at once"));
        }
        let mut steps: Vec<Arc<PreparedQuery>> = Vec::new();
        for (index, name) in names.iter().enumerate() {
            let at = format!("{key}[{index}]");
            if steps.iter().any(|step| step.name == *name) {
                self.complaints.add(&at, format!("{name} is there twice; give a second query another name"));
                continue;
            }
            let Some(query) = self.queries.get(name).cloned() else {
                // One with mistakes of its own was told already.
                if !self
                    .complaints
                    .mistakes
                    .iter()
                    .any(|mistake| mistake.key.starts_with(&format!("pseudo_querys.{name}")))
                {
                    let known: Vec<_> = self.file.pseudo_querys.keys().map(String::as_str).collect();
                    let problem = format!("there is no [pseudo_querys.{name}]; {}", nearest(name, &known));
                    self.complaints.add(&at, problem);
                }
                continue;
            };
            self.references(&at, &query, &steps);
            if toolkit {
                let table = self.file.pseudo_querys[name].table.clone();
                self.own_table(&format!("pseudo_querys.{name}.table"), &table);
                for (number, table) in joined(&self.file.pseudo_querys[name]).into_iter().enumerate() {
                    self.own_table(&format!("pseudo_querys.{name}.joins[{number}].table"), &table);
                }
            }
            steps.push(query);
        }
        (self.complaints.mistakes.len() == before).then_some(steps)
    }

    /// Complains of placeholders for what is not known when a query is asked.
    fn references(&mut self, at: &str, query: &PreparedQuery, earlier: &[Arc<PreparedQuery>]) {
        for (key, source) in query.sources() {
            let Source::Answer { query: name, column } = source else { continue };
            if !self.file.pseudo_querys.contains_key(name) {
                // That was told already.
                continue;
            }
            let problem = match earlier.iter().find(|step| step.name == *name) {
                None => format!("its {key} speaks of ${name}.{column}, but {name} does not run before it here"),
                Some(step) if !step.tells(column) => {
                    format!("its {key} speaks of ${name}.{column}, which {name} does not tell")
                }
                Some(_) => continue,
            };
            self.complaints.add(at, format!("{}: {problem}", query.name));
        }
    }
}

/// The tables that a query joins; the form of its joins is checked elsewhere.
fn joined(query: &PseudoQuery) -> Vec<String> {
    let joins = query.joins.iter().flatten();
    joins.map(|join| join["table"].as_str().unwrap_or_default().to_owned()).collect()
}

impl PreparedQuery {
    /// Whether its answer can have a column.
    fn tells(&self, column: &str) -> bool {
        match (self.action, &self.columns) {
            (QueryAction::Select, Some(columns)) => columns.iter().any(|known| known == column),
            (QueryAction::Count, _) => column == "data",
            (QueryAction::Update | QueryAction::Delete, _) => column == "rows_affected",
            (QueryAction::Select, None) | (QueryAction::Insert, _) => true,
        }
    }
}
