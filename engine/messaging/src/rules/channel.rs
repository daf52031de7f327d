//! The channels of messaging, which numbers of a lead each may use, and the key that makes a send unique.

use std::{fmt, str::FromStr};

use luci_leads::{Lead, PhoneKind};
use luci_schema::TenantId;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A way to reach a lead. Settings may name `call` by its older name `dialer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    Sms,
    #[serde(alias = "dialer")]
    Call,
}

impl Channel {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Call => "call",
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a channel: expected sms or call")]
pub struct UnknownChannel(pub String);

impl FromStr for Channel {
    type Err = UnknownChannel;
    fn from_str(text: &str) -> Result<Self, UnknownChannel> {
        [Self::Sms, Self::Call]
            .into_iter()
            .find(|channel| channel.as_str() == text)
            .ok_or_else(|| UnknownChannel(text.into()))
    }
}

/// Usable numbers for text messages, preferred first: mobiles; VoIP only where the run allows it; never landlines.
pub fn text_numbers(lead: &Lead, voip: bool) -> impl Iterator<Item = &str> {
    let fits = move |kind| kind == PhoneKind::Mobile || (voip && kind == PhoneKind::Voip);
    lead.phones.iter().filter(move |phone| phone.usable() && fits(phone.kind)).map(|phone| phone.number.as_str())
}

/// Usable numbers for calls: mobiles first, then the others in their order, without toll-free numbers.
pub fn call_numbers(lead: &Lead) -> impl Iterator<Item = &str> {
    let usable = |mobile| {
        let fits = move |kind| (kind == PhoneKind::Mobile) == mobile && kind != PhoneKind::TollFree;
        lead.phones.iter().filter(move |phone| phone.usable() && fits(phone.kind))
    };
    usable(true).chain(usable(false)).map(|phone| phone.number.as_str())
}

/// SHA-256 of tenant, channel, destination (E.164), campaign and the campaign's attempt number. The lead is not part of it, so
/// two leads with one number get one send; nor are block and retry, so a repeated block gets the same keys.
///
/// Migration 0545 computes the same in SQL.
pub fn send_key(tenant: TenantId, channel: Channel, to: &str, campaign: &str, attempt: u32) -> [u8; 32] {
    joined_hash(&[&tenant.to_string(), channel.as_str(), to, campaign, &attempt.to_string()])
}

/// By what a send is known again after the database was restored to the past: a repeated run has the same send keys; a new
/// run of the same file writes to the same numbers, with another campaign and perhaps another wording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SendKeys {
    #[serde(with = "hex::serde")]
    pub send_key: [u8; 32],
    /// SHA-256 of tenant, channel, destination and the campaign's attempt number.
    #[serde(with = "hex::serde")]
    pub contact: [u8; 32],
}

impl SendKeys {
    pub fn of(tenant: TenantId, channel: Channel, send_key: [u8; 32], to: &str, attempt: i32) -> Self {
        Self { send_key, contact: joined_hash(&[&tenant.to_string(), channel.as_str(), to, &attempt.to_string()]) }
    }
}

/// SHA-256 of the parts, each followed by U+001F.
fn joined_hash(parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0x1f]);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use luci_leads::{Phone, lead_id};

    #[test]
    fn each_channel_uses_the_numbers_that_fit_it() {
        use PhoneKind::*;
        let phone = |kind, last: u8, dnc, connected| Phone {
            number: format!("+1212555010{last}"),
            kind,
            source: "file".into(),
            dnc,
            connected,
            extension: None,
        };
        let mut lead = Lead::bare(lead_id("import_x", 1), 1, 2);
        lead.phones = vec![
            phone(Landline, 1, false, None),
            phone(Voip, 2, false, None),
            phone(Mobile, 3, true, None),
            phone(Mobile, 4, false, Some(false)),
            phone(Mobile, 5, false, Some(true)),
            phone(TollFree, 6, false, None),
            phone(Unknown, 7, false, None),
        ];
        let last = |numbers: Vec<&str>| numbers.into_iter().map(|n| n[11..].to_owned()).collect::<String>();
        assert_eq!(last(text_numbers(&lead, false).collect()), "5");
        assert_eq!(last(text_numbers(&lead, true).collect()), "25");
        assert_eq!(last(call_numbers(&lead).collect()), "5127");
    }

    #[test]
    fn a_send_key_depends_on_channel_destination_campaign_and_attempt_number() {
        let (tenant, to) = (TenantId::generate(), "+12125550101");
        let key = send_key(tenant, Channel::Sms, to, "run_x", 1);
        assert_eq!(key, send_key(tenant, Channel::Sms, to, "run_x", 1));
        assert_ne!(key, send_key(tenant, Channel::Sms, "+12125550102", "run_x", 1));
        assert_ne!(key, send_key(tenant, Channel::Call, to, "run_x", 1));
        assert_ne!(key, send_key(tenant, Channel::Sms, to, "run_x", 2));
        assert_ne!(key, send_key(tenant, Channel::Sms, to, "run_y", 1));
    }
}
