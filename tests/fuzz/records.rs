//! Any bytes below a header: the count, and the reading in pieces of any size, agree; lines and offsets only grow; no number is
//! read whose digits do not stand in the file.

#![no_main]

use libfuzzer_sys::fuzz_target;
use luci_fuzz::{count, rows};
use luci_leads::read::encoding::TextEncoding;

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (header, piece, body) = input;
    let headers: [&[u8]; 6] = [
        b"company,phone,notes\n",
        b"Company;Phone;Notes\r\n",
        b"first name\tlast name\tmobile\temail\n",
        b"sep=|\ncompany|phone\n",
        b"Leads of May\n\ncompany,area code,phone\n",
        b"",
    ];
    let file = [headers[usize::from(header) % headers.len()], body].concat();
    let Ok(counted) = count(&file, 64 * 1024) else { return };
    let piece = usize::from(piece).max(1);
    let in_pieces = count(&file, piece).expect("a file of leads, whatever the pieces");
    assert_eq!((&in_pieces.layout, in_pieces.summary.rows), (&counted.layout, counted.summary.rows));
    let read = rows(&file, &counted.layout, 64 * 1024);
    assert_eq!(read.len() as u64, counted.summary.rows, "the count and the reading");
    assert_eq!(read, rows(&file, &counted.layout, piece), "in pieces of {piece}");
    for pair in read.windows(2) {
        assert!(pair[0].line < pair[1].line && pair[0].next_offset < pair[1].next_offset);
    }
    for row in &read {
        assert!(row.next_offset <= file.len() as u64);
        let Some(numbers) = row.numbers.as_ref().filter(|_| counted.layout.encoding == TextEncoding::UTF_8) else {
            continue;
        };
        assert!(row.fault.is_none() || numbers.is_empty(), "a faulty row is no lead");
        let digits = file.iter().filter(|byte| byte.is_ascii_digit()).count();
        for number in numbers {
            assert!(number.len() <= digits + 2, "{number}");
        }
    }
});
