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
    // A zip archive: what `torch.save` writes.
    if bytes.starts_with(b"PK") {
        return Err(Error::input(format!(
            "{name}: found a pickle of PyTorch; expected safetensors; write the weights in PyTorch with \
             safetensors.torch.save_file(module.state_dict(), \"weights.safetensors\")"
        )));
    }
    let unreadable = |error: String| {
        Error::input(format!(
            "{name}: cannot be read as safetensors ({error}); write the file again, in PyTorch with \
             safetensors.torch.save_file(module.state_dict(), \"weights.safetensors\"), or with dgm-train export"
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
                "{name}: the tensor `{tensor}` holds {number}; expected finite numbers of 32 bits; train without it, or convert what is too large"
            )));
        }
        taken.push(bridge::from_data(data, tensor.clone(), None));
    }
    if let Some((tensor, other)) = found.first_key_value() {
        return Err(Error::input(format!(
            "{name}: found a tensor `{tensor}` of shape {:?} that the model does not have; expected {} tensors and no other; leave it out, or \
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

#[cfg(all(test, feature = "flex"))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
    use burn::store::BurnToPyTorchAdapter;
    use burn::tensor::{Device, Tensor};
    use dgm_core::parameter::Parameter;

    /// All that has another name or layout in PyTorch.
    #[derive(Module, Debug)]
    struct Both {
        layer: Linear,
        norm: LayerNorm,
    }

    fn module() -> Both {
        let device = Device::flex();
        Both { layer: LinearConfig::new(2, 3).init(&device), norm: LayerNormConfig::new(3).init(&device) }
    }

    fn file(module: &Both) -> Vec<u8> {
        let mut store = SafetensorsStore::from_bytes(None).with_to_adapter(BurnToPyTorchAdapter);
        module.save_into(&mut store).unwrap();
        store.get_bytes().unwrap()
    }

    fn numbers(module: &Both) -> Vec<Vec<f32>> {
        Parameter::of(module).into_iter().map(|parameter| parameter.value.into_data().iter().collect()).collect()
    }

    fn read(bytes: &[u8]) -> Result<Both> {
        with_weights(module(), bytes.to_vec(), "w", "c")
    }

    #[test]
    fn layouts_are_those_of_pytorch() {
        let mut one = module();
        one.norm.gamma = one.norm.gamma.map(|gamma| gamma * 3.0);
        let names: Vec<String> =
            tensors_of(&one).iter().map(|tensor| format!("{} {:?}", tensor.name, tensor.shape.to_vec())).collect();
        assert_eq!(names, ["layer.weight [3, 2]", "layer.bias [3]", "norm.weight [3]", "norm.bias [3]"]);
        let weight: Vec<f32> = bridge::to_data(&tensors_of(&one)[0]).unwrap().iter().collect();
        assert_eq!(weight, one.layer.weight.val().transpose().into_data().iter::<f32>().collect::<Vec<_>>());
        assert_eq!(numbers(&read(&file(&one)).unwrap()), numbers(&one));
    }

    /// Whatever is done to a file, it is refused in one line or read as weights that can be used.
    #[test]
    fn damage_is_refused_or_does_no_harm() {
        let good = file(&module());
        let header = 8 + u64::from_le_bytes(good[..8].try_into().unwrap()) as usize;
        for length in 0..good.len() {
            assert!(read(&good[..length]).is_err(), "cut to {length}");
        }
        for place in 0..header {
            for flipped in [0x01, 0x10, 0x80] {
                let mut bytes = good.clone();
                bytes[place] ^= flipped;
                match read(&bytes) {
                    Ok(module) => {
                        module.norm.forward(module.layer.forward(Tensor::<2>::zeros([1, 2], &Device::flex())));
                    }
                    Err(error) => {
                        let text = error.to_string();
                        assert!(!text.contains(char::is_control) && error.exit_code() == 2, "{text:?}");
                    }
                }
            }
        }
    }
}
