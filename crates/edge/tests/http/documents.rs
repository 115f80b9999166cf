//! The OpenAPI document and its page.

use serde_json::json;

use crate::stage::{get, usual};

#[tokio::test]
async fn the_document_tells_every_route_and_what_all_have_in_common() {
    let app = usual();
    let seen = get(&app, "/openapi.json", &[]).await;
    let document = seen.json();
    assert_eq!(document, serde_json::to_value(app.openapi()).unwrap());
    assert_eq!(document["info"]["title"], "Insula API");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(document["info"]["license"]["identifier"], "MIT OR Apache-2.0");
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
    assert_eq!(document["security"], json!([{"bearer": []}]));
    assert_eq!(document["paths"]["/health"]["get"]["security"], json!([{}]));
    assert_eq!(document["paths"]["/health"]["get"]["tags"], json!(["server"]));
    let echo = &document["paths"]["/echo"]["post"];
    assert_eq!(echo["tags"], json!(["stage"]));
    assert_eq!(echo["responses"]["default"]["$ref"], "#/components/responses/Refused");
    assert_eq!(echo["responses"]["429"]["$ref"], "#/components/responses/TooManyRequests");
    let home = &document["paths"]["/"]["get"]["responses"]["200"];
    let parts = json!([{"$ref": "#/components/schemas/Success"}, {"$ref": "#/components/schemas/Home"}]);
    assert_eq!(home["content"]["application/json"]["schema"]["allOf"], parts);
    assert_eq!(home["description"], "OK");
    let health = &document["paths"]["/health"]["get"]["responses"]["200"]["content"]["application/json"];
    assert_eq!(health["schema"]["$ref"], "#/components/schemas/Report", "it says success itself");
    for schema in ["Envelope", "Success", "TooManyRequests", "Home", "Report"] {
        assert_eq!(document["components"]["schemas"][schema]["type"], "object", "{schema}");
    }
}

/// Every `$ref` in the document leads somewhere.
#[tokio::test]
async fn references_are_whole() {
    let document = get(&usual(), "/openapi.json", &[]).await;
    let value = document.json();
    let mut count = 0;
    for part in document.text.split("\"$ref\":\"#").skip(1) {
        let pointer = part.split('"').next().unwrap();
        assert!(value.pointer(pointer).is_some(), "{pointer}");
        count += 1;
    }
    assert!(count > 10);
}

#[tokio::test]
async fn the_page_loads_nothing_from_elsewhere() {
    let app = usual();
    for (target, kind) in [
        ("/docs", "text/html; charset=utf-8"),
        ("/docs/page.css", "text/css; charset=utf-8"),
        ("/docs/page.js", "text/javascript; charset=utf-8"),
    ] {
        let seen = get(&app, target, &[]).await;
        assert_eq!((seen.status, seen.header("content-type")), (200, kind));
        assert!(seen.header("content-security-policy").starts_with("default-src 'none'; script-src 'self';"));
        assert!(!seen.text.contains("://") && !seen.text.contains("innerHTML"), "{target}");
    }
}
