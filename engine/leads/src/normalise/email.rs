//! E-mail addresses: normalised, the key by which two addresses are one mailbox, and the domain of a website.

use std::str::FromStr;

use email_address::{EmailAddress, Options};

const PLACEHOLDERS: [&str; 7] = ["test", "noemail", "none", "na", "n/a", "no-email", "noreply"];
const PLACEHOLDER_DOMAINS: [&str; 2] = ["example.com", "test.com"];

/// ` Ann@Acme.COM ` → `ann@acme.com`; `None` for an invalid address or a placeholder like `noemail@…`.
pub fn normalise(text: &str) -> Option<String> {
    let address = text.trim().to_lowercase();
    let options = Options::default().with_required_tld().without_domain_literal().without_display_text();
    if address.contains('"') || address.len() > 254 {
        return None;
    }
    EmailAddress::parse_with_options(&address, options).ok()?;
    let (local, domain) = address.rsplit_once('@')?;
    let real = !PLACEHOLDERS.contains(&local) && !PLACEHOLDER_DOMAINS.contains(&domain);
    real.then_some(address)
}

/// The key of a mailbox: Gmail ignores dots and what follows a plus. For comparison only; leads keep the full address.
pub fn key(address: &str) -> String {
    match address.rsplit_once('@') {
        Some((local, "gmail.com" | "googlemail.com")) => {
            let plain = local.split('+').next().unwrap_or_default().replace('.', "");
            format!("{plain}@gmail.com")
        }
        _ => address.to_owned(),
    }
}

/// The host of a URL, lower case, without `www.`: providers match companies by it.
pub fn domain(website: &str) -> Option<String> {
    let text = website.trim().to_lowercase();
    let rest = text.split_once("://").map_or(&text[..], |(_, rest)| rest);
    let host = rest.split(['/', '?', '#', ':']).next().unwrap_or_default();
    let host = host.strip_prefix("www.").unwrap_or(host);
    let plain = host.contains('.') && EmailAddress::from_str(&format!("a@{host}")).is_ok();
    plain.then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, address) in [
            (" Ann@Acme.COM ", Some("ann@acme.com")),
            ("ann.o'hara+x@acme.co.uk", Some("ann.o'hara+x@acme.co.uk")),
            ("noemail@acme.com", None),
            ("n/a@acme.com", None),
            ("noreply@acme.com", None),
            ("ann@example.com", None),
            ("ann@test.com", None),
            ("ann@localhost", None),
            ("ann@[1.2.3.4]", None),
            ("Ann <ann@acme.com>", None),
            ("\"ann b\"@acme.com", None),
            ("ann@@acme.com", None),
            ("ann", None),
            ("", None),
        ] {
            assert_eq!(normalise(text).as_deref(), address, "{text}");
        }
    }

    #[test]
    fn one_mailbox_one_key() {
        assert_eq!(key("a.n.n+news@gmail.com"), "ann@gmail.com");
        assert_eq!(key("a.n.n@googlemail.com"), "ann@gmail.com");
        assert_eq!(key("a.n.n+news@acme.com"), "a.n.n+news@acme.com");
    }

    #[test]
    fn hosts() {
        assert_eq!(domain("https://www.Acme.com/about?x=1").as_deref(), Some("acme.com"));
        assert_eq!(domain("acme.com:8080").as_deref(), Some("acme.com"));
        assert_eq!(domain("none"), None);
        assert_eq!(domain("a b.com"), None);
    }
}
