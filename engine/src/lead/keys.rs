//! The keys by which two rows are known to be one lead (`domain.md` 3.4).

use sha2::{Digest, Sha256};

use super::{Lead, email, name, place};

/// SHA-256 of kind and value, cut to 16 bytes: comparable, and nothing personal to read.
pub type Key = [u8; 16];

/// Keys of a lead, the strongest first: each phone and the e-mail; without those, name and address; without a person's
/// name too, company and address. A lead without any is never a duplicate.
pub fn keys(lead: &Lead) -> Vec<Key> {
    let mut keys: Vec<Key> = lead.phones.iter().map(|p| key("phone", &p.number)).collect();
    keys.extend(lead.who.email.as_deref().map(|address| key("email", &email::key(address))));
    if keys.is_empty() {
        keys.extend(placed(lead));
    }
    keys
}

/// The key that a lead with this number (E.164) holds.
pub fn of_phone(number: &str) -> Key {
    key("phone", number)
}

fn placed(lead: &Lead) -> Option<Key> {
    let address = lead.address.as_ref().or(lead.mailing.as_ref())?;
    let place = format!("{}|{}", place::street_key(address.street.as_deref()?), address.zip.as_deref()?);
    let who = &lead.who;
    let person = match (&who.first_name, &who.last_name, &who.contact_name) {
        (Some(first), Some(last), _) => Some(format!("{first} {last}")),
        (_, _, full) => full.clone(),
    };
    match (person, &lead.firm.company_name) {
        (Some(person), _) => Some(key("person", &format!("{}|{place}", name::key(&person)))),
        (None, Some(company)) => Some(key("company", &format!("{}|{place}", name::company_key(company)))),
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
    use crate::lead::{Field, identity, intake};

    fn of(cells: &[(Field, &str)]) -> Vec<Key> {
        let mut lead = Lead::bare(identity::lead_id("import_x", 1), 1, 2);
        lead.raw = cells.iter().map(|(f, t)| (*f, t.to_string())).collect();
        keys(&intake::tidy(lead).unwrap())
    }

    #[test]
    fn which_rows_are_one() {
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
        // No ZIP, no key: never a duplicate.
        assert!(of(&[(CompanyName, "Acme"), (Address, "1 Main St"), (City, "X"), (State, "NY")]).is_empty());
    }
}
