//! Reads variables one by one and collects every error, so that the user can fix them all at once.

use std::{collections::BTreeMap, fmt, str::FromStr};

use secrecy::SecretString;

/// Reads variables by name and remembers which names were read.
#[derive(Debug)]
pub struct VariableReader {
    variables: BTreeMap<String, String>,
    names: Vec<&'static str>,
    errors: Vec<ConfigError>,
}

/// One variable and why its value is invalid. Never contains a value that may be secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    pub variable: String,
    pub problem: String,
}

/// Every error of the configuration: exit code 78.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl std::error::Error for ConfigErrors {}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid configuration, {} error{}:", self.0.len(), if self.0.len() == 1 { "" } else { "s" })?;
        self.0.iter().try_for_each(|error| write!(f, "\n  {}: {}", error.variable, error.problem))
    }
}

/// A setting that a command needs and that is not set: exit code 78.
#[derive(Debug, thiserror::Error)]
#[error("{name} is not set: {remedy}")]
pub struct MissingSetting {
    pub name: &'static str,
    pub remedy: &'static str,
}

impl VariableReader {
    pub fn new(variables: BTreeMap<String, String>) -> Self {
        Self { variables, names: Vec::new(), errors: Vec::new() }
    }

    /// The value; `None` when the variable is not set or empty.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        self.names.push(name);
        self.variables.get(name).filter(|value| !value.is_empty()).cloned()
    }

    pub fn secret(&mut self, name: &'static str) -> Option<SecretString> {
        self.text(name).map(SecretString::from)
    }

    /// The value as a `T`; `expected` completes the sentence "… is not".
    pub fn parsed<T: FromStr>(&mut self, name: &'static str, expected: &str) -> Option<T> {
        let text = self.text(name)?;
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.error(name, format!("`{text}` is not {expected}"));
        }
        parsed
    }

    /// A URL with one of `schemes`. It may contain a password, so errors do not quote it.
    pub fn secret_url(&mut self, name: &'static str, schemes: &[&str]) -> Option<SecretString> {
        let text = self.text(name)?;
        match url::Url::parse(&text) {
            Ok(url) if schemes.contains(&url.scheme()) => Some(SecretString::from(text)),
            _ => {
                self.error(name, format!("is not a URL that starts with {}://", schemes.join(":// or ")));
                None
            }
        }
    }

    /// Several of them with commas between.
    pub fn secret_urls(&mut self, name: &'static str, schemes: &[&str]) -> Option<SecretString> {
        let text = self.text(name)?;
        let fits = |one: &str| url::Url::parse(one.trim()).is_ok_and(|url| schemes.contains(&url.scheme()));
        if text.split(',').all(fits) {
            return Some(SecretString::from(text));
        }
        let starts = schemes.join(":// or ");
        self.error(name, format!("is not a URL that starts with {starts}://, or several with commas between them"));
        None
    }

    pub fn error(&mut self, variable: &str, problem: impl Into<String>) {
        self.errors.push(ConfigError { variable: variable.to_owned(), problem: problem.into() });
    }

    /// `value`, unless there were errors. A `LUCI_` variable that was never read is an error too: usually a misspelt name.
    pub fn finish<T>(mut self, value: T) -> Result<T, ConfigErrors> {
        let unknown = self.variables.keys().filter(|name| name.starts_with("LUCI_"));
        let unknown: Vec<String> = unknown.filter(|name| !self.names.contains(&name.as_str())).cloned().collect();
        for name in unknown {
            self.error(&name, "is not a setting of luci; README.md lists all of them");
        }
        if self.errors.is_empty() { Ok(value) } else { Err(ConfigErrors(self.errors)) }
    }
}
