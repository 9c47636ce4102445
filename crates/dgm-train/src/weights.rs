//! A model's weights as bytes, and their digest.

use crate::data::Fingerprint;
use crate::error::{Error, Result};
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;

/// SHA-256 over models' weights, one model after the other, in the order of its parameters: each one's shape and its numbers as
/// little-endian f32.
pub fn weights_sha256<'a, M: Module + 'a>(models: impl IntoIterator<Item = &'a M>) -> String {
    struct Hash(Fingerprint);
    impl ModuleVisitor for Hash {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let value = param.val();
            value.dims().iter().for_each(|&size| self.0.update(&(size as u64).to_le_bytes()));
            value.into_data().iter::<f32>().for_each(|number| self.0.update(&number.to_le_bytes()));
        }
    }
    let mut hash = Hash(Fingerprint::default());
    models.into_iter().for_each(|model| model.visit(&mut hash));
    hash.0.finish()
}

/// A module's weights as bytes.
pub(crate) fn bytes_of(model: &impl Module) -> Result<Vec<u8>> {
    let bytes = model.clone().into_record().into_bytes();
    bytes.map(|bytes| bytes.to_vec()).map_err(|error| Error::run(format!("the weights cannot be saved: {error}")))
}
