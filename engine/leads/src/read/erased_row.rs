//! Removes one row from an uploaded file without moving the others: its text is overwritten, byte for byte. Rows keep their
//! numbers, lines and offsets, from which lead ids and the starts of blocks derive.

use std::ops::Range;

use crate::read::{
    csv_row::{Limits, RowReader, Step},
    csv_text::Cells,
    layout::Layout,
};

/// What the text of an erased row is overwritten with.
const FILL: u8 = b'~';

/// A file that cannot be rewritten without moving rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the rows of the file cannot be overwritten in place")]
pub struct NotInPlace;

/// Whether a row was overwritten.
pub fn is_erased(cells: &Cells) -> bool {
    let filled = |b: &u8| *b == FILL || b" \t\r\n\"\\=,;|".contains(b);
    cells.bytes().contains(&FILL) && cells.bytes().iter().all(filled)
}

/// The file without the rows that `is_of` picks by their decoded cells and numbers, from 1; `None` when there are none.
///
/// # Errors
/// When other rows would move: the file is read again and compared.
pub fn erase_rows(
    file: &[u8],
    layout: &Layout,
    mut is_of: impl FnMut(u64, &[String]) -> bool,
) -> Result<Option<Vec<u8>>, NotInPlace> {
    let rows = rows(file, layout, |number, cells| is_of(number, cells));
    if rows.iter().all(|row| !row.picked) {
        return Ok(None);
    }
    let mut erased = file.to_vec();
    for row in rows.iter().filter(|row| row.picked) {
        overwrite(&mut erased[row.bytes.clone()], layout);
    }
    let again = self::rows(&erased, layout, |_, _| false);
    let same = again.len() == rows.len() && again.iter().zip(&rows).all(|(new, old)| new.bytes.end == old.bytes.end);
    if same { Ok(Some(erased)) } else { Err(NotInPlace) }
}

struct FoundRow {
    bytes: Range<usize>,
    picked: bool,
}

fn rows(file: &[u8], layout: &Layout, mut pick: impl FnMut(u64, &[String]) -> bool) -> Vec<FoundRow> {
    let start = usize::try_from(layout.offset).unwrap_or(usize::MAX).min(file.len());
    let mut reader = RowReader::new(layout.dialect(), Some(layout.columns()), Limits::default(), layout.offset, 1);
    reader.push(&file[start..]);
    reader.finish();
    let (mut rows, mut at) = (Vec::new(), start);
    while let Step::Row(row) = reader.step() {
        let end = usize::try_from(row.next_offset).unwrap_or(usize::MAX).min(file.len());
        let picked = !is_erased(reader.cells()) && {
            let cells: Vec<String> = reader.cells().iter().map(|cell| layout.encoding.decode(cell)).collect();
            pick(rows.len() as u64 + 1, &cells)
        };
        rows.push(FoundRow { bytes: at..end, picked });
        at = end;
    }
    rows
}

/// Overwrites everything but what decides where cells and rows end.
fn overwrite(row: &mut [u8], layout: &Layout) {
    let delimiter = layout.dialect().delimiter;
    let stays = |b: u8| b == delimiter || b" \t\r\n\"\\=".contains(&b);
    if !layout.encoding.wide() {
        row.iter_mut().filter(|b| !stays(**b)).for_each(|b| *b = FILL);
        return;
    }
    let big = layout.encoding == crate::read::encoding::TextEncoding::UTF_16BE;
    for unit in row.chunks_exact_mut(2) {
        let (high, low) = if big { (unit[0], unit[1]) } else { (unit[1], unit[0]) };
        if !(high == 0 && stays(low)) {
            unit.copy_from_slice(if big { &[0, FILL] } else { &[FILL, 0] });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::{file_header, layout::ReadOptions};

    fn layout(file: &[u8]) -> Layout {
        let options = ReadOptions::default();
        let header = file_header::header(file, true, Limits::default(), &options).unwrap().unwrap();
        header.layout(header.dialect.encoding, &options).unwrap()
    }

    fn erased(file: &[u8], text: &str) -> Vec<u8> {
        erase_rows(file, &layout(file), |_, cells| cells.iter().any(|cell| cell.contains(text))).unwrap().unwrap()
    }

    #[test]
    fn only_the_picked_row_changes_and_nothing_moves() {
        let file = "company,phone,note\nAcme,2125550147,\"a, b\"\n\"Bad, \"\"Co\"\"\",2125550199,\"two\nlines\"\nLast,2125550100,é\n";
        let now = erased(file.as_bytes(), "2125550199");
        let text = String::from_utf8(now).unwrap();
        assert_eq!(text.len(), file.len());
        assert!(text.contains("Acme,2125550147,\"a, b\"\n") && text.ends_with("Last,2125550100,é\n"), "{text}");
        assert!(text.contains("\"~~~, \"\"~~\"\"\",~~~~~~~~~~,\"~~~\n~~~~~\"\n"), "{text}");
        assert_eq!(
            erase_rows(text.as_bytes(), &layout(text.as_bytes()), |_, _| true).unwrap().map(|t| t.len()),
            Some(file.len())
        );
    }

    #[test]
    fn an_erased_row_is_recognised_and_a_file_without_the_person_is_left() {
        let file = b"company,phone\nAcme,2125550147\n";
        assert_eq!(erase_rows(file, &layout(file), |_, _| false).unwrap(), None);
        let now = erased(file, "Acme");
        assert_eq!(erase_rows(&now, &layout(&now), |_, _| true).unwrap(), None, "it is not picked again");
    }

    #[test]
    fn wide_files_are_overwritten_by_character() {
        let wide = |text: &str| -> Vec<u8> {
            [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect()
        };
        let now = erased(&wide("company,phone\r\nJosé,2125550147\r\nB,2125550148\r\n"), "José");
        assert_eq!(now, wide("company,phone\r\n~~~~,~~~~~~~~~~\r\nB,2125550148\r\n"));
    }
}
