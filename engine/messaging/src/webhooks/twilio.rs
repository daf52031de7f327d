//! Twilio's signature: whatever the validators of its own libraries accept is accepted.
//!
//! HMAC-SHA1 over the address and, for a form, each field sorted by name; a name that comes several times has its distinct
//! values, sorted. A JSON body is not part of the text: the address has its SHA-256 as `bodySHA256`. Twilio signs the address
//! with or without the standard port, and with a query that is escaped in one of two ways, so all of these are tried.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::hmac;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use url::Url;

use crate::webhooks::{DeliveryProof, ProofError, WebhookDelivery};

pub(super) fn verify(delivery: &WebhookDelivery, secret: &str) -> Result<DeliveryProof, ProofError> {
    let signature = delivery.header("x-twilio-signature").ok_or(ProofError::Missing)?;
    let signature = BASE64_STANDARD.decode(signature.trim()).map_err(|_| ProofError::Wrong)?;
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
    let bodies = signed_bodies(delivery);
    let called = std::iter::once(&delivery.url).chain(&delivery.other_urls);
    let mut texts = called
        .flat_map(|called| addresses(called))
        .flat_map(|address| bodies.iter().map(move |body| [address.as_bytes(), body].concat()));
    if texts.any(|text| hmac::verify(&key, &text, &signature).is_ok()) {
        return Ok(DeliveryProof::Signature);
    }
    Err(ProofError::Wrong)
}

/// What may follow the address in the signed text.
fn signed_bodies(delivery: &WebhookDelivery) -> Vec<Vec<u8>> {
    let is_json = delivery.header("content-type").is_some_and(|kind| kind.to_ascii_lowercase().contains("json"));
    let hash = query_value(&delivery.url, "bodySHA256");
    let mut bodies = Vec::new();
    if let Some(hash) = &hash {
        let own = hex::encode(Sha256::digest(&delivery.body));
        if bool::from(own.as_bytes().ct_eq(hash.to_ascii_lowercase().as_bytes())) {
            bodies.push(Vec::new());
        }
    }
    // Without a hash nothing of a JSON body would be signed.
    if !is_json {
        bodies.extend(forms(&delivery.body));
    }
    bodies
}

/// The fields of a form as signed text: by distinct values, by all values, and as text with invalid UTF-8 replaced.
fn forms(body: &[u8]) -> Vec<Vec<u8>> {
    let raw: Vec<(Vec<u8>, Vec<u8>)> =
        body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(pair).collect();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned().into_bytes();
    let decoded = raw.iter().map(|(name, value)| (text(name), text(value))).collect::<Vec<_>>();
    let mut all = raw.clone();
    all.sort();
    let every = all.into_iter().flat_map(|(name, value)| [name, value]).collect::<Vec<_>>().concat();
    vec![distinct(&raw), every, distinct(&decoded)]
}

fn distinct(fields: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut names: BTreeMap<&[u8], BTreeSet<&[u8]>> = BTreeMap::new();
    for (name, value) in fields {
        names.entry(name).or_default().insert(value);
    }
    let fields =
        names.into_iter().flat_map(|(name, values)| values.into_iter().map(move |value| [name, value].concat()));
    fields.collect::<Vec<_>>().concat()
}

fn pair(pair: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
    let value = pair.get(at + 1..).unwrap_or_default();
    (unescape(&pair[..at]), unescape(value))
}

/// Bytes of a form: `+` is a space, `%41` a byte.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let hex = |at: usize| after.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        match (first, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(u8::try_from(high * 16 + low).unwrap_or_default());
                rest = &after[2..];
            }
            (b'+', _, _) => {
                bytes.push(b' ');
                rest = after;
            }
            (byte, _, _) => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    bytes
}

fn query_value(address: &str, name: &str) -> Option<String> {
    let (_, query) = address.split_once('?')?;
    url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// The address as it was called, without its port, with the standard port, and each with the query re-escaped.
fn addresses(called: &str) -> Vec<String> {
    let mut all = vec![called.to_owned()];
    if let Some((scheme, rest)) = called.split_once("://") {
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let port_at = authority.rfind(':').filter(|at| authority[at + 1..].bytes().all(|byte| byte.is_ascii_digit()));
        let host = port_at.map_or(authority, |at| &authority[..at]);
        let standard = if scheme.eq_ignore_ascii_case("https") { 443 } else { 80 };
        all.push(format!("{scheme}://{host}{path}"));
        all.push(match port_at {
            Some(_) => format!("{scheme}://{authority}{path}"),
            None => format!("{scheme}://{host}:{standard}{path}"),
        });
    }
    let escaped: Vec<String> =
        all.iter().flat_map(|address| [legacy_query(address), normal(address)]).flatten().collect();
    all.extend(escaped);
    all.dedup();
    all
}

/// As a URL parser writes it.
fn normal(address: &str) -> Option<String> {
    let (_, after) = address.split_once("://")?;
    let with_port = after[..after.find(['/', '?']).unwrap_or(after.len())].ends_with(|c: char| c.is_ascii_digit())
        && after.contains(':');
    // A parser drops the standard port, which is tried on its own.
    (!with_port).then(|| Url::parse(address).ok().map(String::from)).flatten()
}

/// The query as Node's `querystring` escapes it.
fn legacy_query(address: &str) -> Option<String> {
    let (before, query) = address.split_once('?')?;
    let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|text| pair(text.as_bytes()));
    let query: Vec<String> = pairs.map(|(name, value)| format!("{}={}", escape(&name), escape(&value))).collect();
    Some(format!("{before}?{}", query.join("&")))
}

fn escape(bytes: &[u8]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte);
    bytes.iter().map(|byte| if plain(*byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests;
