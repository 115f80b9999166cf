//! Rules of groups and of their places in toolkits.

use kernel::{Group, ToolkitGroup};
use proptest::prelude::*;

use super::{super::ColumnCode, GroupRules};

fn owned(rules: &[&str]) -> Vec<String> {
    rules.iter().map(|rule| (*rule).to_owned()).collect()
}

/// A group of power 10 with rules of its own and a place in each toolkit.
fn group(basic: &[&str], advanced: &[&str], toolkits: &[(&[&str], &[&str])]) -> Group {
    let places = toolkits.iter().enumerate().map(|(index, (basic, advanced))| ToolkitGroup {
        toolkit: format!("kit{index}"),
        group: "staff".into(),
        basic_rules: owned(basic),
        advanced_rules: owned(advanced),
    });
    Group {
        id: 2,
        name: "users".into(),
        power: 10,
        basic_rules: owned(basic),
        advanced_rules: owned(advanced),
        abilities: Vec::new(),
        max_limit: None,
        max_where_conditions: None,
        allow_batch_operations: true,
        session_timeout_minutes: None,
        max_concurrent_sessions: None,
        user_settings_access: "read-write-own".into(),
        toolkits: places.collect(),
    }
}

fn code(rules: &GroupRules, table: &str) -> String {
    rules.table(table).map(|code| code.to_string()).unwrap_or_default()
}

#[test]
fn the_wildcard_covers_only_what_has_no_rule_and_never_system_tables() {
    let rules = GroupRules::read(&group(&["*:rw", "items:r", "jde_users:r"], &[], &[]));
    assert_eq!(code(&rules, "items"), "r");
    assert_eq!(code(&rules, "other"), "rw");
    assert_eq!(code(&rules, "_users"), "r");
    assert_eq!(rules.table("_sessions"), None);
    assert!(rules.table_origins("items").is_empty());
}

#[test]
fn the_specific_column_rule_wins() {
    let rules = GroupRules::read(&group(&[], &["items.*:block", "items.name:r"], &[]));
    assert_eq!(rules.column("items", "name"), Some(ColumnCode::Read));
    assert_eq!(rules.column("items", "price"), Some(ColumnCode::Block));
    assert_eq!(rules.column("other", "price"), None);
}

#[test]
fn codes_of_toolkits_join_and_never_narrow() {
    let staff: &[&str] = &["items:rwo", "loans:rwg"];
    let rules = GroupRules::read(&group(&["*:r", "loans:rg"], &[], &[(staff, &[]), (&["loans:rwo"], &[])]));
    assert_eq!(code(&rules, "items"), "r+rwo", "the wildcard of the group stands beside the toolkit's own code");
    assert_eq!(code(&rules, "loans"), "rwg");
    assert_eq!(code(&rules, "other"), "r");
    assert!(rules.ask_for_members());
    let origins: Vec<_> =
        rules.table_origins("items").into_iter().map(|(from, code)| (from, code.to_string())).collect();
    assert_eq!(origins, [("group", "r".to_owned()), ("toolkit kit0 as staff", "rwo".to_owned())]);
}

#[test]
fn of_two_rules_for_a_column_the_more_permissive_wins_and_the_specific_before_all() {
    let first: &[&str] = &["items.price:r", "items.note:block", "items.*:rw"];
    let second: &[&str] = &["items.price:boi", "items.cost:block"];
    let rules = GroupRules::read(&group(&[], &["items.price:block", "items.*:block"], &[(&[], first), (&[], second)]));
    assert_eq!(rules.column("items", "price"), Some(ColumnCode::Read));
    assert_eq!(rules.column("items", "note"), Some(ColumnCode::Block), "a specific rule beats any for all");
    assert_eq!(rules.column("items", "cost"), Some(ColumnCode::Block));
    assert_eq!(rules.column("items", "name"), Some(ColumnCode::Write));
    assert_eq!(rules.column_toolkit("items", "price"), Some("toolkit kit0 as staff"));
    assert_eq!(rules.column_toolkit("items", "cost"), Some("toolkit kit1 as staff"));
    assert_eq!(rules.column_toolkit("items", "name"), Some("toolkit kit0 as staff"));
}

#[test]
fn no_rule_of_a_toolkit_reaches_a_table_of_insula() {
    let grab: &[&str] = &["_users:rwa", "jde_groups:rwa", "jde_other:r", "*:rwa"];
    let columns: &[&str] = &["_users.email:rw", "jde_users.email:bad"];
    let rules = GroupRules::read(&group(&[], &[], &[(grab, columns)]));
    for table in ["_users", "_groups", "_sequences"] {
        assert_eq!((rules.table(table), rules.column(table, "email")), (None, None), "{table}");
    }
    assert!(rules.broken.is_empty(), "what is ignored closes nothing either");
    let mut itself = group(&["_users:rwa", "items:rw"], &[], &[]);
    (itself.power, itself.name) = (0, "toolkit:kit".into());
    let rules = GroupRules::read(&itself);
    assert_eq!((rules.table("_users"), code(&rules, "items")), (None, "rw".to_owned()));
}

#[test]
fn a_rule_of_a_toolkit_that_cannot_be_read_closes_its_table() {
    let rules = GroupRules::read(&group(&["items:rw"], &[], &[(&[], &["items.price:hide"])]));
    assert!(rules.broken.contains("items"));
}

proptest! {
    #[test]
    fn no_text_panics(text in ".*") {
        let _ = GroupRules::check(std::slice::from_ref(&text), std::slice::from_ref(&text));
        let _ = GroupRules::read(&group(&[&text], &[&text], &[(&[&text], &[&text])]));
    }
}
