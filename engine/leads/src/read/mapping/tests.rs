//! Headers of lists and of other programs' exports.

use super::*;

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
fn known_exports_are_read() {
    use Field::*;
    let (company, first, last) = (Some(CompanyName), Some(FirstName), Some(LastName));
    let cases: &[(&str, &[&str], &[Option<Field>])] = &[
        (
            "Google Contacts",
            &[
                "First Name",
                "Last Name",
                "Organization Name",
                "Organization Title",
                "E-mail 1 - Label",
                "E-mail 1 - Value",
                "E-mail 2 - Value",
                "Phone 1 - Label",
                "Phone 1 - Value",
                "Phone 2 - Value",
                "Address 1 - Street",
                "Address 1 - City",
                "Address 1 - Region",
                "Address 1 - Postal Code",
                "Address 1 - Country",
            ],
            &[
                first,
                last,
                company,
                Some(Title),
                None,
                Some(Email),
                Some(Email),
                None,
                Some(Phone),
                Some(Phone),
                Some(Address),
                Some(City),
                Some(State),
                Some(Zip),
                Some(Country),
            ],
        ),
        (
            "HubSpot",
            &[
                "Record ID",
                "First Name",
                "Last Name",
                "Company Name",
                "Mobile Phone Number",
                "Phone Number",
                "Email",
                "Job Title",
                "Street Address",
                "City",
                "State/Region",
                "Postal Code",
                "Country/Region",
                "Website URL",
                "Number of Employees",
                "Annual Revenue",
            ],
            &[
                None,
                first,
                last,
                company,
                Some(MobilePhone),
                Some(Phone),
                Some(Email),
                Some(Title),
                Some(Address),
                Some(City),
                Some(State),
                Some(Zip),
                Some(Country),
                Some(Website),
                Some(EmployeeCount),
                Some(AnnualRevenue),
            ],
        ),
        (
            "Salesforce",
            &[
                "Salutation",
                "First Name",
                "Last Name",
                "Title",
                "Account Name",
                "Mailing Street",
                "Mailing City",
                "Mailing State/Province",
                "Mailing Zip/Postal Code",
                "Mailing Country",
                "Phone",
                "Mobile",
                "Fax",
                "Email",
            ],
            &[
                None,
                first,
                last,
                Some(Title),
                company,
                Some(MailingAddress),
                Some(MailingCity),
                Some(MailingState),
                Some(MailingZip),
                Some(Country),
                Some(Phone),
                Some(MobilePhone),
                None,
                Some(Email),
            ],
        ),
        (
            "Pipedrive",
            &[
                "Person - Name",
                "Person - Organization",
                "Person - Phone - Work",
                "Person - Phone - Mobile",
                "Person - Email - Work",
                "Organization - Address",
            ],
            &[Some(ContactName), company, Some(Phone), Some(MobilePhone), Some(Email), Some(Address)],
        ),
        (
            "Apollo",
            &[
                "First Name",
                "Last Name",
                "Title",
                "Company",
                "Email",
                "Work Direct Phone",
                "Home Phone",
                "Mobile Phone",
                "Corporate Phone",
                "# Employees",
                "Industry",
                "Person Linkedin Url",
                "Website",
                "City",
                "State",
                "Company Address",
                "Company City",
                "Company State",
                "Secondary Email",
            ],
            &[
                first,
                last,
                Some(Title),
                company,
                Some(Email),
                Some(DirectPhone),
                Some(Phone),
                Some(MobilePhone),
                Some(Phone),
                Some(EmployeeCount),
                Some(Industry),
                Some(LinkedinUrl),
                Some(Website),
                Some(MailingCity),
                Some(MailingState),
                Some(Address),
                Some(City),
                Some(State),
                Some(Email),
            ],
        ),
        (
            "ZoomInfo",
            &[
                "First Name",
                "Last Name",
                "Job Title",
                "Direct Phone Number",
                "Mobile phone",
                "Email Address",
                "Company Name",
                "Company HQ Phone",
                "Person Street",
                "Person City",
                "Company Street Address",
                "Company City",
                "Company State",
                "Company Zip Code",
                "Primary Industry",
                "Revenue (in 000s USD)",
                "LinkedIn Contact Profile URL",
            ],
            &[
                first,
                last,
                Some(Title),
                Some(DirectPhone),
                Some(MobilePhone),
                Some(Email),
                company,
                Some(Phone),
                Some(MailingAddress),
                Some(MailingCity),
                Some(Address),
                Some(City),
                Some(State),
                Some(Zip),
                Some(Industry),
                None,
                Some(LinkedinUrl),
            ],
        ),
        (
            "Outlook",
            &[
                "Title",
                "First Name",
                "Last Name",
                "Job Title",
                "Company",
                "Business Street",
                "Business City",
                "Business State",
                "Business Postal Code",
                "Home Street",
                "Home City",
                "Business Phone",
                "Business Phone 2",
                "Home Phone",
                "Mobile Phone",
                "Business Fax",
                "E-mail Address",
                "E-mail 2 Address",
            ],
            &[
                None,
                first,
                last,
                Some(Title),
                company,
                Some(Address),
                Some(City),
                Some(State),
                Some(Zip),
                Some(MailingAddress),
                Some(MailingCity),
                Some(Phone),
                Some(Phone),
                Some(Phone),
                Some(MobilePhone),
                None,
                Some(Email),
                Some(Email),
            ],
        ),
    ];
    for (program, headers, expected) in cases {
        assert_eq!(fields(headers), *expected, "{program}");
    }
    let google = of(&["Phone 1 - Label", "Phone 1 - Value"]);
    assert_eq!((google.columns()[0].target, google.columns()[1].label), (Target::Label, Some(0)));
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
