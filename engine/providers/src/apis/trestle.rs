//! Trestle: what a phone number is (`phone_intel`), and whether it belongs to a name (`real_contact`).

use reqwest::{Client, RequestBuilder};
use serde_json::Value;

use crate::{
    call::Caller,
    descriptor::{Descriptor, env_names},
    fields::{flag, number, text},
    name::ProviderName,
    phone_facts::{PhoneApi, PhoneFacts, PhoneQuery, PhoneSubject, SingleNumber, line_type},
    price::Price,
    provider::{Capabilities, Lookup, PhoneLookup, PhoneSource, Provider},
};

const NAME: &str = "trestle";
const PHONE_PRICE: Price = Price { provider: NAME, unit: "phone", micros: 15_000 };
const CONTACT_PRICE: Price = Price { provider: NAME, unit: "real_contact", micros: 30_000 };

static DESCRIPTOR: Descriptor = Descriptor::new(NAME, env_names!("TRESTLE"), "https://api.trestleiq.com");

static PHONE: PhoneLookup =
    PhoneLookup { setting: "trestle", subject: PhoneSubject::Number, lookup: Lookup::of::<SingleNumber<PhoneIntel>>() };

static CONTACT: PhoneLookup = PhoneLookup {
    setting: "trestle_contact",
    subject: PhoneSubject::NumberAndName,
    lookup: Lookup::of::<SingleNumber<RealContact>>(),
};

impl ProviderName {
    pub const TRESTLE: Self = Self::new(&DESCRIPTOR);
}

pub static PROVIDER: Provider = Provider {
    name: ProviderName::TRESTLE,
    capabilities: Capabilities { phone_facts: &[&PHONE, &CONTACT], ..Capabilities::NONE },
};

impl PhoneSource {
    pub const TRESTLE_PHONE: Self = Self::new(&PHONE);
    pub const TRESTLE_CONTACT: Self = Self::new(&CONTACT);
}

/// `phone_intel`.
struct PhoneIntel;
/// `real_contact`: also grades how well name and number match.
struct RealContact;

impl PhoneApi for PhoneIntel {
    const PROVIDER: ProviderName = ProviderName::TRESTLE;
    const PRICE: Price = PHONE_PRICE;

    fn request(caller: &Caller, client: &Client, query: &PhoneQuery) -> RequestBuilder {
        let parameters = [("phone", query.number.as_str()), ("add_ons", "litigator_checks")];
        client.get(caller.url("/3.0/phone_intel")).query(&parameters).header("x-api-key", caller.key())
    }

    fn read(answer: &Value) -> Option<PhoneFacts> {
        let kind = line_type(text(answer, &["line_type"]).as_deref());
        let valid = flag(answer, &["is_valid"])?;
        let litigator = answer.get("add_ons").and_then(|add_ons| add_ons.get("litigator_checks"));
        let litigator = litigator.and_then(|checks| flag(checks, &["phone.is_litigator_risk"])).unwrap_or(false);
        Some(PhoneFacts { kind, in_use: in_use(valid, number(answer, "activity_score")), litigator, grade: None })
    }
}

impl PhoneApi for RealContact {
    const PROVIDER: ProviderName = ProviderName::TRESTLE;
    const PRICE: Price = CONTACT_PRICE;

    fn request(caller: &Caller, client: &Client, query: &PhoneQuery) -> RequestBuilder {
        let parameters = [
            ("name", query.name.as_deref().unwrap_or_default()),
            ("phone", query.number.as_str()),
            ("add_ons", "litigator_checks"),
        ];
        client.get(caller.url("/1.1/real_contact")).query(&parameters).header("x-api-key", caller.key())
    }

    fn read(answer: &Value) -> Option<PhoneFacts> {
        let kind = line_type(text(answer, &["phone.line_type"]).as_deref());
        let valid = flag(answer, &["phone.is_valid"])?;
        let litigator = flag(answer, &["litigator_checks.phone.is_litigator_risk", "phone.is_litigator_risk"]);
        Some(PhoneFacts {
            kind,
            in_use: in_use(valid, number(answer, "phone.activity_score")),
            litigator: litigator.unwrap_or(false),
            grade: text(answer, &["phone.contact_grade"]).and_then(|grade| grade.chars().next()),
        })
    }
}

/// Activity scores (0 to 100) from which a number is in use, and up to which it is not; between them it is unknown.
const IN_USE: u64 = 70;
const OUT_OF_USE: u64 = 30;

/// An invalid number is out of use, whatever its score.
fn in_use(valid: bool, activity: Option<u64>) -> Option<bool> {
    match activity {
        _ if !valid => Some(false),
        Some(IN_USE..) => Some(true),
        Some(..=OUT_OF_USE) => Some(false),
        Some(_) | None => None,
    }
}

#[cfg(test)]
mod tests {
    use luci_leads::PhoneKind;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_documented_answers_are_read() {
        let phone = json!({ "id": "Phone.1", "phone_number": "5185550101", "is_valid": true, "activity_score": 88,
            "line_type": "Mobile", "carrier": "X", "add_ons": { "litigator_checks": { "phone.is_litigator_risk": true } } });
        let facts = PhoneIntel::read(&phone).unwrap();
        assert_eq!((facts.kind, facts.in_use, facts.litigator), (PhoneKind::Mobile, Some(true), true));
        let contact = json!({ "phone.is_valid": true, "phone.activity_score": 12, "phone.line_type": "FixedVOIP",
            "phone.contact_grade": "F", "phone.name_match": false });
        let facts = RealContact::read(&contact).unwrap();
        assert_eq!((facts.kind, facts.in_use, facts.grade), (PhoneKind::Voip, Some(false), Some('F')));
        assert_eq!(PhoneIntel::read(&json!({ "error": "x" })), None);
    }
}
