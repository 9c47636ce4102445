//! Values that have a short form, a number or a name, and a long one, a table.

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::marker::PhantomData;

/// What the short forms mean; `Deserialize` reads the table. What serde derives for such values says only that nothing
/// matched; this says what is wrong.
pub(super) trait Short: Sized {
    /// What a message says that is expected.
    const EXPECTED: &'static str;

    /// From a whole number.
    fn whole<E: Error>(value: i64) -> Result<Self, E> {
        Err(E::invalid_value(Unexpected::Signed(value), &Self::EXPECTED))
    }

    /// From a number.
    fn real<E: Error>(value: f64) -> Result<Self, E> {
        Err(E::invalid_type(Unexpected::Float(value), &Self::EXPECTED))
    }

    /// From a name.
    fn name<E: Error>(name: &str) -> Result<Self, E> {
        Err(E::invalid_value(Unexpected::Str(name), &Self::EXPECTED))
    }
}

/// Reads either form.
pub(super) fn short_or_table<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Short + Deserialize<'de>,
    D: Deserializer<'de>,
{
    struct Either<T>(PhantomData<T>);
    impl<'de, T: Short + Deserialize<'de>> Visitor<'de> for Either<T> {
        type Value = T;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str(T::EXPECTED)
        }

        fn visit_i64<E: Error>(self, value: i64) -> Result<T, E> {
            T::whole(value)
        }

        fn visit_f64<E: Error>(self, value: f64) -> Result<T, E> {
            T::real(value)
        }

        fn visit_str<E: Error>(self, name: &str) -> Result<T, E> {
            T::name(name)
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map))
        }
    }
    deserializer.deserialize_any(Either(PhantomData))
}
