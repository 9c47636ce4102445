//! Weights and optimiser states out of a checkpoint's sections: what does not fit is an error.
//!
//! Burn reads its records on trust: a tensor of another number type, a missing parameter id or a rank that it does not
//! know make it panic, and optimiser states that it cannot use it leaves out in silence. So a section is looked through
//! first.

use crate::error::{Error, Result};
use burn::module::{Module, ModuleMapper, Param};
use burn::optim::ModuleOptimizer;
use burn::store::ModuleRecord;
use burn::store::burn_pack::{Reader, Scalar};
use burn::tensor::{Bytes, DType, Tensor};
use dgm_core::parameter::Parameter;
use dgm_models::{Model, Training};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// What Burn calls the rank of a parameter in an optimiser's record, after the parameter's id.
const RANK: &str = ".__rank";

/// The module with weights from bytes.
///
/// # Errors
/// Bytes that are no weights, or those of another model.
pub fn weights<M: Module + Model>(model: M, bytes: &[u8]) -> Result<M> {
    let foreign = |what: String| {
        Error::input(format!(
            "the checkpoint does not fit the model of its config.toml: {what}; restore both as the run wrote them"
        ))
    };
    let bytes = Bytes::from_bytes_vec(bytes.to_vec());
    let reader = Reader::from_bytes(bytes.clone()).map_err(|error| foreign(error.to_string()))?;
    let mut ids = HashSet::new();
    for tensor in reader.into_tensors().map_err(|error| foreign(error.to_string()))? {
        let (name, dtype, _, id, _) = tensor.into_parts().map_err(|error| foreign(error.to_string()))?;
        if dtype != DType::F32 {
            return Err(foreign(format!("the weights {name:?} are of type {dtype:?}; expected F32")));
        }
        // Gradients and optimiser states go by these.
        if !id.is_some_and(|id| ids.insert(id)) {
            return Err(foreign(format!("the weights {name:?} have no parameter id of their own")));
        }
    }
    // What was fitted to the examples has as many numbers as there were.
    let model = match model.training() {
        Training::Fit => of_shapes(model, &bytes).map_err(foreign)?,
        _ => model,
    };
    let record = ModuleRecord::from_bytes(bytes).map_err(|error| foreign(error.to_string()))?;
    model.try_load_record(record).map_err(|error| foreign(error.to_string()))
}

/// The shape of each tensor in these bytes, by its path.
fn shapes(bytes: Bytes) -> std::result::Result<BTreeMap<String, Vec<usize>>, String> {
    let tensors = Reader::from_bytes(bytes).and_then(Reader::into_tensors).map_err(|error| error.to_string())?;
    let named = tensors.into_iter().map(|tensor| {
        let (name, _, shape, _, _) = tensor.into_parts().map_err(|error| error.to_string())?;
        Ok((name, shape.to_vec()))
    });
    named.collect()
}

/// The model with parameters of the shapes that the tensors in these bytes have, where their ranks are the same.
fn of_shapes<M: Module>(model: M, bytes: &Bytes) -> std::result::Result<M, String> {
    struct Shapes {
        path: Vec<String>,
        found: BTreeMap<String, Vec<usize>>,
    }
    impl ModuleMapper for Shapes {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.path.push(name.to_owned());
        }

        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.pop();
        }

        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let shape: Option<[usize; D]> =
                self.found.get(&self.path.join(".")).and_then(|shape| shape.as_slice().try_into().ok());
            match shape {
                Some(shape) => param.map(|value| Tensor::zeros(shape, &value.device())),
                None => param,
            }
        }
    }
    let found = shapes(bytes.clone())?;
    Ok(model.map(&mut Shapes { path: Vec::new(), found }))
}

/// The first parameter whose name or shape is not that of the weights in these bytes, in words.
///
/// # Errors
/// Bytes that are no weights.
pub(crate) fn other_shape<M: Module>(model: &M, bytes: &[u8]) -> Result<Option<String>> {
    let foreign = |what: String| {
        Error::input(format!("the weights cannot be read: {what}; restore the checkpoint as the run wrote it"))
    };
    let own = model.clone().into_record().into_bytes().map_err(|error| foreign(error.to_string()))?;
    let (own, other) = (shapes(own).map_err(foreign)?, shapes(Bytes::from_bytes_vec(bytes.to_vec())).map_err(foreign)?);
    let names: BTreeSet<&String> = own.keys().chain(other.keys()).collect();
    let shown = |shape: Option<&Vec<usize>>| shape.map_or("missing".into(), |shape| format!("{shape:?}"));
    let differing = names.into_iter().find(|name| own.get(*name) != other.get(*name));
    Ok(differing.map(|name| {
        format!("the parameter {name} is {} there and {} here", shown(other.get(name)), shown(own.get(name)))
    }))
}

/// The optimiser with the state from bytes, for the parameters of `model`, whose weights are restored already.
///
/// # Errors
/// Bytes that are no state, or the state of another optimiser or model.
pub fn optimizer(optimizer: ModuleOptimizer, bytes: &[u8], model: &impl Module) -> Result<ModuleOptimizer> {
    let foreign = |what: String| {
        Error::input(format!(
            "the checkpoint's optimiser state does not fit the [optimizer] of its config.toml: {what}; restore both as \
             the run wrote them"
        ))
    };
    let bytes = Bytes::from_bytes_vec(bytes.to_vec());
    let reader = Reader::from_bytes(bytes.clone()).map_err(|error| foreign(error.to_string()))?;
    let ranks: HashMap<u64, usize> =
        Parameter::of(model).into_iter().map(|parameter| (parameter.id.val(), parameter.shape.len())).collect();
    for (name, value) in reader.scalars() {
        let Some(id) = name.strip_suffix(RANK) else { continue };
        let known = id.parse().ok().and_then(|id: u64| ranks.get(&id));
        if known.is_none_or(|&rank| *value != Scalar::UInt(rank as u64)) {
            return Err(foreign(format!("the entry {name:?} is for no parameter of the model")));
        }
    }
    let tensors = reader.into_tensors().map_err(|error| foreign(error.to_string()))?;
    let states = tensors.len();
    for tensor in tensors {
        let (name, dtype, shape, id, _) = tensor.into_parts().map_err(|error| foreign(error.to_string()))?;
        if dtype != DType::F32 {
            return Err(foreign(format!("the state {name:?} is of type {dtype:?}; expected F32")));
        }
        // Burn goes by the id in the name.
        let rank = id.filter(|id| name.starts_with(&format!("{id}."))).and_then(|id| ranks.get(&id));
        if rank.is_none_or(|&rank| rank != shape.num_dims()) {
            return Err(foreign(format!("the state {name:?} is for no parameter of the model")));
        }
    }
    let restored = optimizer.from_bytes(bytes).map_err(|error| foreign(error.to_string()))?;
    let kept = restored.to_record().len();
    if kept != states {
        return Err(foreign(format!("{kept} of its {states} tensors are of use to this optimiser")));
    }
    Ok(restored)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::config::Config;
    use crate::train::initial_model;
    use burn::optim::{AdamConfig, GradientsParams, SgdConfig};
    use burn::store::burn_pack::{self, Writer};
    use burn::tensor::{Device, Shape};
    use dgm_models::{AnyModel, DataSpec, Values};

    fn model(hidden: usize) -> AnyModel {
        let text = format!(
            "[data]\nsource = \"digits\"\n[model]\nkind = \"vae\"\nlatent = 1\nencoder = {{ kind = \"mlp\", hidden = [{hidden}] }}\n\
             decoder = {{ kind = \"mlp\", hidden = [{hidden}] }}\nlikelihood = \"bernoulli\""
        );
        let config: Config = Config::from_toml(&text, "vae.toml", &[]).unwrap();
        let spec = DataSpec { shape: [1, 2, 2], values: Values::Levels(2), condition: None };
        initial_model(&config, &spec, &Device::flex()).unwrap()
    }

    fn bytes_of(model: &AnyModel) -> Vec<u8> {
        model.clone().into_record().into_bytes().unwrap().to_vec()
    }

    /// The record with one thing in each tensor changed.
    fn changed(bytes: &[u8], change: impl Fn(&mut Parts)) -> Vec<u8> {
        let reader = Reader::from_bytes(Bytes::from_bytes_vec(bytes.to_vec())).unwrap();
        let scalars = reader.scalars().clone();
        let tensors = reader.into_tensors().unwrap().into_iter().map(|tensor| {
            let mut parts = tensor.into_parts().unwrap();
            change(&mut parts);
            let (name, dtype, shape, id, bytes) = parts;
            burn_pack::Tensor::new(name, dtype, shape, id, bytes)
        });
        let mut writer = Writer::new(tensors.collect());
        for (name, value) in &scalars {
            writer = writer.with_scalar(name, *value);
        }
        writer.into_bytes().unwrap().to_vec()
    }

    /// Names and numbers: where they lie in the record differs from time to time.
    fn contents(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
        let reader = Reader::from_bytes(Bytes::from_bytes_vec(bytes.to_vec())).unwrap();
        let parts = reader.into_tensors().unwrap().into_iter().map(|tensor| tensor.into_parts().unwrap());
        parts.map(|(name, _, _, _, bytes)| (name, bytes.to_vec())).collect()
    }

    type Parts = (String, DType, Shape, Option<u64>, Bytes);

    fn refused<T>(result: Result<T>, expected: &str) {
        let Err(error) = result else { panic!("taken, though {expected}") };
        let text = error.to_string();
        assert!(text.contains(expected) && !text.contains('\n'), "{text}");
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn weights_that_are_not_the_model_s_are_refused() {
        let own = bytes_of(&model(2));
        assert!(contents(&bytes_of(&weights(model(2), &own).unwrap())) == contents(&own));
        refused(weights(model(3), &own), "shape mismatch");
        refused(weights(model(2), &[]), "Invalid header");
        for cut in 0..own.len() {
            assert!(weights(model(2), &own[..cut]).is_err(), "cut to {cut}");
        }
        for dtype in [DType::I32, DType::U32] {
            refused(weights(model(2), &changed(&own, |parts| parts.1 = dtype)), "expected F32");
        }
        refused(weights(model(2), &changed(&own, |parts| parts.3 = Some(7))), "no parameter id of their own");
        refused(weights(model(2), &changed(&own, |parts| parts.3 = None)), "no parameter id of their own");
        refused(weights(model(2), &changed(&own, |parts| parts.0.push_str("\nx"))), "Missing tensors");
    }

    #[test]
    fn a_state_that_is_not_the_optimizer_s_is_refused() {
        let model = model(2).train();
        let adam = || ModuleOptimizer::from(AdamConfig::new().build());
        let sums = Parameter::of(&model).into_iter().map(|parameter| parameter.value.sum());
        let loss = sums.reduce(|loss, sum| loss + sum).unwrap();
        let mut trained = adam();
        let model = trained.step(0.1, model.clone(), GradientsParams::from_grads(loss.backward(), &model));
        let own = trained.into_bytes().unwrap().to_vec();
        let restored = optimizer(adam(), &own, &model).unwrap();
        assert!(contents(&restored.into_bytes().unwrap()) == contents(&own));

        let sgd = ModuleOptimizer::from(SgdConfig::new().build());
        refused(optimizer(sgd, &own, &model), "of use to this optimiser");
        refused(optimizer(adam(), &own, &self::model(2)), "for no parameter of the model");
        refused(optimizer(adam(), &changed(&own, |parts| parts.1 = DType::I32), &model), "expected F32");
        refused(optimizer(adam(), &changed(&own, |parts| parts.3 = None), &model), "for no parameter of the model");
        let flat = |parts: &mut Parts| parts.2 = Shape::from(vec![parts.2.num_elements()]);
        refused(optimizer(adam(), &changed(&own, flat), &model), "for no parameter of the model");
        let of_another = |parts: &mut Parts| parts.0.insert(0, '1');
        refused(optimizer(adam(), &changed(&own, of_another), &model), "for no parameter of the model");
        for cut in (0..own.len()).step_by(7) {
            assert!(optimizer(adam(), &own[..cut], &model).is_err(), "cut to {cut}");
        }
    }
}
