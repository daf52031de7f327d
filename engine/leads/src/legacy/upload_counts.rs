//! What uploads of the older platform's clients are answered: how many rows can become leads, how they can be contacted, and what is
//! wrong with the others. Rows are read as IMPORT and VALIDATE read them.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures::{Stream, TryStreamExt};

use crate::{
    Address, Lead, lead_id,
    read::{
        contact_stats::ContactStats,
        csv_row::{Limits, RowReader, Step},
        layout::Layout,
        raw_row,
    },
    validate::row,
};

/// Refused rows that are described.
const ERRORS: usize = 5;
/// Different names of one kind that are counted; further ones are not.
const NAMES: usize = 100_000;

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UploadCounts {
    pub stats: ContactStats,
    /// Rows that can become leads. Duplicates are settled when a run reads the file.
    pub valid: u64,
    /// Rows that cannot.
    pub refused: u64,
    /// The first refused rows: line and reason; no cells.
    pub errors: Vec<String>,
    pub states: u64,
    pub counties: u64,
    pub cities: u64,
}

#[derive(Default)]
struct Names {
    states: BTreeSet<String>,
    counties: BTreeSet<String>,
    cities: BTreeSet<String>,
}

/// Reads a file from `layout.offset` on, where its rows begin; holds one row at a time, and the names of places.
pub async fn count<E>(
    bytes: impl Stream<Item = Result<Bytes, E>>,
    layout: &Layout,
    limits: Limits,
) -> Result<UploadCounts, E> {
    let mut bytes = std::pin::pin!(bytes);
    let (mut counts, mut names) = (UploadCounts::default(), Names::default());
    let mut rows = RowReader::new(layout.dialect(), Some(layout.columns()), limits, layout.offset, layout.line);
    loop {
        match rows.step() {
            Step::End => break,
            Step::More => match bytes.try_next().await? {
                Some(chunk) => rows.push(&chunk),
                None => rows.finish(),
            },
            Step::Row(found) => {
                let number = counts.stats.total;
                let mut lead = Lead::bare(lead_id("", number), number, found.line);
                raw_row::fill(&mut lead, layout, rows.cells(), &found);
                counts.add(lead, &mut names);
            }
        }
    }
    let number = |names: BTreeSet<String>| names.len() as u64;
    (counts.states, counts.counties, counts.cities) =
        (number(names.states), number(names.counties), number(names.cities));
    Ok(counts)
}

impl UploadCounts {
    fn add(&mut self, raw: Lead, names: &mut Names) {
        self.stats.total += 1;
        let lead = match row::normalise(raw) {
            Ok(lead) => lead,
            Err(refused) => {
                self.refused += 1;
                if self.errors.len() < ERRORS {
                    let (lead, why) = *refused;
                    let field = why.field.map(|field| format!(", {field}")).unwrap_or_default();
                    self.errors.push(format!(
                        "line {}: {}{field}: expected {}",
                        lead.line,
                        why.reason.as_str(),
                        why.expected
                    ));
                }
                return;
            }
        };
        self.valid += 1;
        let address = lead.address.as_ref();
        let (phone, traceable) = (!lead.phones.is_empty(), address.is_some_and(Address::traceable));
        self.stats.with_phone += u64::from(phone);
        self.stats.with_email += u64::from(lead.who.email.is_some());
        self.stats.with_address += u64::from(traceable);
        let named = lead.who.first_name.is_some() || lead.who.last_name.is_some();
        self.stats.needs_skip_trace += u64::from(!phone && traceable && named);
        if let Some(address) = address {
            insert(&mut names.states, address.state.as_deref());
            insert(&mut names.counties, address.county.as_deref());
            insert(&mut names.cities, address.city.as_deref());
        }
    }
}

fn insert(names: &mut BTreeSet<String>, name: Option<&str>) {
    if let Some(name) = name
        && names.len() < NAMES
    {
        names.insert(name.to_lowercase());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::{
        layout::ReadOptions,
        upload::{UploadError, count_rows},
    };

    #[test]
    fn rows_are_counted_as_validate_reads_them() {
        let file = "Company,First Name,Last Name,Phone,Email,Address,City,State\n\
                    Acme,Ann,Lee,(212) 555-0101,ann@acme.co,1 Main St,New York,NY\n\
                    Bolt,Bo,Lee,,,2 Main St,Albany,NY\n\
                    Core,,,12,none@core.co,,,\n\
                    ,,,2125550103,,,,\n\
                    Dyn,Di,Ray,,di@dyn.co,,Newark,New Jersey\n";
        let stream = |from: usize| {
            let pieces =
                file.as_bytes()[from..].chunks(7).map(|piece| Ok::<_, UploadError>(Bytes::copy_from_slice(piece)));
            futures::stream::iter(pieces.collect::<Vec<_>>())
        };
        let limits = Limits::default();
        let counted = count_rows::<_, UploadError>(stream(0), limits, ReadOptions::default());
        let counted = futures::executor::block_on(counted).expect("a CSV");
        let counts = count(stream(usize::try_from(counted.layout.offset).expect("short")), &counted.layout, limits);
        let counts = futures::executor::block_on(counts).expect("counted");
        let expected = ContactStats { total: 5, with_phone: 1, with_email: 2, with_address: 2, needs_skip_trace: 1 };
        assert_eq!(counts.stats, expected);
        assert_eq!((counts.valid, counts.refused), (3, 2));
        assert_eq!((counts.states, counts.counties, counts.cities), (2, 0, 3));
        let starts = ["line 4: missing_contact_path", "line 5: missing_identity"];
        assert!(counts.errors.iter().zip(starts).all(|(error, start)| error.starts_with(start)), "{:?}", counts.errors);
        assert!(!format!("{:?}", counts.errors).contains("2125550103"), "no cell");
    }
}
