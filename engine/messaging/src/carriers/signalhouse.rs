//! SignalHouse: sends text and picture messages, one recipient a request, and looks messages up in its log.

use luci_providers::send::{Accepted, SendError, exchange, missing_id, refused_in_body};
use luci_schema::Micros;
use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::rules::carrier::Carrier;

const PROVIDER: &str = Carrier::SignalHouse.as_str();
/// Tolerated difference between the carrier's clock and ours.
const CLOCK_TOLERANCE_MS: i64 = 60_000;

/// SignalHouse's address and an account's keys.
#[derive(Debug, Clone)]
pub struct SignalHouseAccess {
    /// Without a slash at the end: `https://api.signalhouse.io/api/v1`.
    pub base_url: String,
    pub key: SecretString,
    pub token: SecretString,
}

#[derive(Debug, Clone)]
pub struct SignalHouse {
    client: Client,
    access: SignalHouseAccess,
}

/// A message to send. Numbers in E.164.
#[derive(Debug, Clone, Copy)]
pub struct OutgoingMessage<'a> {
    pub from: &'a str,
    pub to: &'a str,
    pub body: &'a str,
    pub media_url: Option<&'a str>,
    /// For delivery reports.
    pub report_url: Option<&'a str>,
}

impl SignalHouse {
    pub fn new(client: Client, access: SignalHouseAccess) -> Self {
        Self { client, access }
    }

    pub(super) fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let key = self.access.key.expose_secret();
        let request = self.client.request(method, format!("{}{path}", self.access.base_url));
        // Its documentation names two header schemes; different parts of the API read different ones.
        request.header("apiKey", key).header("authToken", self.access.token.expose_secret()).header("x-api-key", key)
    }

    pub async fn send(&self, message: OutgoingMessage<'_>) -> Result<Accepted, SendError> {
        let mut body = json!({"from": message.from, "to": message.to, "message": message.body});
        if let Some(url) = message.report_url {
            body["statusCallbackUrl"] = url.into();
        }
        let path = match message.media_url {
            None => "/message/sendSMS",
            Some(url) => {
                body["mediaUrl"] = url.into();
                "/message/sendMMS"
            }
        };
        let response = exchange(PROVIDER, self.request(reqwest::Method::POST, path).json(&body)).await?;
        if response["success"] == false || response["status"] == "failed" {
            return Err(refused_in_body(PROVIDER, response.get("error").unwrap_or(&Value::Null)));
        }
        accepted(&response).ok_or_else(|| missing_id(PROVIDER))
    }

    /// Whether this message was accepted since then. SignalHouse stores no reference of the client's, so the message is
    /// matched by its numbers and its text.
    pub async fn find(&self, message: OutgoingMessage<'_>, since: Micros) -> Result<Option<Accepted>, SendError> {
        let request = self.request(reqwest::Method::GET, "/message/logs");
        let query = [("from", message.from), ("to", message.to), ("limit", "100")];
        let response = exchange(PROVIDER, request.query(&query)).await?;
        let list = ["messages", "logs", "data"].iter().find_map(|name| response[*name].as_array());
        let Some(list) = list.or_else(|| response.as_array()) else { return Err(missing_id(PROVIDER)) };
        let matches = |entry: &&Value| {
            let text = entry["message"].as_str().or_else(|| entry["body"].as_str());
            let at =
                ["created_at", "date_created", "date_sent", "timestamp"].iter().find_map(|name| entry[*name].as_str());
            let at = at.and_then(|at| OffsetDateTime::parse(at, &Rfc3339).ok()).map(Micros::from);
            text == Some(message.body)
                && entry["to"].as_str().is_some_and(|to| same_number(to, message.to))
                && at.is_none_or(|at| at >= since.plus_millis(-CLOCK_TOLERANCE_MS))
        };
        Ok(list.iter().find(matches).and_then(accepted))
    }
}

fn accepted(response: &Value) -> Option<Accepted> {
    let read = |entry: &Value| {
        let id = ["messageId", "message_id", "id", "sid"].iter().find_map(|name| entry[*name].as_str())?;
        let status = entry["status"].as_str().unwrap_or("queued");
        Some(Accepted { id: id.to_owned(), status: status.to_owned() })
    };
    read(response).or_else(|| read(&response["data"]))
}

/// Compares the last ten digits.
fn same_number(a: &str, b: &str) -> bool {
    let digits = |text: &str| text.chars().rev().filter(char::is_ascii_digit).take(10).collect::<String>();
    digits(a) == digits(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_from_each_of_its_fields() {
        for response in [
            json!({"messageId": "m1"}),
            json!({"message_id": "m1"}),
            json!({"id": "m1"}),
            json!({"data": {"messageId": "m1"}}),
        ] {
            assert_eq!(accepted(&response).map(|accepted| accepted.id).as_deref(), Some("m1"), "{response}");
        }
        assert_eq!(accepted(&json!({"status": "queued"})), None);
        assert!(same_number("12125550100", "+1 (212) 555-0100"));
    }
}
