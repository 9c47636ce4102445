//! A VAE with a prior of one's own, trained, checkpointed and evaluated by `dgm_train` like any of ours: nothing is registered.
//!
//! `cargo run --release -p dgm-train --example own_prior`

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use dgm_core::density::Laplace;
use dgm_core::random::Stream;
use dgm_models::likelihood::LikelihoodConfig;
use dgm_models::prior::{Encode, Prior};
use dgm_models::vae::{Vae, VaeConfig};
use dgm_models::{DataSpec, ModelError, ModelFactory};
use dgm_train::backend::Backend;
use dgm_train::config::Config;
use dgm_train::run::Run;
use serde::{Deserialize, Serialize};
use std::sync::atomic::AtomicBool;

/// p(z) = Π Laplace(z; 0, bⱼ) with scales that are learnt: many latent variables near 0, a few far from it.
#[derive(Module, Debug)]
struct Sparse {
    log_scale: Param<Tensor<1>>,
}

impl Sparse {
    fn density(&self, n: usize) -> Laplace<2> {
        let [latent] = self.log_scale.dims();
        let log_scale = self.log_scale.val().unsqueeze_dim::<2>(0).expand([n, latent]);
        Laplace::new(log_scale.clone().zeros_like(), log_scale)
    }
}

impl Prior for Sparse {
    fn log_prob(&self, z: Tensor<2>, _: &Encode<'_>) -> Tensor<1> {
        self.density(z.dims()[0]).log_prob(z).sum_dim(1).squeeze_dim(1)
    }

    fn sample(&self, n: usize, _: &Encode<'_>, rng: &mut Stream, _: &Device) -> Tensor<2> {
        self.density(n).sample(rng)
    }
}

/// `kind = "sparse_vae"`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename = "sparse_vae", default, deny_unknown_fields)]
struct SparseVaeConfig {
    latent: usize,
    hidden: Vec<usize>,
}

impl Default for SparseVaeConfig {
    fn default() -> Self {
        Self { latent: 8, hidden: vec![64] }
    }
}

impl ModelFactory for SparseVaeConfig {
    type Model = Vae<Sparse>;

    const KINDS: &'static [&'static str] = &["sparse_vae"];

    fn objective(&self) -> &'static str {
        "elbo"
    }

    fn init(&self, spec: &DataSpec, rng: &mut Stream, device: &Device) -> Result<Vae<Sparse>, ModelError> {
        let zeros = TensorData::zeros::<f32, _>([self.latent]);
        let prior = Sparse { log_scale: Param::from_data(zeros, device) };
        let vae = VaeConfig::mlp(self.latent, &self.hidden, LikelihoodConfig::CATEGORICAL);
        Ok(vae.init(spec, rng, device)?.with_prior(prior))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let text = "[data]\nsource = \"digits\"\n[model]\nkind = \"sparse_vae\"\nlatent = 8\nhidden = [64]\n\
                [evaluation]\nimportance_samples = 50\n[training]\nepochs = 5\n";
    let config: Config<SparseVaeConfig> = Config::from_toml(text, "own_prior.toml", &[])?;
    let folder = std::env::temp_dir().join(format!("dgm-own-prior-{}", std::process::id()));
    let mut run = Run::create(config, Backend::open("flex")?, &folder)?;
    let results = run.train(&mut (), &AtomicBool::new(false))?.ok_or("interrupted")?;
    println!("{}", results.table());
    let bound = results.metric("likelihood", "test").ok_or("no likelihood")?;
    assert!(bound.estimator.contains("KL by the same samples") && bound.value < 64.0 * 17f64.ln());

    // From the folder alone: the model with its own type.
    let config: Config<SparseVaeConfig> = run.folder().config()?;
    let model = run.folder().model(&config, &run.folder().provenance()?.spec, &Device::flex())?;
    println!("{} members, {} parameters", model.count(), results.parameters);
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}
