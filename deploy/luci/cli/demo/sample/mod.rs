//! Sample leads: a realistic CSV, the same for the same seed, with ten kinds of broken rows.
//!
//! Phone numbers use the exchanges from 555 on, email addresses end in `.example`: they reach nobody.

mod values;

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use values::{AREAS, EMPLOYEES, FIRST, FORMS, LAST, PLACES, REVENUES, STREETS, TITLES, TRADES};

/// A kind of broken row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    NoIdentity,
    OnlyCity,
    NoContact,
    BadPhone,
    BadEmail,
    LostDigits,
    TooManyCells,
    LooseQuote,
    NulByte,
    Duplicate,
}

impl Kind {
    pub const ALL: [Self; 10] = [
        Self::NoIdentity,
        Self::OnlyCity,
        Self::NoContact,
        Self::BadPhone,
        Self::BadEmail,
        Self::LostDigits,
        Self::TooManyCells,
        Self::LooseQuote,
        Self::NulByte,
        Self::Duplicate,
    ];

    /// The failure code that the import or VALIDATE gives such a row.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NoIdentity | Self::OnlyCity => "missing_identity",
            Self::NoContact | Self::BadPhone | Self::BadEmail | Self::LostDigits => "missing_contact_path",
            Self::TooManyCells | Self::LooseQuote | Self::NulByte => "malformed_row",
            Self::Duplicate => "duplicate_in_file",
        }
    }
}

/// One broken row of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken {
    /// From 1, without the header.
    pub row: u64,
    /// Line of the file, from 1.
    pub line: u64,
    pub kind: Kind,
}

/// Writes the demo's file: `leads` rows, about one in a hundred broken.
pub fn write(path: &Path, leads: u64) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    csv(&mut out, leads, 1, 7)?;
    out.flush()
}

const HEADER: &str = "Company Name,First Name,Last Name,Job Title,E-mail,Phone,Cell Phone,Street Address,Suite,City,\
State,Zip Code,County,SIC Code,Number of Employees,Annual Revenue,Year Established,Website,Home Owner,Notes";
const COLUMNS: usize = 20;

/// Writes a header and `rows` rows, about `broken_percent` in a hundred broken, each kind in turn. Returns the broken rows.
pub fn csv(out: &mut impl Write, rows: u64, broken_percent: u32, seed: u64) -> io::Result<Vec<Broken>> {
    writeln!(out, "{HEADER}")?;
    let (mut broken, mut line, mut last_intact) = (Vec::new(), 2, None);
    for row in 1..=rows {
        let dice = Dice { seed, row };
        // A duplicate needs an earlier intact row.
        let breaks = last_intact.is_some() && dice.roll("broken", 10_000) < u64::from(broken_percent) * 100;
        let mut cells = lead(dice);
        if !breaks {
            last_intact = Some(row);
            line += write_row(out, &cells)?;
            continue;
        }
        let kind = Kind::ALL[broken.len() % Kind::ALL.len()];
        broken.push(Broken { row, line, kind });
        let earlier = Dice { seed, row: last_intact.unwrap_or(1) };
        match kind {
            Kind::LooseQuote => {
                cells[NOTES].clear();
                cells[COMPANY] = company(dice);
                writeln!(out, "\"{}, Inc\" or \"Smith, Co\",{}", cells[COMPANY], cells[1..].join(","))?;
                line += 1;
            }
            kind => {
                break_row(&mut cells, kind, dice, earlier);
                line += write_row(out, &cells)?;
            }
        }
    }
    Ok(broken)
}

const COMPANY: usize = 0;
const EMAIL: usize = 4;
const PHONE: usize = 5;
const CELL: usize = 6;
const STREET: usize = 7;
const CITY: usize = 9;
const NOTES: usize = 19;

fn break_row(cells: &mut Vec<String>, kind: Kind, dice: Dice, earlier: Dice) {
    cells[NOTES].clear();
    let clear = |cells: &mut Vec<String>, columns: &[usize]| columns.iter().for_each(|c| cells[*c].clear());
    match kind {
        Kind::NoIdentity => {
            clear(cells, &[COMPANY, 1, 2]);
            // With a phone number, so that only the identity is missing.
            cells[PHONE] = number(dice, 0);
        }
        Kind::OnlyCity => (0..COLUMNS).filter(|column| *column != CITY).for_each(|column| cells[column].clear()),
        Kind::NoContact => clear(cells, &[EMAIL, PHONE, CELL, STREET]),
        Kind::BadPhone => {
            clear(cells, &[EMAIL, CELL, STREET]);
            cells[PHONE] = format!("555-{:04}", dice.roll("short", 10_000));
        }
        Kind::BadEmail => {
            clear(cells, &[PHONE, CELL, STREET]);
            cells[EMAIL] = "noemail@somewhere.example".into();
        }
        Kind::LostDigits => {
            clear(cells, &[EMAIL, CELL, STREET]);
            cells[PHONE] = "2.1255501E+09".into();
        }
        Kind::TooManyCells => cells.push("one too many".into()),
        Kind::NulByte => cells[2].push('\0'),
        Kind::Duplicate => {
            cells[EMAIL].clear();
            cells[CELL].clear();
            cells[PHONE] = number(earlier, 0);
        }
        // Written by the caller.
        Kind::LooseQuote => {}
    }
}

/// Writes a row and returns its number of lines.
fn write_row(out: &mut impl Write, cells: &[String]) -> io::Result<u64> {
    let mut lines = 1;
    for (i, cell) in cells.iter().enumerate() {
        if i > 0 {
            out.write_all(b",")?;
        }
        if cell.contains([',', '"', '\n']) {
            lines += cell.matches('\n').count() as u64;
            write!(out, "\"{}\"", cell.replace('"', "\"\""))?;
        } else {
            out.write_all(cell.as_bytes())?;
        }
    }
    out.write_all(b"\n")?;
    Ok(lines)
}

fn lead(dice: Dice) -> Vec<String> {
    let (first, last) = (dice.pick("first", &FIRST), dice.pick("last", &LAST));
    let (trade, sic) = TRADES[dice.roll("trade", TRADES.len() as u64) as usize];
    let (city, state, zip, county) = PLACES[dice.roll("place", PLACES.len() as u64) as usize];
    let host = format!("{}{}.example", trade.to_lowercase().replace(' ', ""), dice.row);
    let optional =
        |aspect: &str, percent: u64, text: String| if dice.roll(aspect, 100) < percent { text } else { String::new() };
    let company = if dice.roll("comma", 20) == 0 { format!("{last} {trade}, Inc.") } else { company(dice) };
    let ascii = |text: &str| text.chars().filter(char::is_ascii_alphabetic).collect::<String>().to_lowercase();
    let notes = match dice.roll("notes", 200) {
        0 => "called in May\nasked for \"a quote\"".to_owned(),
        1..20 => "met at a fair".to_owned(),
        _ => String::new(),
    };
    vec![
        company,
        first.to_owned(),
        last.to_owned(),
        optional("title", 80, dice.pick("rank", &TITLES).to_owned()),
        optional("email", 70, format!("{}.{}@{host}", ascii(first), ascii(last))),
        number(dice, 0),
        optional("cell", 45, number(dice, 1)),
        optional("street", 85, format!("{} {}", 1 + dice.roll("house", 999), dice.pick("road", &STREETS))),
        optional("suite", 15, format!("Suite {}", 1 + dice.roll("door", 40))),
        city.to_owned(),
        state.to_owned(),
        zip.to_owned(),
        county.to_owned(),
        sic.to_owned(),
        dice.pick("staff", &EMPLOYEES).to_owned(),
        dice.pick("sales", &REVENUES).to_owned(),
        optional("age", 75, (1950 + dice.roll("year", 74)).to_string()),
        optional("site", 50, format!("https://www.{host}")),
        optional("home", 40, "Y".to_owned()),
        notes,
    ]
}

fn company(dice: Dice) -> String {
    let trade = TRADES[dice.roll("trade", TRADES.len() as u64) as usize].0;
    format!("{} {trade} {}", dice.pick("last", &LAST), dice.pick("form", &FORMS))
}

/// A phone number that no other row has: varies the 20 area codes first, then the line, then the exchange.
fn number(dice: Dice, which: u64) -> String {
    let nth = dice.row * 2 + which;
    let area = AREAS[(nth % 20) as usize];
    let (line, exchange) = (nth / 20 % 10_000, 555 + nth / 200_000 % 400);
    match dice.roll("style", 3) {
        0 => format!("({area}) {exchange}-{line:04}"),
        1 => format!("{area}.{exchange}.{line:04}"),
        _ => format!("1-{area}-{exchange}-{line:04} x{}", 1 + line % 90),
    }
}

/// Deterministic random numbers: a hash of seed, row and aspect.
#[derive(Clone, Copy)]
struct Dice {
    seed: u64,
    row: u64,
}

impl Dice {
    /// A number below `below`, independent for each aspect.
    fn roll(self, aspect: &str, below: u64) -> u64 {
        let mut x = self.seed ^ self.row.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for byte in aspect.bytes() {
            x = (x ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        // The finaliser of splitmix64.
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % below
    }

    fn pick(self, aspect: &str, of: &[&'static str]) -> &'static str {
        of[self.roll(aspect, of.len() as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use luci_leads::read::{
        csv_row::Limits,
        layout::ReadOptions,
        upload::{Counter, ImportSummary},
    };

    use super::*;

    fn count(file: &[u8]) -> ImportSummary {
        let mut counter = Counter::new(Limits::default(), ReadOptions::default());
        file.chunks(4096).for_each(|chunk| counter.push(chunk).expect("a good file"));
        counter.finish().expect("a good file").summary
    }

    #[test]
    fn a_sample_has_the_requested_rows_and_broken_rows() {
        let mut file = Vec::new();
        let broken = csv(&mut file, 5_000, 2, 1).expect("memory");
        let summary = count(&file);
        assert_eq!((summary.rows, summary.columns), (5_000, COLUMNS));
        assert!((60..140).contains(&broken.len()), "{}", broken.len());
        let malformed = broken.iter().filter(|b| b.kind.reason() == "malformed_row").count();
        assert_eq!(summary.malformed_rows, malformed as u64);
        assert_eq!(summary.mapping.len(), COLUMNS - 1, "all but the notes: {:?}", summary.mapping);
        assert!(Kind::ALL.iter().all(|kind| broken.iter().any(|b| b.kind == *kind)));

        let mut again = Vec::new();
        assert_eq!(csv(&mut again, 5_000, 2, 1).expect("memory"), broken);
        assert!(file == again);
        let mut whole = Vec::new();
        assert_eq!(csv(&mut whole, 500, 0, 1).expect("memory"), []);
        assert_eq!(count(&whole).malformed_rows, 0);
    }
}
