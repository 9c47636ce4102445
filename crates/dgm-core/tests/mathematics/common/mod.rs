//! The devices that the tests run on, and the numbers that they start from.
#![allow(dead_code)] // which features are built says what is used

pub(crate) mod formulas;
pub(crate) mod objective_literals;
#[path = "../../../src/testing.rs"]
pub(crate) mod testing;

use burn::tensor::{Device, Tensor, TensorData};
use dgm_core::random::Seed;
#[allow(unused_imports)]
pub(crate) use testing::tolerance;

/// A device under its name; `exact` where elementary functions are those of the host's libm or as good.
pub(crate) struct Place {
    pub(crate) name: &'static str,
    pub(crate) device: Device,
    pub(crate) exact: bool,
}

/// Every backend of this build that has a device here.
///
/// wgpu is skipped without an adapter, unless `DGM_REQUIRE_WGPU=1`. Listing the adapters opens none.
#[allow(deprecated)] // ndarray is deprecated in Burn 0.22, and offered by name all the same
pub(crate) fn places() -> Vec<Place> {
    let on_the_host = [
        #[cfg(feature = "flex")]
        Place { name: "flex", device: Device::flex(), exact: true },
        #[cfg(feature = "ndarray")]
        Place { name: "ndarray", device: Device::ndarray(), exact: true },
    ];
    on_the_host.into_iter().chain(wgpu()).collect()
}

#[cfg(not(feature = "wgpu"))]
fn wgpu() -> Option<Place> {
    None
}

#[cfg(feature = "wgpu")]
fn wgpu() -> Option<Place> {
    use burn::tensor::DeviceType;
    let required = std::env::var("DGM_REQUIRE_WGPU").is_ok_and(|value| value == "1");
    let mut adapters = Device::enumerate(DeviceType::Wgpu).into_vec();
    assert!(!(required && adapters.is_empty()), "DGM_REQUIRE_WGPU=1 and wgpu finds no adapter");
    if adapters.is_empty() {
        println!("wgpu: skipped, no adapter found");
        return None;
    }
    Some(Place { name: "wgpu", device: adapters.swap_remove(0), exact: false })
}

pub(crate) const ROWS: usize = 6;
pub(crate) const COLUMNS: usize = 5;

/// A matrix of `ROWS` rows, as tensors and the host see it.
pub(crate) type Matrix = Vec<f64>;

pub(crate) fn matrix(purpose: &str, scale: f64) -> Matrix {
    let values = Seed(7).stream(purpose, 0).normals(ROWS * COLUMNS);
    // Rounded to f32, so both sides start from one number.
    values.into_iter().map(|value| f64::from((f64::from(value) * scale) as f32)).collect()
}

pub(crate) fn to_tensor<const D: usize>(values: &[f64], shape: [usize; D], device: &Device) -> Tensor<D> {
    let values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

pub(crate) use dgm_core::host as to_host;

/// A different weight for every value, so that a lost or misplaced factor shows.
pub(crate) fn weights(n: usize) -> Vec<f64> {
    (0..n).map(|i| 0.5 + 0.25 * (i % 7) as f64).collect()
}
