//! `insula group …`.

use clap::{Args, Subcommand};
use identity::GroupChange;
use query::rules::GroupRules;
use serde::Serialize;

use super::{Output, Which, output::or_dash};
use crate::{
    Installation,
    failure::{Failure, Result},
};

/// List, change and remove the groups of a tenant.
#[derive(Subcommand)]
pub(super) enum Group {
    /// List groups, the weakest first
    #[command(after_help = "Example:\n  insula group list")]
    List(List),
    /// Change a group, or make it
    #[command(after_help = "Examples:\n  insula group set users --rule items:rwo --rule categories:r\n  \
        insula group set anonymous --column-rule items.price:block\n  \
        insula group set editors --power 50 --rule '*:rw' --ability explain")]
    Set(Set),
    /// Remove a group that has no users
    #[command(after_help = "Example:\n  insula group remove editors")]
    Remove(Remove),
}

#[derive(Args)]
pub(super) struct List {
    #[command(flatten)]
    which: Which,
}

#[derive(Args)]
pub(super) struct Remove {
    /// The group
    name: String,
    #[command(flatten)]
    which: Which,
}

#[derive(Args)]
pub(super) struct Set {
    /// The group
    name: String,
    #[command(flatten)]
    which: Which,
    /// From 1, the weakest, to 100; a new group needs it
    #[arg(long)]
    power: Option<u8>,
    /// What it may do with a table, in place of what it might: rwa, rw, rwg, rwo, r, rg or ro; may be repeated
    #[arg(long, value_name = "TABLE:CODE")]
    rule: Vec<String>,
    /// What it may do with a column: block, bo, bg, boi, bgi, r, rw or rwa; may be repeated
    #[arg(long, value_name = "TABLE.COLUMN:CODE")]
    column_rule: Vec<String>,
    /// A named right; may be repeated
    #[arg(long)]
    ability: Vec<String>,
    /// Forget the rules, column rules and abilities that are not given here
    #[arg(long)]
    replace: bool,
    /// Rows that one select may return; 0 for the tenant's default
    #[arg(long, value_name = "N")]
    max_limit: Option<u32>,
    /// Conditions that one query may have; 0 for the tenant's default
    #[arg(long, value_name = "N")]
    max_conditions: Option<u32>,
    /// Whether batches are allowed
    #[arg(long, value_name = "BOOL")]
    batch: Option<bool>,
}

/// A group as it is shown.
#[derive(Serialize)]
struct Shown {
    name: String,
    power: u8,
    rules: Vec<String>,
    column_rules: Vec<String>,
    abilities: Vec<String>,
    max_limit: Option<u64>,
    max_conditions: Option<u64>,
    batch: bool,
}

impl From<kernel::Group> for Shown {
    fn from(group: kernel::Group) -> Self {
        Self {
            name: group.name,
            power: group.power,
            rules: group.basic_rules,
            column_rules: group.advanced_rules,
            abilities: group.abilities,
            max_limit: group.max_limit,
            max_conditions: group.max_where_conditions,
            batch: group.allow_batch_operations,
        }
    }
}

impl Group {
    pub(super) async fn run(self, installation: &Installation, output: Output) -> Result<()> {
        match self {
            Self::List(list) => list.run(installation, output).await,
            Self::Set(set) => set.run(installation, output).await,
            Self::Remove(Remove { name, which }) => {
                let (_, open) = installation.open_tenant(which.tenant.as_deref()).await?;
                installation.features.identity.remove_group(&open, &name).await?;
                output.print(&serde_json::json!({ "removed": name }), || format!("Group {name} is gone."));
                Ok(())
            }
        }
    }
}

impl List {
    async fn run(self, installation: &Installation, output: Output) -> Result<()> {
        let (_, open) = installation.open_tenant(self.which.tenant.as_deref()).await?;
        let groups = installation.features.identity.groups(&open).await?;
        let shown: Vec<_> = groups.into_iter().map(Shown::from).collect();
        output.list(&shown, &["NAME", "POWER", "RULES", "COLUMN RULES", "ABILITIES"], Shown::row);
        Ok(())
    }
}

impl Shown {
    fn row(&self) -> Vec<String> {
        let words = |list: &[String]| or_dash(Some(&list.join(" ")));
        vec![
            self.name.clone(),
            self.power.to_string(),
            words(&self.rules),
            words(&self.column_rules),
            words(&self.abilities),
        ]
    }
}

impl Set {
    async fn run(self, installation: &Installation, output: Output) -> Result<()> {
        let (_, open) = installation.open_tenant(self.which.tenant.as_deref()).await?;
        let identity = &installation.features.identity;
        let known = identity.groups(&open).await?.into_iter().find(|group| group.name == self.name);
        let (rules, columns, abilities) = known
            .filter(|_| !self.replace)
            .map(|group| (group.basic_rules, group.advanced_rules, group.abilities))
            .unwrap_or_default();
        let given = |list: &[String]| self.replace || !list.is_empty();
        GroupRules::check(&self.rule, &self.column_rule).map_err(Failure::Usage)?;
        let change = GroupChange {
            name: self.name.clone(),
            power: self.power,
            basic_rules: given(&self.rule).then(|| merged(rules, &self.rule)),
            advanced_rules: given(&self.column_rule).then(|| merged(columns, &self.column_rule)),
            abilities: given(&self.ability).then(|| {
                let new = self.ability.iter().filter(|ability| !abilities.contains(ability));
                abilities.iter().chain(new).cloned().collect()
            }),
            max_limit: self.max_limit,
            max_where_conditions: self.max_conditions,
            allow_batch_operations: self.batch,
            ..GroupChange::default()
        };
        let shown = Shown::from(identity.save_group(&open, change).await?);
        output.list(&[shown], &["NAME", "POWER", "RULES", "COLUMN RULES", "ABILITIES"], Shown::row);
        Ok(())
    }
}

/// Rules with the new ones in place of those for the same table or column.
fn merged(mut rules: Vec<String>, new: &[String]) -> Vec<String> {
    let target = |rule: &str| rule.rsplit_once(':').map(|(target, _)| target.to_owned());
    for rule in new {
        rules.retain(|known| target(known) != target(rule));
        rules.push(rule.clone());
    }
    rules
}
