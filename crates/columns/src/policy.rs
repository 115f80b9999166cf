//! Which table of a tenant gets which system column.

use kernel::columns::{ColumnChoices, SystemColumn};

use crate::{SystemColumnsConfig, config::add, file::TenantColumns};

/// Insula's tables that may have system columns.
const CORE: [&str; 2] = ["_users", "_groups"];

/// What is in force for a tenant, its toolkits aside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Policy {
    enabled: bool,
    core: bool,
    tenant: ColumnChoices,
    tenant_core: ColumnChoices,
    installation: ColumnChoices,
    installation_core: ColumnChoices,
}

impl Policy {
    pub(crate) fn new(installation: &SystemColumnsConfig, tenant: TenantColumns) -> Self {
        let both = |mut first: ColumnChoices, second: &ColumnChoices| {
            add(&mut first, second);
            first
        };
        Self {
            enabled: tenant.enabled.unwrap_or(installation.enabled),
            core: tenant.core.unwrap_or(installation.core),
            tenant: both(tenant.overrides, &tenant.system_column_overrides),
            tenant_core: canonical(&both(tenant.core_overrides, &tenant.core_system_column_overrides)),
            installation: installation.overrides.clone(),
            installation_core: canonical(&installation.core_overrides),
        }
    }

    /// Whether any table gets anything.
    pub(crate) fn is_on(&self) -> bool {
        self.enabled || self.core
    }

    /// Whether a table of the tenant's own gets a column.
    pub(crate) fn wants(&self, table: &str, column: SystemColumn, toolkits: &ColumnChoices) -> bool {
        let says = |choices: &ColumnChoices| choices.get(table).and_then(|choice| choice.says(column));
        let left_out = || says(toolkits) == Some(false) || says(&self.installation) == Some(false);
        self.enabled && !table.starts_with('_') && says(&self.tenant).unwrap_or_else(|| !left_out())
    }

    /// Whether one of Insula's own tables gets a column.
    pub(crate) fn wants_core(&self, table: &str, column: SystemColumn) -> bool {
        let says = |choices: &ColumnChoices| choices.get(table).and_then(|choice| choice.says(column));
        let said = says(&self.tenant_core).or_else(|| says(&self.installation_core));
        self.core && CORE.contains(&table) && said.unwrap_or(true)
    }
}

/// The names that other implementations have for Insula's tables stand for them.
fn canonical(choices: &ColumnChoices) -> ColumnChoices {
    let name = |table: &str| table.strip_prefix("jde_").map_or_else(|| table.to_owned(), |rest| format!("_{rest}"));
    choices.iter().map(|(table, choice)| (name(table), *choice)).collect()
}

#[cfg(test)]
mod tests {
    use kernel::columns::{ColumnChoices, SystemColumn::PinnedTo};

    use super::Policy;
    use crate::{SystemColumnsConfig, file::TenantColumns};

    fn policy(installation: &str, tenant: &str) -> Policy {
        let installation: SystemColumnsConfig = toml::from_str(installation).unwrap();
        let tenant: TenantColumns = toml::from_str(tenant).unwrap();
        Policy::new(&installation, tenant)
    }

    fn wants(policy: &Policy, table: &str) -> bool {
        policy.wants(table, PinnedTo, &ColumnChoices::new())
    }

    #[test]
    fn nothing_is_added_unless_it_is_asked_for() {
        assert!(!policy("", "").is_on());
        assert!(!wants(&policy("core = true", ""), "items"));
        assert!(wants(&policy("", "enabled = true"), "items"));
        assert!(!wants(&policy("enabled = true", "enabled = false"), "items"));
    }

    #[test]
    fn the_tenant_goes_before_toolkits_and_those_before_the_installation() {
        let installation = "enabled = true\n[overrides.a]\nall = false\n[overrides.b]\npinned_to = false";
        let policy = policy(installation, "[overrides.b]\nall = true");
        assert!(!wants(&policy, "a") && wants(&policy, "b") && wants(&policy, "c"));
        let toolkits: ColumnChoices =
            toml::from_str("a = { all = true }\nb = { all = false }\nc = { all = false }").unwrap();
        let wants = |table| policy.wants(table, PinnedTo, &toolkits);
        assert!(!wants("a") && wants("b") && !wants("c"), "toolkits only leave out");
    }

    #[test]
    fn core_tables_are_users_and_groups_alone() {
        let policy = policy("enabled = true\ncore = true\n[core_overrides.jde_groups]\npinned_to = false", "");
        assert!(policy.wants_core("_users", PinnedTo) && !policy.wants_core("_groups", PinnedTo));
        assert!(!policy.wants_core("_sessions", PinnedTo) && !wants(&policy, "_sessions") && !wants(&policy, "_users"));
    }
}
