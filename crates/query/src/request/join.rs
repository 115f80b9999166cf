//! Joins. The condition is parsed and built anew; its text never reaches SQL.

use std::str::FromStr;

use kernel::identifier::is_identifier;
use serde::Deserialize;
use utoipa::ToSchema;

/// A further table of a select or count.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// The table.
    #[schema(example = "categories")]
    pub table: String,
    /// `table.column = table.column`, several joined by AND.
    #[schema(value_type = String, example = "assets.category_id = categories.id")]
    pub on: On,
    /// Which rows without a partner stay.
    #[serde(rename = "type", default)]
    pub kind: JoinType,
}

/// Which rows without a partner stay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
pub enum JoinType {
    /// None.
    #[default]
    #[serde(rename = "INNER", alias = "inner")]
    Inner,
    /// Those of the tables before.
    #[serde(rename = "LEFT", alias = "left")]
    Left,
    /// Those of this table.
    #[serde(rename = "RIGHT", alias = "right")]
    Right,
}

/// A parsed join condition: pairs of columns that must be equal.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct On(pub Vec<(Qualified, Qualified)>);

/// `table.column`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Qualified {
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
}

impl TryFrom<String> for On {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for On {
    type Err = String;

    /// The grammar: `ident.ident = ident.ident (AND ident.ident = ident.ident)*`, at most 8 pairs.
    fn from_str(text: &str) -> Result<Self, String> {
        let explain = || "write the join condition as table.column = table.column, several joined by AND".to_owned();
        if text.len() > 2_000 {
            return Err(explain());
        }
        // An equals sign may stand without blanks around it.
        let spaced = text.replace('=', " = ");
        let words: Vec<&str> = spaced.split_ascii_whitespace().collect();
        let mut pairs = Vec::new();
        for (index, part) in words.chunks(4).enumerate() {
            let (pair, and) = part.split_at_checked(3).ok_or_else(explain)?;
            let last = (index + 1) * 4 >= words.len();
            match (and, last) {
                ([], true) => {}
                ([word], false) if word.eq_ignore_ascii_case("and") => {}
                _ => return Err(explain()),
            }
            let [left, "=", right] = pair else { return Err(explain()) };
            pairs.push((left.parse()?, right.parse()?));
        }
        if (1..=8).contains(&pairs.len()) { Ok(Self(pairs)) } else { Err(explain()) }
    }
}

impl FromStr for Qualified {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('.').filter(|(table, column)| is_identifier(table) && is_identifier(column));
        let (table, column) = parts.ok_or("a join compares table.column with table.column")?;
        Ok(Self { table: table.to_owned(), column: column.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::On;
    use proptest::prelude::*;

    #[test]
    fn the_grammar_is_all_there_is() {
        assert_eq!("a.x = b.y".parse::<On>().unwrap().0.len(), 1);
        assert_eq!("a.x=b.y and a.z = b.z AND c.d = a.x".parse::<On>().unwrap().0.len(), 3);
        for bad in [
            "",
            "=",
            "a.x",
            "a.x = ",
            "a.x = 5",
            "x = y",
            "a.x = b.y AND",
            "a.x = b.y OR a.x = b.z",
            "a.x = b.y a.z = b.z",
            "a.x = b.y; DROP TABLE a",
            "a.x = b.y -- c",
            "a.x == b.y",
            "(a.x = b.y)",
            "a.x = b.y AND 1=1",
            "a.x > b.y",
            "a.\"x\" = b.y",
            "a.x.z = b.y",
            "a.x = b.y UNION SELECT 1",
            "a.x = (SELECT 1)",
            "a.x = b.y AND AND c.d = e.f",
        ] {
            assert!(bad.parse::<On>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*") {
            let _ = text.parse::<On>();
        }

        #[test]
        fn whatever_is_taken_is_identifiers(text in "[a-c.= ANDand;'\"()-]{0,40}") {
            if let Ok(On(pairs)) = text.parse::<On>() {
                for (left, right) in pairs {
                    for name in [left.table, left.column, right.table, right.column] {
                        prop_assert!(kernel::identifier::is_identifier(&name));
                    }
                }
            }
        }
    }
}
