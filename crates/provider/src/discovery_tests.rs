use jsonwebtoken::Algorithm;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::{Discovery, address};
use crate::{ClientAuthentication, error::Result, keys::Keys, settled::Reach};

const ISSUER: &str = "https://id.example.test/realm";

fn document(changes: &Json) -> Json {
    let mut document = json!({
        "issuer": ISSUER,
        "authorization_endpoint": "https://id.example.test/authorize",
        "token_endpoint": "https://id.example.test/token",
        "jwks_uri": "https://id.example.test/jwks",
        "id_token_signing_alg_values_supported": ["RS256"],
    });
    document.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    document
}

fn read(changes: &Json) -> Result<Discovery> {
    Discovery::read(document(changes), ISSUER, Reach { allow_http: false })
}

#[test]
fn the_document_is_below_the_issuer() {
    let path = "https://id.example.test/realm/.well-known/openid-configuration";
    assert_eq!(address(ISSUER).unwrap().as_str(), path);
    assert_eq!(address(&format!("{ISSUER}/")).unwrap().as_str(), path);
}

#[test]
fn only_algorithms_with_a_public_key_are_taken() {
    let algorithms = |listed: Json| {
        read(&json!({ "id_token_signing_alg_values_supported": listed })).map(|discovery| discovery.algorithms).ok()
    };
    let listed = json!(["none", "HS256", "HS512", "ES256", "RS256", "ES256K", "EdDSA", "rs256"]);
    assert_eq!(algorithms(listed), Some(vec![Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA]));
    for bad in [json!([]), json!(["none"]), json!(["HS256"]), json!("RS256"), json!(null)] {
        assert_eq!(algorithms(bad.clone()), None, "{bad}");
    }
}

#[test]
fn the_client_shows_itself_as_the_issuer_says() {
    let with = |listed: Json| {
        read(&json!({ "token_endpoint_auth_methods_supported": listed })).map(|it| it.authentication).unwrap()
    };
    assert_eq!(with(json!(["client_secret_post", "client_secret_basic"])), Some(ClientAuthentication::Basic));
    assert_eq!(with(json!(["private_key_jwt", "client_secret_post"])), Some(ClientAuthentication::Body));
    assert_eq!(with(json!(null)), None);
}

#[test]
fn whether_the_issuer_names_itself_is_a_clear_yes() {
    let with = |said: Json| read(&json!({ "authorization_response_iss_parameter_supported": said }));
    assert!(with(json!(true)).unwrap().names_itself);
    assert!(!with(json!(false)).unwrap().names_itself && !with(json!(null)).unwrap().names_itself);
    assert!(with(json!("yes")).is_err());
}

proptest! {
    #[test]
    fn no_document_panics(
        name in "[a-z_]{0,12}|issuer|jwks_uri|userinfo_endpoint|keys|kty|crv|x|y|n|e|alg|kid|use",
        value in ".{0,40}|https://[a-z]{1,9}|http://[a-z.]{1,9}",
        number in any::<i64>(),
    ) {
        for value in [json!(value), json!(number), json!([value]), json!({ &name: value })] {
            let changed = json!({ &name: value });
            if let Ok(read) = read(&changed) {
                prop_assert_eq!(read.keys.scheme(), "https");
                prop_assert!(read.userinfo.is_none_or(|url| url.scheme() == "https"));
            }
            let _ = Keys::read(changed.clone());
            let _ = Keys::read(json!({ "keys": [changed] }));
        }
    }
}
