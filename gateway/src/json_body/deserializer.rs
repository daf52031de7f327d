//! Deserialises a `Node`. A value of another type than the one asked for is a `Fault::Type` in the terms of JSON.

use serde::{
    de::{
        Deserializer, IntoDeserializer, Visitor,
        value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer},
    },
    forward_to_deserialize_any,
};

use super::{fault::Fault, node::Node};

impl Node {
    /// Whether it is no number that another JSON implementation would change.
    fn is_exact(&self) -> bool {
        match self {
            Self::Unsigned(value) => i64::try_from(*value).is_ok_and(|value| value <= MAX_EXACT),
            Self::Signed(value) => *value >= -MAX_EXACT,
            Self::Float(value) => value.abs() <= MAX_EXACT as f64,
            Self::Null | Self::Bool(_) | Self::Text(_) | Self::List(_) | Self::Object(_) => true,
        }
    }

    fn mismatch(&self, expected: &str) -> Fault {
        Fault::Type { expected: expected.to_owned(), found: self.type_name() }
    }
}

impl IntoDeserializer<'_, Fault> for &Node {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// Integers up to this size have one value in every JSON implementation; events are stored as RFC 8785 text, which has no
/// others.
const MAX_EXACT: i64 = (1 << 53) - 1;

macro_rules! integers {
    ($($method:ident $visit:ident $integer:ty,)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            let (least, most) = (i128::from(<$integer>::MIN), i128::from(<$integer>::MAX));
            let (least, most) = (least.max(-i128::from(MAX_EXACT)), most.min(i128::from(MAX_EXACT)));
            let value = match self {
                Node::Unsigned(value) => i128::from(*value),
                Node::Signed(value) => i128::from(*value),
                other => return Err(other.mismatch("an integer")),
            };
            match <$integer>::try_from(value) {
                Ok(exact) if (least..=most).contains(&value) => visitor.$visit(exact),
                _ => Err(Fault::Range { expected: format!("an integer from {least} to {most}") }),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for &Node {
    type Error = Fault;

    integers! {
        deserialize_i8 visit_i8 i8,
        deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64,
        deserialize_u8 visit_u8 u8,
        deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64,
    }

    forward_to_deserialize_any! { i128 u128 char bytes byte_buf identifier }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Node::Null => visitor.visit_unit(),
            Node::Bool(value) => visitor.visit_bool(*value),
            _ if !self.is_exact() => {
                Err(Fault::Range { expected: format!("a number from -{MAX_EXACT} to {MAX_EXACT}, or a text") })
            }
            Node::Unsigned(value) => visitor.visit_u64(*value),
            Node::Signed(value) => visitor.visit_i64(*value),
            Node::Float(value) => visitor.visit_f64(*value),
            Node::Text(value) => visitor.visit_str(value),
            Node::List(_) => self.deserialize_seq(visitor),
            Node::Object(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Node::Bool(value) => visitor.visit_bool(*value),
            other => Err(other.mismatch("a boolean")),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Node::Unsigned(_) | Node::Signed(_) | Node::Float(_) => self.deserialize_any(visitor),
            other => Err(other.mismatch("a number")),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Node::Text(value) => visitor.visit_str(value),
            other => Err(other.mismatch("a string")),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Node::Null => visitor.visit_none(),
            some => visitor.visit_some(some),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Node::Null => visitor.visit_unit(),
            other => Err(other.mismatch("null")),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Node::List(items) = self else { return Err(self.mismatch("an array")) };
        let mut items = SeqDeserializer::new(items.iter());
        let value = visitor.visit_seq(&mut items)?;
        items.end()?;
        Ok(value)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Node::Object(entries) = self else { return Err(self.mismatch("an object")) };
        visitor.visit_map(MapDeserializer::new(entries.iter().map(|(name, node)| (name.as_str(), node))))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_map(visitor)
    }

    /// `"variant"`, or `{"variant": content}`.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self {
            Node::Text(variant) => visitor.visit_enum(variant.as_str().into_deserializer()),
            Node::Object(entries) if entries.len() == 1 => {
                let entries = entries.iter().map(|(name, node)| (name.as_str(), node));
                visitor.visit_enum(MapAccessDeserializer::new(MapDeserializer::new(entries)))
            }
            other => Err(other.mismatch("a string")),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }
}
