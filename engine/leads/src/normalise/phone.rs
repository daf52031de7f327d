//! US phone numbers to E.164. Other numbers are refused, never guessed.

/// `(212) 555-0147 x12` → `+12125550147`. Ten digits, or eleven with a leading 1; area code and exchange begin with 2..=9.
pub fn normalise(text: &str) -> Option<String> {
    let digits: String = without_extension(text).chars().filter(char::is_ascii_digit).collect();
    let national = match digits.len() {
        10 => &digits[..],
        11 if digits.starts_with('1') => &digits[1..],
        _ => return None,
    };
    let bytes = national.as_bytes();
    let dialable = bytes[0] >= b'2' && bytes[3] >= b'2';
    let repeated = bytes.iter().all(|b| *b == bytes[0]);
    (dialable && !repeated).then(|| format!("+1{national}"))
}

/// Cuts `x123`, `ext 4`, `ext. 4`, `extension 4` or `#4` off the end.
fn without_extension(text: &str) -> &str {
    match text.find(['x', 'X', 'e', 'E', '#']) {
        Some(at) if text[..at].bytes().filter(u8::is_ascii_digit).count() >= 10 => &text[..at],
        _ => text,
    }
}

/// Whether the area code is toll-free.
pub fn toll_free(e164: &str) -> bool {
    matches!(e164.get(2..5), Some("800" | "833" | "844" | "855" | "866" | "877" | "888"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (text, number) in [
            ("(212) 555-0147", Some("+12125550147")),
            ("212.555.0147", Some("+12125550147")),
            ("1-212-555-0147", Some("+12125550147")),
            ("+1 212 555 0147", Some("+12125550147")),
            ("2125550147 x123", Some("+12125550147")),
            ("2125550147ext 4", Some("+12125550147")),
            ("212-555-0147 Ext. 99", Some("+12125550147")),
            ("212-555-0147 #7", Some("+12125550147")),
            // Examples use 555 numbers.
            ("5555550100", Some("+15555550100")),
            ("012-555-0147", None),
            ("112-555-0147", None),
            ("212-055-0147", None),
            ("212-155-0147", None),
            ("0000000000", None),
            ("9999999999", None),
            ("1111111111", None),
            ("1234567890", None),
            ("0123456789", None),
            ("555-0147", None),
            ("+44 20 7946 0958", None),
            ("2-212-555-0147", None),
            ("n/a", None),
            ("", None),
        ] {
            assert_eq!(normalise(text).as_deref(), number, "{text}");
        }
    }
}
