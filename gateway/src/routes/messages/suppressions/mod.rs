//! Routes of suppressions: whom the tenant must not contact.

pub mod add;
pub mod list;
pub mod remove;

use luci_leads::{
    normalise::{email, phone},
    store::suppressions::Kind,
};

use crate::problem::Problem;

/// The canonical form of a phone number or e-mail address; 422 if it is invalid.
pub fn normalise(kind: Kind, value: &str) -> Result<String, Problem> {
    match kind {
        Kind::Phone => phone::normalise(value)
            .ok_or_else(|| Problem::invalid("value", "one phone number, with + and its country code if it is foreign")),
        Kind::Email => email::normalise(value).ok_or_else(|| Problem::invalid("value", "an e-mail address")),
    }
}
