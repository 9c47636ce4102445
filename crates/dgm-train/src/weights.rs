//! A model's weights as bytes, and their digest.

use crate::data::Fingerprint;
use crate::error::{Error, Result};
use burn::module::Module;
use dgm_core::parameter::Parameter;

/// SHA-256 over models' weights, one model after the other, in the order of its parameters: each one's shape and its numbers as
/// little-endian f32.
pub fn weights_sha256<'a, M: Module + 'a>(models: impl IntoIterator<Item = &'a M>) -> String {
    let mut hash = Fingerprint::default();
    for Parameter { shape, value, .. } in models.into_iter().flat_map(Parameter::of) {
        shape.iter().for_each(|&size| hash.update(&(size as u64).to_le_bytes()));
        value.into_data().iter::<f32>().for_each(|number| hash.update(&number.to_le_bytes()));
    }
    hash.finish()
}

/// A module's weights as bytes.
pub(crate) fn bytes_of(model: &impl Module) -> Result<Vec<u8>> {
    let bytes = model.clone().into_record().into_bytes();
    bytes.map(|bytes| bytes.to_vec()).map_err(|error| Error::run(format!("the weights cannot be saved: {error}")))
}
