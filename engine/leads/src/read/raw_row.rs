//! The lead of a row as IMPORT writes it: cells by field, not normalised and not validated.

use std::collections::btree_map::Entry;

use crate::{
    Field, Lead,
    lead::{Warning, rejection::RowFault},
    normalise::{phone::Reason, text},
    read::{
        csv_row::Row,
        csv_text::Cells,
        erased_row,
        export_columns::ExportColumn,
        formula_guard,
        layout::Layout,
        mapping::{Column, Target},
    },
};

/// Stores the cells of a row in `raw` and `extra`; skips empty cells.
pub fn fill(lead: &mut Lead, layout: &Layout, cells: &Cells, row: &Row) {
    if erased_row::is_erased(cells) {
        lead.malformed = Some(RowFault::Erased);
        return;
    }
    lead.malformed = row.fault;
    lead.foreign_file = layout.foreign_numbers;
    if row.short {
        lead.warn(Warning::ShortRow);
    }
    for (i, cell) in cells.iter().enumerate() {
        if cell.is_empty() {
            continue;
        }
        let mut text = read(layout, cell);
        if text.is_empty() {
            continue;
        }
        match layout.mapping.columns().get(i) {
            Some(Column { target: Target::Field(field), label, .. }) => {
                if let Some(label) = label.filter(|at| *at < cells.len()) {
                    text = labelled(&read(layout, cells.get(label)), text);
                }
                add(lead, *field, text);
            }
            // Why the lead failed is not part of the lead, but a number that was unclear is so until it is corrected.
            Some(Column { target: Target::Export(ExportColumn::FailedExpected), .. }) => {
                lead.foreign_file |= text == Reason::Unclear.expected();
            }
            Some(Column { target: Target::Export(_) | Target::Label | Target::Ignored, .. }) => {}
            Some(Column { target: Target::Extra, header, .. }) => drop(lead.extra.insert(header.clone(), text)),
            None => drop(lead.extra.insert(format!("column_{}", i + 1), text)),
        }
    }
}

fn read(layout: &Layout, cell: &[u8]) -> String {
    let mut text = layout.encoding.decode(cell);
    if layout.mapping.exported() {
        text = formula_guard::unguarded(&text);
    } else {
        if text.starts_with("=\"") {
            text = text::without_formula(&text).replace("\"\"", "\"");
        }
        text = spreadsheet_text(text);
    }
    if text.contains('\0') {
        // Postgres and most tools that read the report reject zero bytes.
        text = text.replace('\0', "\u{fffd}");
    }
    text::nfc(text)
}

/// A text as a spreadsheet or database means it: without apostrophes around the whole and `_x000D_`, and empty for what stands for
/// no value or for an error.
fn spreadsheet_text(mut text: String) -> String {
    const NOTHING: [&str; 11] =
        ["NULL", "null", "(null)", "\\N", "#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!"];
    if text.contains("_x000D_") {
        text = text.replace("_x000D_", "").trim().to_owned();
    }
    if NOTHING.contains(&text.as_str()) {
        return String::new();
    }
    let quoted = |open, close| text.strip_prefix::<char>(open)?.strip_suffix::<char>(close);
    let inner = quoted('\'', '\'').or_else(|| quoted('“', '”')).filter(|inner| !inner.contains(['\'', '“', '”']));
    inner.map(|inner| inner.trim().to_owned()).unwrap_or(text)
}

/// Several columns of one field are the lines of one cell.
fn add(lead: &mut Lead, field: Field, text: String) {
    match lead.raw.entry(field) {
        Entry::Vacant(entry) => drop(entry.insert(text)),
        Entry::Occupied(mut entry) => {
            let cell = entry.get_mut();
            cell.push('\n');
            cell.push_str(&text);
        }
    }
}

/// `* Mobile` beside a number: `Mobile: 917…`
fn labelled(label: &str, number: String) -> String {
    // A colon or slash in a label (`Work/Fax`) would end it.
    let words: String = label.chars().map(|c| if c.is_alphabetic() { c } else { ' ' }).collect();
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.is_empty() { number } else { format!("{words}: {number}") }
}
