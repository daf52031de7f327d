//! Which number of a lead a channel may use, and the key that makes a send unique.

use luci_schema::{LeadId, TenantId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Lead, PhoneKind};

/// A way to reach a lead. `dialer` is read as `call`.
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

/// Usable numbers for text messages, the preferred one first: mobiles; VoIP only where the run allows it; never landlines.
pub fn text_numbers(lead: &Lead, voip: bool) -> impl Iterator<Item = &str> {
    let fits = move |kind| kind == PhoneKind::Mobile || (voip && kind == PhoneKind::Voip);
    lead.phones.iter().filter(move |phone| phone.usable() && fits(phone.kind)).map(|phone| phone.number.as_str())
}

/// Usable numbers for calls: mobiles first, then as they stand; toll-free numbers reach nobody.
pub fn call_numbers(lead: &Lead) -> impl Iterator<Item = &str> {
    let usable = |mobile| {
        let fits = move |kind| (kind == PhoneKind::Mobile) == mobile && kind != PhoneKind::TollFree;
        lead.phones.iter().filter(move |phone| phone.usable() && fits(phone.kind))
    };
    usable(true).chain(usable(false)).map(|phone| phone.number.as_str())
}

/// SHA-256 of tenant, channel, lead, campaign and the campaign's attempt number; block and try are never part of it.
pub fn send_key(tenant: TenantId, channel: Channel, lead: LeadId, campaign: &str, attempt: u32) -> [u8; 32] {
    let mut hash = Sha256::new();
    let parts = [&tenant.to_string(), channel.as_str(), &lead.to_string(), campaign, &attempt.to_string()];
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0x1f]);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lead::{Phone, lead_id};

    #[test]
    fn which_number_a_channel_takes() {
        use PhoneKind::*;
        let phone = |kind, last: u8, dnc, connected| Phone {
            number: format!("+1212555010{last}"),
            kind,
            source: "file".into(),
            dnc,
            connected,
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
    fn a_send_key_is_the_same_for_the_same_send_only() {
        let (tenant, lead) = (TenantId::generate(), lead_id("import_x", 1));
        let key = send_key(tenant, Channel::Sms, lead, "run_x", 1);
        assert_eq!(key, send_key(tenant, Channel::Sms, lead, "run_x", 1));
        assert_ne!(key, send_key(tenant, Channel::Call, lead, "run_x", 1));
        assert_ne!(key, send_key(tenant, Channel::Sms, lead, "run_x", 2));
        assert_ne!(key, send_key(tenant, Channel::Sms, lead, "run_y", 1));
    }
}
