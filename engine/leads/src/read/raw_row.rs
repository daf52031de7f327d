//! The lead of a row as IMPORT writes it: cells by field, not normalised and not validated.

use crate::{
    Lead,
    read::{
        csv_text::{self, Cells},
        export_columns,
        mapping::{Column, Mapping},
    },
};

/// Stores the cells of a row in `raw` and `extra`; skips empty cells.
pub fn fill(lead: &mut Lead, mapping: &Mapping, cells: &Cells) {
    for (i, cell) in cells.iter().enumerate() {
        let mut text = csv_text::decode(cell);
        if text.is_empty() {
            continue;
        }
        if mapping.exported() {
            text = export_columns::unescaped(text);
        }
        if text.contains('\0') {
            // Postgres and most tools that read the report reject zero bytes.
            text = text.replace('\0', "\u{fffd}");
        }
        match mapping.columns().get(i) {
            Some(Column::Field(field)) => drop(lead.raw.insert(*field, text)),
            // Why the lead failed is not part of the lead.
            Some(Column::Export(_)) => {}
            Some(Column::Other(header)) => drop(lead.extra.insert(header.clone(), text)),
            None => drop(lead.extra.insert(format!("column_{}", i + 1), text)),
        }
    }
}
