//! A provider as data: its name, environment variables, address and limits.

/// All that LUCI knows of a provider before it calls it. One `static` in each provider's file.
pub struct Descriptor {
    /// Lower case; stored in events, prices, credentials and results: never changed.
    pub name: &'static str,
    pub env: EnvNames,
    /// Without a slash at the end.
    pub default_url: &'static str,
    /// What a credential's `account` is at this provider; `None` when it takes only a key.
    pub account: Option<&'static str>,
    /// Of the installation's credential, unless the environment says otherwise.
    pub default_limits: Limits,
    /// The HTTP status by which it says that the account's credits are used up.
    pub out_of_credits: Option<u16>,
    /// A path below the address that is asked without a key whether the provider answers.
    pub probe: &'static str,
}

impl Descriptor {
    /// A provider that takes only a key and has no limits.
    pub const fn new(name: &'static str, env: EnvNames, default_url: &'static str) -> Self {
        Self { name, env, default_url, account: None, default_limits: Limits::NONE, out_of_credits: None, probe: "/" }
    }
}

/// People that may be looked up; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Of an account, within any 60 seconds.
    pub per_minute: Option<u32>,
    /// Of an account, on a day of UTC.
    pub per_day: Option<u32>,
    /// Of each tenant, within any 60 seconds and on a day of UTC.
    pub tenant_per_minute: Option<u32>,
    pub tenant_per_day: Option<u32>,
}

impl Limits {
    pub const NONE: Self = Self { per_minute: None, per_day: None, tenant_per_minute: None, tenant_per_day: None };

    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }
}

/// Environment variables of one provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnvNames {
    pub url: &'static str,
    pub key: &'static str,
    pub account: &'static str,
    pub per_minute: &'static str,
    pub per_day: &'static str,
    pub tenant_per_day: &'static str,
}

/// `LUCI_{word}_URL`, `_KEY`, `_ACCOUNT`, `_PER_MINUTE`, `_PER_DAY` and `_TENANT_PER_DAY`.
macro_rules! env_names {
    ($word:literal) => {
        $crate::descriptor::EnvNames {
            url: concat!("LUCI_", $word, "_URL"),
            key: concat!("LUCI_", $word, "_KEY"),
            account: concat!("LUCI_", $word, "_ACCOUNT"),
            per_minute: concat!("LUCI_", $word, "_PER_MINUTE"),
            per_day: concat!("LUCI_", $word, "_PER_DAY"),
            tenant_per_day: concat!("LUCI_", $word, "_TENANT_PER_DAY"),
        }
    };
}
pub(crate) use env_names;
