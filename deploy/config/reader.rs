//! Variables read one by one, with every mistake kept, so that the user mends them all at once.

use std::{collections::BTreeMap, fmt, str::FromStr};

use secrecy::SecretString;

/// Reads variables by name and remembers which were asked for.
#[derive(Debug)]
pub struct Reader {
    variables: BTreeMap<String, String>,
    asked: Vec<&'static str>,
    mistakes: Vec<Mistake>,
}

/// One variable and what is wrong with it. Never holds a value that may be secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    pub variable: String,
    pub problem: String,
}

/// All that is wrong with the configuration: exit code 78.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

impl std::error::Error for Mistakes {}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration has {} mistake(s):", self.0.len())?;
        self.0.iter().try_for_each(|mistake| write!(f, "\n  {}: {}", mistake.variable, mistake.problem))
    }
}

impl Reader {
    pub fn new(variables: BTreeMap<String, String>) -> Self {
        Self { variables, asked: Vec::new(), mistakes: Vec::new() }
    }

    /// The value, when it is set and not empty.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        self.asked.push(name);
        self.variables.get(name).filter(|value| !value.is_empty()).cloned()
    }

    pub fn secret(&mut self, name: &'static str) -> Option<SecretString> {
        self.text(name).map(SecretString::from)
    }

    /// The value as a `T`; `wanted` completes the sentence "… is not".
    pub fn parsed<T: FromStr>(&mut self, name: &'static str, wanted: &str) -> Option<T> {
        let text = self.text(name)?;
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.mistake(name, format!("`{text}` is not {wanted}"));
        }
        parsed
    }

    /// A secret address with one of `schemes`; the value itself is never shown.
    pub fn address(&mut self, name: &'static str, schemes: &[&str]) -> Option<SecretString> {
        let text = self.text(name)?;
        match url::Url::parse(&text) {
            Ok(url) if schemes.contains(&url.scheme()) => Some(SecretString::from(text)),
            _ => {
                self.mistake(name, format!("is not an address that starts with {}://", schemes.join(":// or ")));
                None
            }
        }
    }

    pub fn mistake(&mut self, variable: &str, problem: impl Into<String>) {
        self.mistakes.push(Mistake { variable: variable.to_owned(), problem: problem.into() });
    }

    /// `value` when nothing was wrong; a `LUCI_` name that nobody asked for is a mistake too (most often a misspelt one).
    pub fn finish<T>(mut self, value: T) -> Result<T, Mistakes> {
        let unknown = self.variables.keys().filter(|name| name.starts_with("LUCI_"));
        let unknown: Vec<String> = unknown.filter(|name| !self.asked.contains(&name.as_str())).cloned().collect();
        for name in unknown {
            self.mistake(&name, "is no variable of luci; see the list in README.md");
        }
        if self.mistakes.is_empty() { Ok(value) } else { Err(Mistakes(self.mistakes)) }
    }
}
