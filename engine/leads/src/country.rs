//! Countries by their ISO 3166 code, and the country of a phone number.

mod names;
mod regions;

use std::{fmt, str::FromStr};

use rlibphonenumber::{PHONE_NUMBER_UTIL, Region};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use self::names::{CODES, NAMES, NO_VALUE};

/// Two capital letters (ISO 3166-1). The territories of the United States count as `US`: they share its numbers and laws.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

/// What a text in the place of a country says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Named {
    /// Nothing: empty, or a word for that.
    #[default]
    Nothing,
    Country(Country),
    /// Some country, but not which.
    Unknown,
}

impl Named {
    pub fn known(self) -> Option<Country> {
        match self {
            Self::Country(country) => Some(country),
            Self::Nothing | Self::Unknown => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a country: expected a code like US")]
pub struct UnknownCountry(pub String);

/// Lower-case words: `U.S.A.` is `usa`.
fn fold(text: &str) -> String {
    let lower = text.to_lowercase();
    let plain: String =
        lower.chars().filter(|c| *c != '.').map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Country {
    pub const US: Self = Self(*b"US");
    pub const CA: Self = Self(*b"CA");

    /// A code, an English name or a calling code; `None` for what is none of them.
    pub fn of_text(text: &str) -> Option<Self> {
        Self::named(text).known()
    }

    /// As `of_text`, and whether a country is named that is not known: its numbers are not those of the United States.
    pub fn named(text: &str) -> Named {
        let key = fold(text);
        if NO_VALUE.contains(&key.as_str()) {
            return Named::Nothing;
        }
        if let Some((_, code)) = NAMES.iter().chain(CODES).find(|(name, _)| *name == key) {
            return code.parse().map_or(Named::Unknown, Named::Country);
        }
        let words = || key.split(' ');
        // `US - United States`, `United States (USA)`
        if key.contains("united states") || words().all(|word| matches!(word, "us" | "usa")) {
            return Named::Country(Self::US);
        }
        Self::of_calling_code(&key).or_else(|| key.parse().ok()).map_or(Named::Unknown, Named::Country)
    }

    /// `44` → `GB`; `1` is North America.
    fn of_calling_code(digits: &str) -> Option<Self> {
        let code: i32 = digits.parse().ok().filter(|code| *code > 0)?;
        Self::of_region(PHONE_NUMBER_UTIL.get_region_for_country_code(code)?)
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Whether numbers of the country are dialled as in the United States: ten digits after +1.
    pub fn north_american(self) -> bool {
        self.region().is_some_and(|region| PHONE_NUMBER_UTIL.is_nanpa_country(region))
    }

    pub(crate) fn region(self) -> Option<Region> {
        Region::from_str(self.as_str()).ok()
    }

    fn of_region(region: Region) -> Option<Self> {
        match region {
            Region::PR | Region::VI | Region::GU | Region::MP | Region::AS => Some(Self::US),
            other => <[u8; 2]>::try_from(other.as_region_str().as_bytes()).ok().map(Self),
        }
    }
}

impl FromStr for Country {
    type Err = UnknownCountry;

    fn from_str(text: &str) -> Result<Self, UnknownCountry> {
        let unknown = || UnknownCountry(text.into());
        let region = Region::from_str(&text.to_ascii_uppercase()).map_err(|_| unknown())?;
        PHONE_NUMBER_UTIL.get_country_code_for_region(region).ok_or_else(unknown)?;
        Self::of_region(region).ok_or_else(unknown)
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Country {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Country {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// The country of a number in E.164; `None` when its calling code belongs to none.
pub fn country(e164: &str) -> Option<Country> {
    let number = PHONE_NUMBER_UTIL.parse(e164, None).ok()?;
    let region = PHONE_NUMBER_UTIL.get_region_for_number(&number);
    // Numbers kept for fiction (555) belong to no region of +1; they are dialled as in the United States.
    let region = region.or_else(|| PHONE_NUMBER_UTIL.get_region_for_country_code(number.country_code));
    Country::of_region(region?)
}

/// The country that has this name, in lower-case words.
pub fn country_named(words: &str) -> Option<Country> {
    NAMES.iter().find(|(name, _)| *name == words)?.1.parse().ok()
}

/// Whether a text is a province or territory of Canada, or its code.
pub fn is_canadian(text: &str) -> bool {
    regions::CANADA.contains(&fold_region(text).as_str())
}

/// The country outside of North America that a text in the place of a state names: by itself (`England`), or by one of its regions.
pub fn of_region(text: &str) -> Option<Country> {
    let key = fold_region(text);
    let region = regions::ABROAD.iter().find(|(_, regions)| regions.contains(&key.as_str()));
    // Codes of two letters are states and provinces more often than countries.
    let country = region.map_or_else(|| country_named(&key), |(code, _)| code.parse().ok())?;
    (!country.north_american()).then_some(country)
}

/// As `fold`, without accents.
fn fold_region(text: &str) -> String {
    fold(&text.nfkd().filter(|c| !is_combining_mark(*c)).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_belong_to_countries() {
        for (number, code) in [
            ("+12125550147", "US"),
            ("+15555550100", "US"),
            ("+17875550100", "US"),
            ("+18005550100", "US"),
            ("+14165550100", "CA"),
            ("+18765550100", "JM"),
            ("+16582345678", "JM"),
            ("+18095550100", "DO"),
            ("+6582345678", "SG"),
            ("+442079460958", "GB"),
            ("+4533123456", "DK"),
            ("+77012345678", "KZ"),
            ("+79161234567", "RU"),
        ] {
            assert_eq!(country(number).map(|c| c.to_string()).as_deref(), Some(code), "{number}");
        }
        assert_eq!(country("+9991234"), None);
        assert_eq!(country(""), None);
    }

    #[test]
    fn codes_and_names() {
        for (text, code) in [
            ("us", Some("US")),
            ("USA", Some("US")),
            ("U.S.A.", Some("US")),
            ("United States", Some("US")),
            ("PR", Some("US")),
            ("Canada", Some("CA")),
            ("Singapore", Some("SG")),
            ("GB", Some("GB")),
            ("UK", Some("GB")),
            ("GBR", Some("GB")),
            ("DEU", Some("DE")),
            ("Greece", Some("GR")),
            ("1", Some("US")),
            ("+44", Some("GB")),
            ("US - United States", Some("US")),
            ("USA (US)", Some("US")),
            ("XX", None),
            ("Narnia", None),
            ("", None),
        ] {
            assert_eq!(Country::of_text(text).map(|c| c.to_string()).as_deref(), code, "{text}");
        }
        for nothing in ["", " ", "-", "N/A", "none", "NULL", "unknown"] {
            assert_eq!(Country::named(nothing), Named::Nothing, "{nothing}");
        }
        for unknown in ["Narnia", "XX", "ZZZ", "999"] {
            assert_eq!(Country::named(unknown), Named::Unknown, "{unknown}");
        }
        assert_eq!(serde_json::to_string(&Country::CA).unwrap(), "\"CA\"");
        assert!(serde_json::from_str::<Country>("\"ZZ\"").is_err());
    }
}
