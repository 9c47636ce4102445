//! Weights of a model to a file and back: the model that is loaded scores every example as the one that was saved.
//!
//! `cargo run --release -p dgm-models --example save_and_load`

use burn::module::Module;
use burn::store::ModuleRecord;
use burn::tensor::{Device, Tensor};
use dgm_core::random::Seed;
use dgm_models::likelihood::LikelihoodConfig;
use dgm_models::vae::VaeConfig;
use dgm_models::{Batch, DataSpec, Density, Values};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex();
    let spec = DataSpec { shape: [1, 2, 2], values: Values::Levels(4), condition: None };
    let config = VaeConfig::mlp(2, &[32], LikelihoodConfig::CATEGORICAL);
    let vae = config.init(&spec, &mut Seed(1).stream("weights", 0), &device)?;

    let path = std::env::temp_dir().join(format!("dgm-example-{}.bpk", std::process::id()));
    vae.clone().into_record().save(&path)?;

    // A model of the same configuration for the same data, with other weights until it loads these.
    let other = config.init(&spec, &mut Seed(2).stream("weights", 0), &device)?;
    let loaded = other.clone().try_load_record(ModuleRecord::load(&path)?)?;

    let batch = Batch::new(Tensor::from_floats([[0., 1., 2., 3.], [3., 3., 0., 0.]], &device));
    let score = |model: &dyn Density| -> Vec<f32> {
        model.log_prob(&batch, &mut Seed(3).stream("noise", 0)).into_data().iter().collect()
    };
    let [saved, before, after] = [&vae, &other, &loaded].map(|model| score(model));
    println!("saved {saved:?}\nanother {before:?}\nloaded {after:?}");
    assert!(saved == after && saved != before);
    // Not before: weights are read from the file when they are first used.
    std::fs::remove_file(&path)?;
    Ok(())
}
