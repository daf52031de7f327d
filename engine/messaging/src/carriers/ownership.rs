//! Whether a tenant's account at a carrier has a number: asked before a tenant may send from it and receive at it.

use std::collections::HashSet;

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

/// Numbers of a page, and pages at most: an account with more than 50,000 numbers is none that anybody has.
const PAGE: u64 = 100;
const MAX_PAGES: u64 = 500;
/// Fields that hold the entries of a page.
const LISTS: &[&str] = &["data", "phoneNumbers", "numbers", "results", "items"];

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
    /// Reads the list of numbers page by page. A list that is longer than `MAX_PAGES` is an error: the number may be further on.
    async fn owns(&self, number: &str) -> Result<bool, SendError> {
        let provider = Carrier::SignalHouse.as_str();
        let mut seen = HashSet::new();
        for page in 1..=MAX_PAGES {
            let query = [("page", page.to_string()), ("limit", PAGE.to_string())];
            let request = self.request(Method::GET, "/phoneNumber/myPhoneNumbers").query(&query);
            let response = exchange(provider, request).await?;
            let list = entries(&response).ok_or_else(|| missing_id(provider))?;
            let mut news = false;
            for entry in list.iter().filter_map(listed) {
                if entry == number {
                    return Ok(true);
                }
                news |= seen.insert(entry);
            }
            // A carrier that knows no pages answers each with the whole list.
            if !news || is_last(&response, page) {
                return Ok(false);
            }
        }
        Err(missing_id(provider))
    }
}

/// The entries of a page, whatever the answer calls them.
fn entries(response: &Value) -> Option<&Vec<Value>> {
    let inside = response.get("data").filter(|data| data.is_object()).unwrap_or(response);
    let list = LISTS.iter().find_map(|name| inside[*name].as_array());
    list.or_else(|| response.as_array())
}

/// Whether an answer says that no page follows. One that says nothing of pages is followed by the next page, which is empty or
/// repeats it at the end.
fn is_last(response: &Value, page: u64) -> bool {
    let places = [Some(response), response.get("data"), response.get("pagination"), response.get("meta")];
    let places = || places.into_iter().flatten();
    let number = |names: &[&str]| places().find_map(|place| names.iter().find_map(|name| place.get(*name)?.as_u64()));
    let named = |names: &[&str]| places().find_map(|place| names.iter().find_map(|name| place.get(*name)));
    if let Some(more) = named(&["hasMore", "has_more", "hasNextPage"]).and_then(Value::as_bool) {
        return !more;
    }
    if let Some(pages) = number(&["totalPages", "total_pages", "pages", "pageCount"]) {
        return page >= pages;
    }
    named(&["next", "nextPage", "next_page"]).is_some_and(|next| next.is_null() || next == "" || next == false)
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
    fn the_entries_and_the_last_page_are_found_in_each_form_of_an_answer() {
        for (answer, page, last) in [
            (json!({"data": ["a"], "pagination": {"page": 2, "totalPages": 3}}), 2, false),
            (json!({"data": ["a"], "pagination": {"page": 3, "totalPages": 3}}), 3, true),
            (json!({"phoneNumbers": ["a"], "hasMore": true}), 1, false),
            (json!({"numbers": ["a"], "has_more": false}), 1, true),
            (json!({"results": ["a"], "next": "/phoneNumber/myPhoneNumbers?page=2"}), 1, false),
            (json!({"results": ["a"], "next": null}), 2, true),
            (json!({"data": {"items": ["a"], "total_pages": 1}}), 1, true),
            // Nothing is said of pages: the next one is asked for.
            (json!({"data": ["a"]}), 1, false),
            (json!(["a"]), 1, false),
        ] {
            assert_eq!(entries(&answer).map(Vec::len), Some(1), "{answer}");
            assert_eq!(is_last(&answer, page), last, "{answer}");
        }
        assert_eq!(entries(&json!({"error": "x"})), None);
    }

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
