//! What goes in comes out, in the same spelling everywhere.

use serde_json::{Value as Json, json};
use store::Value;

use testkit::{Backend, on_all_databases};

use crate::fixture::Fixture;

on_all_databases!(every_kind_of_value_has_one_spelling, nulls_stay_null, decimals_keep_their_digits);

const TABLE: &str = "CREATE TABLE kinds (id SERIAL, flag BOOLEAN, small SMALLINT, big BIGINT, price DECIMAL(10,2), \
    ratio DOUBLE PRECISION, name VARCHAR(40), note TEXT, born DATE, at_local DATE_TIME, at_moment MOMENT, at_time TIME, \
    extra JSON, raw BYTES)";

async fn every_kind_of_value_has_one_spelling(backend: Backend) {
    let fixture = Fixture::with_tables(backend, TABLE).await;
    let given = json!({
        "flag": true, "small": -5, "big": 9_007_199_254_740_993_i64, "price": "19.90", "ratio": 0.1,
        "name": "Müller \"quoted\" \\ 'x'", "note": "line\nbreak ☃ 𝄞", "born": "2026-02-28",
        "at_local": "2026-11-21 23:27:06.5", "at_moment": "2026-11-22T00:27:06+01:00", "at_time": "08:15:00",
        "extra": {"a": [1, null, "x"]}, "raw": "AAEC/w==",
    });
    let table = fixture.table("kinds");
    let row: Vec<(&str, Value)> = given
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.as_str(), table.column(name).unwrap().kind.accept(value).unwrap()))
        .collect();
    let applied = fixture.insert("kinds", &row).await.unwrap();
    assert_eq!((applied.rows, applied.keys), (1, vec![vec![Value::Int(1)]]));
    let answer = fixture.json("kinds").await;
    assert!(answer.contains("\"price\":19.90"), "{answer}");
    let rows: Json = serde_json::from_str(&answer).unwrap();
    let expected = json!([{
        "id": 1, "flag": true, "small": -5, "big": 9_007_199_254_740_993_i64, "price": rows[0]["price"], "ratio": 0.1,
        "name": "Müller \"quoted\" \\ 'x'", "note": "line\nbreak ☃ 𝄞", "born": "2026-02-28",
        "at_local": "2026-11-21 23:27:06.5", "at_moment": "2026-11-21T23:27:06Z", "at_time": "08:15:00",
        "extra": {"a": [1, null, "x"]}, "raw": "AAEC/w==",
    }]);
    assert_eq!(rows, expected);
    fixture.end().await;
}

async fn nulls_stay_null(backend: Backend) {
    let fixture = Fixture::with_tables(backend, TABLE).await;
    fixture.insert("kinds", &[("name", Value::Null)]).await.unwrap();
    let rows: Json = serde_json::from_str(&fixture.json("kinds").await).unwrap();
    let row = rows[0].as_object().unwrap();
    assert_eq!(row.len(), 14);
    assert!(row.iter().all(|(name, value)| name == "id" || value.is_null()));
    fixture.end().await;
}

async fn decimals_keep_their_digits(backend: Backend) {
    let fixture = Fixture::with_tables(backend, TABLE).await;
    for price in ["0.01", "-1.50", "99999999.99", "7"] {
        fixture.insert("kinds", &[("price", Value::Text(price.into()))]).await.unwrap();
    }
    let answer = fixture.json("kinds").await;
    for price in ["0.01", "-1.50", "99999999.99", "7.00"] {
        assert!(answer.contains(&format!("\"price\":{price},")), "{price} in {answer}");
    }
    fixture.end().await;
}
