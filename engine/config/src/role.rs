//! Roles of a tenant's callers, and their rights.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// From fewest rights to most. `Auditor` is outside the order: it reads everything and writes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Viewer,
    Auditor,
    Member,
    Admin,
    Owner,
}

/// What an operation requires of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// See runs, artifacts and history.
    Read,
    /// Upload, start, pause, resume, retry, skip, replay.
    Operate,
    /// Cancel, delete, bulk, configure, make keys.
    Administer,
    /// Make owners, change the tenant, erase.
    Own,
}

impl Role {
    pub const ALL: [Self; 5] = [Self::Viewer, Self::Auditor, Self::Member, Self::Admin, Self::Owner];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Auditor => "auditor",
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    const fn highest(self) -> Right {
        match self {
            Self::Viewer | Self::Auditor => Right::Read,
            Self::Member => Right::Operate,
            Self::Admin => Right::Administer,
            Self::Owner => Right::Own,
        }
    }

    pub fn may(self, right: Right) -> bool {
        right <= self.highest()
    }

    /// Whether a caller of this role may create a key of role `other`: never above its own.
    pub fn may_grant(self, other: Self) -> bool {
        self.may(Right::Administer) && other.highest() <= self.highest()
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a role (viewer, auditor, member, admin, owner)")]
pub struct UnknownRole(pub String);

impl FromStr for Role {
    type Err = UnknownRole;
    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| UnknownRole(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_rise_with_roles_and_auditors_write_nothing() {
        assert!(Role::Viewer.may(Right::Read) && !Role::Viewer.may(Right::Operate));
        assert!(Role::Auditor.may(Right::Read) && !Role::Auditor.may(Right::Operate));
        assert!(Role::Member.may(Right::Operate) && !Role::Member.may(Right::Administer));
        assert!(Role::Admin.may(Right::Administer) && !Role::Admin.may(Right::Own));
        assert!(Role::Owner.may(Right::Own));
    }

    #[test]
    fn nobody_grants_more_than_they_have() {
        assert!(Role::Admin.may_grant(Role::Admin) && !Role::Admin.may_grant(Role::Owner));
        assert!(Role::Owner.may_grant(Role::Owner) && !Role::Member.may_grant(Role::Viewer));
    }
}
