//! Signing secrets and public keys are checked when they are entered, so that no delivery is refused permanently afterwards.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use secrecy::SecretString;

use crate::rules::webhook_source::WebhookSource;

/// The DER of a P-256 public key begins with this: SubjectPublicKeyInfo of id-ecPublicKey on prime256v1.
const P256_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// An uncompressed point follows.
const P256_LENGTH: usize = P256_PREFIX.len() + 65;

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What was expected. Contains nothing of the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadSecret(pub &'static str);

/// The secret as it is stored: without the white space of copying.
pub fn checked_secret(source: WebhookSource, entered: &str) -> Result<SecretString, BadSecret> {
    if source == WebhookSource::SendGrid {
        return point(entered).map(|_| without_frame(entered).into());
    }
    let secret = entered.trim();
    if !(8..=2_000).contains(&secret.len()) {
        return Err(BadSecret("8 to 2000 characters"));
    }
    if secret.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(BadSecret("without spaces and line breaks"));
    }
    // These are sent in a header, which carries visible ASCII only.
    let in_header = matches!(source, WebhookSource::RealEstate | WebhookSource::Tracerfy | WebhookSource::SignalHouse);
    if in_header && !secret.is_ascii() {
        return Err(BadSecret("ASCII characters only"));
    }
    if source == WebhookSource::Stripe && (secret.starts_with("sk_") || secret.starts_with("pk_")) {
        return Err(BadSecret("the signing secret of the endpoint (whsec_…), not an API key"));
    }
    Ok(secret.to_owned().into())
}

/// The point of SendGrid's public key, base64 of its DER as SendGrid shows it, also with line breaks or as PEM.
pub(super) fn point(public_key: &str) -> Result<[u8; 65], BadSecret> {
    const EXPECTED: BadSecret = BadSecret("the public key of the event webhook: base64 of a P-256 key");
    let der = LENIENT.decode(without_frame(public_key)).map_err(|_| EXPECTED)?;
    if der.len() != P256_LENGTH || !der.starts_with(&P256_PREFIX) || der[P256_PREFIX.len()] != 4 {
        return Err(EXPECTED);
    }
    der[P256_PREFIX.len()..].try_into().map_err(|_| EXPECTED)
}

/// Without PEM lines, white space and invisible characters.
fn without_frame(key: &str) -> String {
    let lines = key.lines().filter(|line| !line.trim_start().starts_with("-----"));
    lines
        .flat_map(str::chars)
        .filter(|c| !c.is_whitespace() && !c.is_control() && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{feff}'))
        .collect()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    /// SendGrid's example key.
    const KEY: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==";

    #[test]
    fn a_public_key_is_taken_with_the_marks_of_copying() {
        let (first, rest) = KEY.split_at(64);
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{first}\n{rest}\n-----END PUBLIC KEY-----\n");
        for entered in
            [KEY.to_owned(), format!("{first}\n{rest}"), format!("{first}\r\n{rest}\n"), format!(" {KEY} "), pem]
        {
            let stored = checked_secret(WebhookSource::SendGrid, &entered).expect("a key");
            assert_eq!(stored.expose_secret(), KEY);
        }
        assert!(point(KEY.trim_end_matches('=')).is_ok(), "without padding");
        for wrong in
            ["", "SG.abcdefgh12345678", &KEY[..100], &KEY.replacen("MFkw", "MFkx", 1), "-----BEGIN PUBLIC KEY-----"]
        {
            assert!(checked_secret(WebhookSource::SendGrid, wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_secret_has_no_spaces_and_goes_into_a_header() {
        use WebhookSource::*;
        let stored = checked_secret(Stripe, " whsec_12345678\n").expect("a secret");
        assert_eq!(stored.expose_secret(), "whsec_12345678");
        for (source, wrong) in [
            (Generic, "short"),
            (Generic, "two words are no secret"),
            (Generic, "12345678\n12345678"),
            (Generic, "12345678\u{0}"),
            (Tracerfy, "schlüssel-12345"),
            (Stripe, "sk_live_12345678"),
        ] {
            assert!(checked_secret(source, wrong).is_err(), "{source} {wrong:?}");
        }
        assert!(checked_secret(Generic, &"x".repeat(2_001)).is_err());
    }
}
