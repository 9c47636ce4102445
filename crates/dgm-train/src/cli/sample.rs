//! `dgm-train sample RUN`: draws, as a picture or as numbers.

use super::SampleArgs;
use crate::backend::Backend;
use crate::data::{self, Split};
use crate::error::{Error, Result};
use crate::report::grid;
use crate::run_folder::RunFolder;
use crate::train::checkpoint::write_atomic;
use burn::tensor::{Device, Tensor, TensorData};
use dgm_core::random::Seed;
use dgm_models::AnyModel;
use std::process::ExitCode;

pub(super) fn run(args: &SampleArgs) -> Result<ExitCode> {
    let folder = RunFolder::open(&args.run)?;
    let backend = Backend::open(&args.backend)?;
    let config = folder.config()?;
    let spec = folder.provenance()?.spec;
    let as_csv = args.out.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    if !as_csv && !grid::is_image(&spec) {
        let text = "this run's targets are not images: write numbers with --out samples.csv";
        return Err(Error::input(text));
    }
    let model = folder.best_model(&config, &spec, &backend.device)?;
    let seed = Seed(args.seed.unwrap_or(config.seed));
    // Conditions that are not labels come from the test split; nothing else needs the data.
    let conditions = match &spec.condition {
        Some(condition) if condition.classes.is_none() => data::load(&config.data, Seed(config.seed))?.test,
        _ => Split::default(),
    };
    let drawn = draw(&model, &conditions, args.n as usize, args.label, &backend.device, seed)?;
    if as_csv {
        let lines: Vec<String> =
            drawn.iter().map(|x| x.iter().map(f32::to_string).collect::<Vec<_>>().join(",")).collect();
        write_atomic(&args.out, (lines.join("\n") + "\n").as_bytes())?;
    } else {
        grid::write_png(&args.out, &drawn, &spec)?;
    }
    println!("{} samples in {}", drawn.len(), args.out.display());
    Ok(ExitCode::SUCCESS)
}

/// `n` draws `[n][event]`. Labels as conditions take turns, or are all `label`; other conditions are the first of
/// `conditions`, again and again.
pub(super) fn draw(
    model: &AnyModel,
    conditions: &Split,
    n: usize,
    label: Option<usize>,
    device: &Device,
    seed: Seed,
) -> Result<Vec<Vec<f32>>> {
    let view = model.as_model();
    let spec = view.spec();
    let generator = view.as_generate().ok_or_else(|| Error::input("this model cannot draw samples"))?;
    let classes = spec.condition.as_ref().and_then(|condition| condition.classes);
    if let (Some(label), None) = (label, classes) {
        return Err(Error::input(format!("--label {label}: this model is not conditioned on a label")));
    }
    let condition = match (classes, label) {
        (Some(classes), Some(label)) if label >= classes => {
            return Err(Error::input(format!("--label {label}: the labels are 0 to {}", classes - 1)));
        }
        (Some(classes), _) => {
            let mut one_hot = vec![0.0f32; n * classes];
            for i in 0..n {
                one_hot[i * classes + label.unwrap_or(i % classes)] = 1.0;
            }
            Some(Tensor::from_data(TensorData::new(one_hot, [n, classes]), device))
        }
        (None, _) => {
            let rows: Vec<usize> = (0..n).map(|i| i % conditions.len().max(1)).collect();
            spec.condition.as_ref().and_then(|_| conditions.batch(&rows, device).condition)
        }
    };
    let drawn = generator.generate(n, condition, &mut seed.stream("sampling", 0));
    let values: Vec<f32> = drawn.into_data().iter::<f32>().collect();
    Ok(values.chunks(spec.event()).map(<[f32]>::to_vec).collect())
}
