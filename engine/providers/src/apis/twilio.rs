//! Twilio Lookup v2: line type intelligence of a phone number. Messages and calls are sent by the messaging crate.

use reqwest::{Client, RequestBuilder};
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::{
    call::Caller,
    descriptor::{Descriptor, env_names},
    fields::{flag, text},
    name::ProviderName,
    phone_facts::{PhoneApi, PhoneFacts, PhoneQuery, PhoneSubject, SingleNumber, line_type},
    price::Price,
    provider::{Capabilities, Lookup, PhoneLookup, PhoneSource, Provider, SendApi},
};

const NAME: &str = "twilio";
const LOOKUP_PRICE: Price = Price { provider: NAME, unit: "lookup", micros: 8_000 };

static DESCRIPTOR: Descriptor = Descriptor {
    account: Some("the account SID"),
    ..Descriptor::new(NAME, env_names!("TWILIO"), "https://lookups.twilio.com")
};

static LOOKUP: PhoneLookup =
    PhoneLookup { setting: "twilio", subject: PhoneSubject::Number, lookup: Lookup::of::<SingleNumber<LineType>>() };

impl ProviderName {
    pub const TWILIO: Self = Self::new(&DESCRIPTOR);
}

pub static PROVIDER: Provider = Provider {
    name: ProviderName::TWILIO,
    capabilities: Capabilities {
        phone_facts: &[&LOOKUP],
        send: Some(SendApi { default_url: "https://api.twilio.com" }),
        ..Capabilities::NONE
    },
};

impl PhoneSource {
    pub const TWILIO: Self = Self::new(&LOOKUP);
}

struct LineType;

impl PhoneApi for LineType {
    const PROVIDER: ProviderName = ProviderName::TWILIO;
    const PRICE: Price = LOOKUP_PRICE;

    fn request(caller: &Caller, client: &Client, query: &PhoneQuery) -> RequestBuilder {
        let url = caller.url(&format!("/v2/PhoneNumbers/{}", query.number));
        let account = caller.account_name().map(|name| name.expose_secret().to_owned()).unwrap_or_default();
        client.get(url).query(&[("Fields", "line_type_intelligence")]).basic_auth(account, Some(caller.key()))
    }

    /// Lookup only says whether a number is invalid: a valid one may be in use or not.
    fn read(answer: &Value) -> Option<PhoneFacts> {
        let valid = flag(answer, &["valid"])?;
        let line = answer.get("line_type_intelligence").unwrap_or(&Value::Null);
        let kind = line_type(text(line, &["type"]).as_deref());
        Some(PhoneFacts { kind, in_use: if valid { None } else { Some(false) }, litigator: false, grade: None })
    }
}

#[cfg(test)]
mod tests {
    use luci_leads::PhoneKind;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_documented_answer_is_read() {
        let lookup = json!({ "phone_number": "+15185550101", "valid": true,
            "line_type_intelligence": { "type": "fixedVoip", "carrier_name": "X" } });
        let facts = LineType::read(&lookup).unwrap();
        assert_eq!((facts.kind, facts.in_use), (PhoneKind::Voip, None));
        assert_eq!(LineType::read(&json!({ "valid": false })).unwrap().in_use, Some(false));
    }
}
