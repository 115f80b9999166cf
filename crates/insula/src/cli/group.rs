//! `insula group …`.

use std::fmt::Write as _;

use clap::{Args, Subcommand, ValueEnum};
use identity::{Actor, GroupChange, GroupRecord};
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
    /// Show one group
    #[command(after_help = "Example:\n  insula group show users")]
    Show(Named),
    /// Make a group
    #[command(after_help = "Examples:\n  insula group create editors --power 50 --rule '*:rw' --ability explain\n  \
        insula group create kiosk --power 5 --session-timeout-minutes 10 --max-concurrent-sessions 1")]
    Create(Set),
    /// Change a group, or make it
    #[command(after_help = "Examples:\n  insula group set users --rule items:rwo --rule categories:r\n  \
        insula group set anonymous --column-rule items.price:block\n  \
        insula group set editors --power 50 --rule '*:rw' --ability explain")]
    Set(Set),
    /// Give a group another name, which row rules do not follow
    #[command(after_help = "Example:\n  insula group rename editors writers")]
    Rename(Rename),
    /// Remove a group that has no users
    #[command(alias = "remove", after_help = "Example:\n  insula group delete editors")]
    Delete(Named),
}

#[derive(Args)]
pub(super) struct List {
    #[command(flatten)]
    which: Which,
}

#[derive(Args)]
pub(super) struct Named {
    /// The group
    name: String,
    #[command(flatten)]
    which: Which,
}

#[derive(Args)]
pub(super) struct Rename {
    #[command(flatten)]
    named: Named,
    /// The new name
    to: String,
}

#[derive(Args)]
pub(super) struct Set {
    #[command(flatten)]
    named: Named,
    /// From 1, the weakest, to 100; a new group needs it
    #[arg(long)]
    power: Option<u8>,
    /// What it is for
    #[arg(long)]
    description: Option<String>,
    /// What it may do with a table, in place of what it might: rwa, rw, rwg, rwo, r, rg or ro; may be repeated
    #[arg(long, value_name = "TABLE:CODE")]
    rule: Vec<String>,
    /// What it may do with a column: block, bo, bg, boi, bgi, r, rw or rwa; may be repeated
    #[arg(long, value_name = "TABLE.COLUMN:CODE")]
    column_rule: Vec<String>,
    /// A named right beyond those that the power brings; may be repeated
    #[arg(long)]
    ability: Vec<String>,
    /// All named rights beyond those that the power brings, separated by commas; '' for none
    #[arg(long, value_name = "LIST", conflicts_with = "ability")]
    abilities: Option<String>,
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
    /// Minutes without activity after which a session ends; 0 for the tenant's default
    #[arg(long, value_name = "N")]
    session_timeout_minutes: Option<u32>,
    /// Sessions that a user may have at once; 0 for the tenant's default
    #[arg(long, value_name = "N")]
    max_concurrent_sessions: Option<u32>,
    /// Whose preferences its users may read and write
    #[arg(long)]
    settings_access: Option<SettingsAccess>,
}

/// Whose preferences users may read and write.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[expect(clippy::enum_variant_names, reason = "the words that are stored")]
enum SettingsAccess {
    ReadOwnOnly,
    ReadWriteOwn,
    ReadWriteAll,
}

/// A group as it is shown.
#[derive(Serialize)]
struct Shown {
    id: i64,
    name: String,
    power: u8,
    description: Option<String>,
    rules: Vec<String>,
    column_rules: Vec<String>,
    abilities: Vec<String>,
    max_limit: Option<u64>,
    max_conditions: Option<u64>,
    batch: bool,
    session_timeout_minutes: Option<u64>,
    max_concurrent_sessions: Option<u64>,
    settings_access: String,
}

impl From<GroupRecord> for Shown {
    fn from(record: GroupRecord) -> Self {
        let GroupRecord { group, description } = record;
        Self {
            id: group.id,
            name: group.name,
            power: group.power,
            description,
            rules: group.basic_rules,
            column_rules: group.advanced_rules,
            abilities: group.abilities,
            max_limit: group.max_limit,
            max_conditions: group.max_where_conditions,
            batch: group.allow_batch_operations,
            session_timeout_minutes: group.session_timeout_minutes,
            max_concurrent_sessions: group.max_concurrent_sessions,
            settings_access: group.user_settings_access,
        }
    }
}

impl Group {
    pub(super) async fn run(self, installation: &Installation, output: Output) -> Result<()> {
        let (_, open) = installation.open_tenant(self.which().tenant.as_deref()).await?;
        let (identity, actor) = (&installation.features.identity, Actor::operator());
        match self {
            Self::List(_) => {
                let groups = identity.group_records(&open).await?;
                let shown: Vec<_> = groups.into_iter().map(Shown::from).collect();
                tell(&shown, output);
            }
            Self::Show(named) => {
                let shown = Shown::from(identity.group(&open, &named.name).await?);
                output.print(&shown, || shown.describe());
            }
            Self::Create(set) => {
                let name = set.named.name.clone();
                let change = set.change(None)?;
                let made = identity.add_group(&open, &actor, GroupChange { name, ..change }).await?;
                tell(&[made.into()], output);
            }
            Self::Set(set) => {
                let name = set.named.name.clone();
                let known = identity.groups(&open).await?.into_iter().find(|group| group.name == name);
                let change = GroupChange { name: name.clone(), ..set.change(known.as_ref())? };
                let saved = match known {
                    Some(_) => identity.change_group(&open, &actor, &name, change).await?,
                    None => identity.add_group(&open, &actor, change).await?,
                };
                tell(&[saved.into()], output);
            }
            Self::Rename(Rename { named, to }) => {
                let change = GroupChange { name: to, ..GroupChange::default() };
                let renamed = identity.change_group(&open, &actor, &named.name, change).await?;
                tell(&[renamed.into()], output);
            }
            Self::Delete(Named { name, .. }) => {
                identity.remove_group(&open, &actor, &name).await?;
                output.print(&serde_json::json!({ "removed": name }), || format!("Group {name} is gone."));
            }
        }
        Ok(())
    }

    fn which(&self) -> &Which {
        match self {
            Self::List(list) => &list.which,
            Self::Create(set) | Self::Set(set) => &set.named.which,
            Self::Rename(rename) => &rename.named.which,
            Self::Show(named) | Self::Delete(named) => &named.which,
        }
    }
}

fn tell(shown: &[Shown], output: Output) {
    output.list(shown, &["NAME", "POWER", "RULES", "COLUMN RULES", "ABILITIES"], |group| {
        let words = |list: &[String]| or_dash(Some(&list.join(" ")));
        vec![
            group.name.clone(),
            group.power.to_string(),
            words(&group.rules),
            words(&group.column_rules),
            words(&group.abilities),
        ]
    });
}

impl Shown {
    fn describe(&self) -> String {
        let number =
            |number: Option<u64>| number.map_or("the tenant's default".to_owned(), |number| number.to_string());
        let words = |list: &[String]| or_dash(Some(&list.join(" ")));
        let lines = [
            ("name", self.name.clone()),
            ("power", self.power.to_string()),
            ("for", or_dash(self.description.as_deref())),
            ("rules", words(&self.rules)),
            ("column rules", words(&self.column_rules)),
            ("abilities", words(&self.abilities)),
            ("rows a select", number(self.max_limit)),
            ("conditions a query", number(self.max_conditions)),
            ("batches", if self.batch { "allowed" } else { "not allowed" }.to_owned()),
            ("session minutes", number(self.session_timeout_minutes)),
            ("sessions a user", number(self.max_concurrent_sessions)),
            ("settings access", self.settings_access.clone()),
        ];
        lines.iter().fold(String::new(), |mut text, (name, value)| {
            let _ = writeln!(text, "{name:<19} {value}");
            text
        })
    }
}

impl Set {
    /// What changes; rules and abilities are added to those that the group has.
    fn change(self, known: Option<&kernel::Group>) -> Result<GroupChange> {
        let known = known.filter(|_| !self.replace);
        let given = |list: &[String]| self.replace || !list.is_empty();
        let before = |list: fn(&kernel::Group) -> &Vec<String>| known.map(list).cloned().unwrap_or_default();
        let abilities = match &self.abilities {
            Some(list) => {
                Some(list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect())
            }
            None => given(&self.ability).then(|| {
                let mut abilities = before(|group| &group.abilities);
                abilities.extend(
                    self.ability.iter().filter(|ability| !abilities.contains(ability)).cloned().collect::<Vec<_>>(),
                );
                abilities
            }),
        };
        let access = self.settings_access.and_then(|access| access.to_possible_value());
        check_names(abilities.iter().flatten())?;
        Ok(GroupChange {
            power: self.power,
            description: self.description,
            basic_rules: given(&self.rule).then(|| merged(before(|group| &group.basic_rules), &self.rule)),
            advanced_rules: given(&self.column_rule)
                .then(|| merged(before(|group| &group.advanced_rules), &self.column_rule)),
            abilities,
            max_limit: self.max_limit,
            max_where_conditions: self.max_conditions,
            allow_batch_operations: self.batch,
            session_timeout_minutes: self.session_timeout_minutes,
            max_concurrent_sessions: self.max_concurrent_sessions,
            user_settings_access: access.map(|access| access.get_name().to_owned()),
            ..GroupChange::default()
        })
    }
}

/// Names the abilities there are where one is asked for that is not among them.
fn check_names<'a>(mut names: impl Iterator<Item = &'a String>) -> Result<()> {
    match names.find(|name| kernel::ability::by_name(name).is_none()) {
        None => Ok(()),
        Some(unknown) => {
            let known: Vec<_> = kernel::ability::ALL.iter().map(|ability| ability.name).collect();
            Err(Failure::Usage(format!("there is no ability {unknown:?}; there are: {}", known.join(", "))))
        }
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
