//! The devices that the tests run on.
#![allow(dead_code)] // each test file uses its part

use burn::tensor::Device;

/// A device under its name; `exact` where elementary functions are those of the host's libm or as good.
pub(crate) struct Place {
    pub(crate) name: &'static str,
    pub(crate) device: Device,
    pub(crate) exact: bool,
}

/// Every backend of this build that has a device here.
///
/// wgpu is skipped without an adapter, unless `DGM_REQUIRE_WGPU=1`. Listing the adapters opens none.
pub(crate) fn places() -> Vec<Place> {
    let mut places = Vec::new();
    #[cfg(feature = "flex")]
    places.push(Place { name: "flex", device: Device::flex(), exact: true });
    #[cfg(feature = "ndarray")]
    #[allow(deprecated)] // deprecated in Burn 0.22, and offered by name all the same
    places.push(Place { name: "ndarray", device: Device::ndarray(), exact: true });
    #[cfg(feature = "wgpu")]
    places.extend(wgpu());
    places
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
