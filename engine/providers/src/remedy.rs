//! What a person can do about a provider that gives no answers: sentences for failures, problems and the start of a run.

use crate::{ProviderName, Reason};

impl ProviderName {
    /// How it gets a key.
    pub fn remedy(self) -> String {
        let key = self.descriptor().env.key;
        format!("run `luci provider set {self}`, set {key}, use --sandbox, or choose a blueprint without it")
    }
}

impl Reason {
    /// Cause and remedy; `None` where the reason itself says all.
    pub fn remedy(&self, provider: ProviderName) -> Option<String> {
        let env = provider.descriptor().env;
        let text = match self {
            Self::NotConfigured => format!("no key is set; {}", provider.remedy()),
            Self::Credits => "the account's credits are used up; buy more at the provider, then retry".into(),
            Self::CredentialUnreadable => {
                format!("its key cannot be decrypted; set it again with `luci provider set {provider}`")
            }
            Self::Limit => format!(
                "a limit on calls is used up; it continues when the limit allows, or raise {} or {}, or set a key of your own",
                env.tenant_per_day, env.per_minute
            ),
            Self::ProviderDown | Self::Connection | Self::Timeout => {
                "it does not respond; LUCI retries automatically".into()
            }
            _ => match self.http_status() {
                Some(401 | 403) => {
                    format!("it refused the key; check it, and set it again with `luci provider set {provider}`")
                }
                Some(429) => "it takes no more calls for now; LUCI retries automatically".into(),
                Some(500..) => "it has an outage; LUCI retries automatically".into(),
                _ => return None,
            },
        };
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_key_a_wrong_key_an_outage_and_a_limit_are_told_apart() {
        let apollo = ProviderName::APOLLO;
        let remedy = |reason: Reason| reason.remedy(apollo).unwrap_or_default();
        assert!(remedy(Reason::NotConfigured).contains("LUCI_APOLLO_KEY"));
        assert!(remedy(Reason::http(401)).contains("refused the key"));
        assert!(remedy(Reason::http(503)).contains("outage"));
        assert!(remedy(Reason::Connection).contains("does not respond"));
        assert!(remedy(Reason::Limit).contains("LUCI_APOLLO_TENANT_PER_DAY"));
        assert_eq!(Reason::http(404).remedy(apollo), None);
    }
}
