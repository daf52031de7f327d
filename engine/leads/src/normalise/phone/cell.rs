//! A cell with phone numbers: cut into numbers, labels and extensions.

use super::{
    Named, Number, Reason,
    label::{self, Word},
    number::{self, Hints},
    parts::{parts, without_function},
    pieces::{Piece, count, pieces},
    toll_free,
};
use crate::{
    PhoneKind,
    normalise::text::{Numeric, numeric, plain, ungrouped, unwrapped},
};

/// The numbers of a cell, and the parts that are none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cell {
    pub numbers: Vec<Number>,
    pub unread: Vec<Unread>,
}

/// A part of a cell that could not be read, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    pub text: String,
    pub reason: Reason,
}

/// Fewer digits beside a number that was read are a remark, not a number.
const REMARK: usize = 4;
/// Digits of an extension at most.
const EXTENSION: usize = 8;

/// Reads all numbers of a cell.
pub fn read(text: &str) -> Cell {
    read_with(text, Hints::default())
}

/// Whether a remark like `do not call` counts: in a list of leads it does, in a list of numbers to suppress it says the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remarks {
    Heeded,
    Ignored,
}

/// Reads all numbers of a cell of a row that says more about them.
pub fn read_with(text: &str, hints: Hints) -> Cell {
    read_cell(text, hints, Remarks::Heeded)
}

pub(super) fn read_cell(text: &str, hints: Hints, remarks: Remarks) -> Cell {
    // Most cells: one number in ASCII. The grammar below gives the same result.
    if text.bytes().all(|b| matches!(b, b'0'..=b'9' | b' ' | b'-' | b'(' | b')'))
        && let Ok(number) = number::parse(text, hints)
    {
        let kind = kind_of(&number, PhoneKind::Unknown);
        return Cell { numbers: vec![Number { number, extension: None, kind }], unread: Vec::new() };
    }
    let plain = plain(text);
    let text = without_function(unwrapped(&plain));
    let mut cell = Cell::default();
    if text.is_empty() {
        return cell;
    }
    for part in parts(text) {
        read_part(&part, hints, remarks, &mut cell);
    }
    if cell.numbers.is_empty() && cell.unread.is_empty() {
        cell.unread.push(Unread { text: text.to_owned(), reason: Reason::NoDigits });
    }
    if !cell.numbers.is_empty() {
        cell.unread.retain(|unread| unread.text.bytes().filter(u8::is_ascii_digit).count() >= REMARK);
    }
    cell
}

fn read_part(part: &str, hints: Hints, remarks: Remarks, cell: &mut Cell) {
    let whole = unwrapped(part);
    if let Some(digits) = ungrouped(whole) {
        return add(&digits, hints, PhoneKind::Unknown, cell);
    }
    // A label before it does not make a number of it.
    let value = whole.rsplit_once(':').map_or(whole, |(_, value)| value.trim());
    let written = value.bytes().all(|b| b.is_ascii_digit() || b" /,.-()".contains(&b));
    if written && matches!(count(value), 10 | 11) && value.contains(['/', ',']) {
        // `212/555/0147` and `212,555,0147`; in `212-555-0147/8` the slash is none of the number's.
        let whole = value.replace(['/', ','], "-");
        if number::parse(&whole, Hints { country: Named::Nothing, ..hints }).is_ok() {
            return add(&whole, hints, PhoneKind::Unknown, cell);
        }
    }
    let unread = |reason, cell: &mut Cell| cell.unread.push(Unread { text: part.to_owned(), reason });
    let pieces = match numeric(value, 7) {
        Numeric::Scientific => return unread(Reason::Scientific, cell),
        Numeric::Fraction => return unread(Reason::Fraction, cell),
        Numeric::Whole(digits) if digits.len() >= 7 => pieces(&whole.replace(value, digits)),
        Numeric::Whole(_) | Numeric::No => match label::vanity(value) {
            Some(digits) => pieces(&whole.replace(value, &digits)),
            None => pieces(whole),
        },
    };
    if pieces.iter().any(|piece| matches!(piece, Piece::Scientific)) {
        return unread(Reason::Scientific, cell);
    }
    let words: Vec<&str> = pieces.iter().filter_map(Piece::word).collect();
    if let (Remarks::Heeded, Some(reason)) = (remarks, label::against(words.iter().copied())) {
        return unread(reason, cell);
    }
    let hints = Hints { country: label::country(&words).unwrap_or(hints.country), ..hints };
    let (numbers, before) = (cell.numbers.len(), cell.unread.len());
    Part { hints, cell, label: None, labels_first: labels_first(&pieces), first: numbers }.read(&pieces);
    // A part without a number stays as it was written.
    if cell.numbers.len() == numbers && cell.unread.len() > before {
        cell.unread.truncate(before + 1);
        cell.unread[before].text = part.to_owned();
    }
}

/// Whether labels stand before their numbers: `Home: 212… Cell: 917…`.
fn labels_first(pieces: &[Piece]) -> bool {
    let labels = |piece: &Piece| match piece {
        Piece::Word(word) => matches!(label::meaning(word), Word::Kind(_) | Word::Fax),
        _ => false,
    };
    let number = pieces.iter().position(|piece| matches!(piece, Piece::Digits(digits) if count(digits) >= 7));
    pieces.iter().position(labels).is_some_and(|label| Some(label) < number)
}

struct Part<'a, 'b> {
    hints: Hints<'a>,
    cell: &'b mut Cell,
    label: Option<Word>,
    labels_first: bool,
    /// Index of the part's first number.
    first: usize,
}

impl Part<'_, '_> {
    fn read(mut self, pieces: &[Piece]) {
        let mut at = 0;
        while let Some(piece) = pieces.get(at) {
            at += 1;
            match piece {
                Piece::Word(word) => match label::meaning(word) {
                    Word::Extension => at += usize::from(self.extension(pieces.get(at))),
                    // `Phone/Fax:` is a phone, too; `Office Fax:` is none.
                    Word::Fax if self.label.is_some() && alternative(&pieces[..at - 1]) => {}
                    label @ (Word::Kind(_) | Word::Fax) => self.labelled(label),
                    Word::Or | Word::Other => {}
                },
                Piece::Digits(digits) => self.number(digits),
                Piece::Break(',') if matches!(pieces.get(at), Some(Piece::Break(','))) => {
                    at += 1;
                    at += usize::from(self.extension(pieces.get(at)));
                }
                Piece::Break(_) | Piece::Scientific => {}
            }
        }
    }

    /// Takes the digits after `ext` as the extension of the number before; false when there is none.
    fn extension(&mut self, next: Option<&Piece>) -> bool {
        let Some(Piece::Digits(text)) = next else { return false };
        let (digits, rest) = text.trim_start_matches(['.', ' ', '-']).split_once(' ').unwrap_or((text, ""));
        let digits: String = digits.chars().filter(char::is_ascii_digit).collect();
        let Some(last) = self.cell.numbers[self.first..].last_mut() else { return false };
        if last.extension.is_some() || !(1..=EXTENSION).contains(&digits.len()) {
            return false;
        }
        last.extension = Some(digits);
        if count(rest) > 0 {
            self.number(rest);
        }
        true
    }

    fn labelled(&mut self, label: Word) {
        if self.labels_first {
            self.label = Some(label);
        } else if label == Word::Fax {
            if let Some(number) = self.cell.numbers[self.first..].last().map(|last| last.number.clone()) {
                self.cell.numbers.pop();
                self.cell.unread.push(Unread { text: number, reason: Reason::Fax });
            }
        } else if let (Word::Kind(kind), Some(last)) = (label, self.cell.numbers[self.first..].last_mut()) {
            last.kind = kind_of(&last.number, kind);
        }
    }

    fn number(&mut self, digits: &str) {
        match self.label.take() {
            Some(Word::Fax) => self.cell.unread.push(Unread { text: digits.to_owned(), reason: Reason::Fax }),
            Some(Word::Kind(kind)) => add(digits, self.hints, kind, self.cell),
            _ => add(digits, self.hints, PhoneKind::Unknown, self.cell),
        }
    }
}

/// Whether the last of these pieces says that another label follows.
fn alternative(before: &[Piece]) -> bool {
    match before.last() {
        Some(Piece::Break(mark)) => matches!(mark, '/' | '&'),
        Some(Piece::Word(word)) => label::meaning(word) == Word::Or,
        _ => false,
    }
}

fn kind_of(number: &str, kind: PhoneKind) -> PhoneKind {
    if toll_free(number) { PhoneKind::TollFree } else { kind }
}

/// Adds a number, or the several numbers that only spaces separate.
fn add(text: &str, hints: Hints, kind: PhoneKind, cell: &mut Cell) {
    let parsed = match number::parse(text, hints) {
        Ok(number) => Ok(vec![number]),
        Err(reason) => several(text, hints).ok_or(reason),
    };
    match parsed {
        Ok(numbers) => {
            for number in numbers {
                let kind = kind_of(&number, kind);
                if !cell.numbers.iter().any(|own| own.number == number) {
                    cell.numbers.push(Number { number, extension: None, kind });
                }
            }
        }
        Err(Reason::NoDigits) => {}
        Err(reason) => cell.unread.push(Unread { text: text.to_owned(), reason }),
    }
}

/// `212-555-0150 917-555-0101`: the shortest runs of words that are whole numbers, if nothing is left over.
fn several(text: &str, hints: Hints) -> Option<Vec<String>> {
    if count(text) < 17 {
        return None;
    }
    if text.matches('+').count() > 1 {
        let numbers: Option<Vec<String>> = text
            .split('+')
            .filter(|part| count(part) > 0)
            .map(|part| number::parse(&format!("+{part}"), hints).ok())
            .collect();
        return numbers.filter(|_| text.trim_start_matches(['(', ' ']).starts_with('+'));
    }
    let (mut numbers, mut run) = (Vec::new(), String::new());
    for word in text.split_whitespace().filter(|word| count(word) > 0) {
        run.push(' ');
        run.push_str(word);
        let whole = Hints { area: None, ..hints };
        if count(&run) >= 10
            && let Ok(number) = number::parse(&run, whole)
        {
            numbers.push(number);
            run.clear();
        }
    }
    (run.is_empty() && numbers.len() > 1).then_some(numbers)
}
