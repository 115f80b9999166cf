//! Rows by the hundred thousand, in bounded memory, of which none is lost or doubled.

use std::{
    fmt::Write,
    process::{Child, Stdio},
    time::Duration,
};

use insula_tests::{Backend, Client, Program, Serving, on_all_databases, until};
use serde_json::{Value as Json, json};

on_all_databases!(a_hundred_thousand_rows, a_killed_import_goes_on, bad_rows_are_named);

/// What the process may have in memory at its peak, in kB. The file is larger than a third of it.
const MEMORY: u64 = 100 << 10;

struct Goods {
    program: Program,
    serving: Serving,
    ada: Client,
}

impl Goods {
    async fn new(backend: Backend) -> Self {
        let program = Program::initialised(backend);
        program.tables("CREATE TABLE goods (id BIGINT PRIMARY KEY, name VARCHAR(40) NOT NULL, price DECIMAL(10,2), note VARCHAR(500))");
        program.user(&program.tenant, "ada", "administrators");
        let serving = program.serve().await;
        let ada = serving.user(&program.tenant, "ada").await;
        Self { program, serving, ada }
    }

    async fn count(&self) -> u64 {
        self.ada.query(json!({"action": "count", "table": "goods"})).await.data().as_u64().unwrap()
    }

    async fn row(&self, id: usize) -> Json {
        let query = json!({"action": "select", "table": "goods", "columns": ["name", "price"], "where": {"id": id}});
        self.ada.query(query).await.data()[0].clone()
    }

    fn end(self) {
        drop(self.serving);
        self.program.end();
    }
}

fn csv(rows: usize, note: usize) -> String {
    let note = "n".repeat(note);
    let mut text = "id,name,price,note\n".to_owned();
    for id in 1..=rows {
        writeln!(text, "{id},\"item, {id}\",{}.25,{note}", id % 1000).unwrap();
    }
    text
}

async fn a_hundred_thousand_rows(backend: Backend) {
    const ROWS: usize = 100_000;
    let goods = Goods::new(backend).await;
    let file = goods.program.file("goods.csv", &csv(ROWS, 400));
    let mut import = goods.program.command(&["import", "goods", &file, "--json"]);
    let mut import = import.stdout(Stdio::piped()).spawn().unwrap();
    let (mut peak, mut ended) = (0, None);
    until("the import ends", Duration::from_mins(2), async || {
        peak = peak.max(peak_memory(&import));
        ended = import.try_wait().unwrap();
        ended.is_some()
    })
    .await;
    let report: Json = serde_json::from_reader(import.stdout.take().unwrap()).unwrap();
    assert_eq!((ended.unwrap().code(), &report["rows"]), (Some(0), &json!(ROWS)));
    println!("{backend:?}: {peak} kB at the peak");
    assert!(peak < MEMORY, "{peak} kB for a file of {} kB", std::fs::metadata(&file).unwrap().len() >> 10);
    assert!(cfg!(not(target_os = "linux")) || peak > 0);
    assert_eq!(goods.count().await, ROWS as u64);
    for id in [1, 499, 500, 501, 50_000, 99_999, ROWS] {
        let row = goods.row(id).await;
        assert_eq!(
            (&row["name"], row["price"].to_string()),
            (&json!(format!("item, {id}")), format!("{}.25", id % 1000))
        );
    }
    goods.end();
}

/// The most that a process has had in memory so far, in kB; 0 where the system does not tell.
fn peak_memory(process: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

async fn a_killed_import_goes_on(backend: Backend) {
    const ROWS: u64 = 20_000;
    let goods = Goods::new(backend).await;
    let text = csv(ROWS as usize, 10);
    let file = goods.program.file("goods.csv", &text);
    let mut partial = 0;
    for again in [false, true] {
        let command = ["import", "goods", &file, "--resume"];
        let mut import = goods.program.command(&command).stdout(Stdio::null()).spawn().unwrap();
        let before = partial;
        until("some rows are in", Duration::from_secs(20), async || {
            partial = goods.count().await;
            partial > before
        })
        .await;
        import.kill().unwrap();
        import.wait().unwrap();
        partial = goods.count().await;
        assert!(partial > before && partial < ROWS && partial.is_multiple_of(500), "{partial} rows ({again})");
    }
    // Begun anew by mistake, it would double what is there, or fail at the first key.
    let (code, told) = goods.program.fails(&["import", "goods", &file]);
    assert!(code == 2 && told.contains("--resume"), "{told}");
    let report = goods.program.json(&["import", "goods", &file, "--resume"]);
    assert_eq!((&report["rows"], &report["resumed_after"]), (&json!(ROWS), &json!(partial)));
    assert!(goods.program.ok(&["export", "goods"]) == text, "what is there is not what was imported");
    goods.end();
}

async fn bad_rows_are_named(backend: Backend) {
    let goods = Goods::new(backend).await;
    let bad =
        "id,name,price,note\n1,one,1.00,x\n,two,2.00,x\n3,three,cheap,x\n4,four\n1,again,1.00,x\n6,\"si\nx\",6.00,x\n";
    let file = goods.program.file("bad.csv", bad);
    let (code, told) = goods.program.fails(&["import", "goods", &file]);
    assert!(code == 1 && told.contains("line "), "{told}");
    assert_eq!(goods.count().await, 0, "a part of a refused chunk was written");
    let report = goods.program.json(&["import", "goods", &file, "--skip-bad"]);
    assert_eq!((&report["rows"], &report["skipped"]), (&json!(2), &json!(4)), "{report}");
    let refused = report["refused"].as_array().unwrap();
    let lines: Vec<_> = refused.iter().map(|bad| bad["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [3, 4, 5, 6], "{report}");
    assert!(refused[0]["problem"].as_str().unwrap().contains("id"), "{report}");
    assert!(refused[1]["problem"].as_str().unwrap().contains("price"), "{report}");
    assert_eq!(goods.row(6).await["name"], "si\nx");
    for (header, told) in [("id,nmae\n1,x\n", "nmae"), ("id,id\n1,1\n", "id twice")] {
        let file = goods.program.file("header.csv", header);
        let (code, said) = goods.program.fails(&["import", "goods", &file]);
        assert!(code == 2 && said.contains(told), "{said}");
    }
    goods.end();
}
