//! Providers' credentials: set by admins, encrypted at rest, never shown, bound to one tenant.

use std::sync::Arc;

use luci_config::vault::{Purpose, Sealed, Vault, VaultError};
use luci_providers::{ProviderName, credentials};
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{fixture::still, missing_providers::without_keys};
use crate::support::{Api, System};

const SECRET: &str = "ap-SECRET-8842";

async fn put(api: &Api, provider: &str, body: &Value) -> (u16, Value) {
    let response = api.request(Method::PUT, &format!("/api/providers/{provider}")).json(body).send().await;
    let response = response.expect("an answer");
    (response.status().as_u16(), response.json().await.expect("JSON"))
}

async fn listed(api: &Api, provider: &str) -> Value {
    let (status, body) = api.get("/api/providers").await;
    assert_eq!(status, 200);
    assert!(!body.to_string().contains(SECRET));
    let all = body["providers"].as_array().expect("a list");
    all.iter().find(|row| row["provider"] == provider).expect("every provider is listed").clone()
}

/// The vault of the test's system.
fn vault() -> Vault {
    Vault::new(&"5a".repeat(32).into()).expect("a master key")
}

#[tokio::test]
async fn a_credential_is_set_replaced_and_removed_and_never_shown() {
    let system = without_keys().await;
    let api = &system.api;
    assert_eq!(listed(api, "apollo").await["configured"], false);
    let (status, set) = put(api, "apollo", &json!({"key": SECRET})).await;
    assert_eq!((status, &set["configured"]), (202, &json!(true)), "{set}");
    let row = listed(api, "apollo").await;
    assert_eq!((&row["configured"], &row["credential"]), (&json!(true), &json!("tenant")));
    let mut c = system.running.pool.acquire().await.expect("a connection");
    let read = credentials::of(&mut c, system.tenant, &vault(), ProviderName::APOLLO).await.expect("opens");
    assert_eq!(read.expect("kept").key.expose_secret(), SECRET);
    let stored = format!("{:?}", dump(&system).await);
    assert!(!stored.contains(SECRET) && !stored.contains(&hex::encode(SECRET)), "{stored}");

    put(api, "apollo", &json!({"key": "another"})).await;
    let read = credentials::of(&mut c, system.tenant, &vault(), ProviderName::APOLLO).await.expect("opens");
    assert_eq!(read.expect("kept").key.expose_secret(), "another");
    let (status, gone) = api.delete("/api/providers/apollo").await;
    assert_eq!((status.as_u16(), &gone["configured"]), (202, &json!(false)));
    assert_eq!(listed(api, "apollo").await["credential"], Value::Null);
    assert_eq!(api.delete("/api/providers/apollo").await.0, 202, "gone already");
}

async fn dump(system: &System) -> Vec<String> {
    let sql = "select encode(sealed, 'escape') from provider_credentials
               union all select data::text from log.events union all select outcome::text from log.receipts";
    sqlx::query_scalar(sql).fetch_all(&system.database.pool().await).await.expect("rows")
}

#[tokio::test]
async fn errors_of_a_credential_are_reported_by_field() {
    let system = still().await;
    for (provider, body, field) in [
        ("apollo", json!({"key": ""}), "key"),
        ("apollo", json!({"key": "two words"}), "key"),
        ("apollo", json!({}), "key"),
        ("apollo", json!({"key": "k", "account": "a"}), "account"),
        ("twilio", json!({"key": "k"}), "account"),
        ("apollo", json!({"key": "k", "url": "http://169.254.169.254"}), "url"),
    ] {
        let (status, problem) = put(&system.api, provider, &body).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!(field)), "{problem}");
    }
    assert_eq!(put(&system.api, "equifax", &json!({"key": "k"})).await.0, 404);
    assert_eq!(put(&system.api, "twilio", &json!({"key": "k", "account": "AC1"})).await.0, 202);
}

#[tokio::test]
async fn a_tenant_sets_its_own_limits_and_sees_provider_health() {
    let system = still().await;
    let api = &system.api;
    let (status, set) = put(api, "apollo/limits", &json!({"perMinute": 60, "perDay": null})).await;
    assert_eq!((status, &set["limits"]["perMinute"]), (202, &json!(60)), "{set}");
    let row = listed(api, "apollo").await;
    assert_eq!((&row["limits"]["perMinute"], &row["limits"]["perDay"]), (&json!(60), &Value::Null));
    assert_eq!((&row["health"]["state"], &row["health"]["calls"]), (&json!("ok"), &json!(0)));
    for (body, field) in [(json!({"perDay": 0}), "perDay"), (json!({"perHour": 1}), "perHour")] {
        let (status, problem) = put(api, "apollo/limits", &body).await;
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!(field)), "{problem}");
    }
    let (_, body) = api.get("/api/system").await;
    assert_eq!(body["providers"].as_array().map(Vec::len), Some(ProviderName::all().count()), "{body}");
}

#[tokio::test]
async fn a_blueprint_names_providers_that_can_do_the_work() {
    let system = still().await;
    let publish = async |config: Value| {
        let stages = json!([{"name": "import", "stage": "import", "config": {}},
            {"name": "trace", "stage": "skip_trace", "config": config}]);
        system.api.post("/api/blueprints", &json!({"name": "mine", "stages": stages})).await
    };
    for config in [json!({"provider": "apollo"}), json!({"provider": "equifax"}), json!({"verify": "apollo"})] {
        let (status, problem) = publish(config.clone()).await;
        assert_eq!(
            (status.as_u16(), &problem["errors"][0]["field"]),
            (422, &json!("stages[1].config")),
            "{config} {problem}"
        );
    }
    let (status, made) = publish(json!({"provider": "tracerfy", "verify": "trestle"})).await;
    assert_eq!(status, 201, "{made}");
}

#[tokio::test]
async fn members_read_and_only_admins_write() {
    let system = still().await;
    let (_, made) = system.api.post("/api/keys", &json!({"name": "m", "role": "member"})).await;
    let member = Api::new(system.api.url.clone(), made["key"].as_str().expect("a secret"));
    assert_eq!(member.get("/api/providers").await.0, 200);
    assert_eq!(put(&member, "apollo", &json!({"key": "k"})).await.0, 403);
    assert_eq!(member.delete("/api/providers/apollo").await.0, 403);
}

#[tokio::test]
async fn one_tenant_s_secret_cannot_be_decrypted_for_another() {
    let system = without_keys().await;
    let (other, api) = system.other_tenant("other").await;
    put(&system.api, "apollo", &json!({"key": SECRET})).await;
    assert_eq!(listed(&api, "apollo").await["configured"], false);
    let mut c = system.running.pool.acquire().await.expect("a connection");
    assert!(credentials::of(&mut c, other, &vault(), ProviderName::APOLLO).await.expect("none").is_none());
    // A row moved in the database decrypts only for the tenant and provider it was encrypted for.
    let vault = vault();
    let sealed =
        vault.seal(&mut c, system.tenant, Purpose::Webhook("a"), &SECRET.to_owned().into()).await.expect("sealed");
    vault.seal(&mut c, other, Purpose::Webhook("a"), &"x".to_owned().into()).await.expect("a data key");
    for (tenant, purpose) in [(other, Purpose::Webhook("a")), (system.tenant, Purpose::Webhook("b"))] {
        let opened = vault.open(&mut c, tenant, purpose, &sealed).await;
        assert!(matches!(opened, Err(VaultError::DoesNotOpen)), "{opened:?}");
    }
    let stranger = Vault::new(&"a5".repeat(32).into()).expect("a master key");
    let opened = stranger.open(&mut c, system.tenant, Purpose::Webhook("a"), &sealed).await;
    assert!(matches!(opened, Err(VaultError::DoesNotOpen)), "{opened:?}");
}

#[tokio::test]
async fn a_new_data_key_leaves_what_was_sealed_readable() {
    let system = still().await;
    let vault = Arc::new(vault());
    let mut c = system.running.pool.acquire().await.expect("a connection");
    let purpose = Purpose::Webhook("a");
    let before = vault.seal(&mut c, system.tenant, purpose, &"old".to_owned().into()).await.expect("sealed");
    vault.renew(&mut c, system.tenant).await.expect("a second key");
    let after = vault.seal(&mut c, system.tenant, purpose, &"new".to_owned().into()).await.expect("sealed");
    assert_eq!((before.key_version, after.key_version), (1, 2));
    for (sealed, text) in [(before, "old"), (after, "new")] {
        assert_eq!(vault.open(&mut c, system.tenant, purpose, &sealed).await.expect("opens").expose_secret(), text);
    }
    let absent = Sealed { bytes: vec![1; 40], key_version: 9 };
    let opened = vault.open(&mut c, system.tenant, purpose, &absent).await;
    assert!(matches!(opened, Err(VaultError::NoDataKey(9))), "{opened:?}");
}
