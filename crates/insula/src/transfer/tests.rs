use std::{fs, path::Path, sync::Arc};

use kernel::seal::SealingKey;
use store::{NewTenant, OpenTenant, StoreConfig, Tenants};

use super::{Format, Import, Progress, Report, export, import, own_table};
use crate::{Failure, features};

/// Text that is hard to write down, by row number.
const HARD: [&str; 8] = ["", " ", "a,b", "say \"x\"", "two\nlines", "\r\n", "ünïcödé 🦉", "NULL"];

struct Bench {
    folder: tempfile::TempDir,
    open: Arc<OpenTenant>,
}

impl Bench {
    async fn new(sql: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = SealingKey::generate();
        let tenants = Tenants::start(folder.path(), StoreConfig::default(), key, features::migrations()).await.unwrap();
        let new = NewTenant { name: "t".into(), ..NewTenant::default() };
        let tenant = tenants.create(new, |_, _| Box::pin(async { Ok(()) })).await.unwrap();
        let migrations = tenant.folder.join("migrations");
        fs::create_dir_all(&migrations).unwrap();
        fs::write(migrations.join("0001_t.sql"), sql).unwrap();
        let open = tenants.open(&tenant).await.unwrap();
        store::apply_scripts(&open.data, &migrations).await.unwrap();
        Self { folder, open }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    async fn import(&self, table: &str, file: &Path, change: impl FnOnce(&mut Import)) -> Result<Report, Failure> {
        let mut job = Import {
            table: own_table(&self.open.data, table)?,
            file: file.to_owned(),
            format: Format::of(None, file)?,
            resume: false,
            restart: false,
            skip_bad: false,
        };
        change(&mut job);
        import(&self.open.data, true, &job, &mut Progress::new("import", None)).await
    }

    async fn export(&self, table: &str, format: Format) -> Vec<u8> {
        let table = own_table(&self.open.data, table).unwrap();
        let mut out = Vec::new();
        export(&self.open.data, &table, format, &mut out, &mut Progress::new("export", None)).await.unwrap();
        out
    }

    async fn count(&self, table: &str) -> usize {
        String::from_utf8(self.export(table, Format::Jsonl).await).unwrap().lines().count()
    }
}

const ALL_KINDS: &str = "CREATE TABLE a (id INTEGER PRIMARY KEY, t TEXT, v VARCHAR(20) NOT NULL, b BOOLEAN, \
    d DECIMAL(10,2), f DOUBLE, day DATE, at TIMESTAMP, h TIME, j JSON, x BLOB, l INT AS (length(v)) STORED); \
    CREATE TABLE b (id INTEGER PRIMARY KEY, t TEXT, v VARCHAR(20) NOT NULL, b BOOLEAN, \
    d DECIMAL(10,2), f DOUBLE, day DATE, at TIMESTAMP, h TIME, j JSON, x BLOB, l INT AS (length(v)) STORED);";

fn hard_rows(count: usize) -> String {
    let row = |n: usize| {
        let text = HARD[n % HARD.len()];
        let maybe = |value: serde_json::Value| if n.is_multiple_of(3) { serde_json::Value::Null } else { value };
        serde_json::json!({
            "id": n * 3,
            "t": maybe(text.into()),
            "v": text,
            "b": maybe(n.is_multiple_of(2).into()),
            "d": maybe(format!("{n}.{:02}", n % 100).into()),
            "f": maybe((n as f64 / 7.0).into()),
            "day": maybe(format!("2026-01-{:02}", n % 28 + 1).into()),
            "at": maybe("2026-01-02T03:04:05.600000Z".into()),
            "h": maybe("03:04:05".into()),
            "j": maybe(serde_json::json!({"a": [n, null, text]})),
            "x": maybe(["", "AAEC"][n % 2].into()),
        })
    };
    (0..count).map(|n| row(n).to_string() + "\n").collect()
}

#[tokio::test]
async fn what_is_exported_is_imported_the_same() {
    let bench = Bench::new(ALL_KINDS).await;
    let file = bench.path("rows.jsonl");
    fs::write(&file, hard_rows(2_300)).unwrap();
    assert_eq!(bench.import("a", &file, |_| {}).await.unwrap().rows, 2_300);
    let original = bench.export("a", Format::Jsonl).await;
    for (format, name) in [(Format::Csv, "a.csv"), (Format::Jsonl, "a.jsonl")] {
        let file = bench.path(name);
        fs::write(&file, bench.export("a", format).await).unwrap();
        let report = bench.import("b", &file, |_| {}).await.unwrap();
        assert_eq!((report.rows, report.skipped), (2_300, 0));
        let copy = bench.export("b", Format::Jsonl).await;
        assert_eq!(String::from_utf8(copy).unwrap(), String::from_utf8(original.clone()).unwrap(), "{name}");
        clear(&bench, "b").await;
    }
}

async fn clear(bench: &Bench, name: &str) {
    let table = own_table(&bench.open.data, name).unwrap();
    let delete = store::Delete { table, filter: sea_query::Condition::all(), limit: None };
    bench.open.data.write(&super::import::context(), store::Change::Delete(delete)).await.unwrap();
}

const SMALL: &str = "CREATE TABLE s (id INTEGER PRIMARY KEY, name VARCHAR(5) NOT NULL UNIQUE, n INT);";

#[tokio::test]
async fn a_bad_row_stops_its_chunk_and_the_import_goes_on_after_it_is_mended() {
    let bench = Bench::new(SMALL).await;
    let file = bench.path("s.csv");
    let text = |bad: &str| {
        let row = |n: usize| if n == 700 { format!("{n},{bad}\n") } else { format!("{n},x{n}\n") };
        std::iter::once("id,name\n".to_owned()).chain((0..1_200).map(row)).collect::<String>()
    };
    for bad in ["much too long", "x3"] {
        fs::write(&file, text(bad)).unwrap();
        let told = bench.import("s", &file, |job| job.restart = bad == "x3").await.unwrap_err().to_string();
        assert!(told.starts_with("line 702:"), "{told}");
        assert_eq!(bench.count("s").await, 500);
        if bad != "x3" {
            clear(&bench, "s").await;
        }
    }
    let told = bench.import("s", &file, |_| {}).await.unwrap_err().to_string();
    assert!(told.contains("--resume"), "{told}");

    fs::write(&file, text("mend")).unwrap();
    let report = bench.import("s", &file, |job| job.resume = true).await.unwrap();
    assert_eq!((report.rows, report.resumed_after), (1_200, 500));
    assert_eq!(bench.count("s").await, 1_200);
    let again = bench.import("s", &file, |job| job.resume = true).await.unwrap();
    assert_eq!((again.rows, bench.count("s").await), (1_200, 1_200));

    fs::write(&file, text("mend").replace("0,x0\n", "0,y0\n")).unwrap();
    let told = bench.import("s", &file, |job| job.resume = true).await.unwrap_err().to_string();
    assert!(told.contains("has changed"), "{told}");
}

#[tokio::test]
async fn bad_rows_are_passed_over_and_told() {
    let bench = Bench::new(SMALL).await;
    let file = bench.path("s.jsonl");
    let lines = [
        r#"{"id":1,"name":"a"}"#,
        "",
        r#"{"id":2,"name":"a"}"#,
        r#"{"id":3,"name":"c","n":"x"}"#,
        r#"{"id":4,"nmae":"d"}"#,
        "[1]",
        r#"{"name":"e","n":5}"#,
        r#"{"id":7}"#,
        "{}",
    ];
    fs::write(&file, lines.join("\r\n")).unwrap();
    let report = bench.import("s", &file, |job| job.skip_bad = true).await.unwrap();
    assert_eq!((report.rows, report.skipped), (2, 6));
    assert_eq!(report.refused.iter().map(|bad| bad.line).collect::<Vec<_>>(), [3, 4, 5, 6, 8, 9]);
    assert!(report.refused[2].problem.contains("nmae"), "{:?}", report.refused);
}

#[tokio::test]
async fn headers_and_tables_are_checked() {
    let bench = Bench::new(SMALL).await;
    let file = bench.path("s.csv");
    for (header, word) in [("id,nope", "nope"), ("id,id", "twice"), ("", "no column")] {
        fs::write(&file, format!("{header}\n1,a\n")).unwrap();
        let told = bench.import("s", &file, |_| {}).await.unwrap_err().to_string();
        assert!(told.contains(word), "{header:?}: {told}");
    }
    assert!(matches!(own_table(&bench.open.data, "_imports"), Err(Failure::Missing(_))));
}
