//! Webhook deliveries of each source, with valid and invalid signatures.

use base64::{Engine, prelude::BASE64_STANDARD};
use reqwest::{Method, StatusCode};
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
};
use serde_json::Value;

use crate::support::Api;

pub const SECRET: &str = "a-secret-of-this-test";
/// One delivery: headers beside the body.
pub struct Sent {
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

pub async fn deliver(api: &Api, path: &str, sent: &Sent) -> (StatusCode, String) {
    let form = !sent.body.starts_with(['{', '[']);
    let kind = if form { "application/x-www-form-urlencoded" } else { "application/json" };
    // No API key: the signature authenticates the delivery.
    let url = format!("{}{path}", api.url);
    let mut request = reqwest::Client::new().request(Method::POST, url).header("content-type", kind);
    for (name, value) in &sent.headers {
        request = request.header(*name, value);
    }
    let response = request.body(sent.body.clone()).send().await.expect("an answer");
    (response.status(), response.text().await.expect("text"))
}

pub async fn token(api: &Api, body: &Value) -> String {
    let (status, made) = api.post("/api/webhook-tokens", body).await;
    assert_eq!(status, 201, "{made}");
    made["path"].as_str().expect("a path").to_owned()
}

pub fn mac(algorithm: hmac::Algorithm, text: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(algorithm, SECRET.as_bytes()), text).as_ref().to_vec()
}

pub fn hex_mac(text: &str) -> String {
    hex::encode(mac(hmac::HMAC_SHA256, text.as_bytes()))
}

pub fn stripe(at: i64, body: &str) -> String {
    format!("t={at},v1={}", hex_mac(&format!("{at}.{body}")))
}

pub fn now() -> i64 {
    luci_schema::Micros::now().seconds()
}

/// A key pair like SendGrid's: the signing key and the public key as text.
pub fn sendgrid_key() -> (EcdsaKeyPair, String) {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).expect("a key");
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random).expect("a key");
    let mut der = hex::decode("3059301306072a8648ce3d020106082a8648ce3d030107034200").expect("hex");
    der.extend_from_slice(pair.public_key().as_ref());
    (pair, BASE64_STANDARD.encode(der))
}

/// For every source with a token: its secret, a delivery with a valid signature, and one with an invalid one.
pub fn signed() -> Vec<(&'static str, String, Sent, Sent)> {
    let sent = |name, value: String, body: &str| Sent { headers: vec![(name, value)], body: body.to_owned() };
    let simple =
        |name: &'static str, body: &str, right: String| (sent(name, right, body), sent(name, "0000".to_owned(), body));
    let mut all = Vec::new();
    let body = r#"{"event":"SMS_DELIVERED","message_id":"m1","to":"+19175550101"}"#;
    let (good, bad) = simple("x-signalhouse-signature", body, format!("sha256={}", hex_mac(body)));
    all.push(("signalhouse", SECRET.to_owned(), good, bad));
    let body = r#"{"id":"evt_1","type":"invoice.paid"}"#;
    let (good, bad) = simple("stripe-signature", body, stripe(now(), body));
    all.push(("stripe", SECRET.to_owned(), good, bad));
    let body = r#"{"status":"completed","jobId":"j1"}"#;
    let (good, bad) = simple("x-api-key", body, SECRET.to_owned());
    all.push(("realestate", SECRET.to_owned(), good, bad));
    let (good, bad) = simple("x-tracerfy-signature", r#"{"queue_id":7}"#, SECRET.to_owned());
    all.push(("tracerfy", SECRET.to_owned(), good, bad));
    let body = r#"{"event":"lead.changed"}"#;
    let (good, bad) = simple("x-luci-signature", body, format!("sha256={}", hex_mac(body)));
    all.push(("generic", SECRET.to_owned(), good, bad));
    let (pair, public) = sendgrid_key();
    let body = r#"[{"event":"unsubscribe","email":"ann@acme.co"}]"#;
    let signature = pair.sign(&SystemRandom::new(), format!("170000{body}").as_bytes()).expect("signed");
    let headers = |signature: &[u8]| {
        vec![
            ("x-twilio-email-event-webhook-signature", BASE64_STANDARD.encode(signature)),
            ("x-twilio-email-event-webhook-timestamp", "170000".to_owned()),
        ]
    };
    let good = Sent { headers: headers(signature.as_ref()), body: body.to_owned() };
    let bad = Sent { headers: headers(signature.as_ref()), body: body.replace("ann", "bob") };
    all.push(("sendgrid", public, good, bad));
    all
}

/// A text message as Twilio delivers it, signed for the address of this gateway.
pub fn twilio(api: &Api, path: &str, fields: &[(&str, &str)]) -> Sent {
    let mut sorted = fields.to_vec();
    sorted.sort_unstable();
    let text: String = std::iter::once(format!("{}{path}", api.url))
        .chain(sorted.iter().map(|(name, value)| format!("{name}{value}")))
        .collect();
    let signature = BASE64_STANDARD.encode(mac(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()));
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    Sent { headers: vec![("x-twilio-signature", signature)], body }
}
