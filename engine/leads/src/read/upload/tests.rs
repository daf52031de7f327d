//! Files as they are uploaded: counted, described, refused.

use super::*;
use crate::read::preview::ColumnStatus;

fn count_with(bytes: &[u8], chunk: usize, limits: Limits, options: ReadOptions) -> Result<Counted, UploadError> {
    let mut counter = Counter::new(limits, options);
    for part in bytes.chunks(chunk) {
        counter.push(part)?;
    }
    counter.finish()
}

fn count(bytes: &[u8], chunk: usize, limits: Limits) -> Result<ImportSummary, UploadError> {
    count_with(bytes, chunk, limits, ReadOptions::default()).map(|counted| counted.summary)
}

#[test]
fn a_file_is_counted_and_described() {
    let file = "\u{feff}\"Company Name\";Größe;Phone\r\nAcme;x;1\r\n\r\nB\r\n\"C\r\nc\";;2\r\n;;\r\n".as_bytes();
    for chunk in [1, 5, 4096] {
        let summary = count(file, chunk, Limits::default()).unwrap();
        assert_eq!((summary.rows, summary.malformed_rows, summary.short_rows, summary.columns), (3, 0, 1, 3));
        assert_eq!((summary.encoding.as_str(), summary.delimiter), ("utf-8", ';'));
        let mapping = [("Company Name".to_owned(), Field::CompanyName), ("Phone".to_owned(), Field::Phone)];
        assert_eq!(summary.mapping, BTreeMap::from(mapping));
        assert_eq!((summary.unmapped, summary.ignored), (vec!["Größe".to_owned()], Vec::new()));
    }
    assert_eq!(count(b"City\nCaf\xe9 Ren\xe9e\n", 3, Limits::default()).unwrap().encoding, "windows-1252");
}

#[test]
fn what_a_person_checks_before_a_run() {
    let file = "Company,Memo,Phone\nAcme,José,1\nBolt,,2,x\nCork,Renée,3\nDune,Zoë,4\nElm,Ünal,5\n".as_bytes();
    let Counted { preview, summary, .. } = count_with(file, 7, Limits::default(), ReadOptions::default()).unwrap();
    let columns: Vec<(&str, ColumnStatus, usize)> =
        preview.columns.iter().map(|c| (c.header.as_str(), c.status, c.samples.len())).collect();
    let (mapped, unmapped) = (ColumnStatus::Mapped, ColumnStatus::Unmapped);
    assert_eq!(columns, [("Company", mapped, 3), ("Memo", unmapped, 3), ("Phone", mapped, 3)]);
    assert_eq!(preview.encoding_samples, ["José", "Renée", "Zoë"]);
    assert_eq!((preview.refused_rows.len(), preview.refused_rows[0].line, summary.malformed_rows), (1, 3, 1));
}

#[test]
fn files_that_are_refused() {
    let few = Limits { rows: 1, bytes: 50, columns: 2, cell_bytes: 10 };
    let blank = b"City\n".iter().copied().chain([b'\n'; 60]).collect::<Vec<u8>>();
    for (file, code) in [
        (&b""[..], "empty_file"),
        (b"\r\n \n", "empty_file"),
        (b",,,\n\"\",\n", "empty_file"),
        (b"City\n", "no_rows"),
        (b"City,State\n,,\n \n", "no_rows"),
        (b"foo,bar\n1,2\n", "no_known_column"),
        (b"City,State,Zip\n1,2,3\n", "too_many_columns"),
        (b"City\na\nb\n", "too_many_rows"),
        (&blank, "too_large"),
        (b"PK\x03\x04 City\n", "not_csv"),
        (b"Ci\0ty\na\n", "not_csv"),
    ] {
        for chunk in [1000, 1] {
            assert_eq!(count(file, chunk, few).unwrap_err().code(), code, "{file:?} by {chunk}");
        }
    }
    let long = count(b"City\nabcdefghijk\n", 5, few).unwrap();
    assert_eq!((long.rows, long.malformed_rows), (1, 1), "a long cell refuses its row only");
}

#[test]
fn the_caller_says_how_a_file_is_read() {
    let options = |encoding, delimiter, header, mapping: Option<serde_json::Value>| {
        ReadOptions::parse(encoding, delimiter, header, mapping.as_ref()).unwrap()
    };
    let read = |file: &[u8], options| count_with(file, 9, Limits::default(), options);
    let russian = encoding_rs::WINDOWS_1251.encode("Фирма,Телефон\nИван,2125550147\n").0.into_owned();
    let mapping = serde_json::json!({"Фирма": "company_name", "Телефон": "phone"});
    let counted = read(&russian, options(None, None, None, Some(mapping.clone()))).unwrap();
    assert_eq!((counted.summary.encoding.as_str(), counted.summary.mapping.len()), ("windows-1251", 2));
    assert_eq!(counted.preview.encoding_samples, ["Иван"]);
    let wrong = read(&russian, options(Some("windows-1252"), None, None, Some(mapping)));
    assert_eq!(wrong.unwrap_err().code(), "invalid_mapping");
    let none = options(None, Some(":"), Some("none"), Some(serde_json::json!({"column_1": "company_name"})));
    let counted = read(b"Acme:2125550147\nBolt:2125550148\n", none).unwrap();
    assert_eq!(
        (counted.summary.rows, counted.layout.header_line, counted.summary.unmapped),
        (2, None, vec!["column_2".into()])
    );
    let third = options(None, None, Some("3"), None);
    let counted = read(b"Company,Phone\nold,1\nCompany,City\nAcme,X\n", third).unwrap();
    assert_eq!((counted.summary.rows, counted.layout.header_line), (1, Some(3)));
    assert!(counted.summary.mapping.contains_key("City"));
}
