//! Verifies a delivery in constant time: by signature over the raw body, by a shared secret header, or by the token in its URL.

use base64::{Engine, prelude::BASE64_STANDARD};
use luci_schema::Micros;
use ring::{hmac, signature as ring_signature};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::webhooks::{WebhookDelivery, WebhookSource, secret::point, twilio};

/// Maximum age or lead of a Stripe timestamp, in seconds.
const STRIPE_TOLERANCE_S: u64 = 300;

/// What verified a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryProof {
    /// An HMAC-SHA256 by a shared secret.
    Hmac,
    /// The source's own scheme: ECDSA (SendGrid) or HMAC-SHA1 over URL and form (Twilio).
    Signature,
    /// A header that is the shared secret itself.
    Secret,
    /// The unguessable token in the path.
    Token,
}

impl DeliveryProof {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hmac => "hmac",
            Self::Signature => "signature",
            Self::Secret => "secret",
            Self::Token => "token",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        [Self::Hmac, Self::Signature, Self::Secret, Self::Token].into_iter().find(|proof| proof.as_str() == name)
    }
}

/// Why a delivery was not verified. Contains nothing of the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    #[error("the signature or secret header is missing")]
    Missing,
    #[error("the signature or secret header is wrong")]
    Wrong,
    #[error("the signature is too old")]
    TooOld,
}

/// Whether the path of the called address contained a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenInPath {
    Present,
    Absent,
}

/// Verifies a delivery with any of the secrets. For sources that need not sign, a token in the address is enough.
pub fn verify(
    delivery: &WebhookDelivery,
    secrets: &[SecretString],
    token: TokenInPath,
    now: Micros,
) -> Result<DeliveryProof, ProofError> {
    let signed = with_any(secrets, |secret| with_secret(delivery, secret, now));
    match (delivery.source, token, signed) {
        // A token in the path is enough. A signature is checked where a secret is configured, and must be right then: without
        // one, a source that signs all the same is as trusted as one that does not.
        (WebhookSource::SignalHouse | WebhookSource::Apollo, TokenInPath::Present, Err(ProofError::Missing)) => {
            Ok(DeliveryProof::Token)
        }
        (_, _, signed) => signed,
    }
}

/// The first success, otherwise the last error.
fn with_any(
    secrets: &[SecretString],
    verify: impl Fn(&str) -> Result<DeliveryProof, ProofError>,
) -> Result<DeliveryProof, ProofError> {
    let mut last = ProofError::Missing;
    for secret in secrets {
        match verify(secret.expose_secret()) {
            Ok(proof) => return Ok(proof),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn with_secret(delivery: &WebhookDelivery, secret: &str, now: Micros) -> Result<DeliveryProof, ProofError> {
    match delivery.source {
        WebhookSource::SignalHouse => signalhouse(delivery, secret),
        WebhookSource::Twilio => twilio::verify(delivery, secret),
        WebhookSource::Stripe => stripe(delivery, secret, now),
        WebhookSource::SendGrid => sendgrid(delivery, secret),
        WebhookSource::RealEstate => shared(delivery.header("x-api-key"), secret),
        WebhookSource::Tracerfy => shared(delivery.header("x-tracerfy-signature"), secret),
        WebhookSource::Apollo => Err(ProofError::Missing),
        WebhookSource::Generic => {
            let header = delivery.header("x-luci-signature").or_else(|| delivery.header("x-hub-signature-256"));
            hex_hmac(header, secret, &delivery.body)
        }
    }
}

/// The header is the secret itself.
fn shared(header: Option<&str>, secret: &str) -> Result<DeliveryProof, ProofError> {
    let signature = header.ok_or(ProofError::Missing)?;
    if bool::from(signature.as_bytes().ct_eq(secret.as_bytes())) {
        Ok(DeliveryProof::Secret)
    } else {
        Err(ProofError::Wrong)
    }
}

/// The HMAC-SHA256 of the body in hex, with or without `sha256=` before it.
fn hex_hmac(header: Option<&str>, secret: &str, body: &[u8]) -> Result<DeliveryProof, ProofError> {
    let signature = header.ok_or(ProofError::Missing)?;
    let signature =
        hex::decode(signature.strip_prefix("sha256=").unwrap_or(signature)).map_err(|_| ProofError::Wrong)?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hmac::verify(&key, body, &signature).map(|()| DeliveryProof::Hmac).map_err(|_| ProofError::Wrong)
}

/// Either the documented signature, or a header with the secret; it is named after Nextier, the product for which SignalHouse's
/// customers have set it up.
fn signalhouse(delivery: &WebhookDelivery, secret: &str) -> Result<DeliveryProof, ProofError> {
    match delivery.header("x-signalhouse-signature") {
        Some(header) => hex_hmac(Some(header), secret, &delivery.body),
        None => shared(delivery.header("x-nextier-webhook-secret"), secret),
    }
}

/// `t=…,v1=…`: HMAC-SHA256 over time, a dot and the body.
fn stripe(delivery: &WebhookDelivery, secret: &str, now: Micros) -> Result<DeliveryProof, ProofError> {
    let header = delivery.header("stripe-signature").ok_or(ProofError::Missing)?;
    let pairs = || header.split(',').filter_map(|pair| pair.trim().split_once('='));
    let at = pairs().find(|(name, _)| *name == "t").map(|(_, value)| value).ok_or(ProofError::Wrong)?;
    let seconds: i64 = at.parse().map_err(|_| ProofError::Wrong)?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let text = [at.as_bytes(), b".", &delivery.body].concat();
    let matches = |value: &str| hex::decode(value).is_ok_and(|signature| hmac::verify(&key, &text, &signature).is_ok());
    if !pairs().any(|(name, value)| name == "v1" && matches(value)) {
        return Err(ProofError::Wrong);
    }
    if now.seconds().abs_diff(seconds) > STRIPE_TOLERANCE_S {
        return Err(ProofError::TooOld);
    }
    Ok(DeliveryProof::Hmac)
}

/// ECDSA P-256 over time and body; the secret is the public key as SendGrid shows it (base64 of its DER).
fn sendgrid(delivery: &WebhookDelivery, public_key: &str) -> Result<DeliveryProof, ProofError> {
    let signature = delivery.header("x-twilio-email-event-webhook-signature").ok_or(ProofError::Missing)?;
    let at = delivery.header("x-twilio-email-event-webhook-timestamp").ok_or(ProofError::Missing)?;
    let signature = BASE64_STANDARD.decode(signature).map_err(|_| ProofError::Wrong)?;
    let point = point(public_key).map_err(|_| ProofError::Wrong)?;
    let key = ring_signature::UnparsedPublicKey::new(&ring_signature::ECDSA_P256_SHA256_ASN1, point);
    let text = [at.as_bytes(), &delivery.body].concat();
    key.verify(&text, &signature).map(|()| DeliveryProof::Signature).map_err(|_| ProofError::Wrong)
}
