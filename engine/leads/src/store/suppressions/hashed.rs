//! Keyed hashes of numbers and addresses, for suppressions of which nothing readable may stay.

use luci_config::vault::Vault;
use luci_schema::TenantId;

use super::Kind;
use crate::normalise::email;

/// Numbers or addresses as they are kept where nothing readable may stay.
pub fn hashes(vault: &Vault, tenant: TenantId, kind: Kind, values: &[&str]) -> Vec<String> {
    match kind {
        Kind::Phone => Hashes::of(vault, tenant, (values, &[])).phones,
        Kind::Email => Hashes::of(vault, tenant, (&[], values)).emails,
    }
}

/// The hashes of contacts, in their order.
pub(super) struct Hashes {
    pub phones: Vec<String>,
    pub emails: Vec<String>,
}

impl Hashes {
    /// Of addresses that reach one mailbox the hash is the same.
    pub fn of(vault: &Vault, tenant: TenantId, (phones, emails): (&[&str], &[&str])) -> Self {
        let mailboxes: Vec<String> = emails.iter().map(|address| email::key(address)).collect();
        let mailboxes: Vec<&str> = mailboxes.iter().map(String::as_str).collect();
        Self {
            phones: vault.erased_contacts(tenant, "phone", phones),
            emails: vault.erased_contacts(tenant, "email", &mailboxes),
        }
    }
}
