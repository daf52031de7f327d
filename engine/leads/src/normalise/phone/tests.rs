//! Cells as people and programs write them, and the numbers in them.

use proptest::prelude::*;

use super::*;

/// `number xEXT:kind` of each number, `!reason` of each part that is none.
fn shown(cell: &Cell) -> String {
    let number = |one: &Number| {
        let extension = one.extension.as_ref().map(|digits| format!(" x{digits}")).unwrap_or_default();
        let kind =
            if one.kind == PhoneKind::Unknown { String::new() } else { format!(" {:?}", one.kind).to_lowercase() };
        format!("{}{extension}{kind}", one.number)
    };
    let reason = |unread: &Unread| format!("!{}", unread.reason.as_str());
    let parts: Vec<String> = cell.numbers.iter().map(number).chain(cell.unread.iter().map(reason)).collect();
    parts.join(", ")
}

fn check(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(shown(&read(text)), *expected, "{text:?}");
    }
}

#[test]
fn a_number_that_would_be_read_as_another_is_not_read() {
    check(&[("00200000000000", "!unclear"), ("+20 0 2 2576 5555", "+20225765555")]);
}

#[test]
fn north_american_numbers() {
    check(&[
        ("(212) 555-0147", "+12125550147"),
        ("212.555.0147", "+12125550147"),
        ("212 555 0147", "+12125550147"),
        ("2125550147", "+12125550147"),
        ("212.5550147", "+12125550147"),
        ("1-212-555-0147", "+12125550147"),
        ("1 (212) 555-0147", "+12125550147"),
        ("12125550147", "+12125550147"),
        ("+1 212 555 0147", "+12125550147"),
        ("+1 (212) 555-0147", "+12125550147"),
        ("001 212 555 0147", "+12125550147"),
        ("212/555-0147", "+12125550147"),
        ("212/555/0147", "+12125550147"),
        ("212_555_0147", "+12125550147"),
        ("2 1 2 5 5 5 0 1 4 7", "+12125550147"),
        ("212–555–0147", "+12125550147"),
        ("212‑555‑0147", "+12125550147"),
        ("5555550100", "+15555550100"),
        ("+1 416 555 0100", "+14165550100"),
        ("800-555-0100", "+18005550100 tollfree"),
        ("1-800-FLOWERS", "+18003569377 tollfree"),
        ("(800) GOT-JUNK", "+18004685865 tollfree"),
        ("012-555-0147", "!not_dialable"),
        ("112-555-0147", "!not_dialable"),
        ("212-055-0147", "!not_dialable"),
        ("212-155-0147", "!not_dialable"),
        ("+1 112 555 0147", "!not_dialable"),
        ("0000000000", "!not_dialable"),
        ("9999999999", "!not_dialable"),
        ("1234567890", "!not_dialable"),
        ("2-212-555-0147", "!too_long"),
        ("555-0147", "!no_area_code"),
        ("212-555-O147", "!too_short"),
        ("123-45-6789", "!too_short"),
        ("2024-01-15 10", "!unclear"),
        ("4111 1111 1111 1111", "!too_long"),
        ("call me", "!no_digits"),
        ("n/a", "!no_digits"),
        ("", ""),
        ("  ", ""),
    ]);
}

#[test]
fn a_plus_or_a_foreign_format_keeps_its_country() {
    check(&[
        ("+65 8234 5678", "+6582345678"),
        ("+64 9 234 5678", "+6492345678"),
        ("+45 33 12 34 56", "+4533123456"),
        ("+47 22 12 34 56", "+4722123456"),
        ("+32 2 234 56 78", "+3222345678"),
        ("(+65) 8234-5678", "+6582345678"),
        ("+44 (0)20 7946 0958", "+442079460958"),
        ("0044 20 7946 0958", "+442079460958"),
        ("011 44 20 7946 0958", "+442079460958"),
        ("+39 06 698 1234", "+39066981234"),
        ("＋６５ ８２３４ ５６７８", "+6582345678"),
        ("tel:+6582345678", "+6582345678"),
        ("+52 55 1234 5678", "+525512345678"),
        ("+354 555 0147", "+3545550147"),
        ("+65 8234 5678 x12", "+6582345678 x12"),
        // Without a plus the country is unknown, but it is not North American.
        ("20 7946 0958", "!unclear"),
        ("65 8234 5678", "!unclear"),
        ("98200 12345", "!unclear"),
        ("532 423 45 67", "!unclear"),
        ("+999 123456", "!no_such_country"),
        ("+44 20", "!too_short"),
        ("+683 4002", "+6834002"),
        ("+43 5678", "!too_short"),
        ("+62 234 5403 4540 1178", "!too_long"),
        ("00430 5678", "!too_short"),
        ("011 43 05678", "!too_short"),
        ("+2125550147", "!too_short"),
        ("65+82345678", "!unclear"),
    ]);
    let singapore = Hints { country: Named::Country("SG".parse().unwrap()), ..Hints::default() };
    assert_eq!(shown(&read_with("8234 5678", singapore)), "+6582345678");
    assert_eq!(shown(&read_with("+1 212 555 0147", singapore)), "+12125550147");
    let britain = Hints { country: Named::Country("GB".parse().unwrap()), ..Hints::default() };
    assert_eq!(shown(&read_with("020 7946 0958", britain)), "+442079460958");
    let canada = Hints { country: Named::Country(Country::CA), ..Hints::default() };
    assert_eq!(shown(&read_with("416 555 0100", canada)), "+14165550100");
}

#[test]
fn numbers_of_spreadsheets_are_refused_where_digits_may_be_lost() {
    check(&[
        ("3.10820712E9", "!scientific"),
        ("2.1255501E+09", "!scientific"),
        ("2.125550147E9", "!scientific"),
        ("2,13E+09", "!scientific"),
        ("2.13e+09", "!scientific"),
        ("2E9", "!scientific"),
        ("=\"2.1255501E+09\"", "!scientific"),
        ("Home: 2.13E+09", "!scientific"),
        ("2.1255501 E+09", "!scientific"),
        ("2.13 × 10^9", "!scientific"),
        ("call 2.13E9 now", "!scientific"),
        ("212555014.0", "!too_short"),
        ("2125550147.5", "!fraction"),
        ("2125550147.0", "+12125550147"),
        ("12125550147.0", "+12125550147"),
        ("2125550147.00", "+12125550147"),
        ("2125550147,00", "+12125550147"),
        ("+12125550147.0", "+12125550147"),
        ("2,125,550,147", "+12125550147"),
        ("=\"2125550147\"", "+12125550147"),
        ("=+12125550147", "+12125550147"),
        ("'2125550147", "+12125550147"),
        ("\"2125550147\"", "+12125550147"),
        ("'+1 212-555-0147", "+12125550147"),
    ]);
}

#[test]
fn extensions_are_kept_apart() {
    check(&[
        ("212-555-0147 x12", "+12125550147 x12"),
        ("2125550147x12", "+12125550147 x12"),
        ("2125550147ext 4", "+12125550147 x4"),
        ("212-555-0147 Ext. 99", "+12125550147 x99"),
        ("212-555-0147 #7", "+12125550147 x7"),
        ("212-555-0147, ext: 12", "+12125550147 x12"),
        ("(212) 555-0147 (ext 12)", "+12125550147 x12"),
        ("212-555-0147 extension 1234", "+12125550147 x1234"),
        ("212-555-0147 extn.12", "+12125550147 x12"),
        ("2125550147,,12", "+12125550147 x12"),
        ("tel:+1-212-555-0148;ext=136", "+12125550148 x136"),
        ("TEL:+12125550148;EXT=136;isub=9", "+12125550148 x136"),
        ("212-555-0147 x12 / 917-555-0101 x3", "+12125550147 x12, +19175550101 x3"),
        ("212-555-0147 x", "+12125550147"),
        ("x12", "!too_short"),
    ]);
    let hints = |area| Hints { area: Some(area), ..Hints::default() };
    assert_eq!(shown(&read_with("655-2147 x212", hints("212"))), "+12126552147 x212");
    assert_eq!(shown(&read_with("655-2147 / 655-2148", hints("212"))), "+12126552147, +12126552148");
    assert_eq!(shown(&read_with("917-555-0101", hints("212"))), "+19175550101");
    assert_eq!(shown(&read_with("+65 8234 5678", hints("212"))), "+6582345678");
}

#[test]
fn all_numbers_of_a_cell_are_kept_with_their_labels() {
    check(&[
        ("212-555-0150 / 917-555-0101", "+12125550150, +19175550101"),
        ("2125550150;9175550101", "+12125550150, +19175550101"),
        ("2125550150,9175550101", "+12125550150, +19175550101"),
        ("2125550150, 9175550101", "+12125550150, +19175550101"),
        ("2125550150 9175550101", "+12125550150, +19175550101"),
        ("(212) 555-0150 (917) 555-0101", "+12125550150, +19175550101"),
        ("212-555-0150 or 917-555-0101", "+12125550150, +19175550101"),
        ("2125550150\n9175550101", "+12125550150, +19175550101"),
        ("212-555-0150 | 917-555-0101", "+12125550150, +19175550101"),
        ("212-555-0150 & 917-555-0101", "+12125550150, +19175550101"),
        ("+1 212-555-0150 ::: +65 8234 5678", "+12125550150, +6582345678"),
        ("+6582345678 +12125550150", "+6582345678, +12125550150"),
        ("2125550150 / 212-555-0150", "+12125550150"),
        ("Home: 212-555-0147 x12", "+12125550147 x12"),
        ("H 212-555-0147 C 917-555-0101", "+12125550147, +19175550101 mobile"),
        ("Cell: 917-555-0101", "+19175550101 mobile"),
        ("917-555-0101 (cell), 212-555-0147 (home)", "+19175550101 mobile, +12125550147"),
        ("Fax: 212-555-0147", "!fax"),
        ("212-555-0147 fax", "!fax"),
        ("Office (212) 555-0149 ext. 9", "+12125550149 x9"),
        ("Ann: 212-555-0147", "+12125550147"),
        ("212-555-0147 (ask for 5 Ann)", "+12125550147"),
        ("\u{202a}(212) 555-0147\u{202c}", "+12125550147"),
        ("\u{200e}+1 212\u{a0}555\u{a0}0147\u{200f}", "+12125550147"),
        ("２１２-５５５-０１４７", "+12125550147"),
        ("212-555-0150 / 51", "+12125550150"),
        ("212-555-0150 / 0151", "+12125550150, !too_short"),
        ("212-555-0150 / 555-0151", "+12125550150, !no_area_code"),
    ]);
}

#[test]
fn punctuation_and_digits_of_other_programs_and_scripts() {
    check(&[
        ("212‒555‒0147", "+12125550147"),
        ("212−555−0147", "+12125550147"),
        ("212•555•0147", "+12125550147"),
        ("[212] 555-0147", "+12125550147"),
        ("212,555,0147", "+12125550147"),
        ("2,125,550,147.00", "+12125550147"),
        ("2125550147.000", "+12125550147"),
        ("2,125,550,147.5", "!too_short"),
        ("٢١٢-٥٥٥-٠١٤٧", "+12125550147"),
        ("२१२५५५०१४७", "+12125550147"),
        ("212-555-0147/8", "+12125550147"),
        ("=TEXT(2125550147,\"0\")", "+12125550147"),
        ("+0044 20 7946 0958", "+442079460958"),
        ("+011 44 20 7946 0958", "+442079460958"),
        ("212-555-0147 anexo 12", "+12125550147 x12"),
        ("212-555-0147 доб. 12", "+12125550147 x12"),
    ]);
}

#[test]
fn what_a_cell_says_about_its_number_counts() {
    check(&[
        ("Phone/Fax: 212-555-0147", "+12125550147"),
        ("Tel & Fax 212-555-0147", "+12125550147"),
        ("Office Fax: 212-555-0147", "!fax"),
        ("212-555-0147 DO NOT CALL", "!do_not_contact"),
        ("212-555-0147 (don't text)", "!do_not_contact"),
        ("DNC 212-555-0147", "!do_not_contact"),
        ("212-555-0147 - wrong number", "!not_in_service"),
        ("disconnected 2125550147; 917-555-0101", "+19175550101, !not_in_service"),
        ("call 212-555-0147", "+12125550147"),
        ("No. 212-555-0147", "+12125550147"),
        // A country that is named is not North America.
        ("UK: 2079460958", "!unclear"),
        ("2079460958 (United Kingdom)", "!unclear"),
        ("India 9823456789", "!unclear"),
        ("New Mexico office: 505-555-0100", "+15055550100"),
        ("212-555-0147 (US)", "+12125550147"),
        ("Canada: 416-555-0100", "+14165550100"),
    ]);
}

#[test]
fn one_number_is_normalised_and_several_are_not() {
    assert_eq!(normalise("(212) 555-0147 x12").as_deref(), Some("+12125550147"));
    assert_eq!(normalise("+65 8234 5678").as_deref(), Some("+6582345678"));
    assert_eq!(normalise("212-555-0150 / 917-555-0101"), None);
    assert_eq!(normalise("DNC: 212-555-0147").as_deref(), Some("+12125550147"));
    assert_eq!(normalise(""), None);
}

proptest! {
    /// Any text is read without a panic, and what is read is E.164 of digits that stand in the text.
    #[test]
    fn any_text_is_read(text in "[-0-9 ()+.,;:/xXeE#='\"a-z\u{202a}１２]{0,40}", area in proptest::option::of("[2-9][0-9]{2}")) {
        let cell = read_with(&text, Hints { area: area.as_deref(), country: Named::Nothing });
        let digits = format!("{}{}", area.as_deref().unwrap_or_default(), plain_digits(&text)).len();
        for one in &cell.numbers {
            prop_assert!(one.number.starts_with('+') && (8..=16).contains(&one.number.len()), "{}", one.number);
            prop_assert!(one.number.len() <= digits + 2, "{} has digits that nobody wrote", one.number);
            prop_assert_eq!(normalise(&one.number), Some(one.number.clone()));
        }
        prop_assert!(cell.numbers.len() + cell.unread.len() <= text.len());
    }

    /// What a person writes in a usual form is read as that number.
    #[test]
    fn usual_forms_are_read(number in "[2-9][0-9]{2}[2-9][0-9]{6}", form in 0..8usize) {
        prop_assume!(number.bytes().any(|b| b != number.as_bytes()[0]));
        let (area, exchange, line) = (&number[..3], &number[3..6], &number[6..]);
        let text = match form {
            0 => number.clone(),
            1 => format!("({area}) {exchange}-{line}"),
            2 => format!("{area}-{exchange}-{line} x9"),
            3 => format!("+1{number}"),
            4 => format!("=\"{number}\""),
            5 => format!("{number}.0"),
            6 => format!("Home: {area}.{exchange}.{line}"),
            _ => format!("tel:+1-{area}-{exchange}-{line}"),
        };
        prop_assert_eq!(normalise(&text), Some(format!("+1{number}")));
    }
}

fn plain_digits(text: &str) -> String {
    crate::normalise::text::plain(text).chars().filter(char::is_ascii_digit).collect()
}
