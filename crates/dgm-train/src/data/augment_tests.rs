//! Tests of augmentation on images of a few pixels, and through the digits.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor};
use dgm_core::random::Seed;

use super::super::tests::all;
use super::super::transform::{Draw, Step};
use super::super::{Condition, DataConfig, Dataset, DigitsConfig, Target, load};
use super::*;

const ORIENTATIONS: [Orientation; 4] =
    [Orientation::None, Orientation::Horizontal, Orientation::Rotations, Orientation::Dihedral];

fn digits(augment: Augment, condition: Condition) -> Dataset {
    let config = DigitsConfig { augment, condition, ..Default::default() };
    config.validate().unwrap();
    load(&DataConfig::Digits(config), Seed(3)).unwrap()
}

fn oriented(orientation: Orientation) -> Augment {
    Augment { orientation, ..Augment::default() }
}

/// The variation that the numbers encode, read by their description and not by the code that writes them.
fn decoded(augment: &Augment, encoded: &[f64]) -> Variation {
    let s = augment.shift;
    let (offsets, element) = encoded.split_at(4 * s);
    let (down, right) = offsets.split_at(2 * s);
    let place = |one_hot: &[f64]| {
        assert!(one_hot.iter().all(|&x| x == 0.0 || x == 1.0) && one_hot.iter().sum::<f64>() <= 1.0, "{one_hot:?}");
        one_hot.iter().position(|&x| x == 1.0)
    };
    let nonzero: Vec<isize> = (-(s as isize)..=s as isize).filter(|&offset| offset != 0).collect();
    let offset = |one_hot| place(one_hot).map_or(0, |place| nonzero[place]);
    Variation { by: [offset(down), offset(right)], element: place(element).map_or(0, |place| place + 1) }
}

#[test]
fn an_image_is_mirrored_and_moved() {
    // Two channels of 2 × 3 pixels.
    let image: Vec<f64> = (1..=12).map(|i| i as f64).collect();
    let moved_by = |by, element| {
        let mut image = image.clone();
        oriented(Orientation::Horizontal).vary(&mut image, [2, 2, 3], Variation { by, element });
        image
    };
    assert_eq!(moved_by([0, 0], 0), image);
    assert_eq!(moved_by([0, 0], 1), [3., 2., 1., 6., 5., 4., 9., 8., 7., 12., 11., 10.]);
    assert_eq!(moved_by([1, 0], 0), [0., 0., 0., 1., 2., 3., 0., 0., 0., 7., 8., 9.]);
    assert_eq!(moved_by([-1, 1], 0), [0., 4., 5., 0., 0., 0., 0., 10., 11., 0., 0., 0.]);
    assert_eq!(moved_by([0, -2], 1), [1., 0., 0., 4., 0., 0., 7., 0., 0., 10., 0., 0.]);
    assert_eq!(moved_by([2, 0], 0), [0.0; 12]);
}

#[test]
fn the_orientations_are_those_of_a_square() {
    let image: Vec<f64> = (1..=9).map(|i| i as f64).collect();
    let varied = |image: &[f64], element| {
        let mut image = image.to_vec();
        oriented(Orientation::Dihedral).vary(&mut image, [1, 3, 3], Variation { by: [0, 0], element });
        image
    };
    // numpy.rot90 of the image and of its mirror image.
    let expected = [
        [1., 2., 3., 4., 5., 6., 7., 8., 9.],
        [3., 6., 9., 2., 5., 8., 1., 4., 7.],
        [9., 8., 7., 6., 5., 4., 3., 2., 1.],
        [7., 4., 1., 8., 5., 2., 9., 6., 3.],
        [3., 2., 1., 6., 5., 4., 9., 8., 7.],
        [1., 4., 7., 2., 5., 8., 3., 6., 9.],
        [7., 8., 9., 4., 5., 6., 1., 2., 3.],
        [9., 6., 3., 8., 5., 2., 7., 4., 1.],
    ];
    for (element, expected) in expected.iter().enumerate() {
        assert_eq!(varied(&image, element), expected, "element {element}");
    }
    // A group: one after the other is one of them, and each row of the table holds each of them once.
    for first in 0..8 {
        let mut seconds: Vec<usize> = (0..8)
            .map(|second| {
                let both = varied(&varied(&image, first), second);
                expected.iter().position(|one| one[..] == both).expect("no element of the group")
            })
            .collect();
        seconds.sort_unstable();
        assert_eq!(seconds, [0, 1, 2, 3, 4, 5, 6, 7]);
    }
    // The smaller groups are parts of it.
    for (orientation, elements) in [(Orientation::Horizontal, &[0, 4][..]), (Orientation::Rotations, &[0, 1, 2, 3])] {
        for (index, &element) in elements.iter().enumerate() {
            let mut image = image.clone();
            oriented(orientation).vary(&mut image, [1, 3, 3], Variation { by: [0, 0], element: index });
            assert_eq!(image, expected[element]);
        }
        assert_eq!(orientation.elements(), elements.len());
    }
}

#[test]
fn the_encoding_undoes_the_augmentation() {
    // Two channels of 4 × 4 pixels, all different, in a margin as wide as the shift, so that nothing is lost.
    let (shift, side) = (2, 8);
    let image: Vec<f64> = (0..2 * side * side)
        .map(|place| {
            let (y, x) = (place / side % side, place % side);
            let inside = [y, x].iter().all(|&at| (shift..side - shift).contains(&at));
            if inside { 1.0 + place as f64 } else { 0.0 }
        })
        .collect();
    for orientation in ORIENTATIONS {
        let augment = Augment { shift, orientation, condition: true, ..Augment::default() };
        let (shape, draw) = ([2, side, side], Draw::train(Seed(8)));
        let vary = Step::Augment { augment, shape };
        let encode = Step::Encode { augment, varied: true };
        assert_eq!(encode.width(3), 3 + 4 * shift + orientation.elements() - 1);
        let mut seen = BTreeMap::new();
        for (epoch, row) in (0..4).flat_map(|epoch| (0..1000).map(move |row| (epoch, row))) {
            let (mut varied, mut encoded) = (image.clone(), vec![0.5, 7.0]);
            vary.apply(&mut varied, 0, row, vary.stream(&draw, epoch).as_ref());
            encode.apply(&mut encoded, 1, row, encode.stream(&draw, epoch).as_ref());
            assert_eq!(
                (encoded[0], encoded[1], encoded.len()),
                (0.5, 7.0, encode.width(2)),
                "what comes before is as it was"
            );
            let Variation { by: [down, right], element } = decoded(&augment, &encoded[2..]);
            // Moved back, then by the element that undoes this one.
            augment.vary(&mut varied, shape, Variation { by: [-down, -right], element: 0 });
            let (mirrored, turns) = orientation.element(element);
            let inverse = if mirrored { element } else { (4 - turns) % 4 };
            augment.vary(&mut varied, shape, Variation { by: [0, 0], element: inverse });
            assert_eq!(varied, image, "{orientation:?}: {down} {right} {element}");
            *seen.entry((down, right, element)).or_insert(0) += 1;
        }
        assert_eq!(seen.len(), 25 * orientation.elements(), "{orientation:?}: not everything occurs");
    }
}

#[test]
fn every_variation_is_as_probable_as_another() {
    let draws = |augment: &Augment, n: u32| {
        let mut counts = BTreeMap::<_, u32>::new();
        let mut stream = Seed(1).stream("augment", 0);
        for _ in 0..n {
            let Variation { by: [down, right], element } = augment.sample(&mut stream);
            *counts.entry((down, right, element)).or_default() += 1;
        }
        counts
    };
    // Five standard errors.
    let near = |count: u32, n: u32, p: f64| {
        let (count, n) = (f64::from(count), f64::from(n));
        assert!((count - n * p).abs() < 5.0 * (n * p * (1.0 - p)).sqrt(), "{count} of {n}, expected {p}");
    };
    let n = 100_000;
    for orientation in ORIENTATIONS {
        let augment = Augment { shift: 1, orientation, ..Augment::default() };
        let all = 9 * orientation.elements();
        let counts = draws(&augment, n);
        assert_eq!(counts.len(), all);
        counts.values().for_each(|&count| near(count, n, 1.0 / all as f64));
        // Left as it is with a given probability, and otherwise drawn from all of them, the identity included.
        for (variation, &count) in &draws(&Augment { unvaried: 0.4, ..augment }, n) {
            let identity = if *variation == (0, 0, 0) { 0.4 } else { 0.0 };
            near(count, n, identity + 0.6 / all as f64);
        }
    }
}

#[test]
fn only_training_images_are_augmented() {
    let plain = digits(Augment::default(), Condition::None);
    let data = digits(Augment { shift: 1, ..Augment::default() }, Condition::None);
    assert_eq!(all(&data.validation.target), all(&plain.validation.target));
    assert_eq!(data.test.target.read_all(7).unwrap(), all(&plain.test.target));
    let epoch = |epoch| data.train.target.read_all(epoch).unwrap();
    assert_ne!(epoch(0), epoch(1));
    assert_ne!(epoch(0), all(&plain.train.target));
    assert_eq!(epoch(5).row(3), data.train.target.read(&[9, 3], 5).unwrap().row(1));
    assert_eq!(data.transforms, ["training images shifted by up to 1 pixel at random; validation and test are not"]);
    assert_eq!(data.fingerprint, plain.fingerprint);
    assert!(data.spec.condition.is_none());
}

/// Whatever is not training sees images as they are, and that nothing was done to them.
#[test]
fn the_same_images_unaugmented_are_those_of_the_data() {
    let (rows, device) = (Vec::from_iter(0..50), Device::flex());
    let plain = digits(Augment::default(), Condition::Label).train.unaugmented(&rows, &device).unwrap();
    let augment = Augment { shift: 1, condition: true, ..Augment::default() };
    let train = digits(augment, Condition::Label).train;
    let values = |tensor: &Tensor<2>| tensor.to_data().iter::<f32>().collect::<Vec<_>>();
    let (found, of_epoch) = (train.unaugmented(&rows, &device).unwrap(), train.batch(&rows, 0, &device).unwrap());
    assert_eq!(values(&found.target), values(&plain.target));
    assert_ne!(values(&of_epoch.target), values(&plain.target));
    let [plain, found, of_epoch] = [plain, found, of_epoch].map(|batch| batch.condition.unwrap());
    let encoding = |condition: &Tensor<2>| values(&condition.clone().narrow(1, 10, 4));
    assert_eq!(values(&found.clone().narrow(1, 0, 10)), values(&plain));
    assert!(encoding(&found).iter().all(|&number| number == 0.0) && encoding(&of_epoch).contains(&1.0));
}

#[test]
fn conditioning_keeps_images_and_marks_unchanged_ones_zero() {
    let with = Augment { shift: 1, orientation: Orientation::Dihedral, unvaried: 0.25, condition: true };
    let without = Augment { condition: false, ..with };
    for condition in [Condition::None, Condition::Label] {
        let (data, other) = (digits(with, condition), digits(without, condition));
        let classes = if condition == Condition::Label { 10 } else { 0 };
        let spec = data.spec.condition.as_ref().unwrap();
        assert_eq!(
            (spec.augmentation, spec.width(), spec.classes),
            (11, classes + 11, (classes > 0).then_some(classes))
        );
        assert_eq!(data.spec.check(), Ok(()));
        // As an input it changes no image.
        for epoch in [0, 3] {
            let read = |data: &Dataset| data.train.target.read_all(epoch).unwrap();
            assert_eq!(read(&data), read(&other));
        }
        let plain = digits(Augment::default(), condition);
        let originals = all(&plain.train.target);
        let rows = [17, 3, 999, 3];
        let (targets, conditions) = (&data.train.target, data.train.condition.as_ref().unwrap());
        let (targets, conditions) = (targets.read(&rows, 2).unwrap(), conditions.read(&rows, 2).unwrap());
        for (i, &row) in rows.iter().enumerate() {
            let (label, numbers) = conditions.row(i).split_at(classes);
            if let Some(labels) = &plain.train.condition {
                assert_eq!(label, all(labels).row(row));
            }
            // What is encoded makes the image that is seen from the one in the file, whatever else is read with it.
            let mut image = originals.row(row).to_vec();
            with.vary(&mut image, [1, 8, 8], decoded(&with, numbers));
            assert_eq!(image, targets.row(i));
        }
        assert_eq!(conditions.row(1), conditions.row(3));
        for split in [&data.validation, &data.test] {
            let conditions = split.condition.as_ref().unwrap().read_all(4).unwrap();
            assert_eq!((conditions.rows(), conditions.width()), (split.len(), classes + 11));
            assert!((0..conditions.rows()).all(|row| conditions.row(row)[classes..].iter().all(|&x| x == 0.0)));
        }
        assert_eq!(
            data.transforms,
            [
                "training images shifted by up to 1 pixel and turned by quarter turns or mirrored at random (left as they are \
              with probability 0.25); validation and test are not; the augmentation is an input of the model: results \
              are for unaugmented images"
            ]
        );
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let varied = Augment { shift: 1, orientation: Orientation::Dihedral, ..Augment::default() };
    let invalid = |augment: Augment| augment.validate(true, true).map_err(|invalid| invalid.key);
    assert_eq!(invalid(varied), Ok(()));
    assert_eq!(invalid(Augment { condition: true, ..varied }), Ok(()));
    assert_eq!(invalid(Augment { shift: 1025, ..varied }), Err("augment.shift"));
    for unvaried in [-0.1, 1.0, f64::NAN] {
        assert_eq!(invalid(Augment { unvaried, ..varied }), Err("augment.unvaried"));
    }
    // Nothing to leave as it is, and nothing to encode.
    assert_eq!(invalid(Augment { unvaried: 0.5, ..Augment::default() }), Err("augment.unvaried"));
    assert_eq!(invalid(Augment { condition: true, ..Augment::default() }), Err("augment.condition"));
    let with = Augment { condition: true, ..varied };
    let config =
        DigitsConfig { target: Target::Label, condition: Condition::Image, augment: with, ..Default::default() };
    let refused = config.validate().unwrap_err();
    assert_eq!(refused.key, "augment.condition");
    assert_eq!(
        refused.expected,
        "false: the images are the condition, and only the augmentation of a target can be an input"
    );
    assert_eq!(with.validate(false, false).unwrap_err().key, "augment");
    let config = DigitsConfig { augment: Augment { shift: 8, ..Augment::default() }, ..Default::default() };
    let message = load(&DataConfig::Digits(config), Seed(0)).unwrap_err().to_string();
    assert_eq!(
        message,
        "data.augment.shift is 8; expected less than the 8 pixels of an image's shorter side; lower it"
    );
}
