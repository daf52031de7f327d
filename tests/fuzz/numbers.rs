//! Any text of a phone cell: what is read are E.164 numbers whose digits stand in the text, and each is read as itself again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use luci_leads::{
    country::Named,
    normalise::{
        phone::{self, Hints},
        text,
    },
};

fuzz_target!(|input: (Option<u16>, &str)| {
    let (area, cell) = input;
    // An area code, as a column of its own would give it.
    let area = area.map(|area| format!("{:03}", area % 1000));
    let read = phone::read_with(cell, Hints { area: area.as_deref(), country: Named::Nothing });
    let written: String = text::plain(cell).chars().filter(char::is_ascii_digit).collect();
    // The letters of a vanity number (1-800-FLOWERS) are digits too.
    let signs = text::plain(cell).chars().filter(char::is_ascii_alphanumeric).count();
    for one in &read.numbers {
        let digits = one.number.strip_prefix('+').expect("E.164 begins with a plus sign");
        assert!((7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()), "{}", one.number);
        assert!(digits.len() <= signs + area.as_ref().map_or(1, |area| area.len() + 1), "{} of {cell:?}", one.number);
        assert_eq!(phone::normalise(&one.number).as_deref(), Some(one.number.as_str()), "read again, of {cell:?}");
        if let Some(extension) = &one.extension {
            assert!(written.contains(extension.as_str()), "extension {extension} of {cell:?}");
        }
    }
});
