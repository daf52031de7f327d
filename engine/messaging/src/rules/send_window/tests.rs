//! Windows of sixty places at every half hour of four days, and days that are left out.

use super::*;
use crate::rules::zones::{Place, zones_of};

const DAY_MS: i64 = 86_400_000;
const HALF_HOUR_MS: i64 = 1_800_000;

fn at(text: &str) -> Micros {
    Micros(text.parse::<Timestamp>().expect("a time").as_microsecond())
}

fn all_hours() -> SendWindow {
    SendWindow {
        from: Time::midnight(),
        to: Time::constant(23, 59, 0, 0),
        days: (1..=7).collect(),
        holidays: Vec::new(),
        federal_holidays: false,
    }
}

/// Number, ZIP and state of a place, and the zones where its recipients are: the true one, and others that the data allow.
const PLACES: &[(&str, &str, &str, &[&str])] = &[
    ("+18655550101", "37902", "TN", &["America/New_York"]),
    ("+16155550101", "37201", "TN", &["America/Chicago"]),
    ("+14235550101", "37402", "TN", &["America/New_York"]),
    ("+19015550101", "38103", "TN", &["America/Chicago"]),
    ("+19155550102", "79901", "TX", &["America/Denver"]),
    ("+12145550102", "75201", "TX", &["America/Chicago"]),
    ("+18505550103", "32501", "FL", &["America/Chicago"]),
    ("+18505550103", "32301", "FL", &["America/New_York"]),
    ("+13055550103", "33101", "FL", &["America/New_York"]),
    ("+15415550104", "97914", "OR", &["America/Boise"]),
    ("+15035550104", "97201", "OR", &["America/Los_Angeles"]),
    ("+18085550105", "96813", "HI", &["Pacific/Honolulu"]),
    ("+19075550101", "99501", "AK", &["America/Anchorage"]),
    ("+19075550101", "99546", "AK", &["America/Adak"]),
    ("+16025550101", "85001", "AZ", &["America/Phoenix"]),
    ("+19285550101", "86515", "AZ", &["America/Denver"]),
    ("+17025550101", "89101", "NV", &["America/Los_Angeles"]),
    ("+17755550101", "89883", "NV", &["America/Denver"]),
    ("+12085550101", "83702", "ID", &["America/Boise"]),
    ("+12085550101", "83814", "ID", &["America/Los_Angeles"]),
    ("+17015550101", "58102", "ND", &["America/Chicago"]),
    ("+17015550101", "58601", "ND", &["America/Denver"]),
    ("+16055550101", "57104", "SD", &["America/Chicago"]),
    ("+16055550101", "57701", "SD", &["America/Denver"]),
    ("+13085550101", "68801", "NE", &["America/Chicago"]),
    ("+13085550101", "69361", "NE", &["America/Denver"]),
    ("+16205550101", "67202", "KS", &["America/Chicago"]),
    ("+17855550101", "67735", "KS", &["America/Denver"]),
    ("+12705550101", "42101", "KY", &["America/Chicago"]),
    ("+15025550101", "40202", "KY", &["America/Kentucky/Louisville"]),
    ("+13175550101", "46204", "IN", &["America/Indiana/Indianapolis"]),
    ("+12195550101", "46402", "IN", &["America/Chicago"]),
    ("+18125550101", "47708", "IN", &["America/Chicago"]),
    ("+13135550101", "48226", "MI", &["America/Detroit"]),
    ("+19065550101", "49801", "MI", &["America/Menominee"]),
    ("+12055550101", "35203", "AL", &["America/Chicago"]),
    ("+13345550101", "36867", "AL", &["America/New_York", "America/Chicago"]),
    ("+12125550101", "10001", "NY", &["America/New_York"]),
    ("+13125550101", "60601", "IL", &["America/Chicago"]),
    ("+13035550101", "80202", "CO", &["America/Denver"]),
    ("+12135550101", "90012", "CA", &["America/Los_Angeles"]),
    ("+17875550101", "00901", "PR", &["America/Puerto_Rico"]),
    ("+13405550101", "00802", "VI", &["America/St_Thomas"]),
    ("+16715550101", "96910", "GU", &["Pacific/Guam"]),
    ("+16845550101", "96799", "AS", &["Pacific/Pago_Pago"]),
    // Without a ZIP: state and area code.
    ("+18655550101", "", "TN", &["America/New_York", "America/Chicago"]),
    ("+12125550101", "", "FL", &["America/New_York", "America/Chicago"]),
    ("+12125550101", "", "HI", &["Pacific/Honolulu", "America/New_York"]),
    ("+14805550101", "", "AZ", &["America/Phoenix", "America/Denver"]),
    ("+17755550101", "", "NV", &["America/Los_Angeles", "America/Denver"]),
    // Without a state: the area code.
    ("+18085550105", "", "", &["Pacific/Honolulu"]),
    ("+19075550101", "", "", &["America/Anchorage", "America/Adak"]),
    ("+18505550101", "", "", &["America/Chicago", "America/New_York"]),
    ("+19155550101", "", "", &["America/Denver"]),
    ("+15415550101", "", "", &["America/Los_Angeles", "America/Boise"]),
    ("+14165550101", "", "ON", &["America/Toronto"]),
    ("+17095550101", "", "NL", &["America/St_Johns"]),
    ("+16045550101", "", "", &["America/Vancouver"]),
    ("+18005550101", "", "", &["America/New_York", "Pacific/Honolulu", "America/Anchorage"]),
    ("+6582345678", "", "", &["Asia/Singapore"]),
    ("+442079460958", "", "", &["Europe/London"]),
];

#[test]
fn no_place_is_reached_before_eight_or_from_nine_in_the_evening_on() {
    assert!(PLACES.len() >= 60);
    let window = all_hours();
    // Winter, the nights when the clocks change, summer.
    for day in ["2026-01-14T00:00:00Z", "2026-03-08T00:00:00Z", "2026-07-15T00:00:00Z", "2026-11-01T00:00:00Z"] {
        for (number, zip, state, places) in PLACES {
            let given = |text: &'static str| Some(text).filter(|text| !text.is_empty());
            let zones = zones_of(number, Place { zip: given(zip), state: given(state) });
            let mut open = 0;
            for half_hour in 0..2 * DAY_MS / HALF_HOUR_MS {
                let now = at(day).plus_millis(half_hour * HALF_HOUR_MS);
                let may = window.open(now, &zones);
                open += u32::from(may);
                for place in *places {
                    let hour = local(now, &TimeZone::get(place).expect("a zone")).expect("a time").hour();
                    assert!(!may || (8..21).contains(&hour), "{number} {zip} {state}: {hour} o'clock in {place}");
                }
                if half_hour % 16 == 0 {
                    let all = window.open_zones(now);
                    assert_eq!(may, zones.iter().all(|zone| all.contains(zone)), "{zones:?}");
                }
            }
            assert!(open >= 2 * 2 * 7, "{number} {zip} {state} is reached at {open} half hours of two days");
        }
    }
}

#[test]
fn a_place_with_one_zone_has_the_whole_window() {
    let window = all_hours();
    let knoxville = zones_of("+18655550101", Place { zip: Some("37902"), state: Some("TN") });
    for (time, open) in [
        ("2026-01-14T12:59:59Z", false),
        ("2026-01-14T13:00:00Z", true),
        ("2026-01-15T01:59:59Z", true),
        ("2026-01-15T02:00:00Z", false),
        ("2026-07-15T12:00:00Z", true),
        ("2026-07-15T11:59:59Z", false),
    ] {
        assert_eq!(window.open(at(time), &knoxville), open, "{time}");
    }
    assert!(!window.open(at("2026-01-14T15:00:00Z"), &[] as &[&str]), "nowhere");
    assert!(!window.open(at("2026-01-14T15:00:00Z"), &["Mars/Olympus"]));
}

#[test]
fn the_next_opening_is_open_in_all_zones() {
    let window = SendWindow { from: Time::constant(9, 0, 0, 0), to: Time::constant(17, 0, 0, 0), ..all_hours() };
    let both = ["America/New_York", "Pacific/Honolulu"];
    assert_eq!(window.next(at("2026-01-14T10:00:00Z"), &both), Some(at("2026-01-14T19:00:00Z")));
    assert_eq!(window.next(at("2026-01-14T20:00:00Z"), &both), Some(at("2026-01-14T20:00:00Z")));
    assert_eq!(window.next(at("2026-01-14T22:00:00Z"), &both), Some(at("2026-01-15T19:00:00Z")));
    let never = SendWindow { from: Time::constant(9, 0, 0, 0), to: Time::constant(10, 0, 0, 0), ..window.clone() };
    assert_eq!(never.next(at("2026-01-14T10:00:00Z"), &both), None);
    // Monday to Friday, and Monday is a holiday: after Friday comes Tuesday.
    let week = SendWindow { days: (1..=5).collect(), federal_holidays: true, ..window };
    assert_eq!(week.next(at("2026-01-16T23:00:00Z"), &["America/New_York"]), Some(at("2026-01-20T14:00:00Z")));
}

#[test]
fn sundays_and_holidays_are_left_out_where_the_tenant_says_so() {
    let new_york = ["America/New_York"];
    let noon = |date: &str| at(&format!("{date}T17:00:00Z"));
    let window = |federal_holidays| SendWindow { days: (1..=6).collect(), federal_holidays, ..all_hours() };
    assert!(!window(false).open(noon("2026-11-29"), &new_york), "a Sunday");
    for day in [
        "2026-01-01",
        "2026-01-19",
        "2026-02-16",
        "2026-05-25",
        "2026-06-19",
        "2026-07-03",
        "2026-07-04",
        "2026-09-07",
        "2026-10-12",
        "2026-11-11",
        "2026-11-26",
        "2026-12-25",
    ] {
        assert!(!window(true).open(noon(day), &new_york) && window(false).open(noon(day), &new_york), "{day}");
    }
    assert!(window(true).open(noon("2026-11-27"), &new_york));
    let own = SendWindow { holidays: vec!["2026-11-27".parse().expect("a date")], ..window(false) };
    assert!(!own.open(noon("2026-11-27"), &new_york));
}

#[test]
fn a_day_begins_at_midnight_of_its_zone() {
    let (start, end) = day_of(at("2026-03-08T12:00:00Z"), "America/New_York").expect("a day");
    assert_eq!((start, end), (at("2026-03-08T05:00:00Z"), at("2026-03-09T04:00:00Z")));
    assert!(day_of(at("2026-03-08T12:00:00Z"), "Mars/Olympus").is_none() && !is_zone("") && is_zone("Etc/GMT-9"));
}
