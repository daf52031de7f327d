//! Records: what their quotes say, wherever the bytes are cut.

use super::*;

const LIMITS: Limits = Limits { rows: 100, bytes: 10_000, columns: 10, cell_bytes: 60 };
const COMMAS: Dialect = Dialect { delimiter: b',', encoding: TextEncoding::UTF_8 };

/// `line: cell|cell` of each row, `!` before a refused one, `<` before a short one, read in chunks of `chunk` bytes.
fn rows(bytes: &[u8], chunk: usize) -> Vec<String> {
    rows_of(bytes, chunk, COMMAS, 3)
}

fn rows_of(bytes: &[u8], chunk: usize, dialect: Dialect, columns: usize) -> Vec<String> {
    let mut reader = RowReader::new(dialect, Some(columns), LIMITS, 0, 1);
    let mut chunks = bytes.chunks(chunk);
    let mut rows = Vec::new();
    loop {
        match reader.step() {
            Step::End => return rows,
            Step::More => match chunks.next() {
                Some(bytes) => reader.push(bytes),
                None => reader.finish(),
            },
            Step::Row(row) => {
                let cells: Vec<_> = reader.cells().iter().map(|cell| dialect.encoding.decode(cell)).collect();
                let mark = if row.fault.is_some() { "!" } else { "" };
                let mark = if row.short { "<" } else { mark };
                rows.push(format!("{mark}{}: {}", row.line, cells.join("|")));
            }
        }
    }
}

#[test]
fn rows_do_not_depend_on_chunk_sizes() {
    let text = "a,b,c\r\n\r\n  \n\"d,d\",\"e\ne\",f\r\n\n1,2\n1,2,3,4\n1,2,3,,\n\"j\",\"k\",l\n,,\n\"\", ,\"  \"\nn\0,o,p\nx,y,\"z\r\n\r\nz\"\r\nlast,1,2";
    let expected = [
        "1: a|b|c",
        "4: d,d|e\ne|f",
        "<7: 1|2",
        "!8: 1|2|3|4",
        "9: 1|2|3||",
        "10: j|k|l",
        "!13: n\0|o|p",
        "14: x|y|z\r\n\r\nz",
        "17: last|1|2",
    ];
    for chunk in [1, 2, 3, 7, 1000] {
        assert_eq!(rows(text.as_bytes(), chunk), expected, "chunks of {chunk}");
    }
}

#[test]
fn a_faulty_record_is_refused_to_its_end() {
    for (text, expected) in [
        // Text after a closing quote over several lines: both lines are one record.
        ("\"a\nb,9175550101,c\" d,e,f\ng,h,i", vec!["!1: a\nb,9175550101,c d|e|f", "3: g|h|i"]),
        // Too many cells around a quoted note.
        ("a,b,\"note\nref,9175550101,x\nend\",d\ng,h,i", vec!["!1: a|b|note\nref,9175550101,x\nend|d", "4: g|h|i"]),
        // Too few cells around one.
        ("a,\"note\nref,9175550101,x\"\ng,h,i", vec!["<1: a|note\nref,9175550101,x", "3: g|h|i"]),
        // Never closed: the file is cut, or the quote is a mistake; no line of it is read as a row.
        ("a,b,\"note\nref,9175550101,x\n", vec!["!1: a|b|note\nref,9175550101,x"]),
        ("g,h,i\n\"a,b,c\nd,e,f\n", vec!["1: g|h|i", "!2: a,b,c\nd,e,f"]),
    ] {
        for chunk in [1, 3, 1000] {
            assert_eq!(rows(text.as_bytes(), chunk), expected, "{text:?} by {chunk}");
        }
    }
}

#[test]
fn hand_made_quoting_is_read_as_meant_or_refused() {
    for (text, expected) in [
        ("Acme, \"12 Main St, Suite 4\",NY", "1: Acme|12 Main St, Suite 4|NY"),
        ("Acme,\t\"12 Main St, Suite 4\" ,NY", "1: Acme|12 Main St, Suite 4|NY"),
        ("\"Joe \\\"Ace\\\" Smith, Inc\",b,c", "1: Joe \"Ace\" Smith, Inc|b|c"),
        ("\"\\\"Ace\\\" Smith, Inc\",b,c", "1: \"Ace\" Smith, Inc|b|c"),
        ("a,\"say \\\"hi\\\"\",c", "1: a|say \"hi\"|c"),
        ("a,\"say \\\"hi\\\", twice\",c", "1: a|say \"hi\", twice|c"),
        ("=\"Bolt\",b,=\"02139\"", "1: Bolt|b|02139"),
        ("=\"Bolt, Inc\",b,c", "1: Bolt, Inc|b|c"),
        ("5\" Pipe Co,b,c", "1: 5\" Pipe Co|b|c"),
        ("\"Ace\" Smith,b,c", "1: \"Ace\" Smith|b|c"),
        ("a, \"Ace\" Smith,c", "1: a|\"Ace\" Smith|c"),
        ("\"C:\\dir\\\",b,c", "1: C:\\dir\\|b|c"),
        ("\"Ace \"\"The\"\" Smith\",b,c", "1: Ace \"The\" Smith|b|c"),
        ("O'Hara,b,c", "1: O'Hara|b|c"),
        ("'02139,b,c", "1: '02139|b|c"),
        // Several readings: refused.
        ("'Acme, Inc',b", "!1: 'Acme|Inc'|b"),
        ("“Acme, Inc”,b", "!1: “Acme|Inc”|b"),
        ("\"Ace, Inc\" and \"Co, Ltd\",b,c", "!1: Ace, Inc and \"Co|Ltd\"|b|c"),
        ("a,b,c,d", "!1: a|b|c|d"),
    ] {
        for chunk in [1, 4, 1000] {
            assert_eq!(rows(text.as_bytes(), chunk), [expected], "{text:?} by {chunk}");
        }
    }
}

#[test]
fn reading_can_start_at_any_row() {
    let text = "a,b,c\r\n\"d\nd\",e,f\r\n\r\ng,h,i";
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let wide_dialect = Dialect { delimiter: b',', encoding: TextEncoding::UTF_16LE };
    for (bytes, dialect, size) in [(text.as_bytes(), COMMAS, 1), (&wide, wide_dialect, 2)] {
        let mut reader = RowReader::new(dialect, Some(3), LIMITS, 0, 1);
        reader.push(bytes);
        reader.finish();
        let mut starts = vec![(0, 1)];
        while let Step::Row(row) = reader.step() {
            starts.push((row.next_offset, row.next_line));
        }
        assert_eq!(starts, [(0, 1), (7 * size, 2), (18 * size, 4), (25 * size, 6)]);
        let from = usize::try_from(18 * size).unwrap();
        let mut reader = RowReader::new(dialect, Some(3), LIMITS, 18 * size, 4);
        reader.push(&bytes[from..]);
        reader.finish();
        let end = 25 * size;
        assert!(
            matches!(reader.step(), Step::Row(Row { line: 5, next_offset, fault: None, .. }) if next_offset == end)
        );
    }
}

#[test]
fn utf16_is_read_with_characters_of_any_size() {
    let text = "José,😀,\"東\n京\"\r\nb,c,d\r\n";
    let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let dialect = Dialect { delimiter: b',', encoding: TextEncoding::UTF_16BE };
    for chunk in [1, 2, 3, 1000] {
        assert_eq!(rows_of(&bytes, chunk, dialect, 3), ["1: José|😀|東\n京", "3: b|c|d"], "by {chunk}");
    }
}

#[test]
fn a_cell_that_is_too_long_refuses_its_record() {
    let long = "x".repeat(61);
    let text = format!("a,b,c\nd,{long},f\n\"{long}\ny,z\",e,f\ng,h,i\n");
    for chunk in [1, 9, 1000] {
        let read = rows(text.as_bytes(), chunk);
        assert_eq!((read.len(), &read[0][..], &read[3][..]), (4, "1: a|b|c", "5: g|h|i"));
        assert!(read[1].starts_with("!2: d|xxx") && read[2].starts_with("!3: xxx"), "{read:?}");
    }
    // Longer than a buffer may be: the rest of the record is skipped, quotes and all.
    let huge = format!("a,b,c\nd,\"{}\nref,1,2\n\"\"x\",f\ng,h,i\n", "y\n".repeat(ROW_BYTES));
    let mut reader = RowReader::new(COMMAS, Some(3), LIMITS, 0, 1);
    let (mut seen, mut most) = (Vec::new(), 0);
    let mut chunks = huge.as_bytes().chunks(64 << 10);
    loop {
        match reader.step() {
            Step::End => break,
            Step::More => match chunks.next() {
                Some(chunk) => reader.push(chunk),
                None => reader.finish(),
            },
            Step::Row(row) => seen.push((row.line, row.fault.is_some())),
        }
        most = most.max(reader.buffer.len());
    }
    let last = 5 + ROW_BYTES as u64;
    assert_eq!(seen, [(1, false), (2, true), (last, false)]);
    assert!(most < ROW_BYTES * 3, "{most} bytes were buffered");
}

#[test]
fn a_file_may_end_with_0x1a() {
    assert_eq!(rows(b"a,b,c\r\n\x1a", 1000), ["1: a|b|c"]);
    assert_eq!(rows(b"a,b,c\x1a", 1000), ["1: a|b|c"]);
    assert_eq!(rows(b"a,b,c\r\n\x1a\x1a", 2), ["1: a|b|c"]);
}
