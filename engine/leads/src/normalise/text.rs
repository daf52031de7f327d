//! Text as people and spreadsheets write it: Unicode forms, invisible characters, and the wrappers of spreadsheets.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// Composed (NFC): two spellings of `José` are one text.
pub fn nfc(text: String) -> String {
    if text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes {
        return text;
    }
    text.nfc().collect()
}

/// What keys and grammars compare: NFKC (`２１２` is `212`, a no-break space is a space) without invisible characters.
pub fn plain(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().filter(|c| !invisible(*c)).nfkc().filter(|c| !invisible(*c)).map(ascii_digit).collect())
}

/// Decimal digits of other scripts as those of ASCII; every other character as it is.
fn ascii_digit(c: char) -> char {
    let zeros = ['\u{660}', '\u{6f0}', '\u{966}', '\u{9e6}', '\u{a66}', '\u{ae6}', '\u{be6}', '\u{e50}'];
    let value = |zero: char| u32::from(c).checked_sub(u32::from(zero)).filter(|value| *value < 10);
    zeros.into_iter().find_map(value).and_then(|value| char::from_digit(value, 10)).unwrap_or(c)
}

/// Marks of direction, zero-width characters, soft hyphens and byte order marks.
pub const fn invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The text inside `="…"`, by which spreadsheets keep digits as text; the text itself if it is not wrapped.
pub fn without_formula(text: &str) -> &str {
    text.strip_prefix("=\"").and_then(|rest| rest.strip_suffix('"')).map_or(text, str::trim)
}

/// Without `="…"`, quotes around the whole, and the apostrophe that spreadsheets put before text.
pub fn unwrapped(text: &str) -> &str {
    let mut text = text.trim();
    loop {
        let inner = without_formula(text);
        let inner = inner.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(inner);
        let inner = inner.strip_prefix(['\'', '’', '`']).map_or(inner, |rest| rest.strip_suffix('\'').unwrap_or(rest));
        let inner = match inner.strip_prefix('=') {
            Some(rest) if rest.starts_with(|c: char| c.is_ascii_digit() || c == '+' || c == '(') => rest,
            _ => inner,
        };
        let inner = inner.trim();
        if inner == text {
            return text;
        }
        text = inner;
    }
}

/// A number as a spreadsheet stores it, where digits may be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numeric<'a> {
    /// Not such a number.
    No,
    /// `2139.0`, `2,125,550,147`: the digits are complete.
    Whole(&'a str),
    /// `3.1E9`: digits may be missing.
    Scientific,
    /// `2139.5`
    Fraction,
}

/// Recognises floating-point and scientific notation. `least` digits before a point make it a number rather than a group.
pub fn numeric(text: &str, least: usize) -> Numeric<'_> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return Numeric::No;
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if text.contains(['e', 'E', '×', 'x', '*']) && scientific(unsigned) {
        return Numeric::Scientific;
    }
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let Some((whole, fraction)) = text.rsplit_once(['.', ',']) else { return Numeric::No };
    let unsigned = whole.strip_prefix(['+', '-']).unwrap_or(whole);
    if !digits(unsigned) || !digits(fraction) {
        return Numeric::No;
    }
    match (fraction.len(), fraction.bytes().all(|b| b == b'0')) {
        (1..=2, true) => Numeric::Whole(whole),
        (3..=6, true) if unsigned.len() >= least => Numeric::Whole(whole),
        // More digits are another number.
        (1..=6, _) if unsigned.len() >= least => Numeric::Fraction,
        _ => Numeric::No,
    }
}

/// `3.10820712E9`, `2,1E+09`, `21e5`, `3.1 × 10^9`
fn scientific(text: &str) -> bool {
    let compact: String = text.chars().filter(|c| *c != ' ').map(|c| c.to_ascii_lowercase()).collect();
    let times = ["×10^", "x10^", "*10^", "×10"].iter().find_map(|by| compact.split_once(by));
    let Some((mantissa, exponent)) = times.or_else(|| compact.split_once('e')) else { return false };
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let number = |c: u8| c.is_ascii_digit() || c == b'.' || c == b',';
    let first = mantissa.starts_with(|c: char| c.is_ascii_digit());
    first
        && mantissa.bytes().all(number)
        && (1..=3).contains(&exponent.len())
        && exponent.bytes().all(|c| c.is_ascii_digit())
}

/// `2,125,550,147` and `2,125,550,147.00` → its digits; `None` when the commas do not group thousands.
pub fn ungrouped(text: &str) -> Option<String> {
    let text =
        text.split_once('.').filter(|(_, cents)| cents.bytes().all(|b| b == b'0')).map_or(text, |(whole, _)| whole);
    let mut groups = text.split(',');
    let first = groups.next().filter(|first| (1..=3).contains(&first.len()))?;
    let rest: Vec<&str> = groups.collect();
    let digits = |group: &&str| group.bytes().all(|b| b.is_ascii_digit());
    let grouped =
        rest.len() >= 2 && rest.iter().all(|group| group.len() == 3) && rest.iter().all(digits) && digits(&first);
    grouped.then(|| text.replace(',', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unicode_forms() {
        assert_eq!(nfc("Jose\u{301}".into()), "José");
        assert_eq!(plain("٢١٢ ۵۵۵ ०१४७"), "212 555 0147");
        assert_eq!(plain("\u{202a}２１２\u{a0}５５５\u{200b}\u{202c}"), "212 555");
    }

    #[test]
    fn wrappers_of_spreadsheets() {
        for (text, inner) in [
            ("=\"02139\"", "02139"),
            ("'02139", "02139"),
            ("'02139'", "02139"),
            ("\"02139\"", "02139"),
            ("=+12125550147", "+12125550147"),
            ("=\"'02139\"", "02139"),
            ("=SUM(A1)", "=SUM(A1)"),
            ("  x ", "x"),
            ("", ""),
        ] {
            assert_eq!(unwrapped(text), inner, "{text}");
        }
    }

    #[test]
    fn numbers_of_spreadsheets() {
        for (text, kind) in [
            ("3.10820712E9", Numeric::Scientific),
            ("2.1255501E+09", Numeric::Scientific),
            ("2,1255501e+09", Numeric::Scientific),
            ("2E9", Numeric::Scientific),
            ("-2.1E-9", Numeric::Scientific),
            ("3.1 × 10^9", Numeric::Scientific),
            ("2125550147.0", Numeric::Whole("2125550147")),
            ("2125550147.0000", Numeric::Whole("2125550147")),
            ("2125550147,00", Numeric::Whole("2125550147")),
            ("2125550147.5", Numeric::Fraction),
            ("212.5550147", Numeric::No),
            ("212.555.0147", Numeric::No),
            ("2125550147", Numeric::No),
            ("e12", Numeric::No),
            ("12 ext 4", Numeric::No),
        ] {
            assert_eq!(numeric(text, 5), kind, "{text}");
        }
        assert_eq!(ungrouped("2,125,550,147").as_deref(), Some("2125550147"));
        assert_eq!(ungrouped("2,125,550,147.00").as_deref(), Some("2125550147"));
        assert_eq!((ungrouped("2125,550"), ungrouped("2,125,550,147.5")), (None, None));
    }
}
