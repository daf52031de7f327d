//! What a normalised row needs to be a lead: an identity, and a way to contact or trace it.

use crate::{
    Address, Field, Lead,
    lead::{
        Warning,
        rejection::{Rejection, RejectionReason},
    },
    normalise::phone::Reason,
};

/// Whether it names a company or a person.
pub(super) fn has_identity(lead: &Lead) -> bool {
    let who = &lead.who;
    lead.firm.company_name.is_some()
        || who.contact_name.is_some()
        || (who.first_name.is_some() && who.last_name.is_some())
}

/// Why the lead is rejected; `None` when it is accepted.
pub(super) fn rejection(lead: &Lead) -> Option<Rejection> {
    if !has_identity(lead) {
        let expected = "a company name, a contact name, or a first and a last name";
        return Some(Rejection::new(RejectionReason::MissingIdentity, Some(Field::CompanyName.as_str()), expected));
    }
    let reachable = !lead.phones.is_empty() || lead.who.email.is_some();
    let traceable = [&lead.address, &lead.mailing].into_iter().flatten().any(Address::traceable);
    if reachable || traceable {
        return None;
    }
    // The first number that could not be read names its cell.
    let number = lead.unread.iter().find(|cell| cell.field.is_phone());
    let (field, expected) = match (number, &lead.warnings[..]) {
        (Some(cell), _) => (cell.field, Reason::parse(&cell.reason).map_or("a phone number", Reason::expected)),
        (_, warnings) if warnings.contains(&Warning::InvalidEmail) => (Field::Email, "an address like ann@acme.com"),
        (_, warnings) if warnings.contains(&Warning::UnknownState) => (Field::State, "a US state or territory"),
        _ => (Field::Phone, "a phone, an e-mail address, or street, city and state"),
    };
    Some(Rejection::new(RejectionReason::MissingContactPath, Some(field.as_str()), expected))
}
