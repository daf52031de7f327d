//! Names as lists hold them.

use super::*;

fn some(text: &str) -> Option<String> {
    Some(text).filter(|text| !text.is_empty()).map(str::to_owned)
}

#[test]
fn full_names_are_split() {
    for (full, first, last) in [
        ("Ann van Dyke", "Ann", "van Dyke"),
        ("Dyke, Ann", "Ann", "Dyke"),
        ("John Smith, Jr.", "John", "Smith"),
        ("Jane Doe, MD", "Jane", "Doe"),
        ("Smith, John, Jr.", "John", "Smith"),
        ("Smith, Jr., John", "John", "Smith"),
        ("Dr. Ann Lee", "Ann", "Lee"),
        ("Mr. Bob Ray", "Bob", "Ray"),
        ("LEE, ANN M", "Ann", "Lee"),
        ("SMITH, JOHN Q JR", "John", "Smith"),
        ("O'HARA, MARY-JANE", "Mary-Jane", "O'Hara"),
        ("Ann Lee, CPA, MBA", "Ann", "Lee"),
        ("Rev. Martin Luther King Jr.", "Martin", "King"),
        ("Prof. Dr. Hans Müller", "Hans", "Müller"),
        ("Jose\u{301} Lee", "José", "Lee"),
        ("ann lee", "Ann", "Lee"),
        ("De La Cruz, Maria", "Maria", "De La Cruz"),
        ("DeShawn McDonald", "DeShawn", "McDonald"),
        ("  Ann   Lee ", "Ann", "Lee"),
        ("J. Smith", "", "Smith"),
        ("Ann", "Ann", ""),
        ("Dr. Lee", "", "Lee"),
        ("Ann & Bob Lee", "", "Lee"),
        ("Mr. and Mrs. Smith", "", "Smith"),
        ("Jr.", "", ""),
        ("MD", "", ""),
        ("Acme Plumbing LLC", "", ""),
        ("Ann's Hair & Nails LLC", "", ""),
        ("ann@acme.co", "", ""),
        ("N/A", "", ""),
        ("Current Resident", "", ""),
        ("李小龙", "", ""),
        ("", "", ""),
        ("  ", "", ""),
    ] {
        assert_eq!(split(full), (some(first), some(last)), "{full}");
    }
}

#[test]
fn a_greeting_is_a_first_name_or_nothing() {
    for (first, full, expected) in [
        ("Ann", "", "Ann"),
        ("ANN", "", "Ann"),
        ("ann", "", "Ann"),
        ("ANN M", "", "Ann"),
        ("Ann M.", "", "Ann"),
        ("Mary Ann", "", "Mary Ann"),
        ("MARY-JANE", "", "Mary-Jane"),
        ("Dr. Ann", "", "Ann"),
        ("Mr. Bob", "", "Bob"),
        ("John, Jr.", "", "John"),
        ("John \"Johnny\"", "", "John"),
        ("John (Johnny)", "", "John"),
        ("José", "", "José"),
        ("TJ", "", "TJ"),
        ("JO", "", "Jo"),
        ("Jr.", "John Smith, Jr.", "John"),
        ("MD", "", ""),
        ("Dr.", "", ""),
        ("Dr.", "Dr. Ann Lee", "Ann"),
        ("J.", "", ""),
        ("J", "", ""),
        ("Ann & Bob", "", ""),
        ("Ann and Bob", "", ""),
        ("Mr. and Mrs.", "", ""),
        ("Owner", "", ""),
        ("n/a", "", ""),
        ("-", "", ""),
        ("Smith, John", "", ""),
        ("ann@acme.co", "", ""),
        ("Acme Services", "", ""),
        ("4th Floor", "", ""),
        ("", "LEE, ANN M", "Ann"),
        ("", "Acme Plumbing LLC", ""),
        ("", "Dr. Lee", ""),
        ("", "", ""),
    ] {
        assert_eq!(greeting(some(first).as_deref(), some(full).as_deref()), some(expected), "{first} / {full}");
    }
}

#[test]
fn words_for_roles_and_for_nothing_are_no_names() {
    for (first, full, expected) in [
        ("", "Front Desk", ""),
        ("", "Accounts Payable", ""),
        ("", "General Manager", ""),
        ("", "Human Resources", ""),
        ("", "Dear Customer", ""),
        ("", "No Name", ""),
        ("", "Joe's Pizza", ""),
        ("", "Lee Dental", ""),
        ("", "The Lee Family", ""),
        ("", "Ann E Lee", "Ann"),
        ("", "Ann Y. Lee", "Ann"),
        ("undefined", "", ""),
        ("Deceased", "", ""),
        ("FNU", "", ""),
        ("HR", "", ""),
        ("Not Provided", "", ""),
        ("xxx", "", ""),
        ("aaa", "", ""),
        ("www.acme.co", "", ""),
        ("Ann's", "", ""),
        ("Mr.Bob", "", "Bob"),
        ("AJ", "", "AJ"),
        ("AL", "", "Al"),
    ] {
        assert_eq!(greeting(some(first).as_deref(), some(full).as_deref()), some(expected), "{first} / {full}");
    }
}
