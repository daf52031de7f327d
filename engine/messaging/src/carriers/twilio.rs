//! Twilio: sends text messages, places calls (API 2010-04-01), and looks both up in its lists.

use luci_providers::send::{Accepted, SendError, exchange, missing_id};
use luci_schema::Micros;
use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

use crate::{
    carriers::signalhouse::OutgoingMessage,
    rules::{carrier::Carrier, party},
};

const PROVIDER: &str = Carrier::Twilio.as_str();
/// Tolerated difference between the carrier's clock and ours.
const CLOCK_TOLERANCE_MS: i64 = 60_000;

/// Twilio's address and an account.
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

/// Two seconds before an extension is dialled, for the switchboard's greeting (`w` is half a second in `SendDigits`).
const PAUSE: &str = "wwww";

/// A call to place. Numbers in E.164.
#[derive(Debug, Clone, Copy)]
pub struct OutgoingCall<'a> {
    pub from: &'a str,
    pub to: &'a str,
    /// Dialled after the call is answered.
    pub extension: Option<&'a str>,
    /// Of the TwiML that says what the call says.
    pub voice_url: &'a str,
    pub report_url: Option<&'a str>,
}

impl Twilio {
    pub fn new(client: Client, access: TwilioAccess) -> Self {
        Self { client, access }
    }

    pub(super) fn request(&self, method: reqwest::Method, resource: &str) -> reqwest::RequestBuilder {
        let TwilioAccess { base_url, account_sid, .. } = &self.access;
        self.authorised(method, &format!("{base_url}/2010-04-01/Accounts/{account_sid}/{resource}.json"))
    }

    /// A messaging service. Twilio serves them at another host.
    pub(super) fn service(&self, sid: &str) -> reqwest::RequestBuilder {
        let base_url = self.access.base_url.replace("//api.twilio.com", "//messaging.twilio.com");
        self.authorised(reqwest::Method::GET, &format!("{base_url}/v1/Services/{sid}"))
    }

    fn authorised(&self, method: reqwest::Method, url: &str) -> reqwest::RequestBuilder {
        let TwilioAccess { account_sid, auth_token, .. } = &self.access;
        self.client.request(method, url).basic_auth(account_sid, Some(auth_token.expose_secret()))
    }

    pub async fn send(&self, message: OutgoingMessage<'_>) -> Result<Accepted, SendError> {
        let mut form = vec![(sender_field(message.from), message.from), ("To", message.to), ("Body", message.body)];
        form.extend(message.media_url.map(|url| ("MediaUrl", url)));
        form.extend(message.report_url.map(|url| ("StatusCallback", url)));
        let response = exchange(PROVIDER, self.request(reqwest::Method::POST, "Messages").form(&form)).await?;
        accepted(&response).ok_or_else(|| missing_id(PROVIDER))
    }

    pub async fn call(&self, call: OutgoingCall<'_>) -> Result<Accepted, SendError> {
        let mut form = vec![("From", call.from), ("To", call.to), ("Url", call.voice_url)];
        form.extend(call.report_url.map(|url| ("StatusCallback", url)));
        let digits = call.extension.map(|extension| format!("{PAUSE}{extension}"));
        form.extend(digits.as_deref().map(|digits| ("SendDigits", digits)));
        let response = exchange(PROVIDER, self.request(reqwest::Method::POST, "Calls").form(&form)).await?;
        accepted(&response).ok_or_else(|| missing_id(PROVIDER))
    }

    /// Whether this message was accepted since then. Twilio stores no reference of the client's, so the message is matched
    /// by its numbers and its text.
    pub async fn find(&self, message: OutgoingMessage<'_>, since: Micros) -> Result<Option<Accepted>, SendError> {
        let mut query = vec![("To", message.to), ("PageSize", "100")];
        // The number that a messaging service chose is not known.
        query.extend((!party::is_service(message.from)).then_some(("From", message.from)));
        let response = exchange(PROVIDER, self.request(reqwest::Method::GET, "Messages").query(&query)).await?;
        let list = response["messages"].as_array().ok_or_else(|| missing_id(PROVIDER))?;
        let matches = |entry: &&Value| {
            // Twilio prepends a note to the texts of trial accounts.
            entry["body"].as_str().is_some_and(|body| body.ends_with(message.body)) && newer(entry, since)
        };
        Ok(list.iter().find(matches).and_then(accepted))
    }

    /// Whether a call between these numbers was accepted since then.
    pub async fn find_call(&self, from: &str, to: &str, since: Micros) -> Result<Option<Accepted>, SendError> {
        let query = [("From", from), ("To", to), ("PageSize", "100")];
        let response = exchange(PROVIDER, self.request(reqwest::Method::GET, "Calls").query(&query)).await?;
        let list = response["calls"].as_array().ok_or_else(|| missing_id(PROVIDER))?;
        Ok(list.iter().find(|entry| newer(entry, since)).and_then(accepted))
    }
}

/// The field that names who sends.
fn sender_field(from: &str) -> &'static str {
    if party::is_service(from) { "MessagingServiceSid" } else { "From" }
}

/// Dates are RFC 2822.
fn newer(entry: &Value, since: Micros) -> bool {
    let at = entry["date_created"].as_str().and_then(|at| OffsetDateTime::parse(at, &Rfc2822).ok());
    at.is_none_or(|at| Micros::from(at) >= since.plus_millis(-CLOCK_TOLERANCE_MS))
}

fn accepted(response: &Value) -> Option<Accepted> {
    let status = response["status"].as_str().unwrap_or("queued");
    Some(Accepted { id: response["sid"].as_str()?.to_owned(), status: status.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_messaging_service_sends_under_its_own_name() {
        assert_eq!(sender_field(&format!("MG{}", "0a".repeat(16))), "MessagingServiceSid");
        assert_eq!((sender_field("+12125550100"), sender_field("72345")), ("From", "From"));
    }
}
