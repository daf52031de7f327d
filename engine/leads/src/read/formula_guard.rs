//! Cells of exports that a spreadsheet would compute or rewrite: guarded by an apostrophe, which an import removes again.

/// Characters that begin a formula; the wide ones do so in Asian locales.
const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// A spreadsheet with another list separator cuts a cell at one of these.
const SEPARATORS: [char; 6] = [';', '|', '\t', '\r', '\n', ','];

/// Puts an apostrophe before each character that would begin a formula, also after a separator inside the cell, and before a
/// number or date that a spreadsheet would rewrite (`02139`, `5-9`). `unguarded` is the inverse.
pub fn guarded(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    if rewritten(text.trim_start_matches('\'')) {
        out.push('\'');
    }
    let mut begins = true;
    for c in text.chars() {
        if begins && FORMULA.contains(&c) {
            out.push('\'');
        }
        begins = next_begins(begins, c);
        out.push(c);
    }
    out
}

/// Removes the apostrophes that `guarded` added.
pub fn unguarded(text: &str) -> String {
    let mut rest = text;
    if text.starts_with('\'') && rewritten(text.trim_start_matches('\'')) {
        rest = &text[1..];
    }
    let mut out = String::with_capacity(rest.len());
    let mut begins = true;
    for c in rest.chars() {
        if begins && FORMULA.contains(&c) && out.ends_with('\'') {
            out.pop();
        }
        begins = next_begins(begins, c);
        out.push(c);
    }
    out
}

/// Whether the next character begins a cell in the eyes of some spreadsheet: after spaces, quotes and apostrophes too.
fn next_begins(begins: bool, c: char) -> bool {
    SEPARATORS.contains(&c) || (begins && matches!(c, ' ' | '"' | '\'' | '\u{a0}'))
}

/// Whether a spreadsheet shows another value: leading zeros, more than 11 digits, an exponent, a date.
fn rewritten(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if digits(text) {
        return (text.len() > 1 && text.starts_with('0')) || text.len() > 11;
    }
    let two = |separator: char| {
        let parts: Vec<&str> = text.split(separator).collect();
        let years = parts.iter().filter(|part| part.len() == 4).count();
        let short = |part: &&str| digits(part) && (part.len() <= 2 || part.len() == 4);
        (2..=3).contains(&parts.len()) && parts.iter().all(short) && years <= 1
    };
    let exponent = text.split_once(['e', 'E']).is_some_and(|(number, power)| digits(number) && digits(power));
    exponent || two('-') || two('/') || two(':')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_spreadsheet_would_compute_is_guarded() {
        for (text, expected) in [
            ("=1+1", "'=1+1"),
            (" =1+1", " '=1+1"),
            ("-2+3", "'-2+3"),
            ("@x", "'@x"),
            ("x;=1+1", "x;'=1+1"),
            ("x; \"=1+1", "x; \"'=1+1"),
            ("x\n=1+1", "x\n'=1+1"),
            ("x|+1", "x|'+1"),
            ("+12125550147", "'+12125550147"),
            ("+1-212-555-0147", "'+1-212-555-0147"),
            ("-5", "'-5"),
            ("＝1", "'＝1"),
            ("\t=1", "'\t'=1"),
            ("=HYPERLINK(\"http://x\")", "'=HYPERLINK(\"http://x\")"),
            ("'=1", "''=1"),
            ("02139", "'02139"),
            ("'02139", "''02139"),
            ("5-9", "'5-9"),
            ("1/2/2024", "'1/2/2024"),
            ("123456789012", "'123456789012"),
            ("1E5", "'1E5"),
            ("10001", "10001"),
            ("212-555-0147", "212-555-0147"),
            ("2125550147", "2125550147"),
            ("Acme-Plumbing", "Acme-Plumbing"),
            ("a=b", "a=b"),
            ("'tis", "'tis"),
            ("", ""),
        ] {
            assert_eq!(guarded(text), expected, "{text:?}");
            assert_eq!(unguarded(expected), text, "{expected:?}");
        }
    }

    proptest! {
        #[test]
        fn an_import_restores_what_an_export_guarded(text in "[-=+@'\";,|\t\r\n 0-9a-zé＝:/]{0,24}") {
            prop_assert_eq!(unguarded(&guarded(&text)), text);
        }
    }
}
