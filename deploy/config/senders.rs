//! What the sender sends through: SignalHouse and Twilio by the installation's own credentials.

use std::collections::BTreeMap;

use luci_engine::{
    provider::{ProviderName, Site},
    sender::{SIGNALHOUSE_URL, SendersConfig, SignalHouseAccess, TWILIO_URL, TwilioAccess},
};
use secrecy::ExposeSecret;

use super::{Reader, web_address};

/// `LUCI_SIGNALHOUSE_URL` and `LUCI_TWILIO_API_URL` say where they are; the public address is where the two report to.
pub(super) fn read(reader: &mut Reader, sites: &BTreeMap<ProviderName, Site>) -> SendersConfig {
    let twilio_url = web_address(reader, "LUCI_TWILIO_API_URL").unwrap_or_else(|| TWILIO_URL.to_owned());
    // Judged with the other providers' addresses already.
    let signalhouse_url = reader.text("LUCI_SIGNALHOUSE_URL").unwrap_or_else(|| SIGNALHOUSE_URL.to_owned());
    let known = |name| {
        let credential = sites.get(&name)?.credential.clone()?;
        Some((credential.key, credential.account?))
    };
    SendersConfig {
        signalhouse: known(ProviderName::SignalHouse).map(|(token, key)| SignalHouseAccess {
            base_url: signalhouse_url.trim_end_matches('/').to_owned(),
            key,
            token,
        }),
        twilio: known(ProviderName::Twilio).map(|(auth_token, account)| TwilioAccess {
            base_url: twilio_url,
            account_sid: account.expose_secret().to_owned(),
            auth_token,
        }),
        public_url: reader.text("LUCI_PUBLIC_URL").map(|url| url.trim_end_matches('/').to_owned()),
    }
}
