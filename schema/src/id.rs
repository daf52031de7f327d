//! Ids: `{prefix}_{ULID}`, one Rust type per kind, so that a run id can never be passed where a block id is meant.
//!
//! A ULID is 26 upper-case Crockford characters; ids generated in one process strictly increase. Parsing is strict: the text
//! is parsed, encoded again and compared, because the ULID parser accepts lower case and overflow.

use std::{fmt, marker::PhantomData, str::FromStr, sync::Mutex};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Visitor};
use ulid::{ULID_LEN, Ulid};

/// Why a text is not an id of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    #[error("expected an id that starts with `{expected}_`, found `{found}`")]
    Prefix { expected: &'static str, found: String },
    #[error("an id of this kind is `{prefix}_` and 26 characters, found {found} after the prefix")]
    Length { prefix: &'static str, found: usize },
    #[error("`{found}` is not in the Crockford alphabet (0-9 and A-Z without I, L, O, U)")]
    Alphabet { found: char },
    #[error("an id is written in upper case, found `{found}`")]
    Case { found: char },
    #[error("the first of the 26 characters is 0 to 7, found `{found}`: the value overflows 128 bits")]
    Overflow { found: char },
}

static GENERATOR: Mutex<Option<ulid::Generator>> = Mutex::new(None);

/// The only source of new ULIDs: strictly increasing in this process, even when the clock steps back.
#[allow(clippy::disallowed_methods)]
fn fresh() -> Ulid {
    let mut guard = GENERATOR.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    loop {
        match guard.get_or_insert_with(ulid::Generator::new).generate() {
            Ok(ulid) => return ulid,
            // More than 2^80 ids in one millisecond.
            Err(_) => *guard = None,
        }
    }
}

fn parse(prefixes: &[&'static str], text: &str) -> Result<Ulid, IdError> {
    let expected = prefixes[0];
    let body = prefixes.iter().find_map(|prefix| text.strip_prefix(prefix)?.strip_prefix('_'));
    let Some(body) = body else {
        let found = text.split('_').next().unwrap_or_default().chars().take(24).collect();
        return Err(IdError::Prefix { expected, found });
    };
    for found in body.chars() {
        match found {
            '0'..='9' | 'A'..='H' | 'J' | 'K' | 'M' | 'N' | 'P'..='T' | 'V'..='Z' => {}
            'a'..='z' => return Err(IdError::Case { found }),
            _ => return Err(IdError::Alphabet { found }),
        }
    }
    if body.len() != ULID_LEN {
        return Err(IdError::Length { prefix: expected, found: body.len() });
    }
    if let Some(found @ '8'..='Z') = body.chars().next() {
        return Err(IdError::Overflow { found });
    }
    let ulid = Ulid::from_string(body).map_err(|_| IdError::Length { prefix: expected, found: body.len() })?;
    let mut encoded = [0; ULID_LEN];
    match body.chars().zip(ulid.array_to_str(&mut encoded).chars()).find(|(found, canonical)| found != canonical) {
        Some((found, _)) => Err(IdError::Alphabet { found }),
        None => Ok(ulid),
    }
}

/// An id's text on the stack: a dozen ids are written per event, without allocating.
struct Text {
    bytes: [u8; LONGEST],
    length: usize,
}

/// `template_` and a ULID.
const LONGEST: usize = 9 + ULID_LEN;

impl Text {
    fn of(prefix: &'static str, ulid: Ulid) -> Self {
        let (mut bytes, mut body) = ([0; LONGEST], [0; ULID_LEN]);
        let (at, length) = (prefix.len() + 1, prefix.len() + 1 + ULID_LEN);
        bytes[..prefix.len()].copy_from_slice(prefix.as_bytes());
        bytes[prefix.len()] = b'_';
        bytes[at..length].copy_from_slice(ulid.array_to_str(&mut body).as_bytes());
        Self { bytes, length }
    }

    fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

/// Deserialises an id without copying its text.
struct IdVisitor<T>(PhantomData<T>);

impl<T: FromStr<Err = IdError>> Visitor<'_> for IdVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

/// An id kind: a type over a ULID with its own prefix.
pub trait IdKind: Copy + fmt::Display + FromStr<Err = IdError> {
    const PREFIX: &'static str;
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal $(| $alias:literal)*;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Ulid);

        impl $name {
            /// A new id, greater than every earlier one of this process.
            pub fn generate() -> Self { Self(fresh()) }
            /// The id with a ULID that was derived elsewhere (lead ids derive from their input and row).
            pub const fn from_ulid(ulid: Ulid) -> Self { Self(ulid) }
            pub const fn ulid(self) -> Ulid { self.0 }
        }
        impl IdKind for $name { const PREFIX: &'static str = $prefix; }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(Text::of($prefix, self.0).as_str()) }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Display::fmt(self, f) }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> { parse(&[$prefix $(, $alias)*], text).map(Self) }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(Text::of($prefix, self.0).as_str())
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                d.deserialize_str(IdVisitor(PhantomData))
            }
        }
        impl sqlx::Type<sqlx::Postgres> for $name {
            fn type_info() -> sqlx::postgres::PgTypeInfo { <String as sqlx::Type<sqlx::Postgres>>::type_info() }
            fn compatible(ty: &sqlx::postgres::PgTypeInfo) -> bool { <String as sqlx::Type<sqlx::Postgres>>::compatible(ty) }
        }
        impl sqlx::postgres::PgHasArrayType for $name {
            fn array_type_info() -> sqlx::postgres::PgTypeInfo { <String as sqlx::postgres::PgHasArrayType>::array_type_info() }
        }
        impl sqlx::Encode<'_, sqlx::Postgres> for $name {
            fn encode_by_ref(&self, buf: &mut sqlx::postgres::PgArgumentBuffer) -> Result<sqlx::encode::IsNull, sqlx::error::BoxDynError> {
                <&str as sqlx::Encode<sqlx::Postgres>>::encode(Text::of($prefix, self.0).as_str(), buf)
            }
        }
        impl<'r> sqlx::Decode<'r, sqlx::Postgres> for $name {
            fn decode(value: sqlx::postgres::PgValueRef<'r>) -> Result<Self, sqlx::error::BoxDynError> {
                Ok(<&str as sqlx::Decode<sqlx::Postgres>>::decode(value)?.parse()?)
            }
        }
    )*

        /// Every prefix with the type it belongs to, for documents and tests.
        pub const ID_KINDS: &[(&str, &str)] = &[$((stringify!($name), $prefix)),*];
    };
}

ids! {
    /// A tenant: the owner of everything below it.
    TenantId = "tenant";
    /// A person, a system or an automation that acts for a tenant.
    ActorId = "actor";
    LeadId = "lead";
    ContactId = "contact";
    RunId = "run";
    BlockId = "block";
    ArtifactId = "art";
    BlueprintId = "bp";
    AutomationId = "auto";
    WebhookId = "wh" | "evt";
    AttemptId = "att" | "atm";
    SectorId = "sector";
    CampaignId = "camp";
    MessageId = "msg";
    TemplateId = "tpl" | "template";
    CorrelationId = "corr";
    ImportId = "import";
    CallId = "call";
    /// One request to a provider about leads.
    LookupId = "lookup";
    ReportId = "rpt";
    SessionId = "sess";
    KeyId = "key";
    /// A page of the dashboard with its filters.
    ViewId = "view";
    /// A request to erase a person.
    ErasureId = "erasure";
    EventId = "ev";
    LabelId = "lbl";
    TagId = "tag";
    FlagId = "flg";
}
