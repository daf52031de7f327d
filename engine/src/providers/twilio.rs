//! Twilio: text messages and calls (API 2010-04-01), and its lists, which tell whether one was taken.

use luci_schema::Micros;
use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

use super::{
    send::{Accepted, SendError, exchange, no_id},
    signalhouse::Outgoing,
};

const PROVIDER: &str = "twilio";
/// Its clock and ours may differ by so much.
const CLOCKS_DIFFER_MS: i64 = 60_000;

/// Where Twilio is reached, and the tenant's account there.
#[derive(Debug, Clone)]
pub struct TwilioAccess {
    /// Without a slash at the end: `https://api.twilio.com`.
    pub base_url: String,
    pub account_sid: String,
    pub auth_token: SecretString,
}

#[derive(Debug, Clone)]
pub struct Twilio {
    client: Client,
    access: TwilioAccess,
}

/// A call as Twilio is given it.
#[derive(Debug, Clone, Copy)]
pub struct Dialled<'a> {
    pub from: &'a str,
    pub to: &'a str,
    /// Where Twilio asks what to say.
    pub voice_url: &'a str,
    pub report_to: Option<&'a str>,
}

impl Twilio {
    pub fn new(client: Client, access: TwilioAccess) -> Self {
        Self { client, access }
    }

    fn request(&self, method: reqwest::Method, what: &str) -> reqwest::RequestBuilder {
        let TwilioAccess { base_url, account_sid, auth_token } = &self.access;
        let url = format!("{base_url}/2010-04-01/Accounts/{account_sid}/{what}.json");
        self.client.request(method, url).basic_auth(account_sid, Some(auth_token.expose_secret()))
    }

    pub async fn send(&self, message: Outgoing<'_>) -> Result<Accepted, SendError> {
        let mut form = vec![("From", message.from), ("To", message.to), ("Body", message.body)];
        form.extend(message.media_url.map(|url| ("MediaUrl", url)));
        form.extend(message.report_to.map(|url| ("StatusCallback", url)));
        let answer = exchange(PROVIDER, self.request(reqwest::Method::POST, "Messages").form(&form)).await?;
        accepted(&answer).ok_or_else(|| no_id(PROVIDER))
    }

    pub async fn call(&self, call: Dialled<'_>) -> Result<Accepted, SendError> {
        let mut form = vec![("From", call.from), ("To", call.to), ("Url", call.voice_url)];
        form.extend(call.report_to.map(|url| ("StatusCallback", url)));
        let answer = exchange(PROVIDER, self.request(reqwest::Method::POST, "Calls").form(&form)).await?;
        accepted(&answer).ok_or_else(|| no_id(PROVIDER))
    }

    /// Whether this message was taken since then. Twilio keeps no reference of the client's, so it is known by its
    /// numbers and its words.
    pub async fn find(&self, message: Outgoing<'_>, since: Micros) -> Result<Option<Accepted>, SendError> {
        let query = [("From", message.from), ("To", message.to), ("PageSize", "100")];
        let answer = exchange(PROVIDER, self.request(reqwest::Method::GET, "Messages").query(&query)).await?;
        let list = answer["messages"].as_array().ok_or_else(|| no_id(PROVIDER))?;
        let ours = |entry: &&Value| {
            // Twilio may put a note of its own before the words (trial accounts).
            entry["body"].as_str().is_some_and(|body| body.ends_with(message.body)) && newer(entry, since)
        };
        Ok(list.iter().find(ours).and_then(accepted))
    }

    /// Whether a call between these numbers was taken since then.
    pub async fn find_call(&self, from: &str, to: &str, since: Micros) -> Result<Option<Accepted>, SendError> {
        let query = [("From", from), ("To", to), ("PageSize", "100")];
        let answer = exchange(PROVIDER, self.request(reqwest::Method::GET, "Calls").query(&query)).await?;
        let list = answer["calls"].as_array().ok_or_else(|| no_id(PROVIDER))?;
        Ok(list.iter().find(|entry| newer(entry, since)).and_then(accepted))
    }
}

/// Dates are RFC 2822.
fn newer(entry: &Value, since: Micros) -> bool {
    let at = entry["date_created"].as_str().and_then(|at| OffsetDateTime::parse(at, &Rfc2822).ok());
    at.is_none_or(|at| Micros::from(at) >= since.plus_millis(-CLOCKS_DIFFER_MS))
}

fn accepted(answer: &Value) -> Option<Accepted> {
    let status = answer["status"].as_str().unwrap_or("queued");
    Some(Accepted { id: answer["sid"].as_str()?.to_owned(), status: status.to_owned() })
}
