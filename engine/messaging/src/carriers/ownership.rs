//! Whether a tenant's account at a carrier has a number: asked before a tenant may send from it and receive at it.

use luci_config::vault::VaultError;
use luci_providers::{SendError, send::exchange, send::missing_id};
use luci_schema::{FailureCode, TenantId};
use reqwest::Method;
use serde_json::Value;
use sqlx::PgConnection;

use crate::{
    carriers::{CarrierAccounts, TenantCarriers, signalhouse::SignalHouse, twilio::Twilio},
    rules::{carrier::Carrier, party},
};

/// What the carrier says of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    Owned,
    NotOwned,
    /// Neither the tenant nor the installation has an account at the carrier.
    NoAccount,
}

/// A tenant's accounts, to be asked without a connection to the database.
pub struct NumberOwner(TenantCarriers);

impl CarrierAccounts {
    pub async fn number_owner(&self, c: &mut PgConnection, tenant: TenantId) -> Result<NumberOwner, VaultError> {
        self.of(c, tenant).await.map(NumberOwner)
    }
}

impl NumberOwner {
    /// `number` as `party::receiver` writes it.
    pub async fn ask(&self, carrier: Carrier, number: &str) -> Result<Ownership, SendError> {
        let owned = match (carrier, &self.0.signalhouse, &self.0.twilio) {
            (Carrier::SignalHouse, Some(signalhouse), _) => signalhouse.owns(number).await?,
            (Carrier::Twilio, _, Some(twilio)) => twilio.owns(number).await?,
            (Carrier::SignalHouse, None, _) | (Carrier::Twilio, _, None) => return Ok(Ownership::NoAccount),
        };
        Ok(if owned { Ownership::Owned } else { Ownership::NotOwned })
    }
}

impl SignalHouse {
    async fn owns(&self, number: &str) -> Result<bool, SendError> {
        let provider = Carrier::SignalHouse.as_str();
        let response = exchange(provider, self.request(Method::GET, "/phoneNumber/myPhoneNumbers")).await?;
        let list = ["data", "phoneNumbers", "numbers"].iter().find_map(|name| response[*name].as_array());
        let list = list.or_else(|| response.as_array()).ok_or_else(|| missing_id(provider))?;
        Ok(list.iter().any(|entry| listed(entry).as_deref() == Some(number)))
    }
}

/// The number of an entry of SignalHouse's list: a text, or an object with it.
fn listed(entry: &Value) -> Option<String> {
    let named = || ["phoneNumber", "phone_number", "number"].iter().find_map(|name| entry[*name].as_str());
    party::receiver(entry.as_str().or_else(named)?)
}

impl Twilio {
    async fn owns(&self, number: &str) -> Result<bool, SendError> {
        let provider = Carrier::Twilio.as_str();
        if party::is_service(number) {
            return match exchange(provider, self.service(number)).await {
                Ok(service) => Ok(service["sid"] == number),
                // 404, or another account's.
                Err(SendError::Refused(error)) if error.code == FailureCode::Validation => Ok(false),
                Err(error) => Err(error),
            };
        }
        let (resource, filter, list, field) = if number.starts_with('+') {
            ("IncomingPhoneNumbers", "PhoneNumber", "incoming_phone_numbers", "phone_number")
        } else {
            ("SMS/ShortCodes", "ShortCode", "short_codes", "short_code")
        };
        let response = exchange(provider, self.request(Method::GET, resource).query(&[(filter, number)])).await?;
        let list = response[list].as_array().ok_or_else(|| missing_id(provider))?;
        Ok(list.iter().any(|entry| entry[field] == number))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_of_a_list_is_read_from_each_of_its_forms() {
        for entry in [
            json!("+1 212 555 0100"),
            json!({"phoneNumber": "12125550100"}),
            json!({"phone_number": "(212) 555-0100", "status": "active"}),
            json!({"number": "+12125550100"}),
        ] {
            assert_eq!(listed(&entry).as_deref(), Some("+12125550100"), "{entry}");
        }
        assert_eq!(listed(&json!({"status": "active"})), None);
    }
}
