//! A person of whom nothing readable may be kept: the leads' ids, and keyed hashes of numbers and addresses. Enough to recognise
//! the person again in rows and objects that a restore brought back.

use std::collections::BTreeSet;

use luci_config::vault::Vault;
use luci_leads::{
    Lead,
    store::{
        leads::person,
        suppressions::{self, Kind},
    },
};
use luci_messaging::store::number_holds;
use luci_schema::{LeadId, TenantId};
use luci_storage::Storage;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::{
    ErasureError, objects,
    person::{Person, contacts_of, digits_of, expand, national},
};

/// Leads in one query.
const PAGE: i64 = 2_000;

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HashedPerson {
    pub leads: BTreeSet<LeadId>,
    /// Numbers and addresses that nobody else had.
    pub own: BTreeSet<String>,
    /// Those that other leads had too.
    pub shared: BTreeSet<String>,
    /// Ids of the recordings of calls.
    pub calls: BTreeSet<String>,
}

impl HashedPerson {
    pub(super) fn of(keys: Keys<'_>, person: &Person) -> Self {
        let of = |contacts: &BTreeSet<String>| -> BTreeSet<String> {
            keys.hashes(&contacts.iter().map(String::as_str).collect::<Vec<_>>()).into_iter().collect()
        };
        let mut own = of(&person.phones);
        own.extend(of(&person.emails));
        Self { leads: person.leads.clone(), own, shared: of(&person.shared), calls: person.calls.clone() }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.leads.extend(other.leads);
        self.own.extend(other.own);
        self.shared.extend(other.shared);
        self.calls.extend(other.calls);
    }

    /// The person, as far as rows and objects tell now.
    pub(super) async fn find(
        &self,
        c: &mut PgConnection,
        storage: &Storage,
        keys: Keys<'_>,
    ) -> Result<Person, ErasureError> {
        let mut found = Person::of_leads(self.leads.clone());
        found.calls.clone_from(&self.calls);
        let leads = self.stored_leads(c, keys, &mut found).await?;
        self.in_rows(c, keys, &mut found).await?;
        for object in objects::all(storage, keys.tenant).await? {
            for text in objects::texts(c, storage, &object.path).await? {
                self.in_text(keys, &text, &mut found);
            }
        }
        Ok(expand(c, keys.tenant, found, leads).await?)
    }

    /// How many stored leads are the person.
    pub(super) async fn count(&self, c: &mut PgConnection, keys: Keys<'_>) -> Result<usize, sqlx::Error> {
        Ok(self.stored_leads(c, keys, &mut Person::default()).await?.len())
    }

    async fn stored_leads(
        &self,
        c: &mut PgConnection,
        keys: Keys<'_>,
        found: &mut Person,
    ) -> Result<Vec<person::StoredLead>, sqlx::Error> {
        let (mut leads, mut after) = (Vec::new(), None);
        loop {
            let page = person::page(c, keys.tenant, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(leads) };
            after = Some(last.lead.lead_id);
            for stored in page {
                let is_own = self.contacts(keys, &stored.lead, found);
                if is_own || self.leads.contains(&stored.lead.lead_id) {
                    leads.push(stored);
                }
            }
        }
    }

    /// Notes those of a lead's contacts that are the person's; whether one of them was nobody else's.
    fn contacts(&self, keys: Keys<'_>, lead: &Lead, found: &mut Person) -> bool {
        let mut is_own = false;
        for contact in contacts_of(lead) {
            is_own |= self.contact(keys, contact, found);
        }
        is_own
    }

    /// The same of one number (E.164) or address.
    fn contact(&self, keys: Keys<'_>, contact: &str, found: &mut Person) -> bool {
        let Some(hash) = keys.hashes(&[contact]).pop() else { return false };
        let (is_own, is_shared) = (self.own.contains(&hash), self.shared.contains(&hash));
        match (is_own, is_shared, contact.starts_with('+')) {
            (true, _, true) => found.phones.insert(contact.to_owned()),
            (true, _, false) => found.emails.insert(contact.to_owned()),
            (false, true, _) => found.shared.insert(contact.to_owned()),
            (false, false, _) => false,
        };
        is_own
    }

    /// Numbers and addresses that no lead needs to have.
    async fn in_rows(&self, c: &mut PgConnection, keys: Keys<'_>, found: &mut Person) -> Result<(), sqlx::Error> {
        let mut contacts = suppressions::readable(c, keys.tenant).await?;
        contacts.extend(number_holds::numbers(c, keys.tenant).await?);
        for contact in contacts {
            self.contact(keys, &contact, found);
        }
        Ok(())
    }

    /// Numbers and addresses in a text, in any spelling; and what a line of the person's lead says.
    fn in_text(&self, keys: Keys<'_>, text: &str, found: &mut Person) {
        if let Ok(lead) = luci_leads::lead::line::read(text.as_bytes())
            && self.leads.contains(&lead.lead_id)
        {
            self.contacts(keys, &lead, found);
            found.add(&lead);
        }
        let candidates: Vec<String> = numbers_in(text).into_iter().chain(addresses_in(text)).collect();
        let texts: Vec<&str> = candidates.iter().map(String::as_str).collect();
        for (hash, contact) in keys.hashes(&texts).into_iter().zip(&candidates) {
            if self.own.contains(&hash) || self.shared.contains(&hash) {
                self.contact(keys, contact, found);
            }
        }
    }
}

/// What hashes the contacts of a tenant.
#[derive(Clone, Copy)]
pub(super) struct Keys<'a> {
    pub vault: &'a Vault,
    pub tenant: TenantId,
}

impl Keys<'_> {
    /// Of numbers the digits that every spelling has, of addresses the mailbox; one hash for each, in their order.
    fn hashes(self, contacts: &[&str]) -> Vec<String> {
        let digits: Vec<&str> = contacts.iter().filter(|one| one.starts_with('+')).map(|one| national(one)).collect();
        let addresses: Vec<&str> = contacts.iter().filter(|one| !one.starts_with('+')).copied().collect();
        let mut digits = self.vault.erased_contacts(self.tenant, "digits", &digits).into_iter();
        let mut addresses = suppressions::hashes(self.vault, self.tenant, Kind::Email, &addresses).into_iter();
        let hash = |one: &&str| if one.starts_with('+') { digits.next() } else { addresses.next() };
        contacts.iter().filter_map(hash).collect()
    }
}

/// What may be a number: of each row of digits the parts that can be what `national` leaves of one.
fn numbers_in(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for run in digits_of(text).split('|').filter(|run| run.len() >= 7) {
        if run.len() < 9 {
            found.insert(format!("+{run}"));
        }
        // All are digits, one byte each.
        for at in 0..run.len() {
            found.extend(run.get(at..at + 10).map(|part| format!("+1{part}")));
            found.extend(run.get(at..at + 9).map(|part| format!("+{part}")));
        }
    }
    found
}

/// What may be an address, lower case.
fn addresses_in(text: &str) -> BTreeSet<String> {
    let lower = text.to_lowercase().replace("%40", "@");
    let mut found = BTreeSet::new();
    for (at, _) in lower.match_indices('@') {
        let local = |c: char| c.is_alphanumeric() || "._%+-".contains(c);
        let before = lower[..at].trim_end_matches(local).len();
        let domain = |c: char| c.is_alphanumeric() || ".-".contains(c);
        let rest = &lower[at + 1..];
        let after = rest.len() - rest.trim_start_matches(domain).len();
        let domain = rest[..after].trim_end_matches(['.', '-']);
        if before < at && !domain.is_empty() {
            found.insert(format!("{}@{domain}", &lower[before..at]));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    #[test]
    fn a_hashed_person_is_recognised_in_every_spelling() {
        let vault = Vault::new(&SecretString::from("0f".repeat(32))).unwrap();
        let keys = Keys { vault: &vault, tenant: TenantId::generate() };
        let mut person = Person::default();
        person.phones.extend(["+12125550142".to_owned(), "+4915112345678".to_owned()]);
        person.emails.insert("ann@acme.co".to_owned());
        person.shared.insert("+12125550100".to_owned());
        let hashed = HashedPerson::of(keys, &person);
        let json = serde_json::to_string(&hashed).unwrap();
        assert!(!json.contains("5550142") && !json.contains("acme"), "{json}");
        let recognised = |text: &str| {
            let mut found = Person::default();
            hashed.in_text(keys, text, &mut found);
            found
        };
        for text in [
            "x,(212) 555-0142,y",
            "+1 212 555 0142",
            "2.125550142E9",
            "From=%2B12125550142&Body=Hi",
            r#"{"number":"+12125550142"}"#,
            "tel:0151 12345678",
            "mailto:ANN@acme.co?x",
            "From=ann%40acme.co",
            "write to ann@acme.co.",
        ] {
            assert!(recognised(text).is_in(text), "{text}");
        }
        assert_eq!(recognised("Bob 212-555-0100").shared, ["+12125550100".to_owned()].into());
        for text in ["(212) 555-0143", "212555,0142", "joann@acme.co", "ann@acme.com", "1 Main St"] {
            assert_eq!(recognised(text), Person::default(), "{text}");
        }
        let other = Keys { tenant: TenantId::generate(), ..keys };
        let mut found = Person::default();
        hashed.in_text(other, "(212) 555-0142", &mut found);
        assert_eq!(found, Person::default(), "another tenant's hashes are others");
    }
}
