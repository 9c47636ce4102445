//! What a command can ask of a model.

use crate::traits::Model;

/// Something that a [`Model`] may be able to do, one for each of its getters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// [`Model::density`]
    Density,
    /// [`Model::generator`]
    Generate,
    /// [`Model::encoder`]
    Represent,
    /// [`Model::decoder`]
    Decode,
    /// [`Model::conditionals`]
    Autoregressive,
    /// [`Model::any_order`]
    AnyOrder,
    /// [`Model::latent`]
    Latent,
}

impl Capability {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Density,
        Self::Generate,
        Self::Represent,
        Self::Decode,
        Self::Autoregressive,
        Self::AnyOrder,
        Self::Latent,
    ];

    /// Whether the model has it.
    pub fn is_of(self, model: &dyn Model) -> bool {
        match self {
            Self::Density => model.density().is_some(),
            Self::Generate => model.generator().is_some(),
            Self::Represent => model.encoder().is_some(),
            Self::Decode => model.decoder().is_some(),
            Self::Autoregressive => model.conditionals().is_some(),
            Self::AnyOrder => model.any_order().is_some(),
            Self::Latent => model.latent().is_some(),
        }
    }

    /// What it is good for, as a sentence goes on after "it can".
    pub(crate) fn does(self) -> &'static str {
        match self {
            Self::Density => "score examples",
            Self::Generate => "sample",
            Self::Represent => "encode examples",
            Self::Decode => "decode codes",
            Self::Autoregressive => "sample position by position",
            Self::AnyOrder => "sample given any of the values",
            Self::Latent => "give importance-weighted bounds",
        }
    }
}
