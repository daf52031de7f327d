//! Words that stand in names and are none.

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
];

/// Letters and digits in lower case, without dots: `M.D.` is `md`.
fn bare(word: &str) -> String {
    word.chars().filter(|c| c.is_alphanumeric() || *c == '/').flat_map(char::to_lowercase).collect()
}

pub(super) fn title(word: &str) -> bool {
    TITLES.contains(&bare(word).as_str())
}

pub(super) fn suffix(word: &str) -> bool {
    SUFFIXES.contains(&bare(word).as_str())
}

pub(super) fn placeholder(word: &str) -> bool {
    PLACEHOLDERS.contains(&bare(word).as_str())
}

pub(super) fn body(word: &str) -> bool {
    BODIES.contains(&bare(word).as_str())
}

/// Joins two people: `Ann & Bob`, `Mr. and Mrs.`
pub(super) fn joins(word: &str) -> bool {
    matches!(word.to_lowercase().as_str(), "&" | "and" | "or" | "+" | "/" | "y" | "und" | "et" | "c/o")
}
