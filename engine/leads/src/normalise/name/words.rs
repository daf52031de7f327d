//! Words in name cells that are not names.

use std::{collections::HashMap, sync::LazyLock};

/// Titles before a name.
const TITLES: &[&str] = &[
    "mr",
    "mrs",
    "ms",
    "miss",
    "mx",
    "dr",
    "prof",
    "professor",
    "doctor",
    "rev",
    "reverend",
    "fr",
    "father",
    "sr",
    "sra",
    "srta",
    "sir",
    "madam",
    "dame",
    "lord",
    "lady",
    "hon",
    "judge",
    "capt",
    "captain",
    "col",
    "maj",
    "lt",
    "sgt",
    "gen",
    "cpl",
    "pvt",
    "rabbi",
    "imam",
    "sister",
    "brother",
    "pastor",
    "herr",
    "frau",
    "mme",
    "mlle",
    "messrs",
];

/// Suffixes after a name.
const SUFFIXES: &[&str] = &[
    "jr", "sr", "jnr", "snr", "junior", "senior", "ii", "iii", "iv", "md", "do", "dds", "dmd", "dvm", "phd", "esq",
    "esquire", "cpa", "mba", "rn", "np", "pa", "pc", "jd", "llm", "pe", "cfp", "cfa", "od", "dc", "dpm", "lcsw", "ret",
    "usn", "usmc", "usaf", "ceo", "cfo", "cto", "vp",
];

/// What is typed where no name is known, and names of roles.
const PLACEHOLDERS: &[&str] = &[
    "n/a",
    "na",
    "none",
    "null",
    "nil",
    "nan",
    "unknown",
    "test",
    "tbd",
    "owner",
    "homeowner",
    "resident",
    "occupant",
    "current",
    "customer",
    "client",
    "contact",
    "manager",
    "office",
    "info",
    "sales",
    "admin",
    "accounting",
    "reception",
    "department",
    "staff",
    "team",
    "name",
    "first",
    "last",
    "user",
    "guest",
    "anonymous",
    "friend",
    "there",
    "estate",
    "undefined",
    "blank",
    "nobody",
    "valued",
    "dear",
    "deceased",
    "fnu",
    "lnu",
    "nfn",
    "nmn",
    "no",
    "not",
    "xx",
    "xxx",
    "firstname",
    "lastname",
    "fname",
    "lname",
    "accounts",
    "hr",
    "human",
    "general",
    "front",
    "store",
    "branch",
    "main",
    "trustee",
    "tenant",
    "neighbor",
    "wife",
    "husband",
    "spouse",
    "attn",
    "attention",
    "customers",
    "service",
    "support",
    "the",
];

/// Words of companies and other bodies.
const BODIES: &[&str] = &[
    "services",
    "service",
    "solutions",
    "group",
    "enterprises",
    "associates",
    "partners",
    "properties",
    "holdings",
    "trust",
    "bank",
    "church",
    "school",
    "university",
    "college",
    "county",
    "city",
    "department",
    "dept",
    "hotel",
    "restaurant",
    "plumbing",
    "roofing",
    "construction",
    "contracting",
    "contractors",
    "realty",
    "insurance",
    "agency",
    "consulting",
    "systems",
    "industries",
    "management",
    "investments",
    "ventures",
    "foundation",
    "association",
    "gmbh",
    "inc",
    "incorporated",
    "llc",
    "ltd",
    "limited",
    "corp",
    "corporation",
    "company",
    "llp",
    "pllc",
    "plc",
    "dba",
    "desk",
    "payable",
    "receivable",
    "resources",
    "manager",
    "customer",
    "team",
    "office",
    "family",
    "motors",
    "auto",
    "automotive",
    "dental",
    "dentistry",
    "clinic",
    "medical",
    "pharmacy",
    "hospital",
    "pizza",
    "cafe",
    "bakery",
    "salon",
    "barbershop",
    "electric",
    "electrical",
    "heating",
    "cooling",
    "hvac",
    "landscaping",
    "cleaning",
    "cleaners",
    "painting",
    "builders",
    "trucking",
    "logistics",
    "marketing",
    "design",
    "studio",
    "fitness",
    "academy",
    "center",
    "centre",
    "supply",
    "repair",
    "rentals",
    "towing",
    "storage",
    "staffing",
    "accounting",
    "advisors",
    "technologies",
    "software",
    "international",
    "store",
    "shop",
];

/// The lists that a word stands in, as bits.
static WORDS: LazyLock<HashMap<&'static str, u8>> = LazyLock::new(|| {
    let mut words = HashMap::new();
    for (list, bit) in [(TITLES, TITLE), (SUFFIXES, SUFFIX), (PLACEHOLDERS, PLACEHOLDER), (BODIES, BODY)] {
        list.iter().for_each(|word| *words.entry(*word).or_insert(0) |= bit);
    }
    words
});

const TITLE: u8 = 1;
const SUFFIX: u8 = 2;
const PLACEHOLDER: u8 = 4;
const BODY: u8 = 8;

/// The lists of a word: by its letters and digits in lower case, without dots (`M.D.` is `md`).
fn lists(word: &str) -> u8 {
    let bare: String = word.chars().filter(|c| c.is_alphanumeric() || *c == '/').flat_map(char::to_lowercase).collect();
    WORDS.get(bare.as_str()).copied().unwrap_or(0)
}

/// Whether the word is in no list.
pub(super) fn ordinary(word: &str) -> bool {
    lists(word) == 0
}

pub(super) fn title(word: &str) -> bool {
    lists(word) & TITLE != 0
}

pub(super) fn suffix(word: &str) -> bool {
    lists(word) & SUFFIX != 0
}

pub(super) fn placeholder(word: &str) -> bool {
    lists(word) & PLACEHOLDER != 0
}

pub(super) fn body(word: &str) -> bool {
    lists(word) & BODY != 0
}

/// Joins two people: `Ann & Bob`, `Mr. and Mrs.`
pub(super) fn joins(word: &str) -> bool {
    ["&", "and", "or", "+", "/", "und", "et", "c/o", "etal", "etux"].iter().any(|join| word.eq_ignore_ascii_case(join))
        // `Y` is an initial.
        || word == "y"
}
