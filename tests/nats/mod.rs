//! NATS as clients see it: credentials of tenants, what they allow, when they end, and the users of LUCI's own processes.

mod clients;
mod cluster;
mod credentials;
mod ended;
mod hostile;
mod page;
mod raw;
mod shared;
mod users;

use async_nats::{Client, ConnectOptions};
use serde_json::{Value, json};

use crate::support::Api;

/// A credential, as `POST /api/nats-credentials` returns it.
async fn credential(api: &Api) -> Value {
    let (status, body) = api.post("/api/nats-credentials", &json!({})).await;
    assert_eq!(status, 201, "{body}");
    body
}

fn token(credential: &Value) -> &str {
    credential["credential"]["token"].as_str().expect("a token")
}

/// A client as a caller of the API writes it.
async fn connect(credential: &Value) -> Result<Client, async_nats::ConnectError> {
    let url = credential["url"].as_str().expect("an address");
    let inbox = credential["inboxPrefix"].as_str().expect("an inbox");
    ConnectOptions::with_token(token(credential).to_owned()).custom_inbox_prefix(inbox).connect(url).await
}
