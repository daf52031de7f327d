//! Maps the columns of a file to fields: what the caller chose, what the tenant saved, and else the headers that lists and
//! exports of other programs use.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use crate::{
    Field,
    read::{
        address_columns,
        export_columns::{self, ExportColumn},
        formula_guard, header_words,
    },
};

/// Lower-case letters without accents, and digits: `E-mail Address` and `email_address` are both `emailaddress`.
pub fn fold(header: &str) -> String {
    if header.is_ascii() {
        return header.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    }
    let letters = header.nfkd().filter(|c| c.is_alphanumeric() && !is_combining_mark(*c)).flat_map(char::to_lowercase);
    letters.flat_map(|c| if c == 'ß' { ['s', 's'].to_vec() } else { vec![if c == 'ł' { 'l' } else { c }] }).collect()
}

/// The columns of a file in their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    columns: Vec<Column>,
    exported: bool,
}

/// One column. No two of a file have the same header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    pub header: String,
    pub target: Target,
    /// The column that says what kind of value this one holds (`Phone 1 - Label`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<usize>,
}

/// How a column's cells are handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    Field(Field),
    /// A column that LUCI adds to exports.
    Export(ExportColumn),
    /// Says the kind of another column's value.
    Label,
    /// Kept in `extra` under its header.
    Extra,
    /// Not read.
    Ignored,
}

/// What a caller wants done with a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    Field(Field),
    Extra,
    Ignore,
}

/// Choices by header.
pub type Choices = BTreeMap<String, Choice>;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    #[error("no column has the header `{0}`")]
    NoSuchColumn(String),
    #[error("two columns are mapped to {}; only phone numbers and e-mail addresses take several", .0.as_str())]
    Twice(Field),
}

impl Mapping {
    /// A header maps to one field: the variant listed first wins, then the leftmost column. Phone numbers and e-mail addresses
    /// take all columns that hold them.
    pub fn of(headers: &[String]) -> Self {
        Self::automatic(headers, &vec![None; headers.len()])
    }

    /// Like `of`, with the caller's choices before the tenant's, and both before the table's.
    pub fn chosen(headers: &[String], choices: &Choices, saved: &Choices) -> Result<Self, MappingError> {
        let mut chosen: Vec<Option<Choice>> = vec![None; headers.len()];
        for (header, choice) in saved {
            position(headers, header).into_iter().for_each(|at| chosen[at] = Some(*choice));
        }
        for (header, choice) in choices {
            let at = position(headers, header).ok_or_else(|| MappingError::NoSuchColumn(header.clone()))?;
            chosen[at] = Some(*choice);
        }
        let fields = || chosen.iter().flatten().filter_map(|choice| choice.field());
        let twice = |field: &Field| !field.multiple() && fields().filter(|other| other == field).count() > 1;
        match fields().find(twice) {
            Some(field) => Err(MappingError::Twice(field)),
            None => Ok(Self::automatic(headers, &chosen)),
        }
    }

    fn automatic(headers: &[String], chosen: &[Option<Choice>]) -> Self {
        let folded: Vec<String> = headers.iter().map(|h| fold(h)).collect();
        let exported = export_columns::is_export(&folded);
        let mut columns: Vec<Option<Field>> = chosen.iter().map(|choice| choice.and_then(Choice::field)).collect();
        if exported {
            // An export names each field by its own name; other headers that would match are columns of the original file.
            for &field in Field::ALL {
                assign(&mut columns, chosen, field, folded.iter().position(|header| *header == fold(field.as_str())));
            }
        } else {
            by_variants(&mut columns, chosen, &folded);
            for (field, at) in address_columns::of(&folded) {
                assign(&mut columns, chosen, field, Some(at));
            }
            in_other_languages(&mut columns, chosen, &folded);
            plain_name(&mut columns, chosen, &folded);
        }
        let target = |at: usize| match (columns[at], chosen[at]) {
            (Some(field), _) => Target::Field(field),
            (None, Some(Choice::Ignore)) => Target::Ignored,
            (None, None) if exported => ExportColumn::of(&folded[at]).map_or(Target::Extra, Target::Export),
            (None, None) if label_of(&folded[at]).is_some() => Target::Label,
            (None, _) => Target::Extra,
        };
        let named = unique(headers).into_iter().enumerate();
        let column = |(at, header): (usize, String)| Column {
            header: if exported { formula_guard::unguarded(&header) } else { header },
            target: target(at),
            label: columns[at].filter(|field| field.is_phone()).and_then(|_| label_for(&folded, at)),
        };
        Self { columns: named.map(column).collect(), exported }
    }

    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Whether the file is an export of failed leads.
    pub const fn exported(&self) -> bool {
        self.exported
    }

    /// The number of columns that are mapped to a field.
    pub fn recognised(&self) -> usize {
        self.columns.iter().filter(|column| matches!(column.target, Target::Field(_))).count()
    }

    /// Field by header, as the response to an upload shows it.
    pub fn describe(&self) -> BTreeMap<String, Field> {
        let field = |column: &Column| match column.target {
            Target::Field(field) => Some((column.header.clone(), field)),
            Target::Export(_) | Target::Label | Target::Extra | Target::Ignored => None,
        };
        self.columns.iter().filter_map(field).collect()
    }

    /// The headers with this target.
    pub fn headers(&self, target: Target) -> Vec<String> {
        self.columns.iter().filter(|column| column.target == target).map(|column| column.header.clone()).collect()
    }
}

impl Choice {
    fn field(self) -> Option<Field> {
        match self {
            Self::Field(field) => Some(field),
            Self::Extra | Self::Ignore => None,
        }
    }
}

/// The column with this header: as written, else folded, else by its number (`column_3`).
fn position(headers: &[String], wanted: &str) -> Option<usize> {
    let (named, folded) = (unique(headers), fold(wanted));
    let exact = named.iter().position(|header| header == wanted.trim());
    let alike = || headers.iter().position(|header| !folded.is_empty() && fold(header) == folded);
    let number = || wanted.strip_prefix("column_")?.parse::<usize>().ok().filter(|n| (1..=headers.len()).contains(n));
    exact.or_else(alike).or_else(|| number().map(|n| n - 1))
}

/// Maps a column that is not chosen to a field that is free.
fn assign(columns: &mut [Option<Field>], chosen: &[Option<Choice>], field: Field, at: Option<usize>) {
    let taken = !field.multiple() && columns.contains(&Some(field));
    if let Some(at) = at.filter(|at| !taken && columns[*at].is_none() && chosen[*at].is_none()) {
        columns[at] = Some(field);
    }
}

fn by_variants(columns: &mut [Option<Field>], chosen: &[Option<Choice>], folded: &[String]) {
    for &field in Field::ALL.iter().filter(|field| !address_columns::FIELDS.contains(field)) {
        let own = fold(field.as_str());
        let names = |header: &str| header == own || field.variants().contains(&header);
        if field.multiple() {
            for (at, header) in folded.iter().enumerate() {
                let at = (names(header) || names(&without_number(header))).then_some(at);
                assign(columns, chosen, field, at);
            }
            continue;
        }
        let variants = field.variants().iter().copied().chain([own.as_str()]);
        let free = |variant: &str| (0..folded.len()).find(|at| folded[*at] == variant && chosen[*at].is_none());
        assign(columns, chosen, field, variants.filter_map(free).next());
    }
}

fn in_other_languages(columns: &mut [Option<Field>], chosen: &[Option<Choice>], folded: &[String]) {
    let field = |header: &String| header_words::field(header).or_else(|| header_words::field(&without_number(header)));
    for (at, header) in folded.iter().enumerate() {
        if let Some(field) = field(header) {
            assign(columns, chosen, field, Some(at));
        }
    }
    for (at, header) in folded.iter().enumerate() {
        let has = |field| columns.contains(&Some(field));
        // `Name` beside `Vorname` is the family's.
        let german = header == "name" && folded.iter().any(|header| header == "vorname");
        let field = header_words::name(header, has(Field::FirstName), has(Field::LastName));
        if let Some(field) = if german { Some(Field::LastName) } else { field } {
            assign(columns, chosen, field, Some(at));
        }
    }
}

/// `phone1value` → `phone`, `email2address` → `emailaddress`, `mobile2` → `mobile`
fn without_number(header: &str) -> String {
    let plain: String = header.chars().filter(|c| !c.is_ascii_digit()).collect();
    plain.strip_suffix("value").map_or(plain.clone(), str::to_owned)
}

/// `name` alone is the company's name; beside a company, a first or a last name it is the person's.
fn plain_name(columns: &mut [Option<Field>], chosen: &[Option<Choice>], folded: &[String]) {
    let has = |field| columns.contains(&Some(field));
    let person = has(Field::CompanyName) || has(Field::FirstName) || has(Field::LastName);
    let field = if person { Field::ContactName } else { Field::CompanyName };
    assign(columns, chosen, field, folded.iter().position(|header| header == "name"));
}

/// `phone1label` → `phone1`
fn label_of(folded: &str) -> Option<&str> {
    let of = folded.strip_suffix("label").or_else(|| folded.strip_suffix("type"))?;
    (of.starts_with("phone") && of.ends_with(|c: char| c.is_ascii_digit())).then_some(of)
}

fn label_for(folded: &[String], at: usize) -> Option<usize> {
    let of = folded[at].strip_suffix("value")?;
    folded.iter().position(|header| label_of(header) == Some(of))
}

/// Headers as keys: none empty, none twice.
pub(super) fn unique(headers: &[String]) -> Vec<String> {
    let mut seen = std::collections::BTreeSet::new();
    let name = |(i, header): (usize, &String)| {
        let unnumbered = if header.is_empty() { format!("column_{}", i + 1) } else { header.clone() };
        let name = if seen.contains(&unnumbered) { format!("{unnumbered}_{}", i + 1) } else { unnumbered };
        seen.insert(name.clone());
        name
    };
    headers.iter().enumerate().map(name).collect()
}

#[cfg(test)]
mod tests;
