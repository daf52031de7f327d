//! Routes of what a person may ask for: to be erased, and a copy of all that is stored.

pub mod erase;
pub mod erasures;
pub mod export;

use luci_leads::normalise::{email, phone};
use luci_schema::LeadId;
use luci_stages::erasure::{ErasureError, person::Named};

use crate::problem::Problem;

/// The one person that the fields name; 422 for none, several, or one that cannot be read.
fn named(lead: Option<&str>, phone: Option<&str>, email: Option<&str>) -> Result<Named, Problem> {
    match (lead, phone, email) {
        (Some(lead), None, None) => lead
            .parse::<LeadId>()
            .map(Named::Lead)
            .map_err(|error| Problem::invalid("leadId", format!("the id of a lead: {error}"))),
        (None, Some(phone), None) => phone::normalise(phone)
            .map(Named::Phone)
            .ok_or_else(|| Problem::invalid("phone", "one phone number, with + and its country code if it is foreign")),
        (None, None, Some(email)) => {
            email::normalise(email).map(Named::Email).ok_or_else(|| Problem::invalid("email", "an e-mail address"))
        }
        _ => Err(Problem::invalid("leadId", "exactly one of leadId, phone and email")),
    }
}

fn problem(error: ErasureError) -> Problem {
    match error {
        ErasureError::Admin(error) => error.into(),
        ErasureError::Vault(error) => error.into(),
        ErasureError::Storage(error) => error.into(),
        ErasureError::Log(error) => error.into(),
        ErasureError::Database(error) => error.into(),
        error @ (ErasureError::File { .. } | ErasureError::Journal { .. }) => Problem::internal(&error),
    }
}
