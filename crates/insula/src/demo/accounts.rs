//! The demonstration's accounts, one for each group, and what the groups may do.

use std::{fs, path::Path};

use identity::{GroupChange, Identity};
use serde::{Deserialize, Serialize};
use store::OpenTenant;

use crate::{
    Account, Failure,
    failure::{Result, io},
    private_file,
};

/// The file in the data folder that keeps the passwords.
const FILE: &str = "demo.json";

struct Role {
    username: &'static str,
    group: &'static str,
    power: u8,
    rules: &'static [&'static str],
    column_rules: &'static [&'static str],
}

const ROLES: [Role; 5] = [
    Role {
        username: "guest",
        group: "anonymous",
        power: 1,
        rules: &["categories:r", "assets:r"],
        column_rules: &["assets.price:block", "assets.purchased_on:block", "assets.attributes:block"],
    },
    Role {
        username: "uma",
        group: "users",
        power: 10,
        rules: &["categories:r", "locations:r", "assets:r", "people:r", "loans:rwo"],
        column_rules: &["people.email:block", "people.card:block"],
    },
    Role {
        username: "pablo",
        group: "publishers",
        power: 40,
        rules: &["categories:rw", "locations:r", "assets:rw", "people:r", "loans:rwg", "maintenance:rwo"],
        column_rules: &["people.card:block"],
    },
    Role { username: "mona", group: "moderators", power: 70, rules: &["*:rw"], column_rules: &[] },
    Role { username: "ada", group: "administrators", power: 100, rules: &["*:rwa"], column_rules: &[] },
];

#[derive(Serialize, Deserialize)]
struct Kept {
    accounts: Vec<Account>,
}

/// The accounts with the passwords of the last start, or with new ones; tells whether they were known.
pub(super) fn load_or_make(data: &Path) -> Result<(Vec<Account>, bool)> {
    let file = data.join(FILE);
    if !file.exists() {
        let accounts = ROLES.iter().map(Role::account).collect();
        let text = serde_json::to_string_pretty(&Kept { accounts }).unwrap_or_default();
        // Where another process was quicker, its passwords are the ones that hold.
        if private_file::write_new(&file, &text)? {
            return read(&file).map(|accounts| (accounts, false));
        }
    }
    read(&file).map(|accounts| (accounts, true))
}

fn read(file: &Path) -> Result<Vec<Account>> {
    let text = fs::read_to_string(file).map_err(io(file.display()))?;
    let kept: Kept = serde_json::from_str(&text).map_err(|error| {
        Failure::Usage(format!("{} is not what the demonstration wrote ({error}); remove it", file.display()))
    })?;
    Ok(kept.accounts)
}

impl Role {
    fn account(&self) -> Account {
        Account {
            username: self.username.to_owned(),
            password: identity::generated_password().expose().to_owned(),
            group: self.group.to_owned(),
            power: self.power,
        }
    }
}

/// Gives the groups their rules.
pub(super) async fn save_groups(identity: &Identity, open: &OpenTenant) -> Result<()> {
    let owned = |list: &[&str]| Some(list.iter().map(|rule| (*rule).to_owned()).collect());
    for role in &ROLES {
        let change = GroupChange {
            name: role.group.to_owned(),
            power: Some(role.power),
            basic_rules: owned(role.rules),
            advanced_rules: owned(role.column_rules),
            ..GroupChange::default()
        };
        identity.save_group(open, change).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::ROLES;

    #[test]
    fn the_rules_are_well_formed() {
        for role in &ROLES {
            let owned = |list: &[&str]| list.iter().map(|rule| (*rule).to_owned()).collect::<Vec<_>>();
            assert_eq!(query::rules::GroupRules::check(&owned(role.rules), &owned(role.column_rules)), Ok(()));
        }
        query::rules::RuleBook::parse(super::super::RULES).unwrap();
    }
}
