//! Compilations of groups with places in toolkits.

use std::sync::Arc;

use kernel::{
    Group, ToolkitGroup,
    toolkits::{NoToolkits, ToolkitTerms},
};
use store::Schema;

use super::{MOST_VARIANTS, RuleBook, TenantRules};

fn group(id: i64, name: &str, power: u8, place: Option<usize>) -> Arc<Group> {
    let place = place.map(|index| ToolkitGroup {
        toolkit: "kit".into(),
        group: format!("staff{index}"),
        basic_rules: vec!["items:rw".into()],
        advanced_rules: Vec::new(),
    });
    Arc::new(Group {
        id,
        name: name.into(),
        power,
        basic_rules: vec!["items:r".into()],
        advanced_rules: Vec::new(),
        abilities: Vec::new(),
        max_limit: None,
        max_where_conditions: None,
        allow_batch_operations: true,
        session_timeout_minutes: None,
        max_concurrent_sessions: None,
        user_settings_access: "read-write-own".into(),
        toolkits: place.into_iter().collect(),
    })
}

#[test]
fn groups_of_one_id_do_not_take_each_others_place() {
    let (rules, schema) = (TenantRules::new(RuleBook::default()), Arc::new(Schema::default()));
    let terms: Arc<dyn ToolkitTerms> = Arc::new(NoToolkits);
    let groups = [
        group(2, "users", 10, None),
        group(2, "users", 10, Some(0)),
        group(2, "users", 10, Some(1)),
        group(0, "toolkit:one", 0, None),
        group(0, "toolkit:two", 0, None),
    ];
    let first: Vec<_> = groups.iter().map(|group| rules.rights(group, &schema, &terms)).collect();
    for (group, compiled) in groups.iter().zip(&first) {
        assert!(Arc::ptr_eq(compiled, &rules.rights(group, &schema, &terms)), "{group:?} was compiled again");
        let equal = Arc::new(Group::clone(group));
        assert!(Arc::ptr_eq(compiled, &rules.rights(&equal, &schema, &terms)), "{group:?} is told by what it says");
    }
    assert_eq!(rules.variants.lock().len(), groups.len());
}

#[test]
fn what_is_compiled_ends_with_the_toolkits_it_was_compiled_from() {
    let (rules, schema) = (TenantRules::new(RuleBook::default()), Arc::new(Schema::default()));
    let terms: [Arc<dyn ToolkitTerms>; 2] = [Arc::new(NoToolkits), Arc::new(NoToolkits)];
    let group = group(2, "users", 10, None);
    let before = rules.rights(&group, &schema, &terms[0]);
    assert!(Arc::ptr_eq(&before, &rules.rights(&group, &schema, &terms[0])));
    assert!(!Arc::ptr_eq(&before, &rules.rights(&group, &schema, &terms[1])));
}

#[test]
fn no_more_than_so_many_are_kept() {
    let (rules, schema) = (TenantRules::new(RuleBook::default()), Arc::new(Schema::default()));
    let terms: Arc<dyn ToolkitTerms> = Arc::new(NoToolkits);
    for index in 0..=MOST_VARIANTS {
        rules.rights(&group(2, "users", 10, Some(index)), &schema, &terms);
        assert!(rules.variants.lock().len() <= MOST_VARIANTS);
    }
}
