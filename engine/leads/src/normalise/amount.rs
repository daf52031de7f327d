//! Parses amounts, years, SIC codes and yes or no as people write them: `$1.5M`, `5-9`, `1,000 to 4,999`, `under 1 million`.

use crate::Range;

/// The range of a cell; `None` when it holds no number, or one that is negative or too large: no amount is.
pub fn range(text: &str) -> Option<Range> {
    let text = text.trim().to_lowercase();
    if is_negative(&text) {
        return None;
    }
    let numbers = numbers(&text);
    let below = ["<", "under", "less", "up to", "below"].iter().any(|word| text.contains(word));
    match numbers[..] {
        [] => None,
        [one] if below => Some(Range { low: 0, high: one.value()? }),
        [one] => Some(Range::exactly(one.value()?)),
        [mut low, high, ..] => {
            // `1-5M` is one to five million.
            if low.scale == 1.0 && low.number < high.number {
                low.scale = high.scale;
            }
            let (low, high) = (low.value()?, high.value()?);
            Some(Range { low: low.min(high), high: low.max(high) })
        }
    }
}

/// Whether a cell has a number that is no amount: what it says must not be read as something else.
pub fn is_unreadable(text: &str) -> bool {
    text.contains(|c: char| c.is_ascii_digit()) && range(text).is_none()
}

/// `-5`, `-$5`, `$-5` and `(5)`. A dash between two numbers is not a sign.
fn is_negative(text: &str) -> bool {
    let Some(digit) = text.find(|c: char| c.is_ascii_digit()) else { return false };
    let before = text[..digit].trim_end_matches(|c: char| c.is_whitespace() || matches!(c, '$' | '€' | '£' | '.'));
    let bracketed = before.ends_with('(') && text.trim_end().ends_with(')');
    bracketed || before.ends_with(['-', '\u{2212}', '\u{2013}'])
}

#[derive(Clone, Copy)]
struct Number {
    number: f64,
    scale: f64,
}

impl Number {
    fn value(self) -> Option<u64> {
        let value = (self.number * self.scale).round();
        (value.is_finite() && value < 1e16).then_some(value as u64)
    }
}

fn numbers(text: &str) -> Vec<Number> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        rest = &rest[at..];
        let end = rest.find(|c: char| !matches!(c, '0'..='9' | ',' | '.')).unwrap_or(rest.len());
        let digits: String = rest[..end].trim_end_matches(['.', ',']).chars().filter(|c| *c != ',').collect();
        rest = &rest[end..];
        if let Ok(number) = digits.parse::<f64>() {
            found.push(Number { number, scale: scale(rest) });
        }
    }
    found
}

fn scale(after: &str) -> f64 {
    let word: String = after.trim_start().chars().take_while(char::is_ascii_alphabetic).collect();
    match &word[..] {
        "k" | "thousand" => 1e3,
        "m" | "mm" | "mil" | "mio" | "million" => 1e6,
        "b" | "bn" | "billion" => 1e9,
        _ => 1.0,
    }
}

/// The year in which a company was founded, 1600..=2100.
pub fn year(text: &str) -> Option<i32> {
    let digits: String = text.chars().filter(char::is_ascii_digit).take(4).collect();
    digits.parse().ok().filter(|year| (1600..=2100).contains(year))
}

/// Four digits: `711` is `0711`; longer codes are cut to four, as sectors use them.
pub fn sic(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(char::is_ascii_digit).take(4).collect();
    let real = digits.len() >= 3 && digits.bytes().any(|b| b != b'0');
    real.then(|| format!("{digits:0>4}"))
}

/// Whether a person owns the home, as people write it in such a column.
pub fn home_owner(text: &str) -> Option<bool> {
    match text.trim().to_lowercase().as_str() {
        "y" | "yes" | "true" | "1" | "owner" | "o" | "own" | "homeowner" => Some(true),
        "n" | "no" | "false" | "0" | "renter" | "r" | "rent" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts() {
        for (text, expected) in [
            ("$1.5M", Some((1_500_000, 1_500_000))),
            ("1,250,000", Some((1_250_000, 1_250_000))),
            ("500K", Some((500_000, 500_000))),
            ("2 billion", Some((2_000_000_000, 2_000_000_000))),
            ("5-9", Some((5, 9))),
            ("10 to 19", Some((10, 19))),
            ("1-5M", Some((1_000_000, 5_000_000))),
            ("$500,000 - $1 Million", Some((500_000, 1_000_000))),
            ("$500K-$1M", Some((500_000, 1_000_000))),
            ("under $1M", Some((0, 1_000_000))),
            ("50+", Some((50, 50))),
            ("9-5", Some((5, 9))),
            ("n/a", None),
            ("", None),
            ("-2500000", None),
            ("-$1.5M", None),
            ("$ -12", None),
            ("(5,000)", None),
            ("\u{2212}5", None),
            ("5 (estimated)", Some((5, 5))),
            ("99999999999999999999", None),
        ] {
            assert_eq!(range(text).map(|r| (r.low, r.high)), expected, "{text}");
        }
        assert_eq!(range("5-9").unwrap().midpoint(), 7);
        assert!(is_unreadable("-5") && !is_unreadable("n/a") && !is_unreadable("5-9"));
    }

    #[test]
    fn codes_years_and_home_owners() {
        assert_eq!(sic("1711").as_deref(), Some("1711"));
        assert_eq!(sic("711").as_deref(), Some("0711"));
        assert_eq!(sic("1711-05").as_deref(), Some("1711"));
        assert_eq!((sic("17"), sic("0000"), sic("none")), (None, None, None));
        assert_eq!((year("1987"), year("est. 1987"), year("87"), year("0000")), (Some(1987), Some(1987), None, None));
        assert_eq!((home_owner("Owner"), home_owner("R"), home_owner("?")), (Some(true), Some(false), None));
    }
}
