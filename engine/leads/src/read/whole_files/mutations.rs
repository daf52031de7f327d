//! Random rows through what spreadsheets and people do to files: each ends as a lead, a refusal with line and reason, or a
//! blank; no number is read that nobody wrote.

use proptest::prelude::*;

use super::{Outcome, outcomes, shown};

/// A row as it was meant.
#[derive(Debug, Clone)]
struct Meant {
    company: String,
    number: String,
    note: String,
}

/// What is done to the file.
#[derive(Debug, Clone, Copy)]
struct Mutation {
    delimiter: char,
    line_end: &'static str,
    quote_all: bool,
    formula: bool,
    float: bool,
    spaced: bool,
    short: bool,
    blanks: bool,
    title: bool,
    utf16: bool,
    mark: bool,
}

fn meant() -> impl Strategy<Value = Meant> {
    let note = prop_oneof![
        Just(String::new()),
        "[a-zé ,;\"\n]{0,30}",
        // A note with a line that looks like a row.
        Just("met\nref,9175550101,x,y\nok".to_owned()),
        Just("said \"call, 9175550101\"".to_owned()),
    ];
    ("[A-Z][a-z]{2,8}( [A-Z][a-z]{2,8})?", "212555[0-9]{4}", note).prop_map(|(company, number, note)| Meant {
        company,
        number,
        note,
    })
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let (delimiter, line_end) =
        (prop_oneof![Just(','), Just(';'), Just('\t'), Just('|')], prop_oneof![Just("\n"), Just("\r\n")]);
    (delimiter, line_end, any::<[bool; 9]>()).prop_map(|(delimiter, line_end, on)| Mutation {
        delimiter,
        line_end,
        quote_all: on[0],
        formula: on[1],
        float: on[2],
        spaced: on[3],
        short: on[4],
        blanks: on[5],
        title: on[6],
        utf16: on[7],
        mark: on[8],
    })
}

fn write(rows: &[Meant], m: Mutation) -> Vec<u8> {
    let mut text = String::new();
    let d = m.delimiter;
    if m.title {
        text.push_str(&format!("Leads of May{}", m.line_end));
    }
    text.push_str(&format!("Company{d}Phone{d}Notes{}", m.line_end));
    for row in rows {
        let quoted = |cell: &str| format!("\"{}\"", cell.replace('"', "\"\""));
        let cell = |cell: &str| {
            let needs = m.quote_all || cell.contains([d, '"', '\n', '\r']) || cell.starts_with(' ');
            let space = if m.spaced && needs && d != '\t' { " " } else { "" };
            if needs { format!("{space}{}", quoted(cell)) } else { cell.to_owned() }
        };
        let number = if m.float { format!("{}.0", row.number) } else { row.number.clone() };
        let number = if m.formula { format!("=\"{number}\"") } else { cell(&number) };
        text.push_str(&format!("{}{d}{number}", cell(&row.company)));
        if !(m.short && row.note.is_empty()) {
            text.push_str(&format!("{d}{}", cell(&row.note)));
        }
        text.push_str(m.line_end);
        if m.blanks {
            text.push_str(&format!("{d}{d}{}", m.line_end));
        }
    }
    match (m.utf16, m.mark) {
        (true, _) => "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect(),
        (false, true) => format!("\u{feff}{text}").into_bytes(),
        (false, false) => text.into_bytes(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    /// 100,000 rows: a file that a program or a careful person wrote gives exactly the rows that were meant.
    #[test]
    fn what_was_meant_is_read(rows in proptest::collection::vec(meant(), 1..200), m in mutation()) {
        let expected: Vec<String> = rows.iter().map(|row| format!("{}: +1{}", row.company, row.number)).collect();
        prop_assert_eq!(shown(&write(&rows, m)), expected);
    }

}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// Damage to a file makes refusals, never leads or numbers that nobody sees in it.
    #[test]
    fn damage_makes_no_leads(
        rows in proptest::collection::vec(meant(), 1..12),
        m in mutation(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), prop_oneof![Just(b'"'), Just(b','), Just(b'\n'), Just(b' '), Just(b'\\'), Just(0u8), Just(0xe9)]), 1..4),
    ) {
        let m = Mutation { utf16: false, title: false, ..m };
        let mut file = write(&rows, m);
        let body = file.iter().position(|b| *b == b'\n').unwrap() + 1;
        for (index, byte) in damage {
            let at = body + index.index(file.len() - body + 1);
            file.insert(at, byte);
        }
        let lines = crate::read::csv_text::count_lines(&file) + 1;
        for outcome in outcomes(&file) {
            match outcome {
                Outcome::Refused { line, expected, .. } => {
                    prop_assert!((2..=lines).contains(&line) && !expected.is_empty());
                }
                Outcome::Lead(lead) => {
                    for phone in &lead.phones {
                        let digits = &phone.number.as_bytes()[2..];
                        prop_assert!(stands_in(&file, digits), "{}", phone.number);
                    }
                }
            }
        }
    }

    /// Any bytes below a header are read without a panic.
    #[test]
    fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let file = [&b"company,phone,notes\nAcme,2125550147,\n"[..], &bytes].concat();
        let read = outcomes(&file);
        prop_assert!(matches!(read.first(), Some(Outcome::Lead(_))), "what comes after changes no row before it");
    }
}

/// Whether the digits stand in the file in this order with nothing but punctuation between them.
fn stands_in(file: &[u8], digits: &[u8]) -> bool {
    let mut at = 0;
    file.iter().any(|b| {
        if !b.is_ascii_digit() && b" -().,/\"\\+\0".contains(b) {
            return false;
        }
        at = if digits.get(at) == Some(b) { at + 1 } else { usize::from(*b == digits[0]) };
        at == digits.len()
    })
}
