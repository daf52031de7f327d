//! The credential of a NATS client: who it is and until when, signed with a key of the installation.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use luci_config::{
    AdminError, Role,
    keys::{self, Holder},
    sessions,
};
use luci_schema::{KeyId, Micros, SessionId, TenantId};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use sqlx::PgConnection;

/// The scope of a key that includes NATS.
pub const SCOPE: &str = "nats-credentials";
/// The first part of every credential, so that a secret scanner finds it.
const PREFIX: &str = "luci-nats";

/// A credential's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NatsCredential {
    #[serde(rename = "t")]
    pub tenant: TenantId,
    #[serde(rename = "k")]
    pub key: KeyId,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The role when it was made: another one ends it.
    #[serde(rename = "r")]
    pub role: Role,
    #[serde(rename = "e")]
    pub expires_at: Micros,
    /// 16 hex digits: the inbox that is only this credential's.
    #[serde(rename = "i")]
    pub inbox: String,
}

/// The text is no credential of this installation, or it has expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCredential {
    #[error("the credential was not made by this LUCI")]
    Foreign,
    #[error("the credential has expired")]
    Expired,
}

impl NatsCredential {
    /// `luci-nats.{content}.{HMAC-SHA256}`, both base64url.
    pub fn sign(&self, key: &[u8]) -> Result<String, serde_json::Error> {
        let content = BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(self)?);
        let mac = BASE64_URL_SAFE_NO_PAD.encode(mac(key, &content).finalize().into_bytes());
        Ok(format!("{PREFIX}.{content}.{mac}"))
    }

    /// The content of a text that `sign` made with this key.
    pub fn verify(text: &str, key: &[u8], now: Micros) -> Result<Self, InvalidCredential> {
        let mut parts = text.split('.');
        let (Some(PREFIX), Some(content), Some(found), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(InvalidCredential::Foreign);
        };
        let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidCredential::Foreign);
        mac(key, content).verify_slice(&decode(found)?).map_err(|_| InvalidCredential::Foreign)?;
        let credential: Self = serde_json::from_slice(&decode(content)?).map_err(|_| InvalidCredential::Foreign)?;
        if credential.expires_at <= now {
            return Err(InvalidCredential::Expired);
        }
        Ok(credential)
    }

    /// What a client may subscribe to, besides its inbox.
    pub fn subjects(tenant: TenantId) -> [String; 2] {
        [luci_schema::subject::watch_all(tenant), luci_schema::subject::telemetry_all(tenant)]
    }

    pub fn inbox_prefix(&self) -> String {
        format!("_INBOX_{}", self.inbox)
    }

    /// The name of a connection at the server, from which `Connected` is read back. It tells nothing secret.
    pub fn connection_name(&self) -> String {
        let session = self.session.map_or("-".to_owned(), |session| session.to_string());
        format!("luci {} {} {session} {}", self.tenant, self.key, self.role)
    }
}

/// Who is connected, as the connection's name says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Connected {
    pub tenant: TenantId,
    pub key: KeyId,
    pub session: Option<SessionId>,
    pub role: Role,
}

impl From<&NatsCredential> for Connected {
    fn from(credential: &NatsCredential) -> Self {
        let NatsCredential { tenant, key, session, role, .. } = *credential;
        Self { tenant, key, session, role }
    }
}

impl Connected {
    /// `None` for a connection that has no credential of a tenant: one of LUCI's processes.
    pub fn parse(name: &str) -> Option<Self> {
        let mut parts = name.strip_prefix("luci ")?.split(' ');
        let (tenant, key) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let session = match parts.next()? {
            "-" => None,
            session => Some(session.parse().ok()?),
        };
        Some(Self { tenant, key, session, role: parts.next()?.parse().ok()? })
    }

    /// When key and session end, while both are valid, with the role and a scope that they had; else `None`.
    pub async fn valid_until(&self, c: &mut PgConnection) -> Result<Option<Micros>, AdminError> {
        let holder = match self.session {
            Some(session) => sessions::holder_by_id(c, self.tenant, session).await?,
            None => keys::holder_by_id(c, self.tenant, self.key).await?,
        };
        Ok(holder.filter(|holder| self.is(holder)).map(|holder| holder.expires_at.unwrap_or(Micros(i64::MAX))))
    }

    fn is(&self, holder: &Holder) -> bool {
        let in_scope = holder.scopes.is_empty() || holder.scopes.iter().any(|scope| scope == SCOPE);
        holder.key == self.key && holder.role == self.role && in_scope
    }
}

fn mac(key: &[u8], content: &str) -> Hmac<Sha256> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { unreachable!("HMAC accepts keys of any length") };
    mac.update(PREFIX.as_bytes());
    mac.update(content.as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(session: Option<SessionId>) -> NatsCredential {
        NatsCredential {
            tenant: TenantId::generate(),
            key: KeyId::generate(),
            session,
            role: Role::Viewer,
            expires_at: Micros(2_000),
            inbox: "00112233445566ff".into(),
        }
    }

    #[test]
    fn a_credential_is_read_back_until_it_expires() {
        for credential in [credential(None), credential(Some(SessionId::generate()))] {
            let text = credential.sign(b"key").expect("JSON");
            assert_eq!(NatsCredential::verify(&text, b"key", Micros(1_999)), Ok(credential.clone()));
            assert_eq!(NatsCredential::verify(&text, b"key", Micros(2_000)), Err(InvalidCredential::Expired));
            let connected = Connected::parse(&credential.connection_name()).expect("a name of ours");
            assert_eq!(connected, Connected::from(&credential));
        }
    }

    #[test]
    fn a_changed_credential_is_foreign() {
        let text = credential(None).sign(b"key").expect("JSON");
        let foreign = |text: &str, key: &[u8]| {
            assert_eq!(NatsCredential::verify(text, key, Micros(0)), Err(InvalidCredential::Foreign), "{text}");
        };
        foreign(&text, b"other");
        // Each letter is covered: of the prefix, the content and the signature. The last one's low bits are padding.
        for at in 0..text.len() - 1 {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            foreign(&String::from_utf8(changed).expect("ASCII"), b"key");
        }
        let (head, _) = text.rsplit_once('.').expect("a signature");
        for cut in
            ["", "luci-nats", "luci-nats..", head, &format!("{head}."), &format!("{text}.x"), &format!("{text}=")]
        {
            foreign(cut, b"key");
        }
    }

    #[test]
    fn a_process_is_no_client() {
        for name in ["", "luci_gateway", "luci", "luci x y - viewer", "[REDACTED]"] {
            assert_eq!(Connected::parse(name), None, "{name}");
        }
    }
}
