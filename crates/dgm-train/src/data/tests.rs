//! Tests of what every source shares, and of the digits.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use dgm_models::{ConditionSpec, Scale, Values};

use super::*;

/// A file of the shared data beside the checkout. `None`, with a line that says so, where it is not there; a failure
/// where `DGM_REQUIRE_DATA=1`.
pub(super) fn shared(path: &str) -> Option<PathBuf> {
    let full = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(path);
    if full.exists() {
        return Some(full);
    }
    assert_ne!(std::env::var("DGM_REQUIRE_DATA").as_deref(), Ok("1"), "there is no {}", full.display());
    println!("skipped: there is no {}", full.display());
    None
}

/// Every row of a field as it is in epoch 0.
pub(super) fn all(field: &Field) -> Matrix {
    field.read_all(0).unwrap()
}

/// Numbers in memory as a field.
fn table(width: usize, numbers: &[f64]) -> Field {
    Field::new(store::View::of(width, numbers.to_vec()))
}

fn digits(target: Target, condition: Condition) -> Dataset {
    load(&DataConfig::Digits(DigitsConfig { target, condition, ..Default::default() }), Seed(0)).unwrap()
}

#[test]
fn digits_are_split_in_the_order_of_the_file() {
    let data = digits(Target::Image, Condition::None);
    assert_eq!((data.train.len(), data.validation.len(), data.test.len()), (1000, 350, 447));
    assert_eq!((data.spec.shape, &data.spec.values, &data.spec.condition), ([1, 8, 8], &Values::Levels(17), &None));
    assert_eq!(&all(&data.train.target).row(0)[..8], [0.0, 0.0, 5.0, 13.0, 9.0, 1.0, 0.0, 0.0]);
    assert_eq!(data.fingerprint, "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8");
    assert_eq!(data.train.target.read_all(3).unwrap(), all(&data.train.target));
    assert_eq!((data.transforms, data.entropy), (vec![], None));
}

#[test]
fn a_label_given_an_image_and_an_image_given_a_label() {
    let data = digits(Target::Label, Condition::Image);
    assert_eq!((data.spec.shape, &data.spec.values), ([1, 1, 1], &Values::Levels(10)));
    assert_eq!(&all(&data.train.target).values()[..10], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
    assert_eq!(all(&data.test.target).values().last(), Some(&8.0));
    let condition = data.spec.condition.unwrap();
    assert_eq!((condition.width(), condition.classes), (64, None));
    // Every pixel has the mean of all, so a pixel that is constant (the first) does not explode.
    assert!(condition.scale.mean.iter().all(|&mean| mean == condition.scale.mean[0]));
    assert!((condition.scale.mean[0] - 4.9).abs() < 0.1 && (condition.scale.std[0] - 6.0).abs() < 0.2, "{condition:?}");

    let data = digits(Target::Image, Condition::Label);
    let condition = data.spec.condition.unwrap();
    assert_eq!((condition.width(), condition.classes, condition.scale.std[3]), (10, Some(10), 1.0));
    assert_eq!(all(&data.train.condition.unwrap()).row(2), [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
}

#[cfg(feature = "flex")]
#[test]
fn a_batch_holds_its_rows() {
    let data = digits(Target::Label, Condition::Image);
    let batch = data.train.batch(&[3, 1], 0, &Device::flex()).unwrap();
    assert_eq!(batch.target.into_data().try_to_vec::<f32>().unwrap(), [3.0, 1.0]);
    let condition = batch.condition.unwrap();
    assert_eq!(condition.dims(), [2, 64]);
    let rows = all(&data.train.condition.unwrap());
    // Standardised: (x − mean) / std in f64, rounded once.
    let Some(ConditionSpec { scale, .. }) = data.spec.condition else { unreachable!() };
    let expected: Vec<f32> =
        [rows.row(3), rows.row(1)].concat().iter().map(|x| ((x - scale.mean[0]) / scale.std[0]) as f32).collect();
    assert_eq!(condition.into_data().try_to_vec::<f32>().unwrap(), expected);
}

#[test]
fn a_constant_has_a_deviation_of_one() {
    let statistics = |width, numbers: &[f64], pooled| {
        let Scale { mean, std, mean_rest, .. } = table(width, numbers).scale_of(pooled, &|_| "x".into()).unwrap();
        assert!(mean_rest.is_empty());
        (mean, std)
    };
    assert_eq!(statistics(1, &[3.1; 7], false), (vec![3.1], vec![1.0]));
    assert_eq!(statistics(1, &[1.0, 3.0], false), (vec![2.0], vec![1.0]));
    assert_eq!(statistics(2, &[0.0, 7.0, 4.0, 7.0], false), (vec![2.0, 7.0], vec![2.0, 1.0]));
    assert_eq!(statistics(2, &[0.0, 0.0, 4.0, 4.0], true), (vec![2.0], vec![2.0]));
    assert_eq!(statistics(2, &[], true), (vec![0.0], vec![1.0]));
}

#[test]
fn deviation_and_standardised_values_ignore_an_offset() {
    let small: Vec<f64> = (0..50u32).map(|i| f64::from(i * i * 31 % 97) / 64.0).collect();
    let reference = table(1, &small).scale_of(false, &|_| "x".into()).unwrap();
    let standardised = reference.standardize(&small);
    for offset in [1.0, -3e5, 1.7e9, 1e12, -1e12] {
        let moved: Vec<f64> = small.iter().map(|x| x + offset).collect();
        let scale = table(1, &moved).scale_of(false, &|_| "x".into()).unwrap();
        assert_eq!(scale.std, reference.std, "{offset}");
        assert_eq!(scale.standardize(&moved), standardised, "{offset}");
    }
    // What 64 bits cannot say of the mean alone.
    let scale = table(1, &[1e12, 1e12 + 1.0, 1e12 + 1.0]).scale_of(false, &|_| "x".into()).unwrap();
    let mean = scale.mean_rest[0] + (scale.mean[0] - 1e12);
    assert!((mean - 2.0 / 3.0).abs() < 1e-15, "{scale:?}");
}

#[test]
fn a_split_without_examples_is_an_error() {
    let mut data = digits(Target::Image, Condition::None);
    data.validation = Split::default();
    let message = data.check().unwrap_err().to_string();
    assert!(message.starts_with("digits: the validation split has no example"), "{message}");
}

#[test]
fn numbers_of_any_size_have_a_deviation() {
    let small: Vec<f64> = (0..50u32).map(|i| f64::from(i * i * 31 % 97) / 64.0).collect();
    let reference = table(1, &small).scale_of(false, &|_| "x".into()).unwrap();
    for exponent in [-600, -300, 300, 900] {
        let unit = 2f64.powi(exponent);
        let scaled: Vec<f64> = small.iter().map(|x| x * unit).collect();
        let scale = table(1, &scaled).scale_of(false, &|_| "x".into()).unwrap();
        assert_eq!(scale.std[0], reference.std[0] * unit);
        assert_eq!(scale.standardize(&scaled), reference.standardize(&small));
    }
    let error = table(1, &[1e308, -1e308, 1e308]).scale_of(false, &|_| "x".into()).unwrap_err().to_string();
    assert!(error.contains("give them in a larger unit"), "{error}");
}
