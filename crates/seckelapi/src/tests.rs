use proptest::prelude::*;

use super::{Entry, Exported, File, Imported, Outcome, Setting, Unit, alias, export, import};

const SECURITY: &str = r#"# Written by hand in 2023.

[sessions]
# Half an hour.
session_timeout_minutes = 30 # as agreed
legacy_mode = "strict"
session_update_interval_seconds = 90

[limits]
enable_rate_limiting = true
auth_rate_limit_per_second = "five"

[permissions.100]
basic_rules = ["*:rwa"]
max_where_conditions = 80

[permissions.kiosk]
power = 5
basic_rules = ["items:r", "it's:ro"]

[permissions.user_settings_access]
10 = "read-own-only"
# The end.
"#;

const TOOLKIT: &str = r#"name = "beepzone"
type = "application"
audit = "full"

[endpoints.0]
path = "kiosk/scan" # of the kiosk
type = "http"
url = "http://127.0.0.1:7001/scan"
timeout_seconds = 10
retry = { times = 3 }
inject_db_context = true

[endpoints.0.client_filter]
allowed_fields = ["barcode"]
strict = true

[db_fallback_permissions.100]
basic_rules = ["assets:rw"]

[legacy]
a = 1979-05-27
"#;

fn file(path: &str, text: &str) -> File {
    File { path: path.to_owned(), text: text.to_owned() }
}

fn imported(files: &[File]) -> Imported {
    import(files).unwrap_or_else(|error| panic!("{error}"))
}

fn exported(imported: &Imported) -> Exported {
    export("insula.toml", &imported.insula, &imported.toolkits).unwrap_or_else(|error| panic!("{error}"))
}

fn outcome<'a>(entries: &'a [Entry], key: &str) -> &'a Entry {
    entries.iter().find(|entry| entry.key == key).unwrap_or_else(|| panic!("nothing is said of {key}: {entries:#?}"))
}

#[test]
fn settings_arrive_with_their_comments_and_the_rest_is_kept() {
    let imported = imported(&[file("security.toml", SECURITY)]);
    let head = "[identity]\n# Half an hour.\nsession_timeout_minutes = 30 # as agreed\nsession_flush_interval = \"90s\"\n\
        \n[server.rate_limit]\nenabled = true\n";
    assert!(imported.insula.starts_with(head), "{}", imported.insula);
    let kept: toml::Table = toml::from_str(&imported.insula).unwrap();
    let kept = &kept["x_seckelapi"]["security.toml"];
    assert_eq!(kept["sessions"]["legacy_mode"].as_str(), Some("strict"));
    assert_eq!(kept["sessions"]["session_timeout_minutes"].as_str(), Some("-> identity.session_timeout_minutes"));
    assert_eq!(kept["limits"]["auth_rate_limit_per_second"].as_str(), Some("five"));

    let report = &imported.report.entries;
    assert_eq!(outcome(report, "sessions.session_timeout_minutes").outcome, Outcome::Mapped);
    assert_eq!(outcome(report, "sessions.legacy_mode").outcome, Outcome::Unknown);
    assert_eq!(outcome(report, "permissions.kiosk.basic_rules").outcome, Outcome::Group);
    let wrong = outcome(report, "limits.auth_rate_limit_per_second");
    assert_eq!(wrong.outcome, Outcome::Lossy);
    assert!(wrong.note.as_ref().unwrap().contains("expected a whole number from 1") && imported.report.is_lossy());
    assert!(!format!("{report:?}").contains("five"), "the report repeats a value");
}

#[test]
fn groups_become_commands() {
    let imported = imported(&[file("security.toml", SECURITY)]);
    let commands: Vec<_> = imported.groups.iter().map(|group| group.command(Some("shop"))).collect();
    assert_eq!(
        commands,
        [
            "insula group set administrators --tenant shop --rule '*:rwa' --max-conditions 80 --replace",
            "insula group set kiosk --tenant shop --power 5 --rule items:r --rule 'it'\\''s:ro' --replace",
            "insula group set users --tenant shop --settings-access read-own-only",
        ]
    );
}

#[test]
fn files_come_back_as_they_were() {
    let imported = imported(&[file("conf/security.toml", SECURITY), file("toolkits/beepzone.toml", TOOLKIT)]);
    let exported = exported(&imported);
    assert_eq!(exported.files[0], file("conf/security.toml", SECURITY));
    let values = |text: &str| toml::from_str::<toml::Table>(text).unwrap();
    assert_eq!(exported.files[1].path, "toolkits/beepzone.toml");
    assert_eq!(values(&exported.files[1].text), values(TOOLKIT), "{}", exported.files[1].text);
    assert_eq!(import(&exported.files).unwrap().insula, imported.insula);
}

#[test]
fn toolkits_keep_aside_what_is_not_known() {
    let imported = imported(&[file("toolkits/beepzone.toml", TOOLKIT)]);
    let text = &imported.toolkits[0].text;
    let toolkit: toml::Table = toml::from_str(text).unwrap();
    let endpoint = &toolkit["endpoints"]["0"];
    assert_eq!(endpoint["timeout_seconds"].as_integer(), Some(10));
    assert!(text.contains("path = \"kiosk/scan\" # of the kiosk"), "{text}");
    for gone in ["audit", "legacy"] {
        assert!(!toolkit.contains_key(gone) && toolkit["x_seckelapi"].get(gone).is_some(), "{text}");
    }
    assert!(endpoint.get("inject_db_context").is_none() && endpoint["client_filter"].get("strict").is_none(), "{text}");
    assert_eq!(outcome(&imported.report.entries, "endpoints.0.inject_db_context").outcome, Outcome::Lossy);
    assert_eq!(imported.insula, "", "a toolkit alone says nothing of the installation");
}

#[test]
fn changes_made_here_arrive_there() {
    let insula = imported(&[file("security.toml", SECURITY)]).insula;
    let changed = insula
        .replace("session_timeout_minutes = 30", "session_timeout_minutes = 45")
        .replace("\"90s\"", "\"1500ms\"")
        .replace("[server.rate_limit]", "[server]\nname = \"Shop\"\n\n[server.rate_limit]\nauth_per_second = 7");
    let Exported { files, report } = export("insula.toml", &changed, &[]).unwrap();
    let values: toml::Table = toml::from_str(&files[0].text).unwrap();
    assert_eq!(values["sessions"]["session_timeout_minutes"].as_integer(), Some(45));
    assert!(values["sessions"].get("session_update_interval_seconds").is_none());
    assert_eq!(values["auth_rate_limit_per_second"].as_integer(), Some(7), "{}", files[0].text);
    assert_eq!(outcome(&report.entries, "identity.session_flush_interval").outcome, Outcome::Lossy);
    assert_eq!(outcome(&report.entries, "server.name").outcome, Outcome::Lossy);
    assert_eq!(outcome(&report.entries, "server.rate_limit.auth_per_second").outcome, Outcome::Mapped);
}

#[test]
fn what_was_never_imported_has_a_place() {
    let text =
        "[query]\ndefault_max_limit = 5\n[identity]\nsession_flush_interval = \"2m\"\nsession_timeout_minutes = 9\n";
    let Exported { files, .. } = export("insula.toml", text, &[]).unwrap();
    let expected = [
        ("basics.toml", "default_max_limit = 5\n"),
        ("security.toml", "session_update_interval_seconds = 120\nsession_timeout_minutes = 9\n"),
    ];
    assert_eq!(files, expected.map(|(path, text)| file(path, text)));
}

#[test]
fn names_stand_where_they_may() {
    let own = |path: &str| alias(&path.split('.').collect::<Vec<_>>()).map(|setting: &Setting| setting.ours);
    assert_eq!(own("session_timeout_minutes"), Some("identity.session_timeout_minutes"));
    assert_eq!(own("security.session_timeout_minutes"), Some("identity.session_timeout_minutes"));
    assert_eq!(own("identity.session_update_interval_seconds"), Some("identity.session_flush_interval"));
    assert_eq!(own("server.enable_rate_limiting"), Some("server.rate_limit.enabled"));
    assert_eq!(own("server.rate_limit.enable_rate_limiting"), Some("server.rate_limit.enabled"));
    for not in
        ["identity.session_timeout_minutes", "query.session_timeout_minutes", "identity.mail.default_max_limit", "x"]
    {
        assert_eq!(own(not), None, "{not}");
    }
}

#[test]
fn a_power_beside_the_fields_of_a_group_makes_one() {
    let text =
        "[permissions.kiosk]\npower = 5\nsession_timeout_minutes = 5\n[security]\nsession_timeout_minutes = 30\n";
    let imported = imported(&[file("security.toml", text)]);
    assert!(imported.insula.contains("session_timeout_minutes = 30"), "{}", imported.insula);
    let [kiosk] = &*imported.groups else { panic!("{:?}", imported.groups) };
    assert_eq!((&*kiosk.name, kiosk.power), ("kiosk", Some(5)));
    assert_eq!(kiosk.flags["--session-timeout-minutes"], "5");
    assert_eq!(exported(&imported).files, [file("security.toml", text)]);
}

#[test]
fn system_columns_are_chosen_by_table() {
    let text = "[columns.system_column_overrides.log] # of the log\nall = false # none\nodd = 1\npinned_to = 3\n";
    let imported = imported(&[file("columns.toml", text)]);
    assert!(imported.insula.starts_with("[system_column_overrides.log]\nall = false # none\n"), "{}", imported.insula);
    let report = &imported.report.entries;
    assert_eq!(outcome(report, "columns.system_column_overrides.log.odd").outcome, Outcome::Unknown);
    assert_eq!(exported(&imported).files, [file("columns.toml", text)]);
    let ours = "[core_system_column_overrides.users]\npinned_to = false\n";
    assert_eq!(export("insula.toml", ours, &[]).unwrap().files, [file("columns.toml", ours)]);
}

/// What a tenant may keep in its table of settings has the same names there.
#[test]
fn settings_of_tables_have_the_same_names() {
    for setting in kernel::settings::ALL {
        let known = super::by_name(setting.name).unwrap_or_else(|| panic!("{} is not in the table", setting.name));
        assert_eq!(known.ours, setting.key);
    }
}

#[test]
fn wrong_files_are_named_with_their_line() {
    let error = import(&[file("a.toml", "x = 1\ny = \n")]).unwrap_err();
    assert_eq!((error.path.as_str(), error.line), ("a.toml", 2));
    assert!(import(&[file("a.toml", "[x_seckelapi]")]).is_err());
    for path in ["../up.toml", "/etc/passwd", "a/../../b.toml", "a.txt", ".toml"] {
        assert!(export("insula.toml", &format!("[x_seckelapi.{path:?}]\n"), &[]).is_err(), "{path}");
    }
}

/// Values of all kinds, right and wrong for any setting.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        (0..100_000_i64).prop_map(|number| number.to_string()),
        any::<bool>().prop_map(|word| word.to_string()),
        prop::collection::vec("(10\\.[0-9]\\.0\\.[1-9]|10\\.0\\.0\\.0/8|nowhere)", 0..3)
            .prop_map(|list| format!("{list:?}")),
        "[a-zé '#=\\[]{0,8}".prop_map(|text| format!("{text:?}")),
        Just("-5".to_owned()),
        Just("0x1E".to_owned()),
        Just("1_000".to_owned()),
        Just("2.50".to_owned()),
        Just("1979-05-27T07:32:00Z".to_owned()),
        Just("'raw \\ text'".to_owned()),
        Just("\"\"\"\nlong\ntext\"\"\"".to_owned()),
        Just("[ # a list\n  1,\n  2, # two\n]".to_owned()),
        Just("[{ session_timeout_minutes = 3 }]".to_owned()),
        Just("{ session_timeout_minutes = 3, b = { c = \"x\" } }".to_owned()),
        Just("{ 10 = 5, users = true }".to_owned()),
    ]
}

fn name() -> impl Strategy<Value = String> {
    let known = super::SETTINGS.iter().map(|setting| setting.theirs);
    let further = [
        "all",
        "pinned_to",
        "basic_rules",
        "max_where_conditions",
        "persistent_sessions",
        "config_preference",
        "power",
        "url",
    ];
    let known: Vec<_> = known.chain(further).map(str::to_owned).collect();
    prop_oneof![
        4 => prop::sample::select(known),
        2 => "[a-z]{1,3}",
        1 => "\"[a-z .]{0,4}\"",
        1 => "[a-b]\\.[a-z_]{1,4}",
    ]
}

/// Comments, blank lines, and a key with its value.
fn line() -> impl Strategy<Value = (String, String)> {
    let before = prop_oneof![3 => Just(""), 1 => Just("# one\n"), 1 => Just("\n# two\n#\n\n"), 1 => Just("\n")];
    let after = prop_oneof![3 => Just(""), 1 => Just(" # behind"), 1 => Just("   ")];
    (before, name(), value(), after).prop_map(|(before, name, value, after)| {
        let line = format!("{before}{name} = {value}{after}\n");
        (name, line)
    })
}

fn lines() -> impl Strategy<Value = String> {
    prop::collection::vec(line(), 0..6).prop_map(|lines| {
        let mut seen = Vec::new();
        let mut text = String::new();
        for (name, line) in lines {
            let head = name.split('.').next().unwrap_or_default().to_owned();
            if !seen.contains(&head) {
                seen.push(head);
                text.push_str(&line);
            }
        }
        text
    })
}

fn settings_text() -> impl Strategy<Value = String> {
    let heads = [
        "[s1]",
        "[s2] # head",
        "[s1.inner]",
        "[[list]]",
        "[permissions.10]",
        "[permissions.users]",
        "\n# note\n[s3.deep.er]",
        "[max_where_conditions]",
        "[columns.system_column_overrides.log]",
        "[\"quoted name\".x]",
    ];
    let section = |head: &'static str| (Just(head), lines());
    let sections: Vec<_> = heads.into_iter().map(section).collect();
    let end = prop_oneof![Just(""), Just("# the end\n"), Just("\n\n# a\n\n# b\n")];
    (lines(), sections, prop::sample::subsequence((0..heads.len()).collect::<Vec<_>>(), 0..5), end).prop_map(
        |(root, sections, chosen, end)| {
            let sections = chosen.into_iter().map(|index| &sections[index]);
            let sections: Vec<_> = sections.map(|(head, lines)| format!("{head}\n{lines}")).collect();
            let sections = sections.concat();
            format!("{root}{sections}{end}")
        },
    )
}

fn toolkit_text() -> impl Strategy<Value = String> {
    let first = [
        "# note\nname = \"shop\"\n",
        "type = 5\n",
        "enabled = true # yes\n",
        "tables = [\"a\", \"b\"]\n",
        "unknown = 1979-05-27\n",
    ];
    let endpoints = [
        "",
        "endpoints = [{ path = \"x\", strange = 1 }]\n",
        "[endpoints.0]\npath = \"a\"\n# wait\ntimeout_seconds = 10 # s\nmore = { a = 1 }\n\
         [endpoints.0.client_filter]\nrequired_fields = [\"a\"]\n# odd\nodd = 1\n\
         [endpoints.1]\ninject_db_context = true\ntimeout_seconds = \"10\"\n",
        "[[endpoints]]\npath = \"b\"\n\n# more\nmore = 2\n[[endpoints]]\ntimeout_seconds = 1\n\
         [endpoints.client_filter]\nodd = 1\n",
        "[endpoints]\n0 = { path = \"x\", timeout_seconds = 3, strange = 1 }\n",
    ];
    let last = [
        "[system_column_overrides.log]\nall = false\nsome = 1\n",
        "[db_fallback_permissions.100]\nbasic_rules = [\"a:rw\"]\nflags = 3\n",
        "\n# old\n[legacy]\na = 1\n",
        "[legacy.b]\nc = 2\n",
        "[[odd]]\nx = 1\n[odd.y]\nz = 1\n",
        "[pseudo_querys.q]\naction = \"select\"\n",
        "# the end\n",
    ];
    let some = |lines: &[&'static str]| prop::sample::subsequence(lines.to_vec(), 0..=lines.len());
    (some(&first), prop::sample::select(endpoints.to_vec()), some(&last))
        .prop_map(|(first, endpoints, last)| format!("{}{endpoints}{}", first.concat(), last.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn there_and_back_and_there_again_is_the_same(texts in prop::collection::vec(settings_text(), 1..4), toolkit in toolkit_text()) {
        let names = ["security.toml", "a/columns.toml", "basics.toml", "z.toml"];
        let mut files: Vec<File> = texts.iter().zip(names).map(|(text, name)| file(name, text)).collect();
        files.push(file("toolkits/shop.toml", &toolkit));
        let Ok(first) = import(&files) else { return Ok(()) };
        let back = exported(&first);
        let second = imported(&back.files);
        prop_assert_eq!(&first.insula, &second.insula);
        prop_assert_eq!(&first.toolkits, &second.toolkits);
        prop_assert_eq!(&first.groups, &second.groups);
        for File { path, text } in &files {
            let came = back.files.iter().find(|file| file.path == *path).expect("a file is lost");
            let values = |text: &str| toml::from_str::<toml::Table>(text).unwrap();
            prop_assert_eq!(values(&came.text), values(text));
            if path == "toolkits/shop.toml" {
                continue;
            }
            // As the editor of TOML writes the same file where nothing changes.
            let as_written = text.parse::<toml_edit::DocumentMut>().unwrap().to_string();
            let is_counted = text.contains("seconds = 0x1E") || text.contains("seconds = 1_000");
            prop_assert!(is_counted || came.text == as_written, "{}\nis not\n{}", came.text, as_written);
        }
    }

    #[test]
    fn no_text_panics(text in "[\\[\\]a-z_.= \"'\\n0-9#{},é]{0,80}") {
        let _ = import(&[file("a.toml", &text), file("toolkits/b.toml", &text)]);
        let _ = export("insula.toml", &text, &[file("b.toml", &text)]);
        let _ = export("insula.toml", &format!("[x_seckelapi.\"a.toml\"]\n{text}"), &[]);
    }

    #[test]
    fn durations_keep_their_length(seconds in 1..31_536_000_i64) {
        let setting = super::by_name("session_update_interval_seconds").unwrap();
        prop_assert!(matches!(setting.unit, Unit::Seconds(..)));
        let ours = setting.to_ours(&seconds.into()).unwrap();
        prop_assert_eq!(setting.to_theirs(&ours).unwrap().as_integer(), Some(seconds));
    }
}
