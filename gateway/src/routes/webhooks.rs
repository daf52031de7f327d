//! POST /api/webhooks/{source}[/{token}]: what providers tell us. The token names tenant and purpose; without one, the
//! tenant is the owner of the number that the delivery is about. Nothing is believed that is not proved.

use std::{collections::HashMap, sync::Arc};

use http::{HeaderValue, StatusCode, header};
use luci_engine::{
    admin::{
        credentials, secret, sending,
        webhook_tokens::{self, Purpose},
    },
    provider::{ProviderName, handed},
    webhooks::{self, Address, Delivery, Receiver, Source, Taken},
};
use luci_schema::{Hash, Micros, TenantId};
use secrecy::SecretString;
use serde_json::json;
use sqlx::PgConnection;
use warp::reply::Response;

use super::Answer;
use crate::{App, ask::Ask, problem::Problem, serve};

/// A batch of a thousand e-mail events is some hundred kilobytes.
const LARGEST: u64 = 4 << 20;

/// For whom a delivery is, and what can prove it.
struct Addressed {
    tenant: TenantId,
    receiver: Receiver,
    secrets: Vec<SecretString>,
    address: Address,
}

pub async fn receive(app: Arc<App>, mut ask: Ask) -> Answer {
    let source = ask.params.first().and_then(|name| name.parse::<Source>().ok()).ok_or_else(Problem::no_route)?;
    let body = ask.bytes(LARGEST).await?;
    let delivery = Delivery { source, headers: headers(&ask), url: url(&app, &ask), body };
    let mut c = app.engine_pool.acquire().await?;
    let addressed = match ask.params.get(1) {
        Some(token) => by_token(&app, &mut c, source, token).await?,
        None => by_number(&app, &mut c, &delivery).await?,
    };
    drop(c);
    let Addressed { tenant, receiver, secrets, address } = addressed;
    let proof = webhooks::prove(&delivery, &secrets, address, Micros::now()).map_err(|refused| {
        metrics::counter!("luci_webhooks_refused_total", "source" => source.as_str()).increment(1);
        Problem::new(StatusCode::FORBIDDEN, "signature", "The delivery is not proved").detail(refused.to_string())
    })?;
    let taken = webhooks::take(&app.log, &app.storage, tenant, &delivery, (receiver, proof)).await;
    let taken = taken.map_err(|error| match error {
        webhooks::TakeError::Storage(error) => error.into(),
        webhooks::TakeError::Append(error) => error.into(),
        webhooks::TakeError::Database(error) => Problem::from(error),
    })?;
    metrics::counter!("luci_webhooks_taken_total", "source" => source.as_str()).increment(1);
    Ok(answer(source, taken))
}

/// Twilio reads TwiML: an empty one says nothing to the person who wrote or called.
fn answer(source: Source, taken: Taken) -> Response {
    if source == Source::Twilio {
        let mut response = Response::new("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>".into());
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
        return response;
    }
    let body = match taken {
        Taken::New { id, position } => json!({"webhookId": id, "duplicate": false, "position": position}),
        Taken::Before(id) => json!({"webhookId": id, "duplicate": true}),
    };
    serve::json(StatusCode::OK, &body)
}

async fn by_token(app: &App, c: &mut PgConnection, source: Source, token: &str) -> Result<Addressed, Problem> {
    let hash = secret::digest(token);
    let known = webhook_tokens::known(c, &app.vault, &hash).await?;
    if known.is_none() && source == Source::RealEstate {
        return by_batch(app, c, &hash).await;
    }
    let known = known.filter(|known| known.source == source).ok_or_else(|| Problem::not_found("webhook"))?;
    let mut secrets: Vec<SecretString> = known.signing.into_iter().collect();
    if source == Source::Twilio && secrets.is_empty() {
        secrets.extend(twilio_token(app, c, known.tenant).await?);
    }
    let receiver = Receiver { purpose: known.purpose, batch: None };
    Ok(Addressed { tenant: known.tenant, receiver, secrets, address: Address::WithToken })
}

/// The address of a batch of leads that a block handed over.
async fn by_batch(app: &App, c: &mut PgConnection, hash: &Hash) -> Result<Addressed, Problem> {
    let known = handed::known(c, &app.vault, hash).await?;
    let known = known.ok_or_else(|| Problem::not_found("webhook"))?;
    let purpose = Purpose::Block { run: known.run, block: known.block, attempt: known.attempt };
    let receiver = Receiver { purpose, batch: Some(known.batch) };
    Ok(Addressed { tenant: known.tenant, receiver, secrets: vec![known.signing], address: Address::WithToken })
}

async fn by_number(app: &App, c: &mut PgConnection, delivery: &Delivery) -> Result<Addressed, Problem> {
    if !matches!(delivery.source, Source::SignalHouse | Source::Twilio) {
        return Err(Problem::no_route());
    }
    for number in webhooks::own_numbers(delivery) {
        let Some(tenant) = sending::owner(c, &number).await? else { continue };
        let mut secrets = webhook_tokens::secrets_of(c, tenant, &app.vault, delivery.source).await?;
        if delivery.source == Source::Twilio {
            secrets.extend(twilio_token(app, c, tenant).await?);
        }
        let receiver = Receiver { purpose: Purpose::Status, batch: None };
        return Ok(Addressed { tenant, receiver, secrets, address: Address::Bare });
    }
    Err(Problem::not_found("webhook"))
}

/// What Twilio signs with: the auth token of the tenant's account, else of the installation's.
async fn twilio_token(app: &App, c: &mut PgConnection, tenant: TenantId) -> Result<Option<SecretString>, Problem> {
    let own = credentials::of(c, tenant, &app.vault, ProviderName::Twilio).await?.map(|credential| credential.key);
    Ok(own.or_else(|| app.options.senders.twilio.as_ref().map(|access| access.auth_token.clone())))
}

fn headers(ask: &Ask) -> HashMap<String, String> {
    let text = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.trim().to_owned()))
    };
    ask.headers.iter().filter_map(text).collect()
}

/// The address as the provider wrote it: what Twilio signs.
fn url(app: &App, ask: &Ask) -> String {
    let query = if ask.query.is_empty() { String::new() } else { format!("?{}", ask.query) };
    if let Some(public) = &app.options.senders.public_url {
        return format!("{public}{}{query}", ask.path);
    }
    let first =
        |name: &str| ask.header(name).and_then(|value| value.split(',').next()).map(|value| value.trim().to_owned());
    let proto = first("x-forwarded-proto").unwrap_or_else(|| if app.options.tls { "https" } else { "http" }.to_owned());
    let host = first("x-forwarded-host").or_else(|| first("host")).unwrap_or_default();
    format!("{proto}://{host}{}{query}", ask.path)
}
