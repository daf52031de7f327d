//! Rows and cells: which leads a file has, with which numbers, names and addresses.

use super::{Outcome, leads, outcomes, shown};
use crate::{lead::Warning, normalise::name, validate::keys};

#[test]
fn a_number_that_lost_digits_is_refused_and_named() {
    let file = b"company,mobile\nAcme,3.10820712E9\nBolt,2.1255501E+09\nCork,212555014.0\nDune,2125550147.0\n";
    assert_eq!(shown(file), ["!2", "!3", "!4", "Dune: +12125550147"]);
    let Outcome::Refused { expected, .. } = &outcomes(file)[0] else { panic!("a lead") };
    assert!(expected.contains("scientific"), "{expected}");
}

#[test]
fn foreign_numbers_keep_their_country() {
    let file = "company,mobile\nSing,\"+65 8234 5678\"\nAuck,\"+64 9 234 5678\"\nDen,\"+45 33 12 34 56\"\nNor,\"+47 22 12 34 56\"\nBru,\"+32 2 234 56 78\"\n";
    let expected =
        ["Sing: +6582345678", "Auck: +6492345678", "Den: +4533123456", "Nor: +4722123456", "Bru: +3222345678"];
    assert_eq!(shown(file.as_bytes()), expected);
    let by_country = "company,phone,country\nSing,8234 5678,Singapore\nLon,020 7946 0958,GB\nNY,212-555-0147,USA\n";
    assert_eq!(shown(by_country.as_bytes()), ["Sing: +6582345678", "Lon: +442079460958", "NY: +12125550147"]);
    // Ten digits of a local number abroad are no North American number.
    let india = "company,phone,country\nDelhi,98234 12345,India\n";
    assert_eq!(shown(india.as_bytes()), ["Delhi: +919823412345"]);
}

#[test]
fn ten_digits_abroad_are_never_a_north_american_number() {
    let file = "company,phone,country\nLon,207-946-0958,GB\nMan,(797) 555-0147,GBR\nEdi,797 555 0147,+44\n\
        Far,797-555-0147,Narnia\nFlo,+39 055 123 4567,Narnia\nNY,212-555-0147,US - United States\nLA,213-555-0147,N/A\n";
    let expected = [
        "Lon: +442079460958",
        "Man: +447975550147",
        "Edi: +447975550147",
        "!5",
        "Flo: +390551234567",
        "NY: +12125550147",
        "LA: +12135550147",
    ];
    assert_eq!(shown(file.as_bytes()), expected);
    let lead = &leads(b"company,phone,email,country\nFar,797-555-0147,a@far.example,Narnia\n")[0];
    let unread: Vec<_> = lead.unread.iter().map(|cell| (cell.text.as_str(), cell.reason.as_str())).collect();
    assert_eq!(unread, [("797-555-0147", "unclear")]);
    // No country is named, but the row's other number has the code of one.
    let other = "company,phone,mobile,state\nLon,+44 20 7946 0958,797-555-0147,\nNY,+44 20 7946 0958,917-555-0147,NY\n\
        Two,+1 212 555 0147,917-555-0147,\n";
    let expected = ["Lon: +442079460958", "NY: +19175550147, +442079460958", "Two: +19175550147, +12125550147"];
    assert_eq!(shown(other.as_bytes()), expected);
}

#[test]
fn a_row_that_shows_another_country_has_no_north_american_number() {
    let file = "company,phone,state,zip,city\nLon,2079460958,,SW1A 1AA,\nMum,9823456789,Maharashtra,400001,\nPun,9823456788,,411001,\n\
        Eng,2079460959,England,,\nCit,2079460957,,,\"London, UK\"\nTor,4165550147,Ontario,,\nMon,5145550147,,H3B 1A1,\n\
        Typ,2125550147,New Yrok,10001,\nApo,2125550148,AE,09012,\nNA,2125550149,N/A,2139,\n";
    let expected = [
        "Lon: +442079460958",
        "Mum: +919823456789",
        "!4",
        "Eng: +442079460959",
        "Cit: +442079460957",
        "Tor: +14165550147",
        "Mon: +15145550147",
        "Typ: +12125550147",
        "Apo: +12125550148",
        "NA: +12125550149",
    ];
    assert_eq!(shown(file.as_bytes()), expected);
    let zips = leads("company,phone,zip\nZur,+41 44 555 01 01,8001\nBos,+1 617 555 0101,2139\n".as_bytes());
    let zips: Vec<_> = zips.into_iter().map(|lead| lead.address.unwrap().zip.unwrap()).collect();
    assert_eq!(zips, ["8001", "02139"]);
}

#[test]
fn ten_digits_of_a_foreign_file_are_unclear_and_those_of_a_us_file_stay() {
    let british = "company,phone,state\nLon,+44 20 7946 0958,\nMan,7975550147,\nNY,2125550147,NY\n";
    assert_eq!(shown(british.as_bytes()), ["Lon: +442079460958", "!3", "NY: +12125550147"]);
    // The row comes back in an export of failed leads: still unclear, unless it was corrected.
    let head =
        "company_name,phone,luciRunId,luciLeadId,luciRow,failedLine,failedCode,failedReason,failedField,failedExpected";
    let why = crate::normalise::phone::Reason::Unclear.expected();
    let row = |number: &str| {
        let (run, lead) = ("run_01M8PETPYGF4NWX4SK0SBDZ5GH", "lead_01M8PETPDM000000JB3ZMY25FS");
        format!("Man,{number},{run},{lead},2,3,VALIDATION,missing_contact_path,phone,\"{why}\"\n")
    };
    let exported = format!("{head}\n{}{}", row("7975550147"), row("+44 7975 550147"));
    assert_eq!(shown(exported.as_bytes()), ["!2", "Man: +447975550147"]);
    let american = "company,phone\nA,2125550147\nB,9175550101\nLon,+44 20 7946 0958\n";
    assert_eq!(shown(american.as_bytes()), ["A: +12125550147", "B: +19175550101", "Lon: +442079460958"]);
}

#[test]
fn words_and_wrappers_for_nothing_are_no_values() {
    let file = "company,first name,phone,email,state\nNULL,Ann,2125550147,\\N,NULL\nAcme,NULL,2125550149,#N/A,#REF!\n\
        'Bolt',Bob,'2125550148',,'NY'\nCork_x000D_,,2125550150,ann@acme.co_x000D_,\n'Tis Co,,2125550151,,\n";
    let expected =
        ["!2", "Acme: +12125550149", "Bolt: +12125550148", "Cork: +12125550150, ann@acme.co", "'Tis Co: +12125550151"];
    assert_eq!(shown(file.as_bytes()), expected);
    let acme = leads(b"company,phone,email,state,sic,year founded\nAcme,2125550149,#N/A,-,abc,soon\n").remove(0);
    let unread: Vec<_> = acme.unread.iter().map(|cell| cell.text.as_str()).collect();
    assert_eq!((unread, acme.warnings), (vec!["abc", "soon"], vec![]));
}

#[test]
fn the_label_beside_a_number_has_several_words() {
    let file = "Name,Phone 1 - Label,Phone 1 - Value,Phone 2 - Label,Phone 2 - Value\nAnn Lee,* Mobile,917-555-0101,Work Fax,212-555-0147\n";
    assert_eq!(shown(file.as_bytes()), ["Ann Lee: +19175550101"]);
}

#[test]
fn extensions_area_codes_and_several_numbers() {
    let file = "company,area code,phone\nAcme,212,655-2147 x212\nBolt,,Home: 212-555-0147 x12\nCork,,tel:+1-212-555-0148;ext=136\nDune,,Office (212) 555-0149 ext. 9\nElm,,\"212-555-0150 / 917-555-0101\"\nFir,212.0,555-0151\nGum,(212),555-0152\nHop,1-212,555-0153\n";
    let expected = [
        "Acme: +12126552147 x212",
        "Bolt: +12125550147 x12",
        "Cork: +12125550148 x136",
        "Dune: +12125550149 x9",
        "Elm: +12125550150, +19175550101",
        "Fir: +12125550151",
        "Gum: +12125550152",
        "Hop: +12125550153",
    ];
    assert_eq!(shown(file.as_bytes()), expected);
}

#[test]
fn what_cannot_be_read_is_kept_as_written() {
    let lead = leads(b"company,email,phone,zip\nAcme,ann@acme.co; none@acme.co,555-0147,call me\n").remove(0);
    let unread: Vec<_> = lead.unread.iter().map(|cell| (cell.text.as_str(), cell.reason.as_str())).collect();
    let expected =
        [("555-0147", "no_area_code"), ("ann@acme.co; none@acme.co", "invalid_email"), ("call me", "invalid_zip")];
    assert_eq!(unread, expected);
    assert_eq!(lead.warnings, [Warning::InvalidPhone, Warning::InvalidEmail, Warning::InvalidZip]);
}

#[test]
fn blank_rows_are_not_counted() {
    let mut file = b"company,phone,email,city\r\nAcme,2125550147,,\r\nBolt,2125550148,,\r\n".to_vec();
    (0..50).for_each(|_| file.extend_from_slice(b",,,\r\n"));
    file.extend_from_slice(b" , ,\t,\r\n\"\",\"\",,\r\n\"  \"\r\n\r\n,,,,,,\r\n");
    assert_eq!(shown(&file), ["Acme: +12125550147", "Bolt: +12125550148"]);
}

#[test]
fn short_rows_are_padded_and_long_ones_refused() {
    let short = b"company,phone,email,notes\r\nAcme,2125550147\r\nBolt,2125550148,,x\r\n";
    assert_eq!(shown(short), ["Acme: +12125550147", "Bolt: +12125550148"]);
    assert_eq!(leads(short)[0].warnings, [Warning::ShortRow]);
    assert_eq!(shown(b"company,phone,\r\nAcme,2125550147\r\n"), ["Acme: +12125550147"]);
    assert_eq!(shown(b"company,phone\nAcme,2125550147,9175550101\nBolt,2125550148,,\n"), ["!2", "Bolt: +12125550148"]);
}

#[test]
fn a_line_of_a_note_is_never_a_lead() {
    let file = b"company,phone,notes,tag,owner\r\nAcme,2125550147,\"met at fair\r\nref,9175550101,gave us,his,card\r\nok\"\r\nLast,2125550152,ok,,\r\n";
    assert_eq!(shown(file), ["Acme: +12125550147", "Last: +12125550152"]);
    assert_eq!(leads(file)[0].extra["notes"], "met at fair\r\nref,9175550101,gave us,his,card\r\nok");
    for file in [
        // Too many cells, text after the quote, a file that is cut, a space before the quote, a formula's quote.
        "company,phone,notes\nAcme,2125550147,\"met\nref,9175550101,x\nok\",y\nLast,2125550152,\n",
        "company,phone,notes\nAcme,2125550147,\"met\nref,9175550101,x\nok\" y\nLast,2125550152,\n",
        "company,phone,notes\nLast,2125550152,\nAcme,2125550147,\"met\nref,9175550101,x\n",
        "company,phone,notes\nAcme,2125550147, \"met\nref,9175550101,x\nok\" \nLast,2125550152,\n",
        "company,phone,notes\nAcme,2125550147,=\"met\nref,9175550101,x\nok\"\nLast,2125550152,\n",
        "company,phone,notes\rAcme,2125550147,\"met\rref,9175550101,x\rok\"\rLast,2125550152,\r",
    ] {
        let read = shown(file.as_bytes());
        assert!(!read.iter().any(|row| row.contains("9175550101")), "{file:?}: {read:?}");
        assert!(read.contains(&"Last: +12125550152".to_owned()), "{file:?}: {read:?}");
    }
}

#[test]
fn hand_made_quoting_never_shifts_cells() {
    let file = "company,address,state,phone,notes\nAcme, \"12 Main St, Suite 4\",NY,2125550147\n\"Joe \\\"Ace\\\" Smith, Inc\",1 A St,NY,2125550148,\n=\"Bolt\",1 B St,NY,=\"2125550149\",x\n5\" Pipe Co,1 C St,NY,2125550150,\n\"never closed,1 D St,NY,2125550151,\nLast,1 E St,NY,2125550152,\n";
    let expected = [
        "Acme: +12125550147",
        "Joe \"Ace\" Smith, Inc: +12125550148",
        "Bolt: +12125550149",
        "5\" Pipe Co: +12125550150",
        "!6",
    ];
    assert_eq!(shown(file.as_bytes()), expected);
    let shifted =
        leads(b"company,phone,address,state,notes\r\nAcme,2125550147, \"12 Main St, Suite 4\",NY\r\n").remove(0);
    let address = shifted.address.unwrap();
    assert_eq!((address.street.as_deref(), address.state.as_deref()), (Some("12 Main St, Suite 4"), Some("NY")));
}

#[test]
fn a_greeting_is_a_first_name() {
    let file = "Full Name,Company,Mobile\n\"John Smith, Jr.\",A,2125550101\n\"Jane Doe, MD\",B,2125550102\n\"Smith, John, Jr.\",C,2125550103\nDr. Ann Lee,D,2125550104\nMr. Bob Ray,E,2125550105\n\"LEE, ANN M\",F,2125550106\n";
    let greeted = |lead: &crate::Lead| name::greeting(lead.who.first_name.as_deref(), lead.who.contact_name.as_deref());
    let names: Vec<_> = leads(file.as_bytes()).iter().map(|lead| greeted(lead).unwrap_or_default()).collect();
    assert_eq!(names, ["John", "Jane", "John", "Ann", "Bob", "Ann"]);
}

#[test]
fn zip_codes_are_text() {
    let file = "company,phone,zip\na,2125550101,2139.0\nb,2125550102,10001.0\nc,2125550103,501\nd,2125550104,'02139\ne,2125550105,K1A 0B1\nf,2125550106,D02 X285\ng,2125550107,M60 1NW\nh,2125550108,94105 1234\ni,2125550109,10001-1234\n";
    let zips: Vec<String> = leads(file.as_bytes())
        .into_iter()
        .map(|lead| lead.address.unwrap_or_default())
        .map(|address| {
            format!("{}{}", address.zip.unwrap_or_default(), address.zip4.map(|f| format!("+{f}")).unwrap_or_default())
        })
        .collect();
    let expected = ["02139", "10001", "00501", "02139", "K1A 0B1", "D02 X285", "M60 1NW", "94105+1234", "10001+1234"];
    assert_eq!(zips, expected);
    let abroad = leads(b"company,phone,zip,country\na,+41445550101,8001,Switzerland\n").remove(0).address.unwrap();
    assert_eq!((abroad.zip.as_deref(), abroad.country.unwrap().as_str()), (Some("8001"), "CH"));
}

#[test]
fn addresses_lose_their_wrappers() {
    let file = "company,email\r\nA,\u{feff}ann@acme.co\r\nB,ann@acme.co\u{200b}\r\nC,mailto:ann@acme.co\r\nD,ann@acme.co.\r\nE,<ann@acme.co>\r\nF,ann@acme.co; bob@acme.co\r\n";
    let read = shown(file.as_bytes());
    assert_eq!(read[5], "F: ann@acme.co, bob@acme.co");
    assert!(read[..5].iter().all(|lead| lead.ends_with(": ann@acme.co")), "{read:?}");
}

#[test]
fn two_spellings_of_one_text_have_one_key() {
    let file = "first name,last name,address,city,state,zip\r\nJosé,Lee,1 Main St,Austin,TX,73301\r\nJose\u{301},Lee,1 Main St,Austin,TX,73301\r\nJosé,Ｌｅｅ,1 Main\u{a0}St.,Austin,TX,73301\r\n";
    let keys: Vec<_> = leads(file.as_bytes()).iter().map(keys::keys).collect();
    assert_eq!((keys[0].len(), &keys[0]), (1, &keys[1]));
    assert_eq!(keys[0], keys[2]);
}
