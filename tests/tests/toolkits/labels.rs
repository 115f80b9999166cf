//! The service of `examples/toolkits/labels`, in Python.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use insula_tests::{Backend, World, on_all_databases};
use serde_json::json;

use crate::stage::{example, toolkit};

on_all_databases!(labels_are_drawn_by_a_service);

/// The service; it ends with the test.
struct Printer(Child);

impl Drop for Printer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn labels_are_drawn_by_a_service(backend: Backend) {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/toolkits/labels/printer.py");
    let mut child = Command::new("python3").arg(script).arg("0").stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let printer = Printer(child);
    let address = line.trim().rsplit("http://").next().unwrap().to_owned();
    let world = World::new(backend).await;
    toolkit(&world, "labels", &example("labels/labels.toml").replace("127.0.0.1:7001", &address));
    let uma = world.user("uma", "users").await;
    let label = uma.get("/tk/lib/labels/label/EQ-0001").await;
    assert_eq!((label.status, label.headers["content-type"].to_str().unwrap()), (200, "application/pdf"));
    assert!(
        label.text.starts_with("%PDF-1.4") && label.text.contains("(EQ-0001) Tj") && label.text.ends_with("%%EOF\n")
    );
    let job = uma.post("/tk/lib/labels/print", &json!({"tag": "EQ-0001", "copies": 2})).await;
    assert_eq!(job.data(), &json!({"job": 1, "tag": "EQ-0001", "copies": 2, "for": "uma"}));
    let wrong = uma.post("/tk/lib/labels/print", &json!({"tag": "EQ-0001", "copies": "two"})).await;
    assert_eq!((wrong.refusal(), wrong.field()), ((400, "field_invalid"), "copies"));
    drop(printer);
    let gone = uma.get("/tk/lib/labels/label/EQ-0001").await;
    assert_eq!(gone.refusal(), (502, "upstream_unavailable"), "{}", gone.text);
    world.end().await;
}
