//! Whole files, as people and programs make them, from bytes to leads.

mod layouts;
mod mutations;
mod records;

use crate::{
    Lead,
    lead::rejection::RejectionReason,
    lead_id,
    read::{
        csv_row::{Limits, RowReader, Step},
        layout::ReadOptions,
        raw_row,
        upload::{Counted, Counter, UploadError},
    },
    validate::row,
};

/// How a row was handled.
#[derive(Debug)]
enum Outcome {
    Lead(Box<Lead>),
    Refused { line: u64, reason: RejectionReason, expected: String },
}

fn counted(bytes: &[u8], options: ReadOptions) -> Result<Counted, UploadError> {
    let mut counter = Counter::new(Limits::default(), options);
    for chunk in bytes.chunks(100) {
        counter.push(chunk)?;
    }
    counter.finish()
}

/// The rows of a file as IMPORT and VALIDATE read them, without the check for duplicates.
fn outcomes(bytes: &[u8]) -> Vec<Outcome> {
    let Counted { layout, summary, .. } = counted(bytes, ReadOptions::default()).expect("a file of leads");
    let columns = Some(layout.columns());
    let mut reader = RowReader::new(layout.dialect(), columns, Limits::default(), layout.offset, layout.line);
    reader.push(&bytes[usize::try_from(layout.offset).unwrap()..]);
    reader.finish();
    let mut outcomes = Vec::new();
    while let Step::Row(row) = reader.step() {
        let number = outcomes.len() as u64 + 1;
        let mut lead = Lead::bare(lead_id("import_x", number), number, row.line);
        raw_row::fill(&mut lead, &layout, reader.cells(), &row);
        outcomes.push(match row::normalise(lead) {
            Ok(lead) => Outcome::Lead(Box::new(lead)),
            Err(refused) => {
                let (line, reason) = (refused.0.line, refused.1.reason);
                Outcome::Refused { line, reason, expected: refused.1.expected }
            }
        });
    }
    assert_eq!(outcomes.len() as u64, summary.rows, "the count and the reading agree");
    outcomes
}

/// `company: numbers, addresses` of each lead; `!line` of each refused row.
fn shown(bytes: &[u8]) -> Vec<String> {
    let one = |outcome: &Outcome| match outcome {
        Outcome::Refused { line, .. } => format!("!{line}"),
        Outcome::Lead(lead) => {
            let numbers = lead.phones.iter().map(|phone| match &phone.extension {
                Some(extension) => format!("{} x{extension}", phone.number),
                None => phone.number.clone(),
            });
            let emails = lead.who.email.iter().chain(&lead.who.more_emails).cloned();
            let name = lead.firm.company_name.as_ref().or(lead.who.contact_name.as_ref());
            format!("{}: {}", name.map_or("-", String::as_str), numbers.chain(emails).collect::<Vec<_>>().join(", "))
        }
    };
    outcomes(bytes).iter().map(one).collect()
}

/// The leads of a file in which no row is refused.
fn leads(bytes: &[u8]) -> Vec<Lead> {
    let lead = |outcome| match outcome {
        Outcome::Lead(lead) => *lead,
        Outcome::Refused { line, reason, expected } => panic!("line {line}: {reason:?}, expected {expected}"),
    };
    outcomes(bytes).into_iter().map(lead).collect()
}
