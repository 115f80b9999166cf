use crate::{Preset, Provider, ProviderConfig};

fn read(text: &str) -> ProviderConfig {
    toml::from_str(text).unwrap()
}

/// The key that is found fault with.
fn mistake(name: &str, text: &str) -> String {
    let (key, problem) = read(text).check(name).expect_err(text);
    assert!(!problem.is_empty() && !problem.contains("s3cret"), "{problem}");
    key
}

#[test]
fn a_preset_needs_an_id_and_a_secret() {
    for name in ["google", "github", "discord", "spotify"] {
        let config = read("client_id = 'id'\nclient_secret = 's3cret'");
        config.check(name).unwrap();
        assert_eq!(mistake(name, "client_secret = 's3cret'"), "client_id");
        let named = read(&format!("preset = '{name}'\nclient_id = 'id'"));
        named.check("anything").unwrap();
        assert!(!format!("{config:?}{}", toml::to_string(&config).unwrap()).contains("s3cret"));
    }
    assert_eq!(read("preset = 'github'").preset, Some(Preset::Github));
}

#[test]
fn what_is_written_reads_back() {
    let config = read("issuer = 'https://id.example.test'\nclient_id = 'id'\nscopes = ['email']\ntimeout = '3s'");
    assert_eq!(read(&toml::to_string(&config).unwrap()), config);
    config.check("acme").unwrap();
    for bad in ["isuer = ''", "kind = 'saml'", "preset = 'myspace'", "token_url = 'nowhere'", "timeout = '1w'"] {
        assert!(toml::from_str::<ProviderConfig>(bad).is_err(), "{bad}");
    }
}

#[test]
fn mistakes_name_their_key() {
    let oauth2 = "authorize_url = 'https://a.test'\ntoken_url = 'https://a.test'\nuserinfo_url = 'https://a.test'\n";
    let oidc = "issuer = 'https://a.test'\nclient_id = 'id'\n";
    let appwrite = "endpoint = 'https://a.test/v1'\n";
    for (key, text) in [
        ("kind", String::new()),
        ("client_id", "issuer = 'https://a.test'".to_owned()),
        ("client_id", "issuer = 'https://a.test'\nclient_id = ''".to_owned()),
        ("client_secret", format!("{oidc}client_secret = ''")),
        ("issuer", "issuer = 'a.test'\nclient_id = 'id'".to_owned()),
        ("issuer", "issuer = 'http://a.test'\nclient_id = 'id'".to_owned()),
        ("issuer", "issuer = 'http://a.test'\nclient_id = 'id'\nallow_http = true".to_owned()),
        ("issuer", "issuer = 'http://127.0.0.1'\nclient_id = 'id'".to_owned()),
        ("issuer", "issuer = 'https://a.test?b=c'\nclient_id = 'id'".to_owned()),
        ("issuer", "kind = 'oidc'\nclient_id = 'id'".to_owned()),
        ("scopes", format!("{oidc}scopes = ['two words']")),
        ("scopes", format!("{oidc}scopes = ['']")),
        ("audiences", format!("{oidc}audiences = ['']")),
        ("token_url", format!("{oidc}token_url = 'https://a.test'")),
        ("subject_field", format!("{oidc}subject_field = 'id'")),
        ("timeout", format!("{oidc}timeout = '0s'")),
        ("subject_field", format!("{oauth2}client_id = 'id'")),
        ("issuer", format!("{oauth2}issuer = 'https://a.test'\nkind = 'oauth2'")),
        (
            "userinfo_url",
            "token_url = 'https://a.test'\nauthorize_url = 'https://a.test'\nclient_id = 'id'\nsubject_field = 'id'"
                .to_owned(),
        ),
        ("emails_url", format!("{oauth2}client_id = 'id'\nsubject_field = 'id'\nemails_url = 'http://a.test'")),
        (
            "token_url",
            "token_url = 'ftp://a.test'\nauthorize_url = 'https://a.test'\nclient_id = 'id'\nsubject_field = 'id'"
                .to_owned(),
        ),
        ("project", appwrite.to_owned()),
        ("client_id", format!("{appwrite}project = 'p'\nclient_id = 'id'")),
        ("keep_tokens", format!("{appwrite}project = 'p'\nkeep_tokens = true")),
        ("project", format!("{appwrite}project = 'two words'")),
    ] {
        assert_eq!(mistake("acme", &text), key, "{text}");
    }
    assert_eq!(mistake("github", "kind = 'oidc'\nclient_id = 'id'"), "kind");
    assert_eq!(mistake("github", "issuer = 'https://a.test'\nclient_id = 'id'"), "issuer");
    for name in ["", "Acme", "a/b", "a.b", &"a".repeat(33)] {
        assert_eq!(mistake(name, oidc), "", "{name}");
    }
}

#[test]
fn a_provider_that_cannot_be_says_where_it_is_written() {
    let error = Provider::new("acme", &read("issuer = 'https://a.test'")).unwrap_err();
    assert_eq!(error.reason, kernel::Reason::FieldInvalid);
    assert_eq!(error.field.as_deref(), Some("identity.providers.acme.client_id"));
    let error = Provider::new("A", &ProviderConfig::default()).unwrap_err();
    assert_eq!(error.field.as_deref(), Some("identity.providers.A"));
}

#[test]
fn http_is_for_this_machine_alone() {
    let with = |issuer: &str| read(&format!("issuer = '{issuer}'\nclient_id = 'id'\nallow_http = true")).check("acme");
    for near in ["http://127.0.0.1:8080", "http://localhost/realm", "http://[::1]:1", "https://far.test"] {
        with(near).unwrap();
    }
    for far in ["http://10.0.0.1", "http://localhost.evil.test", "http://[::ffff:192.0.2.1]", "http://a@localhost"] {
        assert!(with(far).is_err(), "{far}");
    }
}
