use proptest::prelude::*;

use super::read;
use crate::file::Method;

fn mistakes(text: &str) -> Vec<String> {
    read("toolkits/t.toml", text).complaints.mistakes.iter().map(ToString::to_string).collect()
}

const WHOLE: &str = r#"
name = "t"
type = "library"
tables = ["items"]
max_body_size = "8MB"

[endpoints.0]
path = "scan"
methods = ["GET", "POST"]
type = "http"
url = "http://127.0.0.1:1/scan"
timeout_seconds = 7
client_filter = { allowed_fields = ["barcode"], required_fields = ["barcode"] }

[endpoints.2]
path = "count"
type = "internal"
pseudo_querys = ["all"]

[pseudo_querys.all]
action = "count"
table = "items"
where = { made = 2024-05-01 }

[groups.staff]
basic_rules = ["items:rw"]
endpoint_permissions = ["*"]

[auto_generation.items.tag]
kind = "sequence"
prefix = "A-"
"#;

#[test]
fn a_whole_file_is_read() {
    let draft = read("toolkits/t.toml", WHOLE);
    assert_eq!(draft.complaints.mistakes, []);
    let file = draft.file;
    assert_eq!(file.endpoints.iter().map(|endpoint| endpoint.number).collect::<Vec<_>>(), [0, 2]);
    assert_eq!(file.endpoints[0].methods, [Method::Get, Method::Post]);
    assert_eq!(file.endpoints[0].http.as_ref().unwrap().timeout, kernel::Span::seconds(7));
    assert_eq!(file.groups["staff"].permissions, ["items:rw"]);
    assert_eq!(file.auto_generation["items"]["tag"].prefix, "A-");
    let listed = read(
        "toolkits/t.toml",
        &WHOLE.replace("[endpoints.0]", "[[endpoints]]").replace("[endpoints.2]", "[[endpoints]]"),
    );
    assert_eq!(listed.complaints.mistakes, []);
    assert_eq!(listed.file.endpoints.len(), 2);
}

#[test]
fn every_mistake_is_named_with_its_line() {
    let text = "name = \"t\"\ntabels = [\"a\"]\nenabled = \"yes\"\n\n[endpoints.0]\npath = \"a\"\ntype = \"htp\"\n\n\
                [endpoints.1]\npath = \"b\"\ntype = \"http\"\nurl = \"http://a/\"\ntimeuot = \"1s\"\n\n[endpoints.2]\n\
                type = \"internal\"\nurl = \"http://a/\"\n\n[endpoints.x]\npath = \"b\"\n\n[groups.a]\nrules = []\n\n\
                [pseudo_querys.q]\naction = \"select\"\n";
    let told = mistakes(text);
    let has = |start: &str, end: &str| {
        assert!(told.iter().any(|told| told.starts_with(start) && told.contains(end)), "{start} … {end} in {told:#?}");
    };
    has("toolkits/t.toml line 2: tabels: ", "did you mean `tables`?");
    has("toolkits/t.toml line 3: enabled: ", "expected a boolean");
    has("toolkits/t.toml line 7: endpoints.0.type: ", "did you mean `http`?");
    has("toolkits/t.toml line 13: endpoints.1.timeuot: ", "did you mean `timeout`?");
    has("toolkits/t.toml line 15: endpoints.2: ", "`path` is missing");
    has("toolkits/t.toml line 19: endpoints.x: ", "[endpoints.0]");
    has("toolkits/t.toml line 23: groups.a.rules: ", "no such key");
    has("toolkits/t.toml line 25: pseudo_querys.q: ", "`table` is missing");
    assert_eq!(told.len(), 8, "{told:#?}");
}

#[test]
fn what_protects_is_read_even_where_the_rest_is_broken() {
    let draft = read("toolkits/t.toml", "name = \"t\"\nread_only_tables = [\"audit\"]\nendpoints = = 5\n");
    assert!(!draft.complaints.mistakes.is_empty());
    assert_eq!(draft.file.read_only_tables, ["audit"]);
    assert!(mistakes("name = \"t\"\n[x")[0].starts_with("toolkits/t.toml line 2: this is not TOML"));
}

proptest! {
    #[test]
    fn no_text_panics(text in ".*") {
        read("toolkits/t.toml", &text);
    }

    #[test]
    fn no_mangled_file_panics(cut in 0..WHOLE.len(), with in "[\\[\\]={}\"a-z0-9.\n]{0,6}") {
        let mut text = WHOLE.to_owned();
        text.replace_range(cut..(cut + 3).min(WHOLE.len()), &with);
        read("toolkits/t.toml", &text);
    }
}
