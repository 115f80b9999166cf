use std::{fs, os::unix::fs::PermissionsExt};

use proptest::prelude::*;

use super::{Config, Mistakes, Sources, load};

fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn from_text(text: &str) -> Result<Config, Mistakes> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("insula.toml");
    fs::write(&file, text).unwrap();
    load(&Sources { file: Some(file), ..Sources::default() }).map(|loaded| loaded.config)
}

#[test]
fn an_empty_file_gives_the_defaults() {
    assert_eq!(from_text("").unwrap(), Config::default());
}

#[test]
fn each_mistake_is_told_with_its_line_and_what_may_be_meant() {
    let text = "[server]\nlisten = \"127.0.0.1:80\"\nmax_body_sise = \"1MB\"\n\n[sever]\n[log]\nformat = \"xml\"\n";
    let Mistakes(mistakes) = from_text(text).unwrap_err();
    let told: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
    let has = |line: &str, words: &[&str]| {
        told.iter().any(|text| text.contains(line) && words.iter().all(|word| text.contains(word)))
    };
    assert_eq!(told.len(), 3, "{told:#?}");
    assert!(has("insula.toml:3: server.max_body_sise", &["did you mean `max_body_size`?"]), "{told:#?}");
    assert!(has("insula.toml:5: sever", &["did you mean `server`?"]), "{told:#?}");
    assert!(has("insula.toml:7: log.format", &["xml"]), "{told:#?}");
}

#[test]
fn names_of_seckelapi_work_beside_our_own() {
    let text = "session_timeout_minutes = 15\n[identity]\nsession_update_interval_seconds = 90\n[server]\n\
        enable_rate_limiting = false\n[security]\nwhitelisted_pin_ips = [\"192.0.2.0/24\"]\n\
        [x_seckelapi.\"security.toml\"]\nunknown = 1\n";
    let config = from_text(text).unwrap();
    assert_eq!(config.identity.session_timeout_minutes.get(), 15);
    assert_eq!(config.identity.session_flush_interval.to_string(), "90s");
    assert!(!config.server.rate_limit.enabled && config.identity.whitelisted_pin_ips.len() == 1);
    let environment = environment(&[("INSULA_IDENTITY__SESSION_UPDATE_INTERVAL_SECONDS", "5")]);
    let loaded = load(&Sources { environment, ..Sources::default() }).unwrap();
    assert_eq!(loaded.config.identity.session_flush_interval.to_string(), "5s");
}

/// Every row of the table of names is about a setting that there is, in its unit.
#[test]
fn every_name_of_seckelapi_stands_for_a_setting() {
    for setting in seckelapi::SETTINGS {
        let value = match setting.unit {
            seckelapi::Unit::Bool => "true".to_owned(),
            seckelapi::Unit::Number(least, most) => {
                for beyond in [least.checked_sub(1), most.checked_add(1)].into_iter().flatten() {
                    let text = format!("{} = {beyond}\n", setting.theirs);
                    assert!(from_text(&text).is_err(), "{text}");
                }
                from_text(&format!("{} = {most}\n", setting.theirs)).unwrap();
                least.to_string()
            }
            seckelapi::Unit::Seconds(least, _) => least.to_string(),
            seckelapi::Unit::Word(words) => {
                assert!(from_text(&format!("{} = \"other\"\n", setting.theirs)).is_err());
                for word in words {
                    from_text(&format!("{} = \"{word}\"\n", setting.theirs)).unwrap();
                }
                format!("\"{}\"", words[0])
            }
            seckelapi::Unit::Networks => "[\"10.0.0.0/8\"]".to_owned(),
        };
        for text in [format!("{} = {value}\n", setting.theirs), format!("security.{} = {value}\n", setting.theirs)] {
            from_text(&text).unwrap_or_else(|mistakes| panic!("{text}: {mistakes}"));
        }
    }
}

/// No key of a toolkit is put aside as unknown on its way from SeckelAPI.
#[test]
fn every_key_of_a_toolkit_is_known_to_the_conversion() {
    let schema = toolkits::schema();
    let tables = [
        ("", "/properties"),
        ("[endpoints.0]\n", "/$defs/Endpoint/properties"),
        ("[endpoints.0.client_filter]\n", "/$defs/ClientFilter/properties"),
        ("[db_fallback_permissions.5]\n", "/$defs/GroupRights/properties"),
        ("[system_column_overrides.a]\n", "/$defs/ColumnChoice/properties"),
    ];
    for (head, pointer) in tables {
        let keys = schema.pointer(pointer).unwrap().as_object().unwrap().keys();
        for key in keys.filter(|key| *key != seckelapi::KEPT) {
            let text = format!("{head}{key} = 1979-05-27\n");
            let file = seckelapi::File { path: "toolkits/a.toml".to_owned(), text: text.clone() };
            let report = seckelapi::import(&[file]).unwrap().report;
            assert!(report.of(seckelapi::Outcome::Unknown).next().is_none(), "{text}");
        }
    }
}

#[test]
fn sections_whose_keys_need_each_other_can_be_written() {
    let text = "[identity.captcha]\nprovider = \"turnstile\"\nsecret = \"hush\"\n\
        [identity.key_rate_classes.slow]\nper_second = 1\nper_minute = 10\n";
    let config = from_text(text).unwrap();
    assert_eq!(config.identity.captcha.unwrap().secret.expose(), "hush");
    assert_eq!(config.identity.key_rate_classes["slow"].per_minute.get(), 10);
}

#[test]
fn the_environment_beats_the_file_and_flags_beat_both() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("insula.toml");
    fs::write(&file, "data = \"kept\"\n[server]\nname = \"file\"\nlisten = \"127.0.0.1:1\"\n[log]\nlevel = \"warn\"\n")
        .unwrap();
    let sources = Sources {
        file: Some(file),
        environment: environment(&[
            ("INSULA_SERVER__PORT", "2"),
            ("INSULA_SERVER__NAME", "123"),
            ("INSULA_SERVER__RATE_LIMIT__ENABLED", "false"),
            ("INSULA_SERVER__TRUSTED_PROXIES", "[\"10.0.0.0/8\"]"),
            ("INSULA_PORT", "tcp://10.0.0.1:80"),
        ]),
        flags: vec![("server.host", "--listen", "0.0.0.0".to_owned())],
    };
    let loaded = load(&sources).unwrap();
    assert_eq!(loaded.config.server.listen.to_string(), "0.0.0.0:2");
    assert_eq!((loaded.config.server.name.as_str(), loaded.config.log.level.as_str()), ("123", "warn"));
    assert!(!loaded.config.server.rate_limit.enabled);
    assert_eq!(loaded.config.server.trusted_proxies.len(), 1);
    assert_eq!(loaded.config.data, folder.path().join("kept"));
    assert_eq!(loaded.origins["server.name"].to_string(), "environment variable INSULA_SERVER__NAME");
}

#[test]
fn a_wrong_variable_is_named() {
    let environment = environment(&[("INSULA_SERVER__PROT", "1"), ("INSULA_SERVER__HOST", "nowhere")]);
    let told = load(&Sources { environment, ..Sources::default() }).unwrap_err().to_string();
    assert!(told.contains("INSULA_SERVER__PROT: server.prot: there is no such key; did you mean `port`?"), "{told}");
    assert!(told.contains("INSULA_SERVER__HOST: server.host: expected an IP address"), "{told}");
}

#[test]
fn secrets_come_from_private_files_and_are_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("database");
    fs::write(&file, "postgres://user:hidden@host/db\n").unwrap();
    let config = folder.path().join("insula.toml");
    fs::write(&config, "[store]\ndatabase_file = \"database\"\n").unwrap();
    let sources = Sources { file: Some(config), ..Sources::default() };

    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(load(&sources).unwrap_err().to_string().contains("chmod 600"));

    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let loaded = load(&sources).unwrap();
    assert_eq!(loaded.config.store.database.expose(), "postgres://user:hidden@host/db");
    for shown in [format!("{loaded:?}"), loaded.to_toml(), loaded.to_json().to_string()] {
        assert!(!shown.contains("hidden"), "{shown}");
    }
    let told = from_text("[store]\ndatabase = \"oracle://user:hidden@host\"\n").unwrap_err().to_string();
    assert!(told.contains("insula.toml:2: store.database") && !told.contains("hidden"), "{told}");
    let told = from_text("master_key = 77188\n").unwrap_err().to_string();
    assert!(told.contains("master_key") && !told.contains("77188"), "{told}");
}

#[test]
fn what_is_shown_can_be_read_back() {
    let loaded = load(&Sources::default()).unwrap();
    let shown = loaded.to_toml().replace("\"***\"", "\"sqlite\"");
    assert_eq!(from_text(&shown).unwrap().server, loaded.config.server);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_panics(text in "[\\[\\]a-z_.= \"'\\n0-9#{},é]{0,80}") {
        let _ = from_text(&text);
    }

    #[test]
    fn no_variable_panics(name in "[A-Z_]{0,20}", value in ".*") {
        let environment = vec![(format!("INSULA_SERVER__{name}"), value)];
        let _ = load(&Sources { environment, ..Sources::default() });
    }
}
