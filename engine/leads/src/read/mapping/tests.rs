//! Headers of lists and of other programs' exports.

use super::*;

mod exports;

fn of(headers: &[&str]) -> Mapping {
    Mapping::of(&headers.iter().map(|h| h.to_string()).collect::<Vec<_>>())
}

fn fields(headers: &[&str]) -> Vec<Option<Field>> {
    let field = |column: &Column| match column.target {
        Target::Field(field) => Some(field),
        _ => None,
    };
    of(headers).columns().iter().map(field).collect()
}

#[test]
fn headers_are_folded_and_the_first_variant_wins() {
    use Field::*;
    assert_eq!(fields(&["E-Mail Address", "COMPANY"]), [Some(Email), Some(CompanyName)]);
    assert_eq!(fields(&["Business", "Company"]), [None, Some(CompanyName)]);
    assert_eq!(fields(&["Name", "Fax"]), [Some(CompanyName), None]);
    assert_eq!(fields(&["Name", "Company", "Mobile"]), [Some(ContactName), Some(CompanyName), Some(MobilePhone)]);
    assert_eq!(fields(&["Name", "Given Name", "Family Name"]), [Some(ContactName), Some(FirstName), Some(LastName)]);
    let named: Vec<String> = of(&["", "", "City"]).columns().iter().map(|column| column.header.clone()).collect();
    assert_eq!(named, ["column_1", "column_2", "City"]);
}

#[test]
fn all_columns_of_phones_and_addresses_are_kept() {
    use Field::*;
    assert_eq!(fields(&["Phone", "Phone"]), [Some(Phone), Some(Phone)]);
    assert_eq!(of(&["Phone", "Phone"]).columns()[1].header, "Phone_2");
    assert_eq!(fields(&["Phone 1", "Phone 2", "Phone 3"]), [Some(Phone); 3]);
    assert_eq!(fields(&["mobile_1", "landline_1", "Primary Phone"]), [Some(MobilePhone), Some(Phone), Some(Phone)]);
    assert_eq!(fields(&["Email", "Email 2", "Secondary Email"]), [Some(Email); 3]);
    assert_eq!(fields(&["E-mail Address", "E-mail 2 Address", "E-mail 3 Address"]), [Some(Email); 3]);
}

#[test]
fn parts_of_two_addresses_are_never_mixed() {
    use Field::*;
    let one = ["Company Address", "City", "State", "Zip"];
    assert_eq!(fields(&one), [Some(Address), Some(City), Some(State), Some(Zip)]);
    let two = ["Company Address", "Company City", "City", "State"];
    assert_eq!(fields(&two), [Some(Address), Some(City), Some(MailingCity), Some(MailingState)]);
    assert_eq!(fields(&["Property Address", "City"]), [Some(Address), Some(City)]);
    assert_eq!(fields(&["Mail Address", "Mail City"]), [Some(MailingAddress), Some(MailingCity)]);
}

#[test]
fn exports_in_other_languages_are_read() {
    use Field::*;
    let some = |fields: &[Field]| fields.iter().map(|field| Some(*field)).collect::<Vec<_>>();
    let german =
        ["Vorname", "Nachname", "Firma", "Straße geschäftlich", "Ort geschäftlich", "Postleitzahl geschäftlich"];
    assert_eq!(fields(&german), some(&[FirstName, LastName, CompanyName, Address, City, Zip]));
    let phones =
        ["Telefon geschäftlich", "Telefon geschäftlich 2", "Mobiltelefon", "E-Mail-Adresse", "E-Mail 2: Adresse"];
    assert_eq!(fields(&phones), some(&[Phone, Phone, MobilePhone, Email, Email]));
    assert_eq!(
        fields(&["Anrede", "Fax geschäftlich", "Name", "Vorname"]),
        [None, None, Some(LastName), Some(FirstName)]
    );
    let french = ["Prénom", "Nom", "Société", "Téléphone (bureau)", "Tél. mobile", "Adresse de messagerie"];
    assert_eq!(fields(&french), some(&[FirstName, LastName, CompanyName, Phone, MobilePhone, Email]));
    assert_eq!(fields(&["Nom", "Société"]), some(&[ContactName, CompanyName]));
    let spanish = ["Nombre", "Apellidos", "Empresa", "Teléfono", "Móvil", "Código postal", "País"];
    assert_eq!(fields(&spanish), some(&[FirstName, LastName, CompanyName, Phone, MobilePhone, Zip, Country]));
    let russian = ["Имя", "Фамилия", "Компания", "Телефон", "Мобильный телефон"];
    assert_eq!(fields(&russian), some(&[FirstName, LastName, CompanyName, Phone, MobilePhone]));
    assert_eq!(fields(&["公司", "手机", "邮箱"]), some(&[CompanyName, MobilePhone, Email]));
    assert_eq!(fields(&["Ｃｏｍｐａｎｙ", "Ｐｈｏｎｅ"]), some(&[CompanyName, Phone]));
}

#[test]
fn spellings_and_older_exports_are_read() {
    use Field::*;
    let some = |fields: &[Field]| fields.iter().map(|field| Some(*field)).collect::<Vec<_>>();
    assert_eq!(fields(&["Phone No.", "Mobile No", "Email ID"]), some(&[Phone, MobilePhone, Email]));
    assert_eq!(fields(&["Organisation", "Contact Person"]), some(&[CompanyName, ContactName]));
    assert_eq!(fields(&["Phone (Mobile)", "Phone (Work)"]), some(&[MobilePhone, Phone]));
    let salesforce = ["Street", "City", "State/Province (text only)", "Country (text only)"];
    assert_eq!(fields(&salesforce), some(&[Address, City, State, Country]));
    let pipedrive = [
        "Organization - Address",
        "Organization - City/town/village/locality of Address",
        "Organization - ZIP/Postal code of Address",
    ];
    assert_eq!(fields(&pipedrive), some(&[Address, City, Zip]));
    assert_eq!(fields(&["Contact Owner", "Email Opt Out", "Assistant's Phone", "Phone Extension"]), [None; 4]);
}

#[test]
fn choices_go_before_saved_ones_and_both_before_the_table() {
    let headers: Vec<String> = ["Firma", "Company", "Memo", "Tel"].map(String::from).to_vec();
    let choose = |list: &[(&str, Choice)]| list.iter().map(|(h, c)| ((*h).to_owned(), *c)).collect::<Choices>();
    let saved =
        choose(&[("Firma", Choice::Field(Field::CompanyName)), ("Memo", Choice::Ignore), ("gone", Choice::Extra)]);
    let own = choose(&[("memo", Choice::Field(Field::Title)), ("column_4", Choice::Extra)]);
    let mapping = Mapping::chosen(&headers, &own, &saved).unwrap();
    let targets: Vec<Target> = mapping.columns().iter().map(|column| column.target).collect();
    let expected = [Target::Field(Field::CompanyName), Target::Extra, Target::Field(Field::Title), Target::Extra];
    assert_eq!(targets, expected);
    let unknown = Mapping::chosen(&headers, &choose(&[("Fax", Choice::Extra)]), &Choices::new());
    assert_eq!(unknown, Err(MappingError::NoSuchColumn("Fax".into())));
    let twice = choose(&[("Firma", Choice::Field(Field::City)), ("Memo", Choice::Field(Field::City))]);
    assert_eq!(Mapping::chosen(&headers, &twice, &Choices::new()), Err(MappingError::Twice(Field::City)));
}

#[test]
fn no_variant_names_two_fields_and_as_str_is_the_json_name() {
    let mut seen = std::collections::BTreeMap::new();
    for &field in Field::ALL {
        assert_eq!(serde_json::to_value(field).unwrap(), field.as_str());
        assert_eq!(Field::parse(field.as_str()), Some(field));
        for variant in field.variants() {
            assert_eq!(fold(variant), *variant);
            assert_eq!(seen.insert(*variant, field), None, "{variant}");
        }
    }
}
