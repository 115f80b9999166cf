use std::{fs, path::Path, sync::Arc};

use kernel::{Secret, WriteContext, seal::SealingKey};
use store::{Ddl, NewTenant, OpenTenant, StoreConfig, Tenants};

use testkit::Backend;

use super::{Format, Import, Progress, Report, export, import, own_table};
use crate::{Failure, features};

testkit::on_all_databases!(what_is_exported_is_imported_the_same);

/// Text that is hard to write down, by row number.
const HARD: [&str; 8] = ["", " ", "a,b", "say \"x\"", "two\nlines", "\r\n", "ünïcödé 🦉", "NULL"];

struct Bench {
    folder: tempfile::TempDir,
    tenants: Arc<Tenants>,
    open: Arc<OpenTenant>,
}

impl Bench {
    async fn new(backend: Backend, tables: impl Fn(&Ddl) -> Vec<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = StoreConfig { database: Secret::new(backend.url()), ..StoreConfig::default() };
        let tenants = Tenants::start(
            folder.path(),
            config,
            SealingKey::generate(),
            features::tables(),
            features::control_migrations(),
        )
        .await
        .unwrap();
        let name = format!("transfer-{:08x}", rand::random::<u32>());
        let new = NewTenant { name, ..NewTenant::default() };
        let tenant = tenants.create(new, |_, _| Box::pin(async { Ok(()) })).await.unwrap();
        let open = tenants.open(&tenant).await.unwrap();
        let migrations = tenant.folder.join("migrations");
        fs::create_dir_all(&migrations).unwrap();
        fs::write(migrations.join("0001_t.sql"), tables(&open.data.ddl()).join(";\n")).unwrap();
        store::apply_scripts(&open.data, &migrations).await.unwrap();
        Self { folder, tenants, open }
    }

    /// On SQLite with one small table.
    async fn small() -> Self {
        let sql = "CREATE TABLE s (id INTEGER PRIMARY KEY, name VARCHAR(5) NOT NULL UNIQUE, n INT)";
        Self::new(Backend::Sqlite, |_| vec![sql.to_owned()]).await
    }

    async fn remove(self) {
        let records = self.tenants.list().await.unwrap();
        self.tenants.delete(&records[0], &WriteContext::system()).await.unwrap();
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

fn all_kinds(ddl: &Ddl) -> Vec<String> {
    let table = |name| {
        let columns = [
            ddl.serial("id"),
            ddl.text("t", 40),
            ddl.text("v", 20).not_null().take(),
            ddl.boolean("b"),
            ddl.decimal("d", 10, 2),
            ddl.double("f"),
            ddl.date("day"),
            ddl.timestamp("at"),
            ddl.time("h"),
            ddl.json("j"),
            ddl.bytes("x"),
        ];
        ddl.sql(&ddl.create(name, columns))
    };
    vec![table("a"), table("b")]
}

fn hard_rows(count: usize) -> String {
    let row = |n: usize| {
        let text = HARD[n % HARD.len()];
        let maybe = |value: serde_json::Value| if n.is_multiple_of(3) { serde_json::Value::Null } else { value };
        serde_json::json!({
            "id": n * 3 + 1,
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

async fn what_is_exported_is_imported_the_same(backend: Backend) {
    let bench = Bench::new(backend, all_kinds).await;
    let file = bench.path("rows.jsonl");
    fs::write(&file, hard_rows(2_300)).unwrap();
    assert_eq!(bench.import("a", &file, |_| {}).await.unwrap().rows, 2_300);
    let original = bench.export("a", Format::Jsonl).await;
    for (format, name) in [(Format::Csv, "a.csv"), (Format::Jsonl, "a.jsonl")] {
        let file = bench.path(name);
        fs::write(&file, bench.export("a", format).await).unwrap();
        let report = bench.import("b", &file, |_| {}).await.unwrap();
        assert_eq!((report.rows, report.skipped), (2_300, 0));
        assert_eq!(bench.export("b", Format::Jsonl).await, original, "{name}");
        clear(&bench, "b").await;
    }
    // The key's counter knows what was imported.
    let more = bench.path("more.jsonl");
    fs::write(&more, "{\"v\":\"more\"}").unwrap();
    bench.import("a", &more, |_| {}).await.unwrap();
    bench.remove().await;
}

#[tokio::test]
async fn computed_columns_and_rows_without_a_key_are_exported_as_they_can_be_read() {
    let sql = "CREATE TABLE c (n INT, twice INT AS (n * 2) STORED); INSERT INTO c (n) WITH RECURSIVE x(n) AS \
        (SELECT 1 UNION ALL SELECT n + 1 FROM x WHERE n < 2500) SELECT n FROM x";
    let bench = Bench::new(Backend::Sqlite, |_| vec![sql.to_owned()]).await;
    let lines = String::from_utf8(bench.export("c", Format::Jsonl).await).unwrap();
    let expected: Vec<_> = (1..=2_500).map(|n| format!("{{\"n\":{n}}}")).collect();
    assert_eq!(lines.lines().collect::<Vec<_>>(), expected);
    let file = bench.path("c.csv");
    fs::write(&file, "n,twice\n1,2\n").unwrap();
    let told = bench.import("c", &file, |_| {}).await.unwrap_err().to_string();
    assert!(told.contains("computed"), "{told}");
}

async fn clear(bench: &Bench, name: &str) {
    let table = own_table(&bench.open.data, name).unwrap();
    let delete = store::Delete { table, filter: sea_query::Condition::all(), limit: None };
    bench.open.data.write(&super::chunk::context(), store::Change::Delete(delete)).await.unwrap();
}

#[tokio::test]
async fn a_bad_row_stops_its_chunk_and_the_import_goes_on_after_it_is_mended() {
    let bench = Bench::small().await;
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
    let bench = Bench::small().await;
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
    let bench = Bench::small().await;
    let file = bench.path("s.csv");
    for (header, word) in [("id,nope", "nope"), ("id,id", "twice"), ("", "no column")] {
        fs::write(&file, format!("{header}\n1,a\n")).unwrap();
        let told = bench.import("s", &file, |_| {}).await.unwrap_err().to_string();
        assert!(told.contains(word), "{header:?}: {told}");
    }
    assert!(matches!(own_table(&bench.open.data, "_imports"), Err(Failure::Missing(_))));
}
