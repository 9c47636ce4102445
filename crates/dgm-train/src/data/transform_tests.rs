//! Tests of the transforms on images of a few pixels, and through the digits.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use dgm_models::{Scale, Values};

use super::super::tests::all;
use super::super::{DataConfig, Dataset, DigitsConfig, load};
use super::*;

fn digits(change: impl FnOnce(&mut DigitsConfig)) -> Dataset {
    let mut config = DigitsConfig::default();
    change(&mut config);
    config.validate().unwrap();
    load(&DataConfig::Digits(config), Seed(3)).unwrap()
}

#[test]
fn interleaved_channels_become_planes() {
    let mut numbers = vec![99.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    Step::Planes { channels: 3 }.apply(&mut numbers, 1, 0, None);
    assert_eq!(numbers, [99.0, 1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
}

#[test]
fn dequantised_levels_stay_in_their_unit() {
    let plain = digits(|_| ());
    let data = digits(|config| config.dequantize = Dequantize::Uniform);
    assert!(data.train.target.is_dequantized() && !plain.train.target.is_dequantized());
    let (levels, real) = (all(&plain.train.target), all(&data.train.target));
    let mut noise = 0.0;
    for (level, real) in levels.values().iter().zip(real.values()) {
        assert!(real >= level && *real < level + 1.0, "{level} became {real}");
        noise += real - level;
    }
    let n = levels.values().len() as f64;
    assert!((noise / n - 0.5).abs() < 5.0 * (1.0 / 12.0 / n).sqrt(), "{}", noise / n);
    assert_ne!(data.train.target.read_all(1).unwrap(), real);
    // Validation and test are the same in every epoch and for every seed.
    assert_eq!(data.test.target.read_all(1).unwrap(), all(&data.test.target));
    let config = DigitsConfig { dequantize: Dequantize::Uniform, ..Default::default() };
    let other = load(&DataConfig::Digits(config), Seed(4)).unwrap();
    assert_eq!(all(&other.validation.target), all(&data.validation.target));
    // One mean for all pixels, as they are dequantised: half a level above that of the levels.
    let Values::Real(Scale { mean, std, .. }) = &data.spec.values else { panic!("{:?}", data.spec.values) };
    let expected = levels.values().iter().sum::<f64>() / n + noise / n;
    assert!(mean.len() == 64 && mean.iter().all(|&mean| (mean - expected).abs() < 1e-9), "{mean:?}");
    assert!(std.iter().all(|&deviation| deviation == std[0] && (deviation - 6.0).abs() < 0.2));
    assert!(
        data.transforms[0].starts_with("pixels dequantised: the density is that of x + u"),
        "{:?}",
        data.transforms
    );
    // Where the sum would be rounded up to the next level.
    assert_eq!(below_next(255.0, 1.0 - f32::EPSILON / 2.0), 256.0f32.next_down());
    assert_eq!(below_next(0.0, 0.25), 0.25);
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let invalid = |target, used, change: &dyn Fn(&mut Transforms)| {
        let mut transforms = Transforms::default();
        change(&mut transforms);
        transforms.validate(target, used).map_err(|invalid| invalid.key)
    };
    assert_eq!(invalid(false, false, &|_| ()), Ok(()));
    assert_eq!(invalid(false, true, &|t| t.binarize = Binarize::Threshold), Ok(()));
    assert_eq!(invalid(false, true, &|t| t.binarize = Binarize::Dynamic), Err("binarize"));
    assert_eq!(invalid(false, true, &|t| t.dequantize = Dequantize::Uniform), Err("dequantize"));
    let both = |t: &mut Transforms| (t.binarize, t.dequantize) = (Binarize::Dynamic, Dequantize::Uniform);
    assert_eq!(invalid(true, true, &both), Err("dequantize"));
    assert_eq!(invalid(false, true, &|t| t.augment.shift = 1), Ok(()));
    assert_eq!(invalid(false, false, &|t| t.augment.shift = 1), Err("augment"));
    assert_eq!(invalid(true, true, &|t| t.augment.shift = 2000), Err("augment.shift"));
}
