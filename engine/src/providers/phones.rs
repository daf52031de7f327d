//! What a phone number is: asked of Trestle (phone intelligence, or whether it belongs to a name) or Twilio (line type).

use luci_schema::{FailureCode, LeadId, Stage};
use reqwest::{Client, RequestBuilder};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Caller, Errand, ProviderName,
    ask::{Api, Outcome},
    fields::{flag, number, phone_kind, text},
};
use crate::provider::{FoundPhone, PhoneKind, Price, ProviderError, TRESTLE_CONTACT, TRESTLE_PHONE, TWILIO_LOOKUP};

/// A number that is asked about, as E.164.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PhoneQuery {
    #[serde(skip)]
    pub lead_id: LeadId,
    pub number: String,
    /// Whose it should be, where that is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What a number is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PhoneFacts {
    pub kind: PhoneKind,
    /// `None` when nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_use: Option<bool>,
    /// Its owner is known to sue callers.
    #[serde(default)]
    pub litigator: bool,
    /// How well name and number fit, A to F.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grade: Option<char>,
}

impl PhoneFacts {
    /// Writes onto a found number what is known of it now; a litigator's is not to be called.
    pub fn onto(&self, phone: &mut FoundPhone) {
        if self.kind != PhoneKind::Unknown {
            phone.kind = self.kind;
        }
        phone.connected = self.in_use.or(phone.connected);
        phone.do_not_call |= self.litigator;
    }
}

/// Who is asked about numbers, and what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhoneSource {
    #[serde(rename = "trestle")]
    TrestlePhone,
    TrestleContact,
    Twilio,
}

impl PhoneSource {
    /// Of one number.
    pub const fn price(self) -> Price {
        match self {
            Self::TrestlePhone => TRESTLE_PHONE,
            Self::TrestleContact => TRESTLE_CONTACT,
            Self::Twilio => TWILIO_LOOKUP,
        }
    }
}

/// Numbers of a lead that are asked about at most: what a budget holds back is bounded by it.
pub const MOST_NUMBERS: usize = 5;

/// An activity score of so much, and more, is a phone in use; of so little, and less, one that is not.
const IN_USE: u64 = 70;
const OUT_OF_USE: u64 = 30;

/// Trestle `phone_intel`.
pub struct TrestlePhone(Caller);
/// Trestle `real_contact`: with the name, how well both fit.
pub struct TrestleContact(Caller);
/// Twilio Lookup v2, line type intelligence.
pub struct TwilioLookup(Caller);

fn trestle_phone(caller: &Caller, client: &Client, query: &PhoneQuery) -> RequestBuilder {
    let parameters = [("phone", query.number.as_str()), ("add_ons", "litigator_checks")];
    client.get(caller.url("/3.0/phone_intel")).query(&parameters).header("x-api-key", caller.key())
}

fn trestle_contact(caller: &Caller, client: &Client, query: &PhoneQuery) -> RequestBuilder {
    let parameters = [
        ("name", query.name.as_deref().unwrap_or_default()),
        ("phone", query.number.as_str()),
        ("add_ons", "litigator_checks"),
    ];
    client.get(caller.url("/1.1/real_contact")).query(&parameters).header("x-api-key", caller.key())
}

fn twilio_lookup(caller: &Caller, client: &Client, query: &PhoneQuery) -> RequestBuilder {
    let url = caller.url(&format!("/v2/PhoneNumbers/{}", query.number));
    let account = caller.account_name().map(|name| name.expose_secret().to_owned()).unwrap_or_default();
    client.get(url).query(&[("Fields", "line_type_intelligence")]).basic_auth(account, Some(caller.key()))
}

fn read_phone(answer: &Value) -> Option<PhoneFacts> {
    let kind = line_type(text(answer, &["line_type"]).as_deref());
    let valid = flag(answer, &["is_valid"])?;
    let litigator = answer.get("add_ons").and_then(|add_ons| add_ons.get("litigator_checks"));
    let litigator = litigator.and_then(|checks| flag(checks, &["phone.is_litigator_risk"])).unwrap_or(false);
    Some(PhoneFacts { kind, in_use: in_use(valid, number(answer, "activity_score")), litigator, grade: None })
}

fn read_contact(answer: &Value) -> Option<PhoneFacts> {
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

fn read_lookup(answer: &Value) -> Option<PhoneFacts> {
    let valid = flag(answer, &["valid"])?;
    let line = answer.get("line_type_intelligence").unwrap_or(&Value::Null);
    let kind = line_type(text(line, &["type"]).as_deref());
    Some(PhoneFacts { kind, in_use: in_use(valid, None), litigator: false, grade: None })
}

/// An invalid number is out of use; without a score a valid one may be either.
fn in_use(valid: bool, activity: Option<u64>) -> Option<bool> {
    match activity {
        _ if !valid => Some(false),
        Some(IN_USE..) => Some(true),
        Some(..=OUT_OF_USE) => Some(false),
        Some(_) | None => None,
    }
}

/// `FixedVOIP` is no fixed line.
fn line_type(text: Option<&str>) -> PhoneKind {
    match text {
        Some(text) if text.eq_ignore_ascii_case("tollFree") || text.eq_ignore_ascii_case("premium") => {
            PhoneKind::Unknown
        }
        text => phone_kind(text),
    }
}

macro_rules! phone_api {
    ($name:ident, $provider:ident, $price:ident, $request:ident, $read:ident) => {
        impl Api for $name {
            const PROVIDER: ProviderName = ProviderName::$provider;
            type Query = PhoneQuery;
            type Match = PhoneFacts;
            const PRICE: Price = $price;
            const STAGE: Stage = Stage::SkipTrace;

            fn new(caller: Caller) -> Self {
                Self(caller)
            }

            fn lead(query: &PhoneQuery) -> LeadId {
                query.lead_id
            }

            /// One number a call.
            fn batch(_: usize) -> usize {
                1
            }

            async fn call(
                &self,
                errand: Errand<'_>,
                queries: &[&PhoneQuery],
            ) -> Result<Vec<Outcome<PhoneFacts>>, ProviderError> {
                let mut outcomes = Vec::with_capacity(queries.len());
                for query in queries {
                    let answer = self.0.ask(errand.about(1), |client| $request(&self.0, client, query)).await?;
                    let facts = $read(&answer);
                    let bad = || ProviderError::new(Self::PROVIDER, FailureCode::ApiError, "bad_answer");
                    outcomes.push(facts.map(Some).ok_or_else(bad));
                }
                Ok(outcomes)
            }
        }
    };
}

phone_api!(TrestlePhone, Trestle, TRESTLE_PHONE, trestle_phone, read_phone);
phone_api!(TrestleContact, Trestle, TRESTLE_CONTACT, trestle_contact, read_contact);
phone_api!(TwilioLookup, Twilio, TWILIO_LOOKUP, twilio_lookup, read_lookup);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_documented_answers_are_read() {
        let phone = json!({ "id": "Phone.1", "phone_number": "5185550101", "is_valid": true, "activity_score": 88,
            "line_type": "Mobile", "carrier": "X", "add_ons": { "litigator_checks": { "phone.is_litigator_risk": true } } });
        let facts = read_phone(&phone).unwrap();
        assert_eq!((facts.kind, facts.in_use, facts.litigator), (PhoneKind::Mobile, Some(true), true));
        let contact = json!({ "phone.is_valid": true, "phone.activity_score": 12, "phone.line_type": "FixedVOIP",
            "phone.contact_grade": "F", "phone.name_match": false });
        let facts = read_contact(&contact).unwrap();
        assert_eq!((facts.kind, facts.in_use, facts.grade), (PhoneKind::Voip, Some(false), Some('F')));
        let lookup = json!({ "phone_number": "+15185550101", "valid": true,
            "line_type_intelligence": { "type": "fixedVoip", "carrier_name": "X" } });
        assert_eq!(read_lookup(&lookup).unwrap().kind, PhoneKind::Voip);
        assert_eq!(read_lookup(&json!({ "valid": false })).unwrap().in_use, Some(false));
        assert_eq!(read_phone(&json!({ "error": "x" })), None);
    }

    #[test]
    fn toll_free_and_premium_lines_are_nobody_s() {
        for kind in ["tollFree", "TollFree", "premium", "Other"] {
            assert_eq!(line_type(Some(kind)), PhoneKind::Unknown, "{kind}");
        }
        assert_eq!(line_type(Some("NonFixedVOIP")), PhoneKind::Voip);
        assert_eq!(line_type(Some("Landline")), PhoneKind::Landline);
    }
}
