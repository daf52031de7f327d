//! The tokens of a cell with phone numbers: digits with their punctuation, words, and what separates numbers.

/// A token of a part.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Digits and the punctuation of numbers.
    Digits(String),
    /// In lower case.
    Word(String),
    /// `,` `/` `&`
    Break(char),
    /// A word like `2.1e9`.
    Scientific,
}

impl Piece {
    pub(super) fn word(&self) -> Option<&str> {
        match self {
            Self::Word(word) => Some(word),
            Self::Digits(_) | Self::Break(_) | Self::Scientific => None,
        }
    }
}

/// Cuts a part into tokens.
pub(super) fn pieces(part: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = part;
    while let Some(first) = rest.chars().next() {
        let end = |inside: fn(char) -> bool| rest.find(|c| !inside(c)).unwrap_or(rest.len());
        let taken = if first.is_ascii_digit() || matches!(first, '+' | '(' | '[' | '{') {
            let end = end(|c| c.is_ascii_digit() || " +().-_".contains(c) || punctuation(c));
            pieces.push(Piece::Digits(rest[..end].trim_end().to_owned()));
            end
        } else if first.is_alphabetic() {
            let end = end(char::is_alphabetic);
            let word = rest[..end].to_lowercase();
            // `2.1e9` among words: the digits before it belong to it.
            let exponent =
                word == "e" && rest[end..].trim_start_matches(['+', '-']).starts_with(|c: char| c.is_ascii_digit());
            match pieces.last() {
                Some(Piece::Digits(digits)) if exponent && digits.contains('.') && !digits.ends_with(['.', ' ']) => {
                    pieces.push(Piece::Scientific);
                }
                _ => pieces.push(Piece::Word(word)),
            }
            end
        } else {
            match first {
                ',' | '/' | '&' | '\\' => pieces.push(Piece::Break(first)),
                '#' => pieces.push(Piece::Word("ext".into())),
                _ => {}
            }
            first.len_utf8()
        };
        rest = &rest[taken..];
    }
    joined(pieces)
}

/// Dashes, dots and brackets that people and programs write between the groups of a number.
const fn punctuation(c: char) -> bool {
    matches!(
        c,
        '‐' | '‑'
            | '‒'
            | '–'
            | '—'
            | '―'
            | '−'
            | '⁃'
            | '·'
            | '•'
            | '∙'
            | '‧'
            | '・'
            | '['
            | ']'
            | '{'
            | '}'
    )
}

/// `212/555-0147`: a slash after an area code is punctuation.
fn joined(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut out: Vec<Piece> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        if let (Piece::Digits(next), [.., Piece::Digits(area), Piece::Break('/')]) = (&piece, &out[..])
            && count(area) <= 5
            && count(next) >= 6
        {
            let both = format!("{area} {next}");
            out.truncate(out.len() - 2);
            out.push(Piece::Digits(both));
        } else {
            out.push(piece);
        }
    }
    out
}

/// The digits of a text.
pub(super) fn count(text: &str) -> usize {
    text.bytes().filter(u8::is_ascii_digit).count()
}
