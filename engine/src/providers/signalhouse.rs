//! SignalHouse: text and picture messages, one recipient a call, and its log, which tells whether one was taken.

use luci_schema::Micros;
use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::send::{Accepted, SendError, exchange, no_id, said_no};

const PROVIDER: &str = "signalhouse";
/// Its clock and ours may differ by so much.
const CLOCKS_DIFFER_MS: i64 = 60_000;

/// Where SignalHouse is reached, and the tenant's keys there.
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

/// A message as providers are given it. Numbers in E.164.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    pub from: &'a str,
    pub to: &'a str,
    pub body: &'a str,
    pub media_url: Option<&'a str>,
    /// Where the provider reports what becomes of it.
    pub report_to: Option<&'a str>,
}

impl SignalHouse {
    pub fn new(client: Client, access: SignalHouseAccess) -> Self {
        Self { client, access }
    }

    fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let key = self.access.key.expose_secret();
        let request = self.client.request(method, format!("{}{path}", self.access.base_url));
        // Its documents name both ways; each is read where the other is not.
        request.header("apiKey", key).header("authToken", self.access.token.expose_secret()).header("x-api-key", key)
    }

    pub async fn send(&self, message: Outgoing<'_>) -> Result<Accepted, SendError> {
        let mut body = json!({"from": message.from, "to": message.to, "message": message.body});
        if let Some(url) = message.report_to {
            body["statusCallbackUrl"] = url.into();
        }
        let path = match message.media_url {
            None => "/message/sendSMS",
            Some(url) => {
                body["mediaUrl"] = url.into();
                "/message/sendMMS"
            }
        };
        let answer = exchange(PROVIDER, self.request(reqwest::Method::POST, path).json(&body)).await?;
        if answer["success"] == false || answer["status"] == "failed" {
            return Err(said_no(PROVIDER, answer.get("error").unwrap_or(&Value::Null)));
        }
        accepted(&answer).ok_or_else(|| no_id(PROVIDER))
    }

    /// Whether this message was taken since then. SignalHouse keeps no reference of the client's, so it is known by
    /// its numbers and its words.
    pub async fn find(&self, message: Outgoing<'_>, since: Micros) -> Result<Option<Accepted>, SendError> {
        let request = self.request(reqwest::Method::GET, "/message/logs");
        let query = [("from", message.from), ("to", message.to), ("limit", "100")];
        let answer = exchange(PROVIDER, request.query(&query)).await?;
        let list = ["messages", "logs", "data"].iter().find_map(|name| answer[*name].as_array());
        let Some(list) = list.or_else(|| answer.as_array()) else { return Err(no_id(PROVIDER)) };
        let ours = |entry: &&Value| {
            let text = entry["message"].as_str().or_else(|| entry["body"].as_str());
            let at =
                ["created_at", "date_created", "date_sent", "timestamp"].iter().find_map(|name| entry[*name].as_str());
            let at = at.and_then(|at| OffsetDateTime::parse(at, &Rfc3339).ok()).map(Micros::from);
            text == Some(message.body)
                && entry["to"].as_str().is_some_and(|to| same_number(to, message.to))
                && at.is_none_or(|at| at >= since.plus_millis(-CLOCKS_DIFFER_MS))
        };
        Ok(list.iter().find(ours).and_then(accepted))
    }
}

fn accepted(answer: &Value) -> Option<Accepted> {
    let of = |answer: &Value| {
        let id = ["messageId", "message_id", "id", "sid"].iter().find_map(|name| answer[*name].as_str())?;
        let status = answer["status"].as_str().unwrap_or("queued");
        Some(Accepted { id: id.to_owned(), status: status.to_owned() })
    };
    of(answer).or_else(|| of(&answer["data"]))
}

/// By the last ten digits.
fn same_number(a: &str, b: &str) -> bool {
    let digits = |text: &str| text.chars().rev().filter(char::is_ascii_digit).take(10).collect::<String>();
    digits(a) == digits(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_goes_by_several_names() {
        for answer in [
            json!({"messageId": "m1"}),
            json!({"message_id": "m1"}),
            json!({"id": "m1"}),
            json!({"data": {"messageId": "m1"}}),
        ] {
            assert_eq!(accepted(&answer).map(|accepted| accepted.id).as_deref(), Some("m1"), "{answer}");
        }
        assert_eq!(accepted(&json!({"status": "queued"})), None);
        assert!(same_number("12125550100", "+1 (212) 555-0100"));
    }
}
