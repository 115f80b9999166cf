//! Rules of a group are checked before they are kept.

use kernel::{Error, Reason, Result, RuleCheck};

use super::GroupRules;

/// Knows the grammar of table and column rules.
#[derive(Debug, Clone, Copy)]
pub struct Grammar;

impl RuleCheck for Grammar {
    fn check_rules(&self, basic: &[String], advanced: &[String]) -> Result<()> {
        let lists = [("basic_rules", basic), ("advanced_rules", advanced)];
        for (field, rules) in lists {
            for (index, rule) in rules.iter().enumerate() {
                let (rule, none) = (std::slice::from_ref(rule), &[][..]);
                let checked =
                    if field == "basic_rules" { GroupRules::check(rule, none) } else { GroupRules::check(none, rule) };
                checked.map_err(|error| Error::new(Reason::FieldInvalid, error).at(format!("{field}[{index}]")))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Grammar, RuleCheck};

    #[test]
    fn the_wrong_rule_is_named() {
        let rules = |rules: &[&str]| rules.iter().map(|rule| (*rule).to_owned()).collect::<Vec<_>>();
        let check = |basic: &[&str], advanced: &[&str]| {
            Grammar.check_rules(&rules(basic), &rules(advanced)).err().map(|error| error.field.unwrap())
        };
        assert_eq!(check(&["*:r", "items:rwo"], &["items.price:block"]), None);
        assert_eq!(check(&["*:r", "items:x"], &[]).as_deref(), Some("basic_rules[1]"));
        assert_eq!(check(&[], &["items.price"]).as_deref(), Some("advanced_rules[0]"));
    }
}
