//! Settings of the carriers that the sender uses: SignalHouse and Twilio with the installation's own credentials.

use std::collections::BTreeMap;

use luci_messaging::carriers::{SendersConfig, send_url, signalhouse::SignalHouseAccess, twilio::TwilioAccess};
use luci_providers::{ProviderName, Site};
use secrecy::ExposeSecret;

use super::{VariableReader, web_url};

/// Reads `LUCI_SIGNALHOUSE_URL`, `LUCI_TWILIO_API_URL`, and `LUCI_PUBLIC_URL`, to which both carriers post delivery reports.
pub(super) fn read(reader: &mut VariableReader, sites: &BTreeMap<ProviderName, Site>) -> SendersConfig {
    let twilio_url = web_url(reader, "LUCI_TWILIO_API_URL").unwrap_or_else(|| send_url(ProviderName::TWILIO));
    // Validated with the other providers' URLs already.
    let signalhouse_url = reader.text("LUCI_SIGNALHOUSE_URL").unwrap_or_else(|| send_url(ProviderName::SIGNALHOUSE));
    let credential = |name| {
        let found = sites.get(&name)?.credential.clone()?;
        Some((found.key, found.account?))
    };
    SendersConfig {
        signalhouse: credential(ProviderName::SIGNALHOUSE).map(|(token, key)| SignalHouseAccess {
            base_url: signalhouse_url.trim_end_matches('/').to_owned(),
            key,
            token,
        }),
        twilio: credential(ProviderName::TWILIO).map(|(auth_token, account)| TwilioAccess {
            base_url: twilio_url,
            account_sid: account.expose_secret().to_owned(),
            auth_token,
        }),
        public_url: reader.text("LUCI_PUBLIC_URL").map(|url| url.trim_end_matches('/').to_owned()),
    }
}
