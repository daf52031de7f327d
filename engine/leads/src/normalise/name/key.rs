//! The keys by which two spellings of a name are equal.

use crate::normalise::text::plain;

/// Lower case, letters and digits only, words separated by one space.
pub fn key(name: &str) -> String {
    let lower = plain(name).to_lowercase();
    let mut key = String::with_capacity(lower.len());
    // Apostrophes and dots do not separate words: O'Hara is ohara, L.L.C. is llc.
    for c in lower.chars().filter(|c| !matches!(c, '\'' | '’' | '.')) {
        match c.is_alphanumeric() {
            true => key.push(c),
            false if !key.is_empty() && !key.ends_with(' ') => key.push(' '),
            false => {}
        }
    }
    key.truncate(key.trim_end().len());
    key
}

/// Legal forms of companies.
pub(super) const LEGAL_FORMS: [&str; 16] = [
    "inc",
    "incorporated",
    "llc",
    "ltd",
    "limited",
    "corp",
    "corporation",
    "co",
    "company",
    "lp",
    "llp",
    "pc",
    "pllc",
    "plc",
    "pa",
    "dba",
];

/// Without article and legal form: `The Acme Plumbing Co., Inc.` → `acme plumbing`. At least one word is kept.
pub fn company_key(name: &str) -> String {
    let whole = key(name);
    let mut words: Vec<&str> = whole.split(' ').collect();
    if words.len() > 1 && words[0] == "the" {
        words.remove(0);
    }
    while words.len() > 1 && words.last().is_some_and(|w| LEGAL_FORMS.contains(w)) {
        words.pop();
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_name() {
        assert_eq!(key(" Ann  O'Hara-Smith "), "ann ohara smith");
        assert_eq!(key("José"), key("Jose\u{301}"));
        assert_eq!(key("ＡＮＮ\u{a0}Lee"), "ann lee");
    }

    #[test]
    fn companies() {
        for name in ["The Acme Plumbing Co., Inc.", "ACME PLUMBING L.L.C.", "acme plumbing", "Acme-Plumbing, PLLC"] {
            assert_eq!(company_key(name), "acme plumbing", "{name}");
        }
        assert_eq!(company_key("The Company"), "company");
        assert_eq!(company_key("Co."), "co");
    }
}
