//! Names of people and companies, and the keys by which two spellings are equal.

/// First and last name: `Ann van Dyke` → `Ann`, `van Dyke`; `Dyke, Ann` → `Ann`, `Dyke`.
pub fn split(full: &str) -> (Option<String>, Option<String>) {
    let full = full.trim();
    if let Some((last, first)) = full.split_once(',')
        && !first.trim().is_empty()
        && !last.trim().is_empty()
    {
        return (Some(first.trim().to_owned()), Some(last.trim().to_owned()));
    }
    match full.split_once(char::is_whitespace) {
        Some((first, last)) => (Some(first.to_owned()), Some(last.trim().to_owned())),
        None if full.is_empty() => (None, None),
        None => (Some(full.to_owned()), None),
    }
}

/// Lower case, letters and digits only, words separated by one space.
pub fn key(name: &str) -> String {
    let lower = name.to_lowercase();
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
const LEGAL_FORMS: [&str; 16] = [
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
    fn people() {
        let some = |a: &str, b: &str| (Some(a.to_owned()), Some(b.to_owned()));
        assert_eq!(split("Ann van Dyke"), some("Ann", "van Dyke"));
        assert_eq!(split("Dyke, Ann"), some("Ann", "Dyke"));
        assert_eq!(split("Ann"), (Some("Ann".into()), None));
        assert_eq!(split("  "), (None, None));
        assert_eq!(key(" Ann  O'Hara-Smith "), "ann ohara smith");
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
