//! JWTs as nats-server reads and writes them: signed with an nkey (Ed25519), claims under `nats`, version 2.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use nkeys::KeyPair;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The text is no JWT that nats-server wrote.
#[derive(Debug, thiserror::Error)]
pub enum JwtError {
    #[error("malformed: {0}")]
    Malformed(&'static str),
    #[error("the signature is not that of its issuer")]
    Signature,
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Key(#[from] nkeys::error::Error),
}

/// Signs claims; sets `iss` and `jti`.
pub fn encode(mut claims: Value, issuer: &KeyPair) -> Result<String, JwtError> {
    claims["iss"] = issuer.public_key().into();
    let id = Sha256::digest(serde_json::to_vec(&claims)?);
    claims["jti"] = hex::encode(id).into();
    let header = json!({"typ": "JWT", "alg": "ed25519-nkey"});
    let part = |value: &Value| Ok::<_, JwtError>(BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(value)?));
    let signed = format!("{}.{}", part(&header)?, part(&claims)?);
    let signature = BASE64_URL_SAFE_NO_PAD.encode(issuer.sign(signed.as_bytes())?);
    Ok(format!("{signed}.{signature}"))
}

/// What nats-server asks about a client.
#[derive(Debug, Deserialize)]
pub struct AuthorizationRequest {
    /// The server's public key, which signed the request.
    iss: String,
    pub nats: RequestClaims,
}

#[derive(Debug, Deserialize)]
pub struct RequestClaims {
    pub server_id: ServerId,
    /// The key that the answer must be about.
    pub user_nkey: String,
    #[serde(default)]
    pub connect_opts: ConnectOptions,
}

#[derive(Debug, Deserialize)]
pub struct ServerId {
    pub id: String,
}

/// What the client sent; not printed, since it is secret.
#[derive(Default, Deserialize)]
pub struct ConnectOptions {
    pub auth_token: Option<String>,
    /// Clients that know no tokens send the credential as password.
    pub pass: Option<String>,
}

impl std::fmt::Debug for ConnectOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ConnectOptions")
    }
}

/// Reads a request and checks its server's signature.
pub fn decode_request(text: &str) -> Result<AuthorizationRequest, JwtError> {
    let (signed, signature) = text.rsplit_once('.').ok_or(JwtError::Malformed("no signature"))?;
    let (_, claims) = signed.split_once('.').ok_or(JwtError::Malformed("no claims"))?;
    let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| JwtError::Malformed("not base64url"));
    let request: AuthorizationRequest = serde_json::from_slice(&decode(claims)?)?;
    let server = KeyPair::from_public_key(&request.iss)?;
    server.verify(signed.as_bytes(), &decode(signature)?).map_err(|_| JwtError::Signature)?;
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_if_its_issuer_signed_it() {
        let server = KeyPair::new_server();
        let claims =
            json!({"nats": {"server_id": {"id": "N1"}, "user_nkey": "U1", "connect_opts": {"auth_token": "t"}}});
        let text = encode(claims, &server).expect("signed");
        let request = decode_request(&text).expect("read");
        assert_eq!((request.nats.user_nkey.as_str(), request.nats.server_id.id.as_str()), ("U1", "N1"));
        assert_eq!(request.nats.connect_opts.auth_token.as_deref(), Some("t"));
        let (signed, _) = text.rsplit_once('.').expect("a signature");
        let other = BASE64_URL_SAFE_NO_PAD.encode(KeyPair::new_server().sign(signed.as_bytes()).expect("signed"));
        assert!(matches!(decode_request(&format!("{signed}.{other}")), Err(JwtError::Signature)));
        for malformed in ["", "a", "a.b", "a.b.c", "é.é.é"] {
            assert!(decode_request(malformed).is_err(), "{malformed}");
        }
    }
}
