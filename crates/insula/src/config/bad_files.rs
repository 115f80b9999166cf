//! What is said of files with mistakes, all of it in one snapshot.

use std::{fmt::Write, fs, path::Path};

use super::{Config, Mistake, Sources, check_tenant, load};

/// A file below the data folder, and what is in it.
const BAD: [(&str, &str, &str); 27] = [
    ("a mistyped key", "insula.toml", "[server]\nlisten_on = \"127.0.0.1:80\"\n"),
    ("a mistyped section", "insula.toml", "[sever]\nname = \"x\"\n[qury]\n"),
    ("a key in the wrong section", "insula.toml", "[server]\ndefault_max_limit = 5\n[query]\nmax_open = 3\n"),
    ("no TOML", "insula.toml", "[server\nname = \"x\"\nport = \n"),
    ("a key twice", "insula.toml", "[server]\nname = \"x\"\nname = \"y\"\n"),
    ("a number in quotes", "insula.toml", "[identity]\nsession_timeout_minutes = \"30\"\nbcrypt_cost = \"12\"\n"),
    ("no unit", "insula.toml", "[server]\nrequest_timeout = 30\nmax_body_size = 4096\n"),
    ("a wrong unit", "insula.toml", "[server]\nrequest_timeout = \"30 S\"\nmax_body_size = \"1mb\"\nidle = \"1w\"\n"),
    (
        "out of range",
        "insula.toml",
        "[identity]\nsession_timeout_minutes = 0\nmin_clear_sessions_power = 300\nhash_queue = -1\n",
    ),
    (
        "checked by the feature",
        "insula.toml",
        "[identity]\nbcrypt_cost = 4\nwhitelisted_pin_ips = [\"0.0.0.0/0\"]\nsigning_key_lifetime = \"1s\"\n",
    ),
    (
        "a wrong word",
        "insula.toml",
        "[log]\nformat = \"jason\"\n[identity]\nregistration = \"maybe\"\nanonymous = false\n",
    ),
    (
        "wrong elements of a list",
        "insula.toml",
        "[server]\ntrusted_proxies = [\"10.0.0.0/8\", \"10.0.0.0/33\", \"proxy\"]\nbootstrap_hosts = \"shop.example\"\n",
    ),
    ("an address without a port", "insula.toml", "[server]\nlisten = \"127.0.0.1\"\nadmin_listen = \"here\"\n"),
    (
        "secrets",
        "insula.toml",
        "master_key = 771881\n[store]\ndatabase = \"oracle://u:hidden@h\"\ncontrol_file = \"not-there\"\n",
    ),
    (
        "half a section",
        "insula.toml",
        "[identity.captcha]\nprovider = \"turnstile\"\n[identity.key_rate_classes.slow]\nper_second = 5\n",
    ),
    ("a section that is a value", "insula.toml", "server = 5\n[identity]\nmail = \"smtp://localhost\"\n"),
    (
        "both names of a setting",
        "insula.toml",
        "session_timeout_minutes = 9\n[identity]\nsession_timeout_minutes = 10\n[security]\nenable_rate_limiting = 1\n",
    ),
    (
        "a provider",
        "insula.toml",
        "[identity.providers.google]\nclient_id = \"x\"\nclient_secrt = \"hidden\"\n[identity.providers.mine]\nkind = \"saml\"\n",
    ),
    (
        "a tenant's settings",
        "tenants/shop/identity.toml",
        "registraton = \"closed\"\nhash_queue = 5\nmax_concurrent_sessions = \"3\"\nbcrypt_cost = 5\n[mail]\nfrom = \"nobody\"\n",
    ),
    ("a tenant's settings, no TOML", "tenants/shop/identity.toml", "registration = open\n"),
    (
        "rules",
        "tenants/shop/rules.toml",
        "[[rules]]\ntable = \"a\"\ngroups = [\"users\"]\nactions = [\"select\", \"fly\"]\nwhere = { a = 1 }\n\n\
         [[rules]]\ntabel = \"a\"\nactions = []\npower = { min = 300 }\n\n[[rules]]\ntable = \"b\"\nactions = [\"select\"]\n",
    ),
    (
        "a rule's condition",
        "tenants/shop/rules.toml",
        "[[rules]]\ntable = \"a\"\ngroups = [\"users\"]\nactions = [\"select\"]\nwhen = { column = \"a\", op = \"~\", value = 1 }\n\n\
         [rule]\ntable = \"c\"\n",
    ),
    (
        "a toolkit",
        "tenants/shop/toolkits/shop.toml",
        "name = \"shop\"\ntabels = [\"items\"]\n[endpoints.0]\npath = \"a\"\ntype = \"htp\"\n[x_seckelapi]\nold = 1\n",
    ),
    (
        "system columns",
        "tenants/shop/columns.toml",
        "enabled = \"yes\"\ncroe = true\n[overrides.logs]\npinned = false\n[core_overrides]\n_users = false\n",
    ),
    ("system columns, no TOML", "tenants/shop/columns.toml", "enabled = yes\n"),
    ("a letter", "tenants/shop/mail/verify_email.txt", "Hello\n{{ nam }}\n{% if %}\n"),
    ("a letter that nobody sends", "tenants/shop/mail/verify_mail.txt", "Hello\n"),
];

fn mistakes(folder: &Path, file: &str) -> Vec<Mistake> {
    if file == "insula.toml" {
        let sources = Sources { file: Some(folder.join(file)), ..Sources::default() };
        return load(&sources).map_or_else(|mistakes| mistakes.0, |_| Vec::new());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(check_tenant(&Config::default(), &folder.join("tenants/shop")))
}

#[test]
fn every_mistake_is_explained() {
    let mut told = String::new();
    for (what, file, text) in BAD {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        let found = mistakes(folder.path(), file);
        assert!(!found.is_empty(), "nothing is said of {what}");
        let _ = writeln!(told, "{what}");
        for mistake in found {
            let json = mistake.to_json();
            let (place, rest) = (format!("{}:{}", json["line"], json["column"]), mistake.to_string());
            let rest = rest.replace(&format!("{}/", folder.path().display()), "");
            let _ = writeln!(told, "  {place} {rest}");
        }
    }
    assert!(!told.contains("hidden") && !told.contains("771881"), "a secret is told:\n{told}");
    insta::assert_snapshot!(told);
}
