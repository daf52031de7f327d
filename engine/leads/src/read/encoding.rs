//! The encoding of a file, decided once from all of its rows. Valid UTF-8 sequences win.

use std::fmt;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{
    Decoder, Encoding, ISO_8859_2, ISO_8859_4, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1250, WINDOWS_1251, WINDOWS_1252,
    WINDOWS_1254, WINDOWS_1257,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// An encoding in which delimiters, quotes and line ends are ASCII bytes, or UTF-16.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextEncoding(&'static Encoding);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an encoding that can be read: expected a name like utf-8, windows-1252 or utf-16le")]
pub struct UnknownEncoding(pub String);

impl TextEncoding {
    pub const UTF_8: Self = Self(UTF_8);
    pub const UTF_16LE: Self = Self(UTF_16LE);
    pub const UTF_16BE: Self = Self(UTF_16BE);

    /// The encoding with this WHATWG label.
    pub fn parse(label: &str) -> Result<Self, UnknownEncoding> {
        let wide = [UTF_16LE, UTF_16BE];
        let found = Encoding::for_label_no_replacement(label.trim().as_bytes());
        let found = found.filter(|encoding| encoding.is_ascii_compatible() || wide.contains(encoding));
        found.map(Self).ok_or_else(|| UnknownEncoding(label.chars().take(40).collect()))
    }

    /// In lower case: `windows-1252`.
    pub fn name(self) -> String {
        self.0.name().to_lowercase()
    }

    /// Whether it is UTF-16.
    pub(super) fn wide(self) -> bool {
        self.0 == UTF_16LE || self.0 == UTF_16BE
    }

    /// The decoder of UTF-16, whose rows are cut as UTF-8.
    pub(super) fn wide_decoder(self) -> Option<Decoder> {
        self.wide().then(|| self.0.new_decoder_without_bom_handling())
    }

    /// False where a backslash can be the second byte of a character.
    pub(super) fn backslash_is_itself(self) -> bool {
        !self.0.is_ascii_compatible() || self.0.is_single_byte() || self.0 == UTF_8
    }

    /// The trimmed text of a cell.
    pub fn decode(self, cell: &[u8]) -> String {
        if let Ok(text) = std::str::from_utf8(cell)
            && (text.is_ascii() || self.utf8_wins())
        {
            return text.trim().to_owned();
        }
        if !self.utf8_wins() {
            return self.0.decode_without_bom_handling(cell).0.trim().to_owned();
        }
        let stray = if self.0.is_ascii_compatible() && self.0 != UTF_8 { self.0 } else { WINDOWS_1252 };
        let mut text = String::with_capacity(cell.len());
        for chunk in cell.utf8_chunks() {
            text.push_str(chunk.valid());
            text.push_str(&stray.decode_without_bom_handling(chunk.invalid()).0);
        }
        text.trim().to_owned()
    }

    /// Whether a valid UTF-8 sequence is a character: in Latin encodings it would be letters that nobody writes (`Ã©`).
    fn utf8_wins(self) -> bool {
        self.0 == UTF_8 || LATIN.contains(&self.0) || self.wide()
    }
}

/// Encodings of Latin letters.
const LATIN: [&Encoding; 6] = [WINDOWS_1252, WINDOWS_1250, WINDOWS_1254, WINDOWS_1257, ISO_8859_2, ISO_8859_4];

impl fmt::Display for TextEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

impl Serialize for TextEncoding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name())
    }
}

impl<'de> Deserialize<'de> for TextEncoding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// The encoding that the first bytes of a file name or show, and how many of them are not text.
pub(super) fn of_first_bytes(first: &[u8]) -> Option<(TextEncoding, usize)> {
    match first {
        [0xef, 0xbb, 0xbf, ..] => Some((TextEncoding::UTF_8, 3)),
        [0xff, 0xfe, ..] => Some((TextEncoding::UTF_16LE, 2)),
        [0xfe, 0xff, ..] => Some((TextEncoding::UTF_16BE, 2)),
        _ => without_mark(first).map(|encoding| (encoding, 0)),
    }
}

/// UTF-16 without a byte order mark: every second byte of a header in ASCII is zero.
fn without_mark(first: &[u8]) -> Option<TextEncoding> {
    let pairs: Vec<&[u8]> = first.chunks_exact(2).take(16).collect();
    let all = |zero: usize| pairs.len() >= 4 && pairs.iter().all(|pair| pair[zero] == 0 && pair[1 - zero] != 0);
    match (all(1), all(0)) {
        (true, _) => Some(TextEncoding::UTF_16LE),
        (_, true) => Some(TextEncoding::UTF_16BE),
        _ => None,
    }
}

/// Bytes of rows that are given to the detector at most.
const FED: usize = 256 * 1024;

/// Decides the encoding from the rows of a file that are not ASCII.
#[derive(Default)]
pub(super) struct Detector {
    /// Valid sequences of UTF-8 of two bytes or more.
    sequences: u64,
    /// Bytes that are no part of one.
    stray: u64,
    guess: Option<Box<EncodingDetector>>,
    fed: usize,
    words: Words,
}

/// Words with letters beyond ASCII: in Latin scripts nearly all have ASCII letters too.
#[derive(Default)]
struct Words {
    mixed: u64,
    /// Two letters or more, none of them ASCII.
    foreign: u64,
}

impl Words {
    fn add(&mut self, row: &[u8]) {
        for word in row.split(|b| !b.is_ascii_alphabetic() && *b < 0xc0) {
            let letters = word.iter().filter(|b| **b >= 0xc0).count();
            self.mixed += u64::from(letters > 0 && letters < word.len());
            self.foreign += u64::from(letters > 1 && letters == word.len());
        }
    }
}

impl Detector {
    pub fn add(&mut self, row: &[u8]) {
        if row.is_ascii() {
            return;
        }
        let mut stray = 0;
        for chunk in row.utf8_chunks() {
            self.sequences += chunk.valid().chars().filter(|c| !c.is_ascii()).count() as u64;
            stray += chunk.invalid().len() as u64;
        }
        self.stray += stray;
        if stray > 0 && self.fed < FED {
            let guess = self.guess.get_or_insert_with(|| Box::new(EncodingDetector::new(Iso2022JpDetection::Deny)));
            guess.feed(row, false);
            guess.feed(b"\n", false);
            self.fed += row.len();
            self.words.add(row);
        }
    }

    pub fn decide(self) -> TextEncoding {
        match self.guess {
            Some(mut guess) if self.sequences <= self.stray => {
                guess.feed(b"", true);
                let guessed = guess.guess(None, Utf8Detection::Deny);
                // Of a few letters the guess is Latin: `Èâàí` for Иван. Words of foreign letters alone are Cyrillic most often.
                let foreign = LATIN.contains(&guessed) && self.words.foreign > self.words.mixed;
                TextEncoding(if foreign { WINDOWS_1251 } else { guessed })
            }
            _ => TextEncoding::UTF_8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(rows: &[&[u8]]) -> (String, Vec<String>) {
        let mut detector = Detector::default();
        rows.iter().for_each(|row| detector.add(row));
        let encoding = detector.decide();
        (encoding.name(), rows.iter().map(|row| encoding.decode(row)).collect())
    }

    #[test]
    fn the_encoding_is_decided_once() {
        let of = |encoding: &'static Encoding, texts: &[&'static str]| {
            let bytes: Vec<Vec<u8>> = texts.iter().map(|text| encoding.encode(text).0.into_owned()).collect();
            let rows: Vec<&[u8]> = bytes.iter().map(Vec::as_slice).collect();
            let (name, read) = decided(&rows);
            assert_eq!(read, texts, "{name}");
            name
        };
        assert_eq!(of(UTF_8, &["José", "Renée"]), "utf-8");
        assert_eq!(of(WINDOWS_1252, &["José Álvarez", "Renée Ray", "Café – €5"]), "windows-1252");
        assert_eq!(of(encoding_rs::WINDOWS_1251, &["Иван"]), "windows-1251");
        assert_eq!(of(encoding_rs::WINDOWS_1251, &["Её дом", "Елена Петрова"]), "windows-1251");
        assert_eq!(of(encoding_rs::SHIFT_JIS, &["東京都渋谷区", "株式会社テスト"]), "shift_jis");
        assert_eq!(of(encoding_rs::WINDOWS_1250, &["Łukasz Żółć", "Zażółć gęślą jaźń"]), "windows-1250");
        assert_eq!(of(encoding_rs::WINDOWS_1251, &["Ли"]), "windows-1251");
        assert_eq!(of(encoding_rs::WINDOWS_1253, &["Γιώργος Παπαδόπουλος"]), "windows-1253");
        assert_eq!(of(WINDOWS_1252, &["Müller & Söhne", "KÖLN"]), "windows-1252");
        assert_eq!(decided(&[b"Ann"]).0, "utf-8");
    }

    #[test]
    fn valid_utf8_wins_and_stray_bytes_are_windows_1252() {
        let (name, read) = decided(&[b"Jos\xc3\xa9 \x96 Lee", "Renée Ray".as_bytes()]);
        assert_eq!((name.as_str(), read), ("utf-8", vec!["José – Lee".to_owned(), "Renée Ray".to_owned()]));
        // More stray bytes than sequences: the sequences are characters nevertheless.
        let (_, read) = decided(&["José".as_bytes(), b"Ren\xe9e", b"Andr\xe9 \x96 Fran\xe7ois"]);
        assert_eq!(read, ["José", "Renée", "André – François"]);
    }

    #[test]
    fn first_bytes_and_labels() {
        assert_eq!(of_first_bytes(b"\xff\xfec\0"), Some((TextEncoding::UTF_16LE, 2)));
        assert_eq!(of_first_bytes(b"c\0o\0m\0p\0a\0"), Some((TextEncoding::UTF_16LE, 0)));
        assert_eq!(of_first_bytes(b"\0c\0o\0m\0p"), Some((TextEncoding::UTF_16BE, 0)));
        assert_eq!(of_first_bytes(b"company"), None);
        assert_eq!(TextEncoding::parse("CP1251").unwrap().name(), "windows-1251");
        assert_eq!(TextEncoding::parse("latin1").unwrap().name(), "windows-1252");
        for label in ["", "utf-7", "iso-2022-jp", "replacement", "klingon"] {
            assert!(TextEncoding::parse(label).is_err(), "{label}");
        }
        assert_eq!(serde_json::to_string(&TextEncoding::UTF_8).unwrap(), "\"utf-8\"");
    }
}
