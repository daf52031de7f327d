//! E-mail addresses: read out of their wrappers, the key by which two addresses are one mailbox, and the domain of a website.

use std::str::FromStr;

use email_address::{EmailAddress, Options};

use crate::normalise::text::{plain, unwrapped};

const PLACEHOLDERS: [&str; 13] = [
    "test",
    "noemail",
    "none",
    "na",
    "n/a",
    "no-email",
    "no_email",
    "noreply",
    "no-reply",
    "no_reply",
    "donotreply",
    "do-not-reply",
    "unknown",
];
const PLACEHOLDER_DOMAINS: [&str; 2] = ["example.com", "test.com"];
/// Sites on which companies have a page: their hosts are not the domain of a company.
const SHARED_SITES: [&str; 12] = [
    "linkedin.com",
    "facebook.com",
    "instagram.com",
    "twitter.com",
    "x.com",
    "youtube.com",
    "tiktok.com",
    "yelp.com",
    "linktr.ee",
    "sites.google.com",
    "maps.google.com",
    "goo.gl",
];

/// The addresses of a cell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses {
    pub valid: Vec<String>,
    /// What looks like an address and is none, or a placeholder.
    pub invalid: bool,
}

/// ` Ann@Acme.COM ` → `ann@acme.com`; `None` for an invalid address, a placeholder like `noemail@…`, or several.
pub fn normalise(text: &str) -> Option<String> {
    let Addresses { mut valid, invalid } = read(text);
    if valid.len() == 1 && !invalid { valid.pop() } else { None }
}

/// All addresses of a cell: `Ann <ann@acme.co>; mailto:bob@acme.co`.
pub fn read(text: &str) -> Addresses {
    // Most cells: one address and nothing else. What follows gives the same result.
    if text.bytes().all(|b| b.is_ascii_alphanumeric() || b"@._+-".contains(&b))
        && !text.starts_with('.')
        && !text.ends_with('.')
    {
        let valid: Vec<String> = address(&text.to_ascii_lowercase()).into_iter().collect();
        return Addresses { invalid: valid.is_empty() && !text.is_empty(), valid };
    }
    let plain = plain(text);
    let text = unwrapped(&plain);
    let mut found = Addresses::default();
    // A quoted local part has spaces and more; nobody writes one on purpose.
    if text.contains("\"@") {
        return Addresses { invalid: true, ..found };
    }
    let separators = |c: char| c.is_whitespace() || ",;|<>()[]\"“”«»、".contains(c);
    for word in text.split(separators).flat_map(|word| word.split(":::")).flat_map(joined) {
        let word = trimmed(word);
        if !word.contains('@') {
            continue;
        }
        match address(&word) {
            Some(address) if !found.valid.contains(&address) => found.valid.push(address),
            Some(_) => {}
            None => found.invalid = true,
        }
    }
    found.invalid |= found.valid.is_empty() && !text.is_empty();
    found
}

/// `ann@acme.co/bob@acme.co`: no domain has one of these signs, while the part before the @ may.
fn joined(word: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = word;
    while let Some(at) = rest.find('@') {
        let end = rest[at..].find(['/', '&', '\\', '\'']).map_or(rest.len(), |end| at + end);
        parts.push(&rest[..end]);
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    parts
}

/// Without `mailto:`, its parameters, and punctuation around it.
fn trimmed(word: &str) -> String {
    let lower = word.to_lowercase();
    let lower = lower.trim_matches(['\'', '’', '`', '.', ':', '*']);
    // `mailto:`, `work:`: no address has a colon.
    let lower = lower.rsplit_once(':').map_or(lower, |(_, address)| address);
    let address = lower.split('?').next().unwrap_or_default();
    let mark = |c: char| !c.is_alphanumeric();
    address.trim_start_matches(|c| mark(c) && !"_+-".contains(c)).trim_end_matches(mark).to_owned()
}

fn address(text: &str) -> Option<String> {
    let options = Options::default().with_required_tld().without_domain_literal().without_display_text();
    if text.contains('"') || text.len() > 254 {
        return None;
    }
    EmailAddress::parse_with_options(text, options).ok()?;
    let (local, domain) = text.rsplit_once('@')?;
    let real = !PLACEHOLDERS.contains(&local) && !PLACEHOLDER_DOMAINS.contains(&domain);
    real.then(|| text.to_owned())
}

/// The key of a mailbox: Gmail ignores dots and what follows a plus. For comparison only; leads keep the full address.
pub fn key(address: &str) -> String {
    let address = plain(address).to_lowercase();
    match address.rsplit_once('@') {
        Some((local, "gmail.com" | "googlemail.com")) => {
            let plain = local.split('+').next().unwrap_or_default().replace('.', "");
            format!("{plain}@gmail.com")
        }
        _ => address,
    }
}

/// The host of a URL, lower case, without `www.`: providers match companies by it.
pub fn domain(website: &str) -> Option<String> {
    let text = website.trim().to_lowercase();
    let rest = text.split_once("://").map_or(&text[..], |(_, rest)| rest);
    let host = rest.split(['/', '?', '#', ':']).next().unwrap_or_default();
    let host = host.strip_prefix("www.").unwrap_or(host);
    let shared = SHARED_SITES
        .iter()
        .any(|site| host.strip_suffix(site).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')));
    let plain = host.contains('.') && !shared && EmailAddress::from_str(&format!("a@{host}")).is_ok();
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
            ("do-not-reply@acme.com", None),
            ("n&m@acme.com", Some("n&m@acme.com")),
            ("a/b@acme.com", Some("a/b@acme.com")),
            ("ann@example.com", None),
            ("ann@test.com", None),
            ("ann@localhost", None),
            ("ann@[1.2.3.4]", None),
            ("\"ann b\"@acme.com", None),
            ("ann@@acme.com", None),
            ("ann @acme.com", None),
            ("ann(at)acme.com", None),
            ("ann", None),
            ("", None),
        ] {
            assert_eq!(normalise(text).as_deref(), address, "{text}");
        }
    }

    #[test]
    fn wrappers_are_removed() {
        for text in [
            "\u{feff}ann@acme.co",
            "ann@acme.co\u{200b}",
            "a\u{200b}nn@acme.co",
            "mailto:ann@acme.co",
            "MAILTO:Ann@acme.co?subject=Hi",
            "ann@acme.co.",
            "ann@acme.co..",
            "<ann@acme.co>",
            "Ann Lee <ann@acme.co>",
            "\"Lee, Ann\" <ann@acme.co>",
            "(ann@acme.co)",
            "'ann@acme.co'",
            "=\"ann@acme.co\"",
            "[ann@acme.co](mailto:ann@acme.co)",
            "E-mail: ann@acme.co",
            "work:ann@acme.co",
            "&lt;ann@acme.co&gt;",
            "•ann@acme.co",
            "ann@acme.co!",
            "ann@acme.co…",
            "ann@acme.co;",
            "ａｎｎ＠acme.co",
            "\u{202a}ann@acme.co\u{202c}",
            "ann@acme.co\u{a0}",
        ] {
            assert_eq!(normalise(text).as_deref(), Some("ann@acme.co"), "{text:?}");
        }
    }

    #[test]
    fn all_addresses_of_a_cell_are_kept() {
        let both = vec!["ann@acme.co".to_owned(), "bob@acme.co".to_owned()];
        for text in [
            "ann@acme.co; bob@acme.co",
            "ann@acme.co,bob@acme.co",
            "ann@acme.co/bob@acme.co",
            "ann@acme.co&bob@acme.co",
            "ann@acme.co、bob@acme.co",
            "Work: ann@acme.co; Home: bob@acme.co",
            "ann@acme.co bob@acme.co",
            "ann@acme.co\nbob@acme.co",
            "ann@acme.co ::: bob@acme.co",
            "ann@acme.co or bob@acme.co",
            "Ann <ann@acme.co>, Bob <bob@acme.co>",
            "ann@acme.co | bob@acme.co | ANN@acme.co",
        ] {
            assert_eq!(read(text), Addresses { valid: both.clone(), invalid: false }, "{text:?}");
        }
        let one = read("ann@acme.co; none@acme.co");
        assert_eq!((one.valid.len(), one.invalid), (1, true));
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
        assert_eq!(domain("https://www.linkedin.com/in/ann"), None);
        assert_eq!(domain("xx.com").as_deref(), Some("xx.com"));
        assert_eq!(domain("none"), None);
        assert_eq!(domain("a b.com"), None);
    }
}
