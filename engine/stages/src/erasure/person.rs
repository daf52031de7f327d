//! The person to erase: how a caller names one, the leads that are this person, and how data of the person is recognised in a
//! text of any form.

use std::collections::BTreeSet;

use luci_leads::{
    Lead, lead_id,
    store::leads::person::{self, StoredLead},
};
use luci_schema::{ImportId, LeadId, TenantId};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

/// How a caller names the person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Named {
    Lead(LeadId),
    /// E.164.
    Phone(String),
    /// Lower case.
    Email(String),
}

impl Named {
    /// The field of the request.
    pub const fn by(&self) -> &'static str {
        match self {
            Self::Lead(_) => "leadId",
            Self::Phone(_) => "phone",
            Self::Email(_) => "email",
        }
    }
}

/// What identifies the person. It is sealed in table `erasures` until the erasure is complete.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Person {
    pub leads: BTreeSet<LeadId>,
    /// Numbers and addresses that nobody else has: one alone recognises the person.
    pub phones: BTreeSet<String>,
    pub emails: BTreeSet<String>,
    /// Those that other leads have too: they recognise the person only beside the name.
    pub shared: BTreeSet<String>,
    /// Calls that were placed: the ids of their recordings.
    #[serde(default)]
    pub calls: BTreeSet<String>,
    /// First and last names, lower case.
    names: BTreeSet<(String, String)>,
    /// Street lines, lower case: with a name they recognise the person.
    streets: BTreeSet<String>,
}

impl Person {
    /// Somebody of whom only leads are known.
    pub(super) fn of_leads(leads: BTreeSet<LeadId>) -> Self {
        Self { leads, ..Self::default() }
    }

    /// Every number of the person.
    pub fn all_phones(&self) -> Vec<&str> {
        self.phones.iter().chain(self.shared.iter().filter(|text| text.starts_with('+'))).map(String::as_str).collect()
    }

    /// Every address of the person.
    pub fn all_emails(&self) -> Vec<&str> {
        self.emails.iter().chain(self.shared.iter().filter(|text| !text.starts_with('+'))).map(String::as_str).collect()
    }

    pub fn lead_ids(&self) -> Vec<LeadId> {
        self.leads.iter().copied().collect()
    }

    /// Adds what another search found.
    pub fn merge(&mut self, other: Self) {
        self.leads.extend(other.leads);
        self.phones.extend(other.phones);
        self.emails.extend(other.emails);
        self.shared.extend(other.shared);
        self.calls.extend(other.calls);
        self.names.extend(other.names);
        self.streets.extend(other.streets);
    }

    /// Whether a row of an import became one of the person's leads.
    pub fn is_row(&self, import: ImportId, row: u64) -> bool {
        self.leads.contains(&lead_id(&import.to_string(), row))
    }

    /// Whether the text of one record has data of the person.
    pub fn is_in(&self, text: &str) -> bool {
        if self.leads.iter().any(|lead| text.contains(&lead.to_string())) {
            return true;
        }
        let lower = text.to_lowercase();
        let digits = digits_of(text);
        let phone = |number: &String| digits.contains(national(number));
        if self.phones.iter().any(phone) || self.emails.iter().any(|address| has_address(&lower, address)) {
            return true;
        }
        let named = || self.names.iter().any(|(first, last)| has_word(&lower, first) && has_word(&lower, last));
        let shared = self.shared.iter().any(|contact| match contact.starts_with('+') {
            true => phone(contact),
            false => has_address(&lower, contact),
        });
        let street = self.streets.iter().any(|street| lower.contains(street.as_str()));
        (shared || street) && named()
    }

    pub(super) fn add(&mut self, lead: &Lead) {
        self.leads.insert(lead.lead_id);
        let who = &lead.who;
        let whole = who
            .contact_name
            .clone()
            .or_else(|| Some(format!("{} {}", who.first_name.as_deref()?, who.last_name.as_deref()?)));
        let words: Vec<String> =
            whole.unwrap_or_default().to_lowercase().split_whitespace().map(str::to_owned).collect();
        if let [first, .., last] = words.as_slice() {
            self.names.insert((first.clone(), last.clone()));
        }
        let streets = [&lead.address, &lead.mailing].into_iter().flatten().filter_map(|at| at.street.as_ref());
        self.streets.extend(streets.map(|street| street.to_lowercase()));
    }
}

/// Numbers and addresses of a lead.
pub(super) fn contacts_of(lead: &Lead) -> impl Iterator<Item = &String> {
    let addresses = lead.who.email.iter().chain(&lead.who.more_emails);
    lead.phones.iter().map(|phone| &phone.number).chain(addresses)
}

/// The person that a caller names: the leads, and what recognises them. Empty but for what was named when nothing is stored.
pub async fn find(c: &mut PgConnection, tenant: TenantId, named: &Named) -> Result<Person, sqlx::Error> {
    let mut found = Person::default();
    let leads: Vec<StoredLead> = match named {
        Named::Lead(id) => {
            found.leads.insert(*id);
            person::by_ids(c, tenant, &[*id]).await?
        }
        Named::Phone(contact) | Named::Email(contact) => {
            // Whoever is named by it, is erased by it.
            match named {
                Named::Phone(_) => found.phones.insert(contact.clone()),
                _ => found.emails.insert(contact.clone()),
            };
            person::holding(c, tenant, &[contact]).await?
        }
    };
    expand(c, tenant, found, leads).await
}

/// Adds leads of the person, and those that are the same person in other inputs: with the same name and one of the contacts.
pub(super) async fn expand(
    c: &mut PgConnection,
    tenant: TenantId,
    mut found: Person,
    mut leads: Vec<StoredLead>,
) -> Result<Person, sqlx::Error> {
    let mut known = BTreeSet::new();
    while leads.iter().any(|stored| !known.contains(&stored.lead.lead_id)) {
        for stored in &leads {
            known.insert(stored.lead.lead_id);
            found.add(&stored.lead);
        }
        let contacts: BTreeSet<&String> = leads.iter().flat_map(|stored| contacts_of(&stored.lead)).collect();
        let contacts: Vec<&str> = contacts.into_iter().map(String::as_str).collect();
        let holders = if contacts.is_empty() { Vec::new() } else { person::holding(c, tenant, &contacts).await? };
        let (same, others): (Vec<_>, Vec<_>) = holders
            .into_iter()
            .filter(|holder| !known.contains(&holder.lead.lead_id))
            .partition(|holder| same_name(&found, &holder.lead));
        let shared: BTreeSet<&String> = others.iter().flat_map(|other| contacts_of(&other.lead)).collect();
        for contact in leads.iter().flat_map(|stored| contacts_of(&stored.lead)) {
            if found.phones.contains(contact) || found.emails.contains(contact) {
                continue;
            }
            match (shared.contains(contact), contact.starts_with('+')) {
                (true, _) => found.shared.insert(contact.clone()),
                (false, true) => found.phones.insert(contact.clone()),
                (false, false) => found.emails.insert(contact.clone()),
            };
        }
        leads = same;
    }
    Ok(found)
}

fn same_name(person: &Person, lead: &Lead) -> bool {
    let mut other = Person::default();
    other.add(lead);
    !other.names.is_disjoint(&person.names)
}

/// The digits of a text; what cannot stand within a number ends it.
pub(super) fn digits_of(text: &str) -> String {
    let mut digits = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '0'..='9' => digits.push(c),
            ' ' | '\u{a0}' | '(' | ')' | '-' | '.' | '/' | '+' | '\u{2010}'..='\u{2015}' => {}
            _ if digits.ends_with('|') => {}
            _ => digits.push('|'),
        }
    }
    digits
}

/// The digits of a number that every spelling has: those after the country code.
pub(super) fn national(number: &str) -> &str {
    let digits = number.trim_start_matches('+');
    match digits.strip_prefix('1') {
        Some(national) if national.len() == 10 => national,
        _ => &digits[digits.len().saturating_sub(9)..],
    }
}

/// Whether the address is in the text, and not as the end of a longer one.
fn has_address(lower: &str, address: &str) -> bool {
    let encoded = address.replace('@', "%40");
    [address, &encoded].into_iter().any(|address| {
        lower.match_indices(address).any(|(at, _)| {
            let inside = |c: char| c.is_alphanumeric() || "._%+-".contains(c);
            let before = lower[..at].chars().next_back();
            let after = lower[at + address.len()..].chars().next();
            // `\n` and `%3C` before an address are escapes of the text around it.
            !before.is_some_and(inside) && !after.is_some_and(|c| c.is_alphanumeric() || c == '-')
        })
    })
}

/// Whether the word is in the text, and not within another.
fn has_word(lower: &str, word: &str) -> bool {
    lower.match_indices(word).any(|(at, _)| {
        let before = lower[..at].chars().next_back();
        let after = lower[at + word.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person() -> Person {
        Person {
            phones: ["+12125550142".into(), "+4915112345678".into()].into(),
            emails: ["ann@acme.co".into()].into(),
            shared: ["+12125550100".into()].into(),
            names: [("ann".into(), "lee".into())].into(),
            streets: ["1 main st".into()].into(),
            ..Person::default()
        }
    }

    #[test]
    fn a_person_is_recognised_in_every_spelling() {
        for text in [
            "x,(212) 555-0142,y",
            "212.555.0142",
            "+1 212 555 0142",
            "2125550142.0",
            "2.125550142E9",
            "From=%2B12125550142&Body=Hi",
            r#"{"number":"+12125550142"}"#,
            "tel:0151 12345678",
            "mailto:ANN@acme.co?x",
            "From=ann%40acme.co",
            "Ann Lee;1 Main St;10001",
            "LEE, ANN|212-555-0100",
        ] {
            assert!(person().is_in(text), "{text}");
        }
    }

    #[test]
    fn others_are_not_taken_for_the_person() {
        for text in [
            "(212) 555-0143",
            "212555,0142",
            "joann@acme.co",
            "ann@acme.com",
            "Bob Ray 212-555-0100",
            "Joann Lee 212-555-0100",
            "Ann Lee of somewhere",
            "1 Main St",
        ] {
            assert!(!person().is_in(text), "{text}");
        }
    }
}
