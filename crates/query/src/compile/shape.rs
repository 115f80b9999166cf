//! What of a read decides its SQL text, apart from the values in it.

use serde_json::Value as Json;

use super::select::Limits;
use crate::request::{Action, Direction, Filter, Item, JoinType};

/// The shape of a read: equal shapes of one group on one catalogue have one SQL text.
pub(crate) struct Shape<'r> {
    /// Everything but the values, in a form that only equal shapes share.
    pub(crate) key: Vec<u8>,
    /// The values in the order in which they were met.
    pub(crate) values: Vec<&'r Json>,
}

impl<'r> Shape<'r> {
    /// The shape of a single read. Of the limits it tells those that refuse, or that a warning names.
    pub(crate) fn of(action: Action, table: &str, item: &'r Item, limits: &Limits) -> Self {
        let mut shape = Self { key: Vec::with_capacity(128), values: Vec::new() };
        shape.tag(action as u8);
        shape.word(table);
        shape.columns(item.columns.as_deref());
        shape.joins(item);
        for (name, value) in item.equal.iter().flatten() {
            shape.tag(b'=');
            shape.word(name);
            shape.value(value);
        }
        if let Some(filter) = &item.filter {
            shape.filter(filter);
        }
        for order in item.order_by.iter().flatten() {
            shape.tag(if order.direction == Direction::Asc { b'<' } else { b'>' });
            shape.word(&order.column);
        }
        shape.number(limits.conditions);
        match item.limit {
            None => shape.tag(b'd'),
            Some(limit) if limit <= limits.most => shape.tag(b'l'),
            Some(_) => {
                shape.tag(b'c');
                shape.number(limits.most);
            }
        }
        shape.tag(if item.offset.is_some_and(|offset| offset > 0) { b'o' } else { b'-' });
        shape
    }

    /// The shape of an insert of one row. `acting` tells whether a user acts, who is noted in system columns then.
    pub(crate) fn of_insert(table: &str, item: &'r Item, acting: bool) -> Self {
        let mut shape = Self { key: Vec::with_capacity(128), values: Vec::new() };
        shape.tag(Action::Insert as u8);
        shape.tag(u8::from(acting));
        shape.word(table);
        for (name, value) in item.data.iter().flatten() {
            shape.word(name);
            shape.values.push(value);
        }
        shape
    }

    fn tag(&mut self, tag: u8) {
        self.key.push(tag);
    }

    fn number(&mut self, number: u64) {
        self.key.extend_from_slice(&number.to_le_bytes());
    }

    /// A text with its length before it, so that no two lists of texts look the same.
    fn word(&mut self, word: &str) {
        self.key.extend_from_slice(&(word.len() as u32).to_le_bytes());
        self.key.extend_from_slice(word.as_bytes());
    }

    fn columns(&mut self, columns: Option<&[String]>) {
        let Some(columns) = columns else { return self.tag(b'*') };
        self.tag(b'(');
        for name in columns {
            self.word(name);
        }
        self.tag(b')');
    }

    fn joins(&mut self, item: &Item) {
        for join in item.joins.iter().flatten() {
            self.tag(match join.kind {
                JoinType::Inner => b'I',
                JoinType::Left => b'L',
                JoinType::Right => b'R',
            });
            self.word(&join.table);
            for side in join.on.0.iter().flat_map(|(left, right)| [left, right]) {
                self.word(&side.table);
                self.word(&side.column);
            }
            self.tag(b';');
        }
    }

    /// A comparison with null is another test, and the length of a list is a number of places.
    fn value(&mut self, value: &'r Json) {
        match value {
            Json::Null => self.tag(b'n'),
            Json::Array(values) => {
                self.tag(b'[');
                self.key.extend_from_slice(&(values.len() as u32).to_le_bytes());
                for value in values {
                    self.value(value);
                }
            }
            // Not a value at all, which is refused later.
            Json::Object(_) => self.tag(b'{'),
            scalar => {
                self.tag(b'v');
                self.values.push(scalar);
            }
        }
    }

    fn filter(&mut self, filter: &'r Filter) {
        match filter {
            Filter::Leaf { column, op, value } => {
                self.tag(b'f');
                self.word(column);
                self.tag(*op as u8);
                match value {
                    None => self.tag(b'.'),
                    Some(value) => self.value(value),
                }
            }
            Filter::And(nodes) => self.nodes(b'&', nodes),
            Filter::Or(nodes) => self.nodes(b'|', nodes),
            Filter::Not(node) => {
                self.tag(b'!');
                self.filter(node);
            }
            // Refused later.
            Filter::Exists(_) => self.tag(b'E'),
        }
    }

    fn nodes(&mut self, tag: u8, nodes: &'r [Filter]) {
        self.tag(tag);
        for node in nodes {
            self.filter(node);
        }
        self.tag(b'/');
    }
}
