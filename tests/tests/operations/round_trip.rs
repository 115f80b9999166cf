//! What is exported can be imported, and is then the same to the last byte.

use insula_tests::{Backend, Program, on_all_databases};

on_all_databases!(what_goes_out_comes_in_again);

const COLUMNS: &str = "id BIGINT PRIMARY KEY, word VARCHAR(200), price DECIMAL(12,3), yes BOOLEAN, day DATE, at DATE_TIME, \
    seen MOMENT, tree JSON, raw BYTES, whole BIGINT";

const LINES: [&str; 5] = [
    r#"{"id":1,"word":"plain","price":1.500,"yes":true,"day":"2026-02-28","at":"2026-02-28 23:59:59","seen":"2026-02-28T23:59:59.123456Z","tree":{"a":[1,"zwei",null]},"raw":"AAEC/w==","whole":9223372036854775807}"#,
    r#"{"id":2,"word":"","price":-0.001,"yes":false,"day":"1970-01-01","at":"1999-12-31 00:00:00","seen":"2000-01-01T00:00:00Z","tree":[],"raw":"","whole":-9223372036854775808}"#,
    r#"{"id":3,"word":null,"price":null,"yes":null,"day":null,"at":null,"seen":null,"tree":null,"raw":null,"whole":null}"#,
    r#"{"id":4,"word":"a, \"b\"\nc\r\n\\d; 'e' ünï 漢字 🦀","price":123456789.125,"yes":true,"day":"9999-12-31","at":"2026-01-01 12:00:00","seen":"2026-01-01T12:00:00Z","tree":"text","raw":"Ig==","whole":0}"#,
    r#"{"id":5,"word":" NULL ","price":0.000,"yes":false,"day":"2024-02-29","at":"2026-01-01 12:00:00","seen":"2026-01-01T12:00:00Z","tree":false,"raw":"LA0K","whole":1}"#,
];

async fn what_goes_out_comes_in_again(backend: Backend) {
    let program = Program::initialised(backend);
    program.tables(&format!(
        "CREATE TABLE first ({COLUMNS}); CREATE TABLE second ({COLUMNS}); CREATE TABLE third ({COLUMNS})"
    ));
    let lines = LINES.join("\n") + "\n";
    let file = program.file("first.jsonl", &lines);
    assert_eq!(program.json(&["import", "first", &file])["rows"], LINES.len());
    let out = |table: &str, format: &str| {
        let text = program.ok(&["export", table, "--format", format]);
        let file = program.file(&format!("{table}.out.{format}"), &text);
        (text, file)
    };
    let (jsonl, jsonl_file) = out("first", "jsonl");
    let (csv, csv_file) = out("first", "csv");
    program.ok(&["import", "second", &jsonl_file]);
    program.ok(&["import", "third", &csv_file]);
    for table in ["second", "third"] {
        assert_eq!(out(table, "jsonl").0, jsonl, "{table}");
        assert_eq!(out(table, "csv").0, csv, "{table}");
    }
    // Nothing changed on the way in either.
    let parsed = |text: &str| -> Vec<serde_json::Value> {
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    for (sent, kept) in parsed(&lines).iter().zip(parsed(&jsonl)) {
        for (name, value) in sent.as_object().unwrap() {
            // 1.500 and 1.5 are one number.
            let same = match (value.as_f64(), kept[name].as_f64()) {
                (Some(sent), Some(kept)) => sent.total_cmp(&kept).is_eq(),
                _ => value == &kept[name],
            };
            assert!(same, "{name} of row {}: {value} became {}", sent["id"], kept[name]);
        }
    }
    program.end();
}
