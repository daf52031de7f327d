//! Quotes that CSV does not know: a cell in apostrophes or typographic quotes that a delimiter has cut in two.

use crate::read::csv_text::Cells;

const PAIRS: [(&[u8], &[u8]); 3] = [(b"'", b"'"), ("“".as_bytes(), "”".as_bytes()), ("„".as_bytes(), "“".as_bytes())];

/// Whether a cell opens such a quote and another one closes it: `'Acme, Inc'`.
pub(super) fn spans_cells(cells: &Cells) -> bool {
    // Most records have none of the first bytes.
    if !cells.bytes().contains(&b'\'') && !cells.bytes().contains(&0xe2) {
        return false;
    }
    let opens = |cell: &[u8], (open, close): (&[u8], &[u8])| {
        cell.starts_with(open) && cell.len() > open.len() && !cell[open.len()..].ends_with(close)
    };
    PAIRS.into_iter().any(|pair| {
        let mut cells = cells.iter().map(<[u8]>::trim_ascii);
        cells.any(|cell| opens(cell, pair)) && cells.any(|cell| cell.ends_with(pair.1) && !cell.starts_with(pair.0))
    })
}
