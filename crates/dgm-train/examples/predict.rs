//! A run folder, loaded to predict: the whole distribution of a target given a condition, not only its mean.
//!
//! `cargo run --release -p dgm-train --example predict`

use burn::tensor::{Device, Tensor, TensorData};
use dgm_core::random::Seed;
use dgm_models::{Model, Values};
use dgm_train::backend::Backend;
use dgm_train::config::Config;
use dgm_train::run::Run;
use dgm_train::run_folder::RunFolder;
use std::sync::atomic::AtomicBool;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A run to predict with; yours is in its folder already.
    let text = "[data]\nsource = \"synthetic\"\nkind = \"conditional\"\n[model]\nkind = \"conditional_mlp\"\n[training]\nepochs = 5\n";
    let config: Config = Config::from_toml(text, "predict.toml", &[])?;
    let folder = std::env::temp_dir().join(format!("dgm-predict-{}", std::process::id()));
    Run::create(config, Backend::open("flex")?, &folder)?.train(&mut (), &AtomicBool::new(false))?;

    // From here on: the folder alone.
    let device = Device::flex();
    let run = RunFolder::open(&folder)?;
    let (config, spec): (Config, _) = (run.config()?, run.provenance()?.spec);
    let model = run.model(&config, &spec, &device)?;
    let (Some(predictor), Some(condition)) = (model.conditionals(), &spec.condition) else {
        return Err("not a model of a target given a condition".into());
    };
    // One number; of several the parameters of each depend on those before.
    if spec.event() != 1 {
        return Err("not a model of one number".into());
    }

    // Conditions in their own units, standardised as training standardised them.
    let rows = [-2.0, -1.0, 0.0, 1.0, 2.0];
    let width = condition.width();
    let inputs = condition.scale.standardize(&rows.iter().flat_map(|&x| vec![x; width]).collect::<Vec<f64>>());
    let inputs = Tensor::from_data(TensorData::new(inputs, [rows.len(), width]), &device);
    let nothing_before = Tensor::zeros([rows.len(), spec.event()], &device);
    let distribution = predictor.predict(nothing_before, Some(&inputs));

    let Values::Real(scale) = &spec.values else { return Err("the targets are no real numbers".into()) };
    let units = |values: Tensor<2>| scale.restore(&values.into_data().iter::<f32>().collect::<Vec<f32>>());
    let quantile = |p: f64| distribution.quantile(Tensor::full([rows.len(), 1], p, &device)).map(units);
    let (Some(low), Some(high)) = (quantile(0.1), quantile(0.9)) else {
        return Err("a likelihood without quantiles in closed form".into());
    };
    let mean = units(distribution.mean());
    let sample = units(distribution.sample(&mut Seed(0).stream("samples", 0)));
    println!("{:>6} {:>8} {:>20} {:>10}", "x", "mean", "with 80 % within", "a sample");
    for (row, x) in rows.iter().enumerate() {
        println!("{x:>6} {:>8.3} {:>9.3} to {:>7.3} {:>10.3}", mean[row], low[row], high[row], sample[row]);
        assert!(low[row] < mean[row] && mean[row] < high[row]);
    }
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}
