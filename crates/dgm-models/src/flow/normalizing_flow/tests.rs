//! Flows as densities: they integrate to 1, their samples follow them, and of levels they are a bound.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::baseline::testing::check_integral;
use crate::data::Values;
use crate::testing::moved;
use dgm_core::host;

fn flow(config: &NormalizingFlowConfig, spec: &DataSpec) -> NormalizingFlow {
    moved(config.init(spec, &mut Seed(1).stream("weights", 0), &Device::flex()).unwrap(), 0.08)
}

#[test]
fn every_flow_integrates_to_one_and_its_samples_follow_it() {
    for structure in [Structure::Autoregressive, Structure::Coupling] {
        for transform in [TransformConfig::AFFINE, TransformConfig::SPLINE] {
            for mixing in [Mixing::Alternate, Mixing::Lu] {
                let what = NormalizingFlowConfig {
                    structure,
                    transform: transform.clone(),
                    mixing,
                    layers: 3,
                    hidden: vec![8],
                    ..NormalizingFlowConfig::default()
                };
                check_integral(&flow(&what, &crate::baseline::testing::spec(2)), 9.0, 1e-3);
            }
        }
    }
}

#[test]
fn units_are_those_of_the_data() {
    let scale = Scale { mean: vec![3.0, -1.0], std: vec![2.0, 0.5], ..Scale::default() };
    let other = DataSpec { values: Values::Real(scale), ..crate::baseline::testing::spec(2) };
    let batch = Batch::new(Tensor::from_floats([[0.3, -0.2]], &Device::flex()));
    let config = NormalizingFlowConfig::default();
    let log_p = |spec: &DataSpec| host(flow(&config, spec).log_prob(&batch, &mut Seed(0).stream("noise", 0)))[0];
    // The product of the standard deviations is 1.
    assert!((log_p(&other) - log_p(&crate::baseline::testing::spec(2))).abs() < 1e-6);
}

#[test]
fn of_levels_the_weights_are_those_of_a_probability() {
    let spec = DataSpec { shape: [1, 1, 2], values: Values::Levels(3), condition: None };
    for dequantization in ["uniform", "variational"] {
        let dequantization = DequantizationConfig::of_kind(dequantization).unwrap();
        let config = NormalizingFlowConfig { dequantization, layers: 2, hidden: vec![8], ..Default::default() };
        let model = flow(&config, &spec);
        let copies = 4000;
        let all: Vec<f32> = (0..9u8).flat_map(|at| [f32::from(at / 3), f32::from(at % 3)].repeat(copies)).collect();
        let batch = Batch::new(Tensor::<1>::from_floats(all.as_slice(), &Device::flex()).reshape([9 * copies, 2]));
        let weights = host(model.log_weight(&batch, &mut Seed(0).stream("noise", 0)));
        let mean = |of: &dyn Fn(f64) -> f64| weights.iter().map(|&w| of(w)).sum::<f64>() / copies as f64;
        // What is beyond the levels' range is lost.
        let total = mean(&f64::exp);
        assert!((0.5..1.02).contains(&total), "{total}");
        // Samples are levels, and as frequent as the weights say.
        let samples = host(model.generate(20_000, None, &mut Seed(5).stream("samples", 0)));
        assert!(samples.iter().all(|&level| [0.0, 1.0, 2.0].contains(&level)));
        let code = model.encode(&batch);
        let back = model.decode(code, None);
        assert_eq!(host(back), host(batch.target), "what is encoded is decoded");
    }
}
