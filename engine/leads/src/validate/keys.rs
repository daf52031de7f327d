//! Dedupe keys: two rows with a common key are one lead.

use sha2::{Digest, Sha256};

use crate::{
    Lead,
    normalise::{address, email, name},
};

/// The first 16 bytes of SHA-256 over kind and value: comparable, without personal data.
pub type Key = [u8; 16];

/// The keys of a lead, the strongest first: each phone number and e-mail address; without those, person and address;
/// without a person too, company and address. A lead without keys is never a duplicate.
pub fn keys(lead: &Lead) -> Vec<Key> {
    let mut keys: Vec<Key> = lead.phones.iter().map(|p| key("phone", &p.number)).collect();
    let addresses = lead.who.email.iter().chain(&lead.who.more_emails);
    keys.extend(addresses.map(|address| key("email", &email::key(address))));
    if keys.is_empty() {
        keys.extend(address_key(lead));
    }
    keys
}

/// The key of a phone number (E.164).
pub fn of_phone(number: &str) -> Key {
    key("phone", number)
}

fn address_key(lead: &Lead) -> Option<Key> {
    let own = lead.address.as_ref().or(lead.mailing.as_ref())?;
    let home = format!("{}|{}", address::street_key(own.street.as_deref()?), own.zip.as_deref()?.to_lowercase());
    let who = &lead.who;
    let person = match (&who.first_name, &who.last_name, &who.contact_name) {
        (Some(first), Some(last), _) => Some(format!("{first} {last}")),
        (_, _, full) => full.clone(),
    };
    match (person, &lead.firm.company_name) {
        (Some(person), _) => Some(key("person", &format!("{}|{home}", name::key(&person)))),
        (None, Some(company)) => Some(key("company", &format!("{}|{home}", name::company_key(company)))),
        (None, None) => None,
    }
}

fn key(kind: &str, value: &str) -> Key {
    let mut hash = Sha256::new();
    hash.update(kind.as_bytes());
    hash.update([0x1f]);
    hash.update(value.as_bytes());
    let digest = hash.finalize();
    let mut key = [0; 16];
    key.copy_from_slice(&digest[..16]);
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Field, lead::identity, validate::row};

    fn of(cells: &[(Field, &str)]) -> Vec<Key> {
        let mut lead = Lead::bare(identity::lead_id("import_x", 1), 1, 2);
        lead.raw = cells.iter().map(|(f, t)| (*f, t.to_string())).collect();
        keys(&row::normalise(lead).unwrap())
    }

    #[test]
    fn rows_with_equal_keys() {
        use Field::*;
        let by_phone = of(&[(CompanyName, "Acme"), (Phone, "(212) 555-0147")]);
        assert_eq!(by_phone, of(&[(CompanyName, "Other"), (MobilePhone, "+1 212.555.0147")]));
        let by_email = of(&[(CompanyName, "Acme"), (Email, "a.nn+x@gmail.com")]);
        assert_eq!(by_email, of(&[(CompanyName, "B"), (Email, "ANN@googlemail.com")]));
        let both = of(&[(CompanyName, "A"), (Phone, "2125550147"), (Email, "ann@gmail.com")]);
        assert_eq!(both, [by_phone[0], by_email[0]]);

        let home = [(Address, "1 Main Street"), (City, "X"), (State, "NY"), (Zip, "10001")];
        let person = of(&[&[(ContactName, "Ann Lee")], &home[..]].concat());
        let spelled = [
            (FirstName, "ANN"),
            (LastName, "Lee"),
            (CompanyName, "Acme"),
            (Address, "1 main st"),
            (City, "X"),
            (State, "NY"),
            (Zip, "10001-9999"),
        ];
        assert_eq!(person, of(&spelled));
        let company = of(&[&[(CompanyName, "The Acme Inc.")], &home[..]].concat());
        assert_eq!(company, of(&[&[(CompanyName, "ACME LLC")], &home[..]].concat()));
        assert_ne!(company, person);
        // Without a ZIP code there is no key.
        assert!(of(&[(CompanyName, "Acme"), (Address, "1 Main St"), (City, "X"), (State, "NY")]).is_empty());
    }
}
