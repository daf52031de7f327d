//! `POST /api/webhooks/{source}[/{token}]`: deliveries of providers.
//!
//! The token names tenant and purpose. Without one, the tenant is the owner of the number that the delivery is about. A
//! delivery is accepted only with a valid signature.

use std::{collections::HashMap, sync::Arc};

use http::{HeaderValue, StatusCode, header};
use luci_config::secret;
use luci_messaging::{
    store::webhook_tokens::{self, WebhookPurpose},
    webhooks::{self, Ingested, TokenInPath, WebhookDelivery, WebhookSource, WebhookTarget},
};
use luci_providers::{ProviderName, async_batches, credentials};
use luci_schema::{Hash, Micros, TenantId};
use secrecy::SecretString;
use serde_json::json;
use sqlx::PgConnection;
use warp::reply::Response;

use crate::{App, problem::Problem, reply, request::Request, routes::HandlerResult};

/// The size limit of the body. A batch of a thousand e-mail events is some hundred kilobytes.
const BODY_LIMIT: u64 = 4 << 20;

/// The receiver of a delivery, and the secrets that can verify it.
struct Addressed {
    tenant: TenantId,
    receiver: WebhookTarget,
    secrets: Vec<SecretString>,
    token: TokenInPath,
}

pub async fn handle(app: Arc<App>, mut request: Request) -> HandlerResult {
    let source =
        request.params.first().and_then(|name| name.parse::<WebhookSource>().ok()).ok_or_else(Problem::no_route)?;
    let body = request.bytes(BODY_LIMIT).await?;
    let (url, other_urls) = urls(&app, &request);
    let delivery = WebhookDelivery { source, headers: headers(&request), url, other_urls, body };
    let mut c = app.engine_pool.acquire().await?;
    let addressed = match request.params.get(1) {
        Some(token) => by_token(&app, &mut c, source, token).await?,
        None => by_number(&app, &mut c, &delivery).await?,
    };
    drop(c);
    let Addressed { tenant, receiver, secrets, token } = addressed;
    let proof = webhooks::verify(&delivery, &secrets, token, Micros::now()).map_err(|refused| {
        metrics::counter!("luci_webhooks_refused_total", "source" => source.as_str()).increment(1);
        Problem::new(StatusCode::FORBIDDEN, "signature", "The signature is not valid").detail(refused.to_string())
    })?;
    let taken = webhooks::ingest(&app.log, &app.storage, tenant, &delivery, (receiver, proof)).await?;
    metrics::counter!("luci_webhooks_taken_total", "source" => source.as_str()).increment(1);
    Ok(acknowledge(source, taken))
}

/// Twilio expects TwiML; an empty document sends nothing to the person who wrote or called.
fn acknowledge(source: WebhookSource, taken: Ingested) -> Response {
    if source == WebhookSource::Twilio {
        let mut response = Response::new("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>".into());
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
        return response;
    }
    let body = match taken {
        Ingested::New { id, position } => json!({"webhookId": id, "duplicate": false, "position": position}),
        Ingested::Duplicate(id) => json!({"webhookId": id, "duplicate": true}),
    };
    reply::json(StatusCode::OK, &body)
}

async fn by_token(app: &App, c: &mut PgConnection, source: WebhookSource, token: &str) -> Result<Addressed, Problem> {
    let hash = secret::digest(token);
    let found = webhook_tokens::find(c, &app.vault, &hash).await?;
    if found.is_none() && source == WebhookSource::RealEstate {
        return by_batch(app, c, &hash).await;
    }
    let token = found.filter(|token| token.source == source).ok_or_else(|| Problem::not_found("webhook"))?;
    let mut secrets: Vec<SecretString> = token.signing.into_iter().collect();
    if source == WebhookSource::Twilio && secrets.is_empty() {
        secrets.extend(twilio_token(app, c, token.tenant).await?);
    }
    let receiver = WebhookTarget { purpose: token.purpose, batch: None };
    Ok(Addressed { tenant: token.tenant, receiver, secrets, token: TokenInPath::Present })
}

/// The URL of an asynchronous batch that a block submitted.
async fn by_batch(app: &App, c: &mut PgConnection, hash: &Hash) -> Result<Addressed, Problem> {
    let batch = async_batches::find_by_token_hash(c, &app.vault, hash).await?;
    let batch = batch.ok_or_else(|| Problem::not_found("webhook"))?;
    let purpose = WebhookPurpose::Block { run: batch.run, block: batch.block, attempt: batch.attempt };
    let receiver = WebhookTarget { purpose, batch: Some(batch.batch) };
    Ok(Addressed { tenant: batch.tenant, receiver, secrets: vec![batch.signing_key], token: TokenInPath::Present })
}

async fn by_number(app: &App, c: &mut PgConnection, delivery: &WebhookDelivery) -> Result<Addressed, Problem> {
    if !matches!(delivery.source, WebhookSource::SignalHouse | WebhookSource::Twilio) {
        return Err(Problem::no_route());
    }
    for number in webhooks::own_numbers(delivery) {
        let Some(tenant) = luci_messaging::store::sender_numbers::tenant_of(c, &number).await? else { continue };
        let mut secrets = webhook_tokens::signing_secrets(c, tenant, &app.vault, delivery.source).await?;
        if delivery.source == WebhookSource::Twilio {
            secrets.extend(twilio_token(app, c, tenant).await?);
        }
        let receiver = WebhookTarget { purpose: WebhookPurpose::Status, batch: None };
        return Ok(Addressed { tenant, receiver, secrets, token: TokenInPath::Absent });
    }
    Err(Problem::not_found("webhook"))
}

/// The secret that Twilio signs with: the auth token of the tenant, else of the installation.
async fn twilio_token(app: &App, c: &mut PgConnection, tenant: TenantId) -> Result<Option<SecretString>, Problem> {
    let own = credentials::of(c, tenant, &app.vault, ProviderName::TWILIO).await?.map(|credential| credential.key);
    Ok(own.or_else(|| app.options.senders.twilio.as_ref().map(|access| access.auth_token.clone())))
}

fn headers(request: &Request) -> HashMap<String, String> {
    let text = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.trim().to_owned()))
    };
    request.headers.iter().filter_map(text).collect()
}

/// The URL as the provider called it, which Twilio includes in the signature, and how else it may have been written: behind
/// proxies the scheme and the host of the call are known from headers only.
fn urls(app: &App, request: &Request) -> (String, Vec<String>) {
    let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
    let first = |name: &str| {
        request.header(name).and_then(|value| value.split(',').next()).map(|value| value.trim().to_owned())
    };
    let scheme = if app.options.tls { "https" } else { "http" };
    let proto = first("x-forwarded-proto").unwrap_or_else(|| scheme.to_owned());
    let host = first("host").unwrap_or_default();
    let forwarded = first("x-forwarded-host").unwrap_or_else(|| host.clone());
    let with_port = first("x-forwarded-port").filter(|_| !forwarded.contains(':'));
    let with_port = with_port.map(|port| format!("{proto}://{forwarded}:{port}"));
    let mut origins: Vec<String> = app.options.senders.public_url.iter().cloned().collect();
    origins.extend([format!("{proto}://{forwarded}")]);
    origins.extend(with_port);
    origins.extend([format!("https://{forwarded}"), format!("https://{host}"), format!("{scheme}://{host}")]);
    origins.dedup();
    let mut urls = origins.into_iter().map(|origin| format!("{origin}{}{query}", request.path));
    let url = urls.next().unwrap_or_default();
    (url, urls.collect())
}
