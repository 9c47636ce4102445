//! Checkpoints: the file, and what its sections hold. Checksums are put right, so that damage gets past them.
//!
//! Input: what is fuzzed (below), then its bytes.
#![no_main]

use burn::module::Module;
use burn::optim::{AdamConfig, ModuleOptimizer};
use burn::tensor::Device;
use dgm_core::random::Seed;
use dgm_fuzz::{check, file, within_bound};
use dgm_models::{AnyModel, DataSpec, Values};
use dgm_train::config::{Config, ModelConfig};
use dgm_train::checkpoint::{Checkpoint, TrainingProgress};
use dgm_train::train::{initial_model, restore};
use sha2::{Digest, Sha256};
use std::sync::OnceLock;

/// Bytes of the magic line and of the version; after them come the header's length and the header.
const BEFORE_LENGTH: usize = 15 + 4;
const DIGEST: usize = 32;

/// A model of a few numbers: the weights in the corpus are its.
fn model() -> &'static AnyModel {
    static MODEL: OnceLock<AnyModel> = OnceLock::new();
    MODEL.get_or_init(|| {
        let text =
            "[data]\nsource = 'digits'\n[model]\nkind = 'vae'\nlatent = 1\nhidden = [1]\nlikelihood = 'bernoulli'\n";
        let config = Config::<ModelConfig>::from_toml(text, "vae.toml", &[]).expect("a configuration");
        let spec = DataSpec { shape: [1, 2, 2], values: Values::Levels(2), condition: None };
        initial_model(&config, &spec, &Device::flex()).expect("a model")
    })
}

/// A checkpoint file as this version writes it, without its checksum.
fn whole() -> &'static [u8] {
    static WHOLE: OnceLock<Vec<u8>> = OnceLock::new();
    WHOLE.get_or_init(|| {
        let sections = vec![("model".into(), b"weights".to_vec()), ("optimizer".into(), Vec::new())];
        let path = file("whole", &[]);
        let whole = Checkpoint { progress: TrainingProgress::default(), sections };
        whole.write(&path).expect("the temporary folder can be written");
        let mut bytes = std::fs::read(path).expect("what was written can be read");
        bytes.truncate(bytes.len() - DIGEST);
        bytes
    })
}

/// Its beginning, up to the length of the header.
fn beginning() -> &'static [u8] {
    &whole()[..BEFORE_LENGTH]
}

fn with_digest(mut bytes: Vec<u8>) -> Vec<u8> {
    let digest = Sha256::digest(&bytes);
    bytes.extend(digest);
    bytes
}

fn read(bytes: &[u8]) {
    let path = file("checkpoint.dgm", bytes);
    within_bound(bytes.len(), || match Checkpoint::read(&path) {
        Ok(checkpoint) => {
            let held: usize = checkpoint.sections.iter().map(|(_, section)| section.len()).sum();
            assert!(held <= bytes.len());
            checkpoint.write(&path).expect("what was read can be written");
            let again = Checkpoint::read(&path).expect("what was written can be read");
            // Seconds are rounded on the way, and NaN is not NaN.
            assert_eq!((again.progress.step, again.sections), (checkpoint.progress.step, checkpoint.sections));
        }
        Err(error) => check(&error),
    });
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((kind, input)) = input.split_first() else { return };
    match kind % 6 {
        // The file as it is.
        0 => read(input),
        // Everything after the version.
        1 => read(&with_digest([beginning(), input].concat())),
        // A header of the right length up to the first line break, then the sections.
        2 => {
            let end = input.iter().position(|&byte| byte == b'\n').unwrap_or(input.len());
            let mut bytes = [beginning(), &(end as u64).to_le_bytes(), &input[..end]].concat();
            bytes.extend(input.get(end + 1..).unwrap_or_default());
            read(&with_digest(bytes));
        }
        // The weights of the model: those that are taken can be used.
        3 => within_bound(input.len(), || match restore::weights(model().clone(), input) {
            Ok(model) => {
                let samples = model
                    .as_model()
                    .as_generate()
                    .map(|model| model.generate(1, None, &mut Seed(0).stream("sampling", 0)).into_data());
                assert!(samples.is_some());
                model.into_record().into_bytes().expect("weights can be written");
            }
            Err(error) => check(&error),
        }),
        // A whole file, some bytes of which are others: a place in two bytes, then the new one.
        4 => {
            let mut bytes = whole().to_vec();
            for change in input.chunks_exact(3) {
                let place = usize::from(u16::from_le_bytes([change[0], change[1]]));
                let end = bytes.len();
                bytes[place % end] = change[2];
            }
            read(&with_digest(bytes));
        }
        // The optimiser's state.
        _ => within_bound(input.len(), || {
            let adam = ModuleOptimizer::from(AdamConfig::new().build());
            match restore::optimizer(adam, input, trained()) {
                Ok(optimizer) => drop(optimizer.into_bytes().expect("a state can be written")),
                Err(error) => check(&error),
            }
        }),
    }
});

/// The model with the parameters' ids of the states in the corpus.
fn trained() -> &'static AnyModel {
    static TRAINED: OnceLock<AnyModel> = OnceLock::new();
    TRAINED.get_or_init(|| {
        let weights = include_bytes!("../corpus/checkpoint/weights");
        restore::weights(model().clone(), &weights[1..]).expect("weights of the model").train()
    })
}
