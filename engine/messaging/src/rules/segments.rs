//! The segments a text message is billed as: 160 septets (GSM 03.38) or 70 units (UCS-2) in one, else 153 or 67 in each.

/// The basic set, one septet each (3GPP TS 23.038, 6.2.1).
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§\
                     ¿abcdefghijklmnopqrstuvwxyzäöñüà";
/// The extension table, two septets each.
const EXTENDED: &str = "\u{c}^{}\\[~]|€";

/// At least 1, for an empty text too.
pub fn count(text: &str) -> u16 {
    let septets = text.chars().map(septets).sum::<Option<u32>>();
    let segments = match septets {
        Some(septets) => parts(septets, 160, 153),
        None => parts(u32::try_from(text.encode_utf16().count()).unwrap_or(u32::MAX), 70, 67),
    };
    u16::try_from(segments).unwrap_or(u16::MAX)
}

fn septets(c: char) -> Option<u32> {
    match c {
        c if BASIC.contains(c) => Some(1),
        c if EXTENDED.contains(c) => Some(2),
        _ => None,
    }
}

const fn parts(units: u32, single: u32, each: u32) -> u32 {
    if units <= single { 1 } else { units.div_ceil(each) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_of_both_alphabets() {
        for (text, segments) in [
            (String::new(), 1),
            ("a".repeat(160), 1),
            ("a".repeat(161), 2),
            ("a".repeat(306), 2),
            ("a".repeat(307), 3),
            // The euro sign takes two septets.
            ("€".repeat(80), 1),
            ("€".repeat(81), 2),
            // One character outside the alphabet makes the whole text UCS-2.
            (format!("’{}", "a".repeat(69)), 1),
            (format!("’{}", "a".repeat(70)), 2),
            ("’".repeat(134), 2),
            ("’".repeat(135), 3),
            // A character outside the basic plane takes two units.
            ("😀".repeat(35), 1),
            ("😀".repeat(36), 2),
        ] {
            assert_eq!(count(&text), segments, "{} characters", text.chars().count());
        }
    }
}
