//! The parts of object keys. Each has a maximal length, so that every key has at most 256 characters.

use std::{fmt, str::FromStr};

use time::Date;

use super::KeyError;
use crate::Micros;

fn word_char(c: char) -> bool {
    matches!(c, 'a'..='z' | '0'..='9' | '-')
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('-') && text.chars().all(word_char)
}

/// One word, `[a-z0-9][a-z0-9-]*`, 48 characters at most: an artifact type, a provider, a report type, an extension.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Word(String);

impl Word {
    pub const MAX: usize = 48;

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Word {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        if text.len() <= Self::MAX && is_word(text) {
            Ok(Self(text.into()))
        } else {
            Err(KeyError::part("a word [a-z0-9][a-z0-9-]* of at most 48 characters", text))
        }
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Words joined by single `_` or `.`, 120 characters at most: the sanitised name of an uploaded file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName(String);

impl FileName {
    pub const MAX: usize = 120;

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Makes any text a file name: without folders, lower case, other characters replaced by `_`, repeats collapsed,
    /// truncated before the extension. An empty result becomes `upload`.
    pub fn sanitise(upload: &str) -> Self {
        let name = upload.rsplit(['/', '\\']).next().unwrap_or_default();
        let mut words: Vec<(char, String)> = Vec::new();
        let (mut joiner, mut word) = ('_', String::new());
        for c in name.chars().flat_map(char::to_lowercase).chain(['_']) {
            if word_char(c) && !(c == '-' && word.is_empty()) {
                word.push(c);
                continue;
            }
            if !word.is_empty() {
                words.push((joiner, std::mem::take(&mut word)));
                joiner = '_';
            }
            if c == '.' {
                joiner = '.';
            }
        }
        Self(fit(&words))
    }
}

/// Joins the words; if the result is too long, it is truncated before the extension.
fn fit(words: &[(char, String)]) -> String {
    let join = |words: &[(char, String)]| {
        let mut text = String::new();
        for (joiner, word) in words {
            if !text.is_empty() {
                text.push(*joiner);
            }
            text.push_str(word);
        }
        text
    };
    let whole = join(words);
    if whole.is_empty() {
        return "upload".into();
    }
    if whole.len() <= FileName::MAX {
        return whole;
    }
    let extension = match words {
        [_, .., ('.', last)] if last.len() <= 16 => format!(".{last}"),
        _ => String::new(),
    };
    // Only ASCII is left, so every byte is a char boundary.
    let stem = whole[..FileName::MAX - extension.len()].trim_end_matches(['_', '.']);
    format!("{stem}{extension}")
}

impl FromStr for FileName {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        if text.len() <= Self::MAX && text.split(['_', '.']).all(is_word) {
            Ok(Self(text.into()))
        } else {
            Err(KeyError::part("words joined by single `_` or `.`, of at most 120 characters", text))
        }
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The first half of the SHA-256 of an object's content, 32 lower hex digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash(String);

impl ContentHash {
    const DIGITS: usize = 32;

    /// Of a SHA-256 in lower hex.
    ///
    /// # Errors
    /// When `sha256` has fewer than 32 hex digits.
    pub fn of(sha256: &str) -> Result<Self, KeyError> {
        sha256.get(..Self::DIGITS).unwrap_or(sha256).parse()
    }
}

impl FromStr for ContentHash {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        if text.len() == Self::DIGITS && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            Ok(Self(text.into()))
        } else {
            Err(KeyError::part("the first 32 hex digits of a SHA-256", text))
        }
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A UTC day of the years 0 to 9999, `2026-11-22`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(Date);

impl Day {
    /// The UTC day of a time; that of the epoch outside the years 0 to 9999.
    pub fn of(at: Micros) -> Self {
        let date = at.date_time().date();
        if (0..=9999).contains(&date.year()) { Self(date) } else { Self(Micros(0).date_time().date()) }
    }
}

impl FromStr for Day {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let wrong = || KeyError::part("a day YYYY-MM-DD", text);
        let mut numbers = text.split('-').map(|n| n.parse::<u16>());
        let (Some(Ok(year)), Some(Ok(month)), Some(Ok(day)), None) =
            (numbers.next(), numbers.next(), numbers.next(), numbers.next())
        else {
            return Err(wrong());
        };
        let month = u8::try_from(month).ok().and_then(|m| time::Month::try_from(m).ok()).ok_or_else(wrong)?;
        let day = u8::try_from(day).map_err(|_| wrong())?;
        let date = Date::from_calendar_date(i32::from(year), month, day).map_err(|_| wrong())?;
        // Only the canonical form: `2026-1-5` or `+2026-01-05` would be a second key of the same object.
        if year <= 9999 && Self(date).to_string() == text { Ok(Self(date)) } else { Err(wrong()) }
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.0.year(), u8::from(self.0.month()), self.0.day())
    }
}

/// A UTC month, `2026-11`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonthOf(Day);

impl MonthOf {
    pub fn of(at: Micros) -> Self {
        let day = Day::of(at).0;
        Self(Day(day.replace_day(1).unwrap_or(day)))
    }
}

impl FromStr for MonthOf {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        format!("{text}-01").parse().map(Self).map_err(|_| KeyError::part("a month YYYY-MM", text))
    }
}

impl fmt::Display for MonthOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0.0.year(), u8::from(self.0.0.month()))
    }
}
