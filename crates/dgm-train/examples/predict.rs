//! A run folder, loaded inside another program to predict: mean, quantiles and log-probabilities, in the units of the data.
//!
//! `cargo run --release -p dgm-train --example predict`

use dgm_train::backend::Backend;
use dgm_train::config::Config;
use dgm_train::data::Matrix;
use dgm_train::predict::{Levels, Predicted, Predictor};
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
    let predictor: Predictor = Predictor::open(&RunFolder::open(&folder)?, &Backend::open("flex")?)?;

    // Conditions and targets in their own units, a row each.
    let x = [-2.0, -1.0, 0.0, 1.0, 2.0];
    let width = predictor.spec().condition_width();
    let condition = Matrix::new(x.len(), width, x.iter().flat_map(|&x| vec![x; width]).collect());
    let target = Matrix::new(x.len(), 1, vec![0.0; x.len()]);
    let prediction = predictor.predict(&condition, Some(&target), &Levels::of(&[0.1, 0.9], &predictor))?;
    let Predicted::Numbers { mean, quantiles, .. } = &prediction.predicted else {
        return Err("the target is a label".into());
    };
    let log_prob = prediction.log_prob.unwrap_or_default();
    println!("{:>6} {:>8} {:>20} {:>12}", "x", "mean", "with 80 % within", "log p(0 | x)");
    for (row, x) in x.iter().enumerate() {
        let [mean, low, high] = [mean, &quantiles[0], &quantiles[1]].map(|matrix| matrix.row(row)[0]);
        println!("{x:>6} {mean:>8.3} {low:>9.3} to {high:>7.3} {:>12.3}", log_prob[row]);
        assert!(low < mean && mean < high);
    }
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}
