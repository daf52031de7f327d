//! The form in which texts are compared: NFKC, lower case, without accents, apostrophes and invisible characters.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// `ARRÊT` → `arret`, `Ｓｔｏｐ` → `stop`, `don’t` → `dont`.
pub fn fold(text: &str) -> String {
    let compatible: String = text.nfkc().collect();
    let lower = compatible.to_lowercase();
    let plain = lower.nfkd().filter(|c| !is_combining_mark(*c) && !invisible(*c) && !apostrophe(*c));
    plain.flat_map(|c| if c == 'ß' { vec!['s', 's'] } else { vec![letter(c)] }).collect()
}

/// Letters without a decomposition.
const fn letter(c: char) -> char {
    match c {
        'ı' => 'i',
        'ł' => 'l',
        'ø' => 'o',
        'đ' => 'd',
        // `$top`
        '$' => 's',
        other => other,
    }
}

const fn apostrophe(c: char) -> bool {
    matches!(c, '\'' | '’' | '‘' | '`' | '´' | 'ʼ' | '＇')
}

/// Zero width characters, direction marks, soft hyphens, variation selectors, skin tones.
const fn invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{fffd}')
}

/// Whether words of this script stand without spaces between them.
pub const fn unspaced(c: char) -> bool {
    matches!(c, '\u{1100}'..='\u{11ff}' | '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}')
}
