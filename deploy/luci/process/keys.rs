//! Reads the key that seals the log, and derives keys from the master key.

use std::{fs, io, path::Path};

use luci_schema::seal::SealKey;
use secrecy::{ExposeSecret, SecretString};

/// The Ed25519 key that seals the log, from a PEM file.
pub fn read_seal_key(path: &Path) -> io::Result<SealKey> {
    SealKey::from_pem(&fs::read_to_string(path)?).map_err(io::Error::other)
}

/// A key for one purpose, derived from the master key (HKDF-SHA256, RFC 5869): 32 bytes in hexadecimal.
pub fn derive_key(master: &SecretString, purpose: &str) -> SecretString {
    let pseudo_random_key = mac(b"luci", master.expose_secret().as_bytes());
    SecretString::from(hex::encode(mac(&pseudo_random_key, format!("{purpose}\u{1}").as_bytes())))
}

fn mac(key: &[u8], message: &[u8]) -> Vec<u8> {
    use hmac::{KeyInit, Mac};
    // HMAC accepts keys of any length.
    let Ok(mut mac) = hmac::Hmac::<sha2::Sha256>::new_from_slice(key) else {
        unreachable!("HMAC accepts keys of any length")
    };
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_purpose_has_its_own_key() {
        let master = SecretString::from("00".repeat(32));
        let (blobs, hooks) = (derive_key(&master, "blobs"), derive_key(&master, "webhooks"));
        assert_ne!(blobs.expose_secret(), hooks.expose_secret());
        assert_eq!(blobs.expose_secret(), derive_key(&master, "blobs").expose_secret());
    }
}
