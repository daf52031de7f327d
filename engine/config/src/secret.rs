//! Random secrets that are shown once and stored as SHA-256. 256 random bits need no slow hash.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use luci_schema::Hash;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// The operating system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct NoRandomness;

/// `{prefix}_` and 43 characters over 32 random bytes.
pub fn generate(prefix: &str) -> Result<SecretString, NoRandomness> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(SecretString::from(format!("{prefix}_{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))))
}

/// What is stored, and what a secret is looked up by.
pub fn digest(secret: &str) -> Hash {
    Sha256::digest(secret.as_bytes()).into()
}

/// The part that lists show: `luci_` and six of the 43 characters.
pub fn shown_prefix(secret: &SecretString) -> String {
    secret.expose_secret().chars().take(11).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_long_differ_and_show_little() {
        let (a, b) = (generate("luci").unwrap(), generate("luci").unwrap());
        assert_eq!(a.expose_secret().len(), 5 + 43);
        assert_ne!(a.expose_secret(), b.expose_secret());
        assert_eq!(shown_prefix(&a).len(), 11);
    }
}
