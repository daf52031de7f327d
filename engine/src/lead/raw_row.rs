//! The row as IMPORT hands it on: cells under their fields, nothing judged yet.

use super::{
    Lead,
    csv_text::{self, Cells},
    header::{Column, Mapping},
    lineage,
};

/// Puts the cells of a row under their fields. Empty cells are left out.
pub fn fill(lead: &mut Lead, mapping: &Mapping, cells: &Cells) {
    for (i, cell) in cells.iter().enumerate() {
        let mut text = csv_text::text(cell);
        if text.is_empty() {
            continue;
        }
        if mapping.exported() {
            text = lineage::unescaped(text);
        }
        if text.contains('\0') {
            // Neither Postgres nor most tools that read the report can hold it.
            text = text.replace('\0', "\u{fffd}");
        }
        match mapping.columns().get(i) {
            Some(Column::Field(field)) => drop(lead.raw.insert(*field, text)),
            // LUCI's own remarks; what to mend is no part of the lead.
            Some(Column::Own(_)) => {}
            Some(Column::Other(header)) => drop(lead.extra.insert(header.clone(), text)),
            None => drop(lead.extra.insert(format!("column_{}", i + 1), text)),
        }
    }
}
