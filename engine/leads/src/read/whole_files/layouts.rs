//! How files are laid out: encodings, delimiters, titles, headers of other programs.

use super::{counted, leads, shown};
use crate::{PhoneKind, normalise::phone::Country, read::layout::ReadOptions};

#[test]
fn common_exports_are_read() {
    let google = "First Name,Last Name,Organization Name,E-mail 1 - Value,Phone 1 - Value\nAnn,Lee,Acme,ann@acme.co,+1 212-555-0147\n";
    assert_eq!(shown(google.as_bytes()), ["Acme: +12125550147, ann@acme.co"]);
    let hubspot = "First Name,Last Name,Company Name,Mobile Phone Number\nAnn,Lee,Acme,2125550147\n";
    assert_eq!(shown(hubspot.as_bytes()), ["Acme: +12125550147"]);
    let named = leads(b"Name,Company,Mobile\nAnn Lee,Acme,2125550147\n").remove(0);
    assert_eq!((named.who.first_name.as_deref(), named.firm.company_name.as_deref()), (Some("Ann"), Some("Acme")));
    assert_eq!(shown(b"Company,Phone,Phone\nAcme,,2125550147\n"), ["Acme: +12125550147"]);
    assert_eq!(shown(b"Company,Phone,Phone\nAcme,2125550148,2125550147\n"), ["Acme: +12125550148, +12125550147"]);
    let labelled = "Name,Phone 1 - Label,Phone 1 - Value,Phone 2 - Label,Phone 2 - Value,E-mail 1 - Value\nAcme,Work,212-555-0147,* Mobile,917-555-0101 ::: 917-555-0102,a@acme.co ::: b@acme.co\n";
    let lead = leads(labelled.as_bytes()).remove(0);
    let kinds: Vec<_> = lead.phones.iter().map(|phone| (phone.number.as_str(), phone.kind)).collect();
    assert_eq!(kinds[0], ("+12125550147", PhoneKind::Unknown));
    assert_eq!(kinds[1], ("+19175550101", PhoneKind::Mobile));
    assert_eq!((kinds.len(), lead.who.more_emails.len()), (3, 1));
}

#[test]
fn separator_lines_titles_and_ends() {
    for file in [
        "sep=;\r\ncompany;phone\r\nAcme;2125550147\r\n",
        "\u{feff}sep=;\r\ncompany;phone\r\nAcme;2125550147\r\n",
        "\"sep=;\"\r\ncompany;phone\r\nAcme;2125550147\r\n",
        "SEP=\t\ncompany\tphone\nAcme\t2125550147\n",
        "sep=^\ncompany^phone\nAcme^2125550147\n",
        "company|phone\nAcme|2125550147\n",
        "company\tphone\nAcme\t2125550147\n",
        "Leads of May 2024\n\ncompany,phone\nAcme,2125550147\n",
        "Leads of May 2024,\nfor: Company,\n,\ncompany,phone\nAcme,2125550147\n",
        "Report;;\n\nMade by Ann;;\ncompany;phone;x\nAcme;2125550147;\n",
        "\r\n\r\ncompany,phone\r\nAcme,2125550147\r\n\x1a",
        "company,phone\rAcme,2125550147\r",
        "=\"company\",=\"phone\"\nAcme,2125550147\n",
    ] {
        assert_eq!(shown(file.as_bytes()), ["Acme: +12125550147"], "{file:?}");
    }
    // A row whose cells are also headers is a row.
    assert_eq!(shown(b"company,city,phone\nPhone,Mobile,2125550147\n"), ["Phone: +12125550147"]);
}

#[test]
fn utf16_with_and_without_a_mark() {
    let text = "company;phone\r\nJosé 😀;2125550147\r\n\"A;\r\nB\";2125550148\r\n";
    let le: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let be: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for file in [[&b"\xff\xfe"[..], &le].concat(), [&b"\xfe\xff"[..], &be].concat(), le, be] {
        assert_eq!(shown(&file), ["José 😀: +12125550147", "A;\r\nB: +12125550148"]);
    }
}

#[test]
fn the_encoding_of_a_file_is_one() {
    let names = |bytes: &[u8]| -> Vec<String> {
        leads(bytes).into_iter().map(|lead| lead.firm.company_name.or(lead.who.contact_name).unwrap()).collect()
    };
    assert_eq!(names(b"company,phone\r\n\xc8\xe2\xe0\xed,2125550147\r\n"), ["Иван"]);
    let stray =
        leads(b"company,contact,phone\r\nAcme,Jos\xc3\xa9 \x96 Lee,2125550147\r\nBolt,Ren\xc3\xa9e Ray,2125550148\r\n");
    let contacts: Vec<_> = stray.iter().map(|lead| lead.who.contact_name.as_deref().unwrap()).collect();
    assert_eq!(contacts, ["José – Lee", "Renée Ray"]);
    let counted = counted(b"company,phone\r\n\xc8\xe2\xe0\xed,2125550147\r\n", ReadOptions::default()).unwrap();
    assert_eq!(
        (counted.summary.encoding.as_str(), &counted.preview.encoding_samples[..]),
        ("windows-1251", &["Иван".to_owned()][..])
    );
    let latin = ReadOptions::parse(Some("iso-8859-1"), None, None, None).unwrap();
    let other = super::counted(b"company,phone\r\n\xc8\xe2\xe0\xed,2125550147\r\n", latin).unwrap();
    assert_eq!((other.summary.encoding.as_str(), &other.preview.encoding_samples[0][..]), ("windows-1252", "Èâàí"));
}

#[test]
fn unread_columns_are_named_and_kept() {
    let file = b"company,phone,Fax,Shoe size\nAcme,2125550147,x,44\n";
    let counted = counted(file, ReadOptions::default()).unwrap();
    assert_eq!(counted.summary.unmapped, ["Fax", "Shoe size"]);
    let lead = leads(file).remove(0);
    assert_eq!((&lead.extra["Fax"][..], &lead.extra["Shoe size"][..]), ("x", "44"));
    assert_eq!(lead.phones[0].country(), Some(Country::US));
}
