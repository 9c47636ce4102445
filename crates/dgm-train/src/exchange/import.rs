//! Weights that another program trained, into a model.

use super::tensors_of;
use crate::error::{Error, Result};
use burn::module::Module;
use burn::store::{ModuleSnapshot, ModuleStore, PyTorchToBurnAdapter, SafetensorsStore, bridge};

/// The module with the weights of this safetensors file: those of a PyTorch module whose state dict has the names, shapes and layouts that
/// [`export`](super::export) writes. Numbers of another float type become those of 32 bits. `name` names the file in messages, `config` what describes
/// the module.
///
/// # Errors
/// No such file, a tensor that is missing, is not one of the module, has another shape or holds what is no finite number: the first such, by name.
pub fn with_weights<M: Module>(mut module: M, bytes: Vec<u8>, name: &str, config: &str) -> Result<M> {
    let unreadable = |error: String| {
        Error::input(format!(
            "{name}: cannot be read as safetensors ({error}); write the file again, in PyTorch with \
             safetensors.torch.save_file(module.state_dict(), \"{name}\")"
        ))
    };
    let mut store = SafetensorsStore::from_bytes(Some(bytes));
    let mut found = store.get_all_tensors().map_err(|error| unreadable(error.to_string()))?.clone();
    let own = tensors_of(&module);
    let mut taken = Vec::with_capacity(own.len());
    for expected in &own {
        let (tensor, shape) = (&expected.name, expected.shape.to_vec());
        let Some(other) = found.remove(tensor) else {
            return Err(Error::input(format!(
                "{name}: found no tensor `{tensor}`; expected one of shape {shape:?}; name tensors as dgm-train export does, or change \
                 [model] of {config} to what was trained"
            )));
        };
        if other.shape != expected.shape {
            return Err(Error::input(format!(
                "{name}: the tensor `{tensor}` has the shape {:?}; expected {shape:?}; give it that shape, or change [model] or [data] of \
                 {config} to what was trained",
                other.shape.to_vec()
            )));
        }
        if !other.dtype.is_float() {
            return Err(Error::input(format!(
                "{name}: the tensor `{tensor}` holds numbers of type {:?}; expected floats; convert it",
                other.dtype
            )));
        }
        let data = bridge::into_data(other).map_err(|error| unreadable(error.to_string()))?.convert::<f32>();
        if let Some(number) = data.iter::<f32>().find(|number| !number.is_finite()) {
            return Err(Error::input(format!(
                "{name}: the tensor `{tensor}` holds {number}; expected finite numbers of 32 bits; give weights that are"
            )));
        }
        taken.push(bridge::from_data(data, tensor.clone(), None));
    }
    if let Some((tensor, other)) = found.first_key_value() {
        return Err(Error::input(format!(
            "{name}: found a tensor `{tensor}` of shape {:?}, which the model has not; expected {} tensors and no other; leave it out, or \
             change [model] of {config} to what was trained",
            other.shape.to_vec(),
            own.len()
        )));
    }
    let applied = module.apply(taken, None, Some(Box::new(PyTorchToBurnAdapter)), true);
    match applied.applied.len() == own.len() {
        true => Ok(module),
        false => Err(Error::run(format!("{name}: {} of {} tensors fit the model", applied.applied.len(), own.len()))),
    }
}
