//! SignalHouse: sendSMS, sendMMS, the log of messages, and the account's numbers.

use serde_json::{Value, json};

use super::{Carrier, CarrierRequest, KEY, Outbox, Reply, TOKEN, Taken, numbers};

pub(super) const CARRIER: Carrier = Carrier { prefixes: &["/message/", "/phoneNumber/"], handler: answer };

fn answer(request: &CarrierRequest<'_>, outbox: &Outbox) -> Reply {
    let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok());
    if header("apikey") != Some(KEY) || header("authtoken") != Some(TOKEN) {
        return (401, json!({"success": false, "error": "invalid credentials"}));
    }
    match (request.method.as_str(), request.path) {
        ("POST", "/message/sendSMS") => send(request, outbox, "sms"),
        ("POST", "/message/sendMMS") => send(request, outbox, "mms"),
        ("GET", "/message/logs") => logs(request, outbox),
        ("GET", "/phoneNumber/myPhoneNumbers") => (200, owned(request)),
        _ => (404, json!({"success": false, "error": "no such call"})),
    }
}

fn send(request: &CarrierRequest<'_>, outbox: &Outbox, channel: &'static str) -> Reply {
    let Ok(body) = serde_json::from_slice::<Value>(request.body) else {
        return (400, json!({"success": false, "error": "the body is not JSON"}));
    };
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let (from, to, message) = (text("from"), text("to"), text("message"));
    if from.is_empty() || to.is_empty() || message.is_empty() {
        return (400, json!({"success": false, "error": "from, to and message are required"}));
    }
    let optional = |name: &str| body[name].as_str().map(str::to_owned);
    let (media_url, report_to) = (optional("mediaUrl"), optional("statusCallbackUrl"));
    if channel == "mms" && media_url.is_none() {
        return (400, json!({"success": false, "error": "mediaUrl is required"}));
    }
    let taken = Taken {
        provider: "signalhouse",
        channel,
        id: "SH".into(),
        from,
        to,
        body: message,
        media_url,
        send_digits: None,
        report_to,
        at: Default::default(),
    };
    let taken = outbox.take(taken);
    (200, json!({"success": true, "messageId": taken.id, "status": "queued", "segments": 1}))
}

/// A page of the account's numbers: `page` from 1, `limit` of at most 100.
fn owned(request: &CarrierRequest<'_>) -> Value {
    let number = |name: &str, usual: usize| {
        let mut pairs = url::form_urlencoded::parse(request.query.as_bytes());
        let value = pairs.find(|(key, _)| key == name).and_then(|(_, value)| value.parse().ok());
        value.filter(|value| *value > 0).unwrap_or(usual)
    };
    let (page, limit) = (number("page", 1), number("limit", 20).min(100));
    let total = numbers().count();
    let entry = |number: String| json!({"phoneNumber": number, "status": "active"});
    let entries: Vec<Value> = numbers().skip((page - 1) * limit).take(limit).map(entry).collect();
    json!({"data": entries, "pagination": {"page": page, "limit": limit, "total": total,
        "totalPages": total.div_ceil(limit)}})
}

fn logs(request: &CarrierRequest<'_>, outbox: &Outbox) -> Reply {
    let query = |name: &str| {
        url::form_urlencoded::parse(request.query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value)
    };
    let (from, to) = (query("from"), query("to"));
    let matches = |taken: &Taken| {
        taken.provider == "signalhouse"
            && from.as_ref().is_none_or(|from| **from == taken.from)
            && to.as_ref().is_none_or(|to| **to == taken.to)
    };
    let entry = |taken: Taken| {
        json!({"id": taken.id, "from": taken.from, "to": taken.to, "message": taken.body, "status": "sent",
            "direction": "outbound", "created_at": taken.at.rfc3339()})
    };
    let mut entries: Vec<Value> = outbox.taken().into_iter().filter(matches).map(entry).collect();
    entries.reverse();
    (200, json!({"messages": entries}))
}
