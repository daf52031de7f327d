//! Whether a delivery comes from where it says: over the raw body, in constant time (`domain.md` 5).

use base64::{Engine, prelude::BASE64_STANDARD};
use luci_schema::Micros;
use ring::{hmac, signature};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::{Delivery, Source};

/// Stripe's signatures are taken for so long.
const STRIPE_TOLERANCE: i64 = 300;

/// What proved a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    Hmac,
    Signature,
    Secret,
    /// The unguessable token in the path.
    Token,
}

impl Proof {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hmac => "hmac",
            Self::Signature => "signature",
            Self::Secret => "secret",
            Self::Token => "token",
        }
    }
}

/// Why a delivery is not believed. Says nothing of the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the signature is missing")]
    Missing,
    #[error("the signature is not right")]
    Wrong,
    #[error("the signature is too old")]
    TooOld,
}

/// Whether the address that was called had a token of ours in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address {
    WithToken,
    Bare,
}

/// Proves a delivery by any of the secrets; `address` is proof enough for sources that need not sign.
pub fn prove(delivery: &Delivery, secrets: &[SecretString], address: Address, now: Micros) -> Result<Proof, Refused> {
    let signed = any(secrets, |secret| one(delivery, secret, now));
    match (delivery.source, address, signed) {
        // A token in the path is enough, but what is signed must be signed rightly.
        (Source::SignalHouse | Source::Apollo, Address::WithToken, Err(Refused::Missing)) => Ok(Proof::Token),
        (_, _, proved) => proved,
    }
}

/// The first right one; else the most telling refusal.
fn any(secrets: &[SecretString], prove: impl Fn(&str) -> Result<Proof, Refused>) -> Result<Proof, Refused> {
    let mut refused = Refused::Missing;
    for secret in secrets {
        match prove(secret.expose_secret()) {
            Ok(proof) => return Ok(proof),
            Err(why) => refused = why,
        }
    }
    Err(refused)
}

fn one(delivery: &Delivery, secret: &str, now: Micros) -> Result<Proof, Refused> {
    match delivery.source {
        Source::SignalHouse => signalhouse(delivery, secret),
        Source::Twilio => twilio(delivery, secret),
        Source::Stripe => stripe(delivery, secret, now),
        Source::SendGrid => sendgrid(delivery, secret),
        Source::RealEstate => shared(delivery.header("x-api-key"), secret),
        Source::Tracerfy => shared(delivery.header("x-tracerfy-signature"), secret),
        Source::Apollo => Err(Refused::Missing),
        Source::Generic => {
            let header = delivery.header("x-luci-signature").or_else(|| delivery.header("x-hub-signature-256"));
            hex_hmac(header, secret, &delivery.body)
        }
    }
}

/// A header that is the secret itself.
fn shared(header: Option<&str>, secret: &str) -> Result<Proof, Refused> {
    let given = header.ok_or(Refused::Missing)?;
    if bool::from(given.as_bytes().ct_eq(secret.as_bytes())) { Ok(Proof::Secret) } else { Err(Refused::Wrong) }
}

/// `sha256=` and the HMAC-SHA256 of the body in hex.
fn hex_hmac(header: Option<&str>, secret: &str, body: &[u8]) -> Result<Proof, Refused> {
    let given = header.ok_or(Refused::Missing)?;
    let given = hex::decode(given.strip_prefix("sha256=").unwrap_or(given)).map_err(|_| Refused::Wrong)?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hmac::verify(&key, body, &given).map(|()| Proof::Hmac).map_err(|_| Refused::Wrong)
}

/// Its documents name a signature, its customers a header with the secret: either will do.
fn signalhouse(delivery: &Delivery, secret: &str) -> Result<Proof, Refused> {
    match delivery.header("x-signalhouse-signature") {
        Some(header) => hex_hmac(Some(header), secret, &delivery.body),
        None => shared(delivery.header("x-nextier-webhook-secret"), secret),
    }
}

/// Base64 of HMAC-SHA1 over the address and each field of the form, sorted by name.
fn twilio(delivery: &Delivery, secret: &str) -> Result<Proof, Refused> {
    let given = delivery.header("x-twilio-signature").ok_or(Refused::Missing)?;
    let given = BASE64_STANDARD.decode(given).map_err(|_| Refused::Wrong)?;
    let mut fields = delivery.form();
    fields.sort();
    let fields = fields.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]);
    let text: String = std::iter::once(delivery.url.as_str()).chain(fields).collect();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
    hmac::verify(&key, text.as_bytes(), &given).map(|()| Proof::Signature).map_err(|_| Refused::Wrong)
}

/// `t=…,v1=…`: HMAC-SHA256 over time, a dot and the body.
fn stripe(delivery: &Delivery, secret: &str, now: Micros) -> Result<Proof, Refused> {
    let header = delivery.header("stripe-signature").ok_or(Refused::Missing)?;
    let pairs = || header.split(',').filter_map(|pair| pair.trim().split_once('='));
    let at = pairs().find(|(name, _)| *name == "t").map(|(_, value)| value).ok_or(Refused::Wrong)?;
    let seconds: i64 = at.parse().map_err(|_| Refused::Wrong)?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let text = [at.as_bytes(), b".", &delivery.body].concat();
    let right = |given: &str| hex::decode(given).is_ok_and(|given| hmac::verify(&key, &text, &given).is_ok());
    if !pairs().any(|(name, value)| name == "v1" && right(value)) {
        return Err(Refused::Wrong);
    }
    if now.seconds().abs_diff(seconds) > STRIPE_TOLERANCE.unsigned_abs() {
        return Err(Refused::TooOld);
    }
    Ok(Proof::Signature)
}

/// ECDSA P-256 over time and body; the secret is the public key as SendGrid shows it (base64 of its DER).
fn sendgrid(delivery: &Delivery, public_key: &str) -> Result<Proof, Refused> {
    let given = delivery.header("x-twilio-email-event-webhook-signature").ok_or(Refused::Missing)?;
    let at = delivery.header("x-twilio-email-event-webhook-timestamp").ok_or(Refused::Missing)?;
    let given = BASE64_STANDARD.decode(given).map_err(|_| Refused::Wrong)?;
    let der = BASE64_STANDARD.decode(public_key.trim()).map_err(|_| Refused::Wrong)?;
    // The point is the last 65 bytes of a P-256 key's DER.
    let point = der.len().checked_sub(65).map(|from| &der[from..]).ok_or(Refused::Wrong)?;
    let key = signature::UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_ASN1, point);
    let text = [at.as_bytes(), &delivery.body].concat();
    key.verify(&text, &given).map(|()| Proof::Signature).map_err(|_| Refused::Wrong)
}
