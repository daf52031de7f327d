//! What is wrong with a JSON value, as data.

use std::fmt::{self, Display, Formatter};

use serde::de::{Error, Expected, Unexpected};

type Names = &'static [&'static str];

/// The error type of the deserialiser. Its text is the reason that the caller sees, without the field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    Missing(&'static str),
    Unknown {
        name: String,
        known: Names,
    },
    Duplicate {
        name: String,
    },
    Variant {
        value: String,
        known: Names,
    },
    Type {
        expected: String,
        found: &'static str,
    },
    Range {
        expected: String,
    },
    /// In the words of the type that was to be read.
    Other(String),
}

impl std::error::Error for Fault {}

impl Display for Fault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(_) => write!(f, "is required"),
            Self::Unknown { known: [], .. } => write!(f, "is not a known field"),
            Self::Unknown { known, .. } => write!(f, "is not a known field; known: {}", quoted(known)),
            Self::Duplicate { .. } => write!(f, "occurs twice"),
            Self::Variant { value, known } => write!(f, "`{value}` is not one of {}", quoted(known)),
            Self::Type { expected, found } => write!(f, "expected {expected}, found {found}"),
            Self::Range { expected } => write!(f, "expected {expected}"),
            Self::Other(reason) => write!(f, "{reason}"),
        }
    }
}

fn quoted(names: Names) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

impl Error for Fault {
    fn custom<T: Display>(reason: T) -> Self {
        Self::Other(reason.to_string())
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing(field)
    }

    fn unknown_field(field: &str, expected: Names) -> Self {
        Self::Unknown { name: field.to_owned(), known: expected }
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::Duplicate { name: field.to_owned() }
    }

    fn unknown_variant(variant: &str, expected: Names) -> Self {
        Self::Variant { value: variant.to_owned(), known: expected }
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::Type { expected: expected.to_string(), found: type_name(&unexpected) }
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::Range { expected: expected.to_string() }
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::Other(format!("expected {expected}, found {length} elements"))
    }
}

/// The JSON type of a value.
fn type_name(value: &Unexpected<'_>) -> &'static str {
    match value {
        Unexpected::Bool(_) => "a boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "an integer",
        Unexpected::Float(_) => "a number",
        Unexpected::Char(_) | Unexpected::Str(_) => "a string",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::Seq => "an array",
        Unexpected::Map => "an object",
        _ => "another type",
    }
}
