//! What a run has learnt, as one file for another program.

use super::tensors_of;
use crate::backend::Backend;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::run_folder::RunFolder;
use crate::weights::bytes_of;
use burn::module::Module;
use burn::store::burn_pack::{Reader, Writer};
use burn::store::{BurnToPyTorchAdapter, ModuleStore, SafetensorsStore};
use burn::tensor::Bytes;
use dgm_models::ModelFactory;
use serde_json::Value;
use std::collections::BTreeMap;

/// A file format of weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Format {
    /// For PyTorch: its names and layouts
    #[default]
    Safetensors,
    /// For other programs on Burn: the record of the model that the configuration builds
    Burnpack,
}

/// The weights of a run.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The whole file.
    pub bytes: Vec<u8>,
    /// Number of tensors.
    pub tensors: usize,
    /// Number of parameters.
    pub parameters: usize,
}

/// The weights of the run's best checkpoint: their average where the run evaluates that. The file's metadata hold the version of this program
/// (`dgm_version`), and as JSON the resolved configuration (`config`) and the data as the model sees them (`spec`).
///
/// # Errors
/// An ensemble, a run without a checkpoint, or a damaged one.
pub fn export<C: ModelFactory>(folder: &RunFolder, format: Format, backend: &Backend) -> Result<Exported> {
    let config: Config<C> = folder.config()?;
    folder.check_members(&config)?;
    if let Some(members) = config.members() {
        return Err(Error::input(format!(
            "{}: found an ensemble of {}; expected the run of one model; name the folder of a member, {}",
            folder.path().display(),
            members.len(),
            folder.member(0).path().display()
        )));
    }
    let spec = folder.provenance()?.spec;
    let model = folder.best_model(&config, &spec, &backend.device)?;
    let about =
        [("config", json(&config)?), ("dgm_version", env!("CARGO_PKG_VERSION").to_owned()), ("spec", json(&spec)?)];
    let bytes = match format {
        Format::Safetensors => safetensors(&model, &about)?,
        Format::Burnpack => burnpack(&model, &about)?,
    };
    Ok(Exported { bytes, tensors: tensors_of(&model).len(), parameters: model.num_params() })
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::run(format!("the weights cannot be written: {error}"))
}

fn json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(failed)
}

fn safetensors(model: &impl Module, about: &[(&str, String)]) -> Result<Vec<u8>> {
    let empty = SafetensorsStore::from_bytes(None)
        .clear_metadata()
        // Loaders of other libraries look for it.
        .metadata("format", "pt")
        .with_to_adapter(BurnToPyTorchAdapter)
        .skip_enum_variants(true);
    let mut store = about.iter().fold(empty, |store, (key, value)| store.metadata(*key, value));
    store.collect_from(model).map_err(failed)?;
    let bytes = store.get_bytes().map_err(failed)?;
    sorted(&bytes).ok_or_else(|| failed("their header has another form than expected"))
}

/// The same file with its header in alphabetical order: metadata come in another order each time, and equal runs are to give equal files.
fn sorted(bytes: &[u8]) -> Option<Vec<u8>> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let (header, numbers) = rest.split_at_checked(u64::from_le_bytes(*length).try_into().ok()?)?;
    let header: BTreeMap<String, BTreeMap<String, Value>> = serde_json::from_slice(header).ok()?;
    let mut header = serde_json::to_vec(&header).ok()?;
    // Numbers begin at a multiple of eight bytes.
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    file.extend(numbers);
    Some(file)
}

fn burnpack(model: &impl Module, about: &[(&str, String)]) -> Result<Vec<u8>> {
    let reader = Reader::from_bytes(Bytes::from_bytes_vec(bytes_of(model)?)).map_err(failed)?;
    let bare = Writer::new(reader.into_tensors().map_err(failed)?);
    let writer = about.iter().fold(bare, |writer, (key, value)| writer.with_metadata(key, value));
    Ok(writer.into_bytes().map_err(failed)?.to_vec())
}
