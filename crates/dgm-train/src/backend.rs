//! A backend's name → a Burn device, and what this build and this machine offer.

use crate::error::{Error, Result, did_you_mean};
use burn::tensor::Device;

/// The backends that Burn has and this program can be built with, best known first.
const KNOWN: [(&str, bool, &str); 4] = [
    ("flex", cfg!(feature = "flex"), "CPU, Burn's own kernels, every core"),
    ("ndarray", cfg!(feature = "ndarray"), "CPU, the ndarray crate; slower than flex"),
    ("wgpu", cfg!(feature = "wgpu"), "GPU through Vulkan, Metal or DirectX 12; wgpu:cpu is a software adapter"),
    ("cuda", cfg!(feature = "cuda"), "NVIDIA GPU; needs a build with --features cuda"),
];

/// A device and how a person calls it.
#[derive(Clone, Debug)]
pub struct Backend {
    /// As given: `flex`, `wgpu`, `wgpu:1`, …
    pub name: String,
    /// Where tensors live, without autodiff.
    pub device: Device,
}

/// One line of the list of backends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// What to write after `--backend`.
    pub name: String,
    /// Whether it can be used here and now; if not, why.
    pub available: std::result::Result<(), String>,
    /// What it is: the adapter's name where there is one.
    pub description: String,
}

impl Backend {
    /// The device that `name` names: `flex`, `ndarray`, `wgpu[:cpu|:<index>]`, `cuda[:<index>]`.
    ///
    /// # Errors
    /// An unknown name, one that this build lacks, or a device that this machine lacks; the message lists what there is.
    pub fn open(name: &str) -> Result<Self> {
        let (kind, index) = name.split_once(':').map_or((name, None), |(kind, index)| (kind, Some(index)));
        let device = match (kind, index) {
            #[cfg(feature = "flex")]
            ("flex", None) => Device::flex(),
            #[cfg(feature = "ndarray")]
            #[allow(deprecated)] // deprecated in Burn 0.22, and offered by name all the same
            ("ndarray", None) => Device::ndarray(),
            #[cfg(feature = "wgpu")]
            ("wgpu", index) => wgpu::open(index)?,
            #[cfg(feature = "cuda")]
            ("cuda", index) => cuda(index)?,
            _ => return Err(unknown(name, kind)),
        };
        Ok(Self { name: name.to_string(), device })
    }

    /// The backend that is taken where none is named: the first that this build has of flex, ndarray, wgpu and cuda.
    pub fn default_name() -> &'static str {
        match () {
            () if cfg!(feature = "flex") => "flex",
            () if cfg!(feature = "ndarray") => "ndarray",
            () if cfg!(feature = "wgpu") => "wgpu",
            () => "cuda",
        }
    }

    /// Whether this build has a backend of this name, whatever the machine has.
    pub fn is_built(name: &str) -> bool {
        match name.split_once(':').map_or(name, |(kind, _)| kind) {
            "flex" => cfg!(feature = "flex"),
            "ndarray" => cfg!(feature = "ndarray"),
            "wgpu" => cfg!(feature = "wgpu"),
            "cuda" => cfg!(feature = "cuda"),
            _ => false,
        }
    }

    /// The backend of this name, or, where none is named, the one that a run was trained on, or the default where this build lacks that.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_or(name: Option<&str>, of_run: &str) -> Result<Self> {
        let run = if Self::is_built(of_run) { of_run } else { Self::default_name() };
        Self::open(name.unwrap_or(run))
    }

    /// Whether it computes at once, on the CPU, so that reading a number back costs nothing.
    pub fn is_eager(&self) -> bool {
        matches!(self.name.as_str(), "flex" | "ndarray")
    }

    /// For people: `flex`, or `wgpu:0 (name of the GPU)`.
    pub fn title(&self) -> String {
        let adapter = self.adapter();
        if adapter == self.name { adapter } else { format!("{} ({adapter})", self.name) }
    }

    /// The adapter's name where the backend has one, otherwise the backend's.
    pub fn adapter(&self) -> String {
        #[cfg(any(feature = "wgpu", feature = "cuda"))]
        if let Some(identity) = self.device.identity() {
            return identity.name;
        }
        self.name.clone()
    }
}

fn unknown(name: &str, kind: &str) -> Error {
    let built: Vec<&str> = KNOWN.iter().filter(|(_, built, _)| *built).map(|(name, ..)| *name).collect();
    let list = built.join(", ");
    match KNOWN.iter().find(|(known, ..)| *known == kind) {
        Some((known, false, _)) => Error::input(format!(
            "backend \"{known}\" is not in this build, which has {list}; build with `--features {known}`"
        )),
        Some((known, true, _)) => {
            Error::input(format!("backend \"{name}\": \"{known}\" takes no device number; write \"{known}\""))
        }
        None => Error::input(format!(
            "no backend is called \"{name}\"; this build has {list}: name one of them{}",
            did_you_mean(kind, built.iter().copied())
        )),
    }
}

#[cfg(feature = "cuda")]
fn cuda(index: Option<&str>) -> Result<Device> {
    let found = Device::enumerate(burn::tensor::DeviceType::Cuda).len();
    let index: usize =
        index.unwrap_or("0").parse().map_err(|_| Error::input("`cuda:` needs a number; write cuda:0, say"))?;
    match found {
        0 => Err(Error::input(format!(
            "cuda:{index}: this machine offers no CUDA device; install NVIDIA's driver, or name another backend (`dgm-train backends` lists them)"
        ))),
        _ if index >= found => Err(Error::input(format!(
            "cuda:{index}: this machine offers cuda:0 to cuda:{}; name one of them",
            found - 1
        ))),
        _ => Ok(Device::cuda(index)),
    }
}

#[cfg(feature = "wgpu")]
mod wgpu {
    use super::{Error, Result};
    use burn::tensor::{Device, DeviceKind, DeviceType};

    /// Adapters that wgpu lists, and whether each is a GPU.
    pub(super) fn adapters() -> Vec<(Device, bool)> {
        Device::enumerate(DeviceType::Wgpu)
            .iter()
            .map(|device| (device.clone(), *device != Device::wgpu(DeviceKind::Cpu)))
            .collect()
    }

    pub(super) fn open(index: Option<&str>) -> Result<Device> {
        let adapters = adapters();
        if adapters.is_empty() {
            return Err(Error::input(
                "wgpu finds no adapter on this machine: install the GPU's Vulkan driver, or a software one \
                 (Debian: `apt install mesa-vulkan-drivers`) and use `--backend wgpu:cpu`, or use `--backend flex`",
            ));
        }
        let software = || adapters.iter().find(|(_, gpu)| !gpu).map(|(device, _)| device.clone());
        match index {
            Some("cpu") => software().ok_or_else(|| {
                Error::input(
                    "wgpu:cpu: this machine has no software adapter; install one (Debian: `apt install mesa-vulkan-drivers`)",
                )
            }),
            Some(index) => {
                let found = adapters.len();
                let device = index.parse().ok().and_then(|index: usize| adapters.get(index).cloned());
                device.map(|(device, _)| device).ok_or_else(|| {
                    Error::input(format!(
                        "wgpu:{index}: this machine offers wgpu:0 to wgpu:{}; name one of them",
                        found - 1
                    ))
                })
            }
            // Burn's own way to name another default.
            None if std::env::var_os("CUBECL_WGPU_DEFAULT_DEVICE").is_some() => {
                Ok(Device::wgpu(DeviceKind::DefaultDevice))
            }
            None if adapters.iter().any(|(_, gpu)| *gpu) => Ok(Device::wgpu(DeviceKind::DefaultDevice)),
            None => Err(Error::input(
                "wgpu finds no GPU on this machine, only a software adapter; use `--backend flex`, which is fast on a \
                 CPU, or `--backend wgpu:cpu`, which runs on the adapter (slowly)",
            )),
        }
    }
}

/// The kind of this CPU: the widest instruction set that the kernels choose by. The same build adds up in the same order, to the same
/// bits, on CPUs of one kind; on another kind results are equal to rounding.
pub fn cpu_kind() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            "x86_64 AVX-512"
        } else if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            "x86_64 AVX2+FMA"
        } else {
            "x86_64 SSE"
        }
    }
    #[cfg(target_arch = "aarch64")]
    {
        "aarch64 NEON"
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        std::env::consts::ARCH
    }
}

/// What this build has and what this machine offers. Opens every device, to learn its name.
pub fn offers() -> Vec<Offer> {
    let mut offers = Vec::new();
    for (name, built, description) in KNOWN {
        let offer = |name: String, available, description: String| Offer { name, available, description };
        if !built {
            offers.push(offer(name.into(), Err("not in this build".into()), description.into()));
            continue;
        }
        let adapters = adapters(name);
        match adapters {
            None => offers.push(offer(name.into(), Ok(()), description.into())),
            Some(adapters) if adapters.is_empty() => {
                offers.push(offer(name.into(), Err("no adapter on this machine".into()), description.into()));
            }
            Some(adapters) => offers.extend(adapters.into_iter().map(|(name, what)| offer(name, Ok(()), what))),
        }
    }
    offers
}

/// The adapters of a GPU backend, named; `None` for a CPU backend.
fn adapters(backend: &str) -> Option<Vec<(String, String)>> {
    match backend {
        #[cfg(feature = "wgpu")]
        "wgpu" => Some(
            wgpu::adapters()
                .into_iter()
                .enumerate()
                .map(|(index, (device, gpu))| {
                    let name = if gpu { format!("wgpu:{index}") } else { "wgpu:cpu".into() };
                    let adapter = device.identity().map_or("unnamed adapter".into(), |identity| identity.name);
                    (name, format!("{adapter} ({})", if gpu { "GPU" } else { "software adapter on the CPU" }))
                })
                .collect(),
        ),
        #[cfg(feature = "cuda")]
        "cuda" => Some(
            Device::enumerate(burn::tensor::DeviceType::Cuda)
                .iter()
                .enumerate()
                .map(|(index, device)| {
                    (format!("cuda:{index}"), device.identity().map_or("unnamed GPU".into(), |id| id.name))
                })
                .collect(),
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_unknown_name_lists_what_there_is() {
        let error = Backend::open("flx").unwrap_err();
        assert_eq!(error.exit_code(), 2);
        let text = error.to_string();
        assert!(text.contains("\"flx\"") && text.contains("flex") && text.contains("did you mean `flex`?"), "{text}");
        assert!(Backend::open("flex:3").unwrap_err().to_string().contains("takes no device number"));
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_backend_that_is_not_built_says_how_to_build_it() {
        let text = Backend::open("cuda").unwrap_err().to_string();
        assert!(text.contains("not in this build") && text.contains("--features cuda"), "{text}");
    }
}
