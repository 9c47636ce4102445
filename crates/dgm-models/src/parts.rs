//! The registry that every kind of part of a model has: its configuration is a name, or a table with the key `kind` and the keys
//! of that kind.

use serde::{Deserialize, Serialize};

/// A part without keys of its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plain {}

/// An enum over the kinds of a part, `$Config`, from a line each: the name in a configuration, the type of its keys and the variant.
macro_rules! part {
    (
        $(#[$doc:meta])*
        $Config:ident, such as $example:literal:
        $($(#[$variant_doc:meta])* $kind:literal => $config:ty as $variant:ident),+ $(,)?
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize)]
        #[serde(tag = "kind")]
        pub enum $Config {
            $(
                $(#[$variant_doc])*
                #[doc = concat!("`kind = \"", $kind, "\"`")]
                #[serde(rename = $kind)]
                $variant($config),
            )+
        }

        impl $Config {
            /// The names that `kind` may have.
            pub const KINDS: &[&str] = &[$($kind),+];

            /// The part of this name with the defaults of its keys; `None`: there is none.
            pub fn of_kind(kind: &str) -> Option<Self> {
                match kind {
                    $($kind => Some(Self::$variant(Default::default())),)+
                    _ => None,
                }
            }

            /// Its name in a configuration.
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$variant(_) => $kind,)+ }
            }
        }

        impl<'de> serde::Deserialize<'de> for $Config {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                #[derive(serde::Deserialize)]
                #[serde(tag = "kind")]
                enum Table {
                    $(#[serde(rename = $kind)] $variant($config),)+
                }

                struct Either;
                impl<'de> serde::de::Visitor<'de> for Either {
                    type Value = $Config;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        formatter.write_str(concat!("a name, or a table such as ", $example))
                    }

                    fn visit_str<E: serde::de::Error>(self, kind: &str) -> Result<$Config, E> {
                        $Config::of_kind(kind).ok_or_else(|| E::unknown_variant(kind, $Config::KINDS))
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<$Config, A::Error> {
                        let table = <Table as serde::Deserialize>::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                        Ok(match table { $(Table::$variant(config) => $Config::$variant(config),)+ })
                    }
                }
                deserializer.deserialize_any(Either)
            }
        }
    };
}
pub(crate) use part;
