//! Whether the numbers of a file are those of other countries: then ten digits without a country code are not read as +1.
//!
//! Numbers with a country code decide, and of the others those whose area code nobody has in North America. A file of North
//! American numbers stays one, also where a few have the code of another country.

use rlibphonenumber::PHONE_NUMBER_UTIL;

use crate::read::{
    csv_text::Cells,
    mapping::{Mapping, Target},
};

/// Counts the numbers of each column.
#[derive(Default)]
pub(super) struct NumbersAbroad(Vec<Tally>);

#[derive(Default, Clone)]
struct Tally {
    /// With the code of another country.
    abroad: u64,
    /// With +1, or ten digits grouped as in North America.
    home: u64,
    /// Ten digits, by the first three.
    areas: Vec<u32>,
    /// As `areas`, of numbers that are grouped.
    grouped: Vec<u32>,
}

impl NumbersAbroad {
    pub fn add(&mut self, cells: &Cells) {
        for (at, cell) in cells.iter().enumerate() {
            if cell.len() < 7 || cell.len() > 40 {
                continue;
            }
            let Some(form) = form(cell) else { continue };
            if self.0.len() <= at {
                self.0.resize(at + 1, Tally::default());
            }
            self.0[at].add(form);
        }
    }

    /// Whether the numbers in the columns of phone numbers are mostly foreign.
    pub fn decide(&self, mapping: &Mapping) -> bool {
        let phones = mapping.columns().iter().zip(&self.0);
        let phones = phones.filter(|(column, _)| matches!(column.target, Target::Field(field) if field.is_phone()));
        let (mut abroad, mut home, mut assigned, mut unassigned) = (0, 0, 0, 0);
        // Most files: no country but the own.
        if self.0.iter().all(|tally| tally.abroad == 0) {
            return false;
        }
        for (_, tally) in phones {
            abroad += tally.abroad;
            home += tally.home;
            for (area, count) in tally.areas.iter().enumerate().filter(|(_, count)| **count > 0) {
                *(if is_assigned(area) { &mut assigned } else { &mut unassigned }) += u64::from(*count);
            }
            let grouped = tally.grouped.iter().enumerate().filter(|(area, count)| **count > 0 && is_assigned(*area));
            home += grouped.map(|(_, count)| u64::from(*count)).sum::<u64>();
        }
        // An area code that nobody has counts more: a list of North America has hardly one.
        abroad > home && abroad + 4 * unassigned >= assigned
    }
}

enum Form {
    Abroad,
    Home,
    /// Ten digits with the first three of them, together or grouped.
    Ten {
        area: usize,
        grouped: bool,
    },
}

impl Tally {
    fn add(&mut self, form: Form) {
        match form {
            Form::Abroad => self.abroad += 1,
            Form::Home => self.home += 1,
            Form::Ten { area, grouped } => {
                let counts = if grouped { &mut self.grouped } else { &mut self.areas };
                counts.resize(1_000, 0);
                counts[area] += 1;
            }
        }
    }
}

/// The form of a number; none for what is no number, or one that says nothing.
fn form(cell: &[u8]) -> Option<Form> {
    let from = cell.iter().position(|b| !matches!(b, b' ' | b'\'' | b'"' | b'='))?;
    let cell = &cell[from..];
    if !matches!(cell[0], b'+' | b'(' | b'0'..=b'9') {
        return None;
    }
    let (mut digits, mut area, mut marks, mut first) = (0, 0usize, 0, 0);
    for b in cell {
        match b {
            b'0'..=b'9' => {
                digits += 1;
                if digits == 1 {
                    first = *b;
                }
                if digits <= 3 {
                    area = area * 10 + usize::from(b - b'0');
                }
            }
            b'-' | b'.' | b'(' | b')' => marks += 1,
            b'+' | b' ' | b'"' | b'\'' => {}
            _ => return None,
        }
    }
    let plus = cell.iter().find(|b| !matches!(b, b'(')) == Some(&b'+');
    match (plus, digits) {
        (true, 8..=15) if first == b'1' => Some(Form::Home),
        (true, 7..=15) => Some(Form::Abroad),
        (false, 11..=17) if (area == 11 && first == b'0') || area < 10 => Some(Form::Abroad),
        (false, 11) if first == b'1' && marks > 0 => Some(Form::Home),
        (false, 10) => Some(Form::Ten { area, grouped: marks > 1 }),
        _ => None,
    }
}

/// Whether numbers of North America begin with these three digits; 555 is no sign of another country.
fn is_assigned(area: usize) -> bool {
    let number = PHONE_NUMBER_UTIL.parse(format!("+1{area:03}2345678"), None);
    area == 555 || number.is_ok_and(|number| PHONE_NUMBER_UTIL.is_valid_number(&number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::{
        csv_row::{Dialect, Limits, RowReader, Step},
        encoding::TextEncoding,
    };

    fn abroad(rows: &[&str]) -> bool {
        let dialect = Dialect { delimiter: b',', encoding: TextEncoding::UTF_8 };
        let mut reader = RowReader::new(dialect, None, Limits::default(), 0, 1);
        rows.iter().for_each(|row| reader.push(format!("x,{row}\n").as_bytes()));
        reader.finish();
        let mut numbers = NumbersAbroad::default();
        while let Step::Row(_) = reader.step() {
            numbers.add(reader.cells());
        }
        numbers.decide(&Mapping::of(&["id".into(), "phone".into()]))
    }

    #[test]
    fn a_file_is_foreign_when_its_numbers_are() {
        let british = ["+44 20 7946 0958", "7975550147"];
        assert!(abroad(&british));
        let indian: Vec<String> =
            (0..20).map(|n| format!("98234567{n:02}")).chain(["+91 98234 56789".into()]).collect();
        assert!(abroad(&indian.iter().map(String::as_str).collect::<Vec<_>>()));
        assert!(abroad(&["+65 8234 5678", "+49 30 123456", "2125550147"]));
        assert!(abroad(&["0044 20 7946 0958", "011 44 20 7946 0959", "2079460958"]));
    }

    #[test]
    fn a_file_of_north_america_stays_one() {
        let many: Vec<String> = (0..30).map(|n| format!("21255501{n:02}")).chain(["+44 20 7946 0958".into()]).collect();
        assert!(!abroad(&many.iter().map(String::as_str).collect::<Vec<_>>()));
        assert!(!abroad(&["(212) 555-0147", "+44 20 7946 0958"]));
        assert!(!abroad(&["2125550147", "9175550101", "+44 20 7946 0958"]));
        assert!(!abroad(&["+1 212 555 0147", "+44 20 7946 0958", "9175550101"]));
        assert!(!abroad(&["5555550100", "9825550100", "9835550100"]), "no number has a foreign code");
        assert!(!abroad(&[]));
    }
}
