//! What tests of several modules use.

#![allow(clippy::unwrap_used)]

pub(crate) mod rounding;

use burn::module::{Module, ModuleMapper, Param};
#[cfg(feature = "flex")]
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, Tensor};
use dgm_core::random::{Seed, Stream};

/// Every backend of the build; wgpu where this machine has an adapter.
pub(crate) fn devices() -> Vec<Device> {
    #[allow(unused_mut)]
    let mut devices = vec![
        #[cfg(feature = "flex")]
        Device::flex(),
        #[cfg(feature = "ndarray")]
        #[allow(deprecated)]
        Device::ndarray(),
    ];
    #[cfg(feature = "wgpu")]
    match Device::enumerate(burn::tensor::DeviceType::Wgpu).iter().next() {
        Some(device) => devices.push(device.clone()),
        None if std::env::var_os("DGM_REQUIRE_WGPU").is_some() => unreachable!("no wgpu adapter on this machine"),
        None => println!("wgpu skipped: no adapter on this machine"),
    }
    devices
}

/// The likelihood of this name with so many components.
pub(crate) fn likelihood_of(kind: &str, components: usize) -> crate::likelihood::LikelihoodConfig {
    let mut json = serde_json::json!({ "kind": kind });
    if components > 1 {
        json["components"] = components.into();
    }
    serde_json::from_value(json).unwrap()
}

/// The model after so many steps of Adam on these batches, each the loss of all its players.
#[cfg(feature = "flex")]
pub(crate) fn trained<M: crate::Model + Module>(
    model: M,
    steps: u64,
    rate: f64,
    batch: impl Fn(u64, &Device) -> crate::Batch,
) -> M {
    let device = Device::flex().autodiff();
    let mut model = model.train();
    let mut optimizer = AdamConfig::new().init();
    for step in 0..steps {
        let rng = &mut Seed(3).stream("noise", step);
        let crate::Training::Custom(train) = model.training() else { unreachable!("a loss of its own") };
        let loss = train.loss(0, &vec![batch(step, &device); train.views()], rng).mean_batch();
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        model = optimizer.step(rate, model, gradients);
    }
    model.valid()
}

/// The module with noise of this standard deviation added to every parameter, so that what starts at 0 does not stay there.
pub(crate) fn moved<M: Module>(module: M, std: f64) -> M {
    struct Noise(Stream, f64);

    impl ModuleMapper for Noise {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|value| {
                let noise = self.0.normal_tensor(value.dims(), &value.device());
                value + noise.mul_scalar(self.1)
            })
        }
    }
    module.map(&mut Noise(Seed(4).stream("moved", 0), std))
}
