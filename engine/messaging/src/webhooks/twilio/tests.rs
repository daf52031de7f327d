//! Signatures as Twilio makes them.

use std::collections::HashMap;

use super::*;
use crate::webhooks::WebhookSource;

const TOKEN: &str = "12345";

fn sign(text: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, TOKEN.as_bytes());
    BASE64_STANDARD.encode(hmac::sign(&key, text.as_bytes()))
}

fn delivery(url: &str, body: &str, kind: &str, signature: String) -> WebhookDelivery {
    let headers =
        HashMap::from([("x-twilio-signature".to_owned(), signature), ("content-type".to_owned(), kind.to_owned())]);
    WebhookDelivery {
        source: WebhookSource::Twilio,
        headers,
        url: url.to_owned(),
        other_urls: Vec::new(),
        body: body.to_owned().into(),
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

/// Whether the signature of `signed` is accepted for a call of `url`.
fn form(url: &str, body: &str, signed: &str) -> bool {
    verify(&delivery(url, body, FORM, sign(signed)), TOKEN).is_ok()
}

#[test]
fn the_example_of_twilio_s_documentation() {
    let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
    let body = "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212";
    let signature = "RSOYDt4T1cUTdK1PDd93/VVr8B8=".to_owned();
    assert_eq!(verify(&delivery(url, body, FORM, signature.clone()), TOKEN), Ok(DeliveryProof::Signature));
    let forged = body.replace("1234&", "1235&");
    assert_eq!(verify(&delivery(url, &forged, FORM, signature.clone()), TOKEN), Err(ProofError::Wrong));
    assert_eq!(verify(&delivery(url, body, FORM, signature), "54321"), Err(ProofError::Wrong));
}

#[test]
fn the_standard_port_may_be_signed_or_not() {
    for (called, signed) in [
        ("https://luci.test/a?b=1", "https://luci.test/a?b=1"),
        ("https://luci.test/a?b=1", "https://luci.test:443/a?b=1"),
        ("https://luci.test:443/a", "https://luci.test/a"),
        ("https://luci.test:8443/a", "https://luci.test:8443/a"),
        ("https://luci.test:8443/a", "https://luci.test/a"),
        ("http://luci.test/a", "http://luci.test:80/a"),
    ] {
        assert!(form(called, "Body=hi", &format!("{signed}Bodyhi")), "{called} {signed}");
    }
    assert!(!form("https://luci.test/a", "Body=hi", "https://luci.test:8443/aBodyhi"));
    assert!(!form("https://luci.test/a", "Body=hi", "http://luci.test/aBodyhi"));
}

#[test]
fn the_address_before_the_proxies_may_be_signed() {
    let mut behind = delivery("http://10.0.0.7:8080/a", "Body=hi", FORM, sign("https://luci.test/aBodyhi"));
    assert!(verify(&behind, TOKEN).is_err());
    behind.other_urls = vec!["https://luci.test:443/a".into()];
    assert!(verify(&behind, TOKEN).is_ok());
}

#[test]
fn a_query_may_be_escaped_in_two_ways() {
    assert!(form("https://luci.test/a?q=it's (ok)", "", "https://luci.test/a?q=it's%20(ok)"));
    assert!(form("https://luci.test/a?q=a%20b", "", "https://luci.test/a?q=a%20b"));
    assert!(form("https://luci.test/a?q=a+b", "", "https://luci.test/a?q=a%20b"));
}

#[test]
fn repeated_fields_are_signed_by_their_distinct_values() {
    let url = "https://luci.test/a";
    assert!(form(url, "M=b&M=a&A=1", "https://luci.test/aA1MaMb"));
    assert!(form(url, "M=a&M=a", "https://luci.test/aMa"));
    assert!(form(url, "M=a&M=a", "https://luci.test/aMaMa"));
    assert!(form(url, "Body=STOP%00&Z=", "https://luci.test/aBodySTOP\0Z"));
    assert!(form(url, "Body=caf%E9", "https://luci.test/aBodycaf\u{fffd}"));
}

#[test]
fn a_json_body_is_proved_by_its_hash_in_the_address() {
    let body = r#"{"MessageSid":"SM1"}"#;
    let hash = hex::encode(Sha256::digest(body));
    let url = format!("https://luci.test/a?bodySHA256={hash}");
    let json = |url: &str, body: &str, signed: &str| {
        verify(&delivery(url, body, "application/json", sign(signed)), TOKEN).is_ok()
    };
    assert!(json(&url, body, &url));
    assert!(json(&url, body, &url.replace("luci.test", "luci.test:443")));
    assert!(!json(&url, r#"{"MessageSid":"SM2"}"#, &url), "another body");
    assert!(!json("https://luci.test/a", body, "https://luci.test/a"), "without its hash");
    assert!(form(&format!("{url}&x=1"), "A=1", &format!("{url}&x=1A1")), "a form, whatever the address has");
}
