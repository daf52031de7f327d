//! Whose credential, limits and health: those of the installation, or of a tenant with a credential of its own.

use std::fmt;

use luci_schema::TenantId;

/// The owner of a credential. Unrelated to the scopes of an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    Installation,
    Tenant(TenantId),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Installation => f.write_str("installation"),
            Self::Tenant(tenant) => tenant.fmt(f),
        }
    }
}
