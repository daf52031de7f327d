//! `POST /api/nats-credentials`: a short-lived credential with which a client subscribes to its tenant's events on NATS.

use std::sync::Arc;

use http::StatusCode;
use luci_schema::Micros;
use serde::Deserialize;
use serde_json::json;

use crate::{
    App, caller::Caller, nats_access::NatsCredential, problem::Problem, reply, request::Request, routes::HandlerResult,
};

const DEFAULT_TTL: i64 = 900;
const MAX_TTL: i64 = 3_600;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CredentialBody {
    ttl_seconds: Option<i64>,
}

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let (body, _) = request.json::<CredentialBody>().await?;
    let ttl = body.ttl_seconds.unwrap_or(DEFAULT_TTL);
    if !(1..=MAX_TTL).contains(&ttl) {
        return Err(Problem::invalid("ttlSeconds", format!("a number of seconds from 1 to {MAX_TTL}")).into());
    }
    let Some(access) = &app.nats_access else { return Err(off().into()) };
    let expires_at = Micros::now().plus_millis(ttl * 1_000);
    let inbox = inbox().map_err(|error| Problem::internal(&error))?;
    let credential = NatsCredential {
        tenant: caller.tenant,
        key: caller.key,
        session: caller.session,
        role: caller.role,
        expires_at: caller.expires_at.map_or(expires_at, |at| at.min(expires_at)),
        inbox,
    };
    let token = app.nats_keys.sign(&credential).map_err(|error| Problem::internal(&error))?;
    let subjects = NatsCredential::subjects(caller.tenant);
    let snippet = snippet(access.web_socket_url.as_deref(), &access.url, &token, &credential.inbox_prefix(), &subjects);
    let body = json!({"url": access.url, "webSocketUrl": access.web_socket_url, "credential": {"token": token},
        "subjects": subjects, "inboxPrefix": credential.inbox_prefix(),
        "expiresAt": credential.expires_at.rfc3339(), "snippet": snippet});
    Ok(reply::json(StatusCode::CREATED, &body))
}

fn off() -> Problem {
    Problem::new(StatusCode::CONFLICT, "nats-credentials-off", "No credentials for NATS").detail(
        "This installation's NATS does not ask LUCI about clients. Its operator can set LUCI_NATS_CALLOUT_URL, or give you a \
         user of the server: `luci nats config` prints both.",
    )
}

/// 16 random hex digits.
fn inbox() -> Result<String, luci_config::secret::NoRandomness> {
    let random = luci_config::secret::generate("inbox")?;
    let digest = luci_config::secret::digest(secrecy::ExposeSecret::expose_secret(&random));
    Ok(hex::encode(&digest[..8]))
}

/// JavaScript for a browser, or for node where there is no WebSocket.
fn snippet(web_socket: Option<&str>, url: &str, token: &str, inbox: &str, subjects: &[String; 2]) -> String {
    let (import, server) = match web_socket {
        Some(server) => ("import { wsconnect as connect } from \"@nats-io/nats-core\";", server),
        None => ("import { connect } from \"@nats-io/transport-node\";", url),
    };
    format!(
        "{import}\n\n\
         const connection = await connect({{\n  servers: {},\n  token: {},\n  inboxPrefix: {},\n  \
         maxReconnectAttempts: -1,\n  ignoreAuthErrorAbort: true,\n}});\n\
         for await (const message of connection.subscribe({})) {{\n  console.log(message.subject, message.json());\n}}\n",
        json!(server),
        json!(token),
        json!(inbox),
        json!(subjects[0]),
    )
}
