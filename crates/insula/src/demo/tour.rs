//! What `insula serve --demo` shows: accounts, and calls that work when they are pasted.

use std::fmt::Write as _;

use crate::Account;

/// Accounts and calls as text.
pub(crate) fn tour(url: &str, tenant: &str, accounts: &[Account]) -> String {
    let mut text = format!("Demonstration:    tenant {tenant}, the equipment desk of a school\n\nAccounts\n");
    for account in accounts {
        let Account { username, password, group, power } = account;
        let _ = writeln!(text, "  {username:<8} {password:<24} {group} (power {power})");
    }
    text.push_str("\nPaste these calls\n");
    for (title, command) in calls(url, accounts) {
        let _ = write!(text, "\n# {title}\n{command}\n");
    }
    text
}

/// A title and a shell command, five times.
fn calls(url: &str, accounts: &[Account]) -> Vec<(&'static str, String)> {
    let query = |token: &str, body: &str| {
        format!(
            "curl -sw '\\n' {url}/query -H \"Authorization: Bearer ${token}\" -H 'Content-Type: application/json' \\\n  -d '{body}'"
        )
    };
    vec![
        ("Log in as uma and keep the token", log_in(url, "TOKEN", "uma", accounts)),
        (
            "Five assets that are as good as new",
            query(
                "TOKEN",
                r#"{"action":"select","table":"assets","columns":["id","tag","name","price"],"where":{"condition":"new","is_loanable":true},"order_by":[{"column":"price","direction":"DESC"}],"limit":5}"#,
            ),
        ),
        (
            "Notebooks under 300 with the room they are in",
            query(
                "TOKEN",
                r#"{"action":"select","table":"assets","columns":["assets.tag","assets.name","assets.price","locations.room"],"joins":[{"table":"categories","on":"assets.category_id = categories.id"},{"table":"locations","on":"assets.location_id = locations.id"}],"filter":{"and":[{"column":"categories.name","op":"=","value":"Notebooks"},{"column":"assets.price","op":"<","value":300}]},"order_by":[{"column":"assets.tag"}],"limit":5}"#,
            ),
        ),
        (
            "Borrow one: the loan is pinned to uma, who sees her own loans and no others",
            query(
                "TOKEN",
                r#"{"action":"insert","table":"loans","data":{"asset_id":1,"person_id":1,"due_on":"2026-12-24","note":"For the holidays."}}"#,
            ),
        ),
        (
            "Ask as ada, the administrator, what a query would run and why",
            format!(
                "{}\n{}",
                log_in(url, "ADMIN", "ada", accounts),
                query("ADMIN", r#"{"action":"select","table":"assets","where":{"tag":"EQ-00001"},"explain":true}"#)
            ),
        ),
    ]
}

fn log_in(url: &str, variable: &str, username: &str, accounts: &[Account]) -> String {
    let password = accounts.iter().find(|account| account.username == username).map_or("", |account| &account.password);
    format!(
        "{variable}=$(curl -s {url}/auth/login -H 'Content-Type: application/json' \\\n  \
         -d '{{\"method\":\"password\",\"username\":\"{username}\",\"password\":\"{password}\"}}' \\\n  \
         | sed 's/.*\"token\":\"\\([^\"]*\\)\".*/\\1/')"
    )
}
