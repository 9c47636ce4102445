//! Tests of `source = "npy"` on arrays written here, and on binarised MNIST where it is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use dgm_models::{Scale, Values};
use tempfile::TempDir;

use super::super::npy::tests::npy;
use super::super::tests::{all, shared};
use super::super::{DataConfig, load};
use super::*;
use crate::data::{Augment, Condition, Dequantize, Orientation};

/// Arrays in a folder, as the configuration names them.
struct Files {
    folder: TempDir,
    config: NpyConfig,
}

impl Files {
    /// A configuration whose arrays are still to be written.
    fn new() -> Self {
        let config = "train = 'train.npy'\ntest = 'test.npy'";
        Self { folder: TempDir::new().unwrap(), config: toml::from_str(config).unwrap() }
    }

    fn write(&self, name: &str, descr: &str, shape: &str, data: &[u8]) {
        let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
        std::fs::write(self.folder.path().join(name), npy(&header, data)).unwrap();
    }

    fn load(&self) -> Result<Dataset> {
        let mut config = self.config.clone();
        let NpyConfig { train, test, validation, train_labels, test_labels, .. } = &mut config;
        let place = |name: &mut String| *name = self.folder.path().join(&*name).display().to_string();
        place(train);
        [test, validation, train_labels, test_labels].into_iter().flatten().for_each(place);
        config.validate().unwrap();
        load(&DataConfig::Npy(config), Seed(1))
    }

    fn error(&self) -> String {
        let message = self.load().expect_err("an error").to_string();
        assert!(!message.contains('\n'), "{message}");
        message.replace(&format!("{}/", self.folder.path().display()), "")
    }
}

fn le(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

#[test]
fn without_a_test_array_a_tenth_of_the_examples_is_drawn() {
    let mut files = Files::new();
    files.config.test = None;
    files.write("train.npy", "<f8", "(30, 1)", &(0..30).flat_map(|i| f64::from(i).to_le_bytes()).collect::<Vec<_>>());
    let data = files.load().unwrap();
    assert_eq!(data.examples(), [23, 4, 3]);
    let splits = [&data.train, &data.validation, &data.test].map(|split| all(&split.target).values().to_vec());
    let mut every = splits.concat();
    every.sort_unstable_by(f64::total_cmp);
    assert_eq!(every, (0..30).map(f64::from).collect::<Vec<_>>());
    assert_ne!(splits[2], [27.0, 28.0, 29.0]);
}

#[test]
fn a_table_of_real_numbers() {
    let mut files = Files::new();
    files.write("train.npy", "<f4", "(6, 2)", &le(&[0.0, 5.0, 2.0, 5.0, 4.0, 5.0, 6.0, 5.0, 8.0, 5.0, 9.5, -1.0]));
    files.write("test.npy", "<f8", "(1, 2)", &[0.25f64.to_le_bytes(), 7f64.to_le_bytes()].concat());
    let data = files.load().unwrap();
    assert_eq!((data.train.len(), data.validation.len(), data.test.len(), data.spec.shape), (5, 1, 1, [1, 1, 2]));
    assert_eq!(
        data.spec.values,
        Values::Real(Scale { mean: vec![4.0, 5.0], std: vec![8f64.sqrt(), 1.0], ..Scale::default() })
    );
    assert_eq!(
        (all(&data.validation.target).row(0), all(&data.test.target).row(0)),
        (&[9.5, -1.0][..], &[0.25, 7.0][..])
    );
    assert!(data.warnings[0].starts_with("the target `number 1` is 5 in every training row"), "{:?}", data.warnings);
    assert_eq!(data.name, "train");

    // From the disk they are the same.
    files.config.stream = true;
    let streamed = files.load().unwrap();
    assert_eq!((&streamed.spec, &streamed.fingerprint), (&data.spec, &data.fingerprint));
    assert_eq!(all(&streamed.train.target), all(&data.train.target));
    assert_eq!(all(&streamed.test.target), all(&data.test.target));
}

#[test]
fn colours_become_planes() {
    let mut files = Files::new();
    // Two images of 1 × 2 pixels: red, green and blue of the one pixel, then those of the other.
    files.write("train.npy", "|u1", "(2, 1, 2, 3)", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    files.write("test.npy", "<i4", "(1, 1, 2, 3)", &[9u32, 8, 7, 6, 5, 4].map(u32::to_le_bytes).concat());
    files.config.validation = Some("test.npy".into());
    assert!(files.error().starts_with("data.test: test.npy holds "), "{}", files.error());
    files.config.levels = Some(256);
    let data = files.load().unwrap();
    assert_eq!((data.spec.shape, &data.spec.values), ([3, 1, 2], &Values::Levels(256)));
    assert_eq!(all(&data.train.target).row(1), [7.0, 10.0, 8.0, 11.0, 9.0, 12.0]);
    assert_eq!(all(&data.test.target).values(), [9.0, 6.0, 8.0, 5.0, 7.0, 4.0]);
    files.write("train.npy", "|u1", "(2, 3, 1, 2)", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    assert!(files.error().contains("found an array 2 × 3 × 1 × 2; expected [n], [n, numbers]"), "{}", files.error());
    assert!(files.error().ends_with("; set data.layout = \"channels_first\""), "{}", files.error());
    files.write("test.npy", "|u1", "(1, 3, 1, 2)", &[1, 2, 3, 4, 5, 6]);
    files.config.layout = Layout::ChannelsFirst;
    let data = files.load().unwrap();
    assert_eq!((data.spec.shape, all(&data.train.target).row(1)), ([3, 1, 2], &[7.0, 8.0, 9.0, 10.0, 11.0, 12.0][..]));
    files.config.validation = None;
    files.config.validation_size = Some(2);
    assert!(files.error().contains("the training split has no example"));
}

#[test]
fn labels_belong_to_their_examples() {
    let mut files = Files::new();
    files.write("train.npy", "|b1", "(4, 4)", &[0, 1, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 0, 0, 0]);
    files.write("test.npy", "|b1", "(1, 4)", &[1, 1, 0, 0]);
    files.write("labels.npy", "<i8", "(4,)", &[2i64, 0, 1, 2].map(i64::to_le_bytes).concat());
    files.write("test_labels.npy", "|u1", "(1, 1)", &[1]);
    files.config.shape = Some([2, 2]);
    files.config.condition = Condition::Label;
    files.config.train_labels = Some("labels.npy".into());
    files.config.test_labels = Some("test_labels.npy".into());
    files.config.classes = 3;
    files.config.validation_size = Some(1);
    let data = files.load().unwrap();
    assert_eq!((data.spec.shape, &data.spec.values), ([1, 2, 2], &Values::Levels(2)));
    assert_eq!(all(data.train.condition.as_ref().unwrap()).values(), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
    assert_eq!(all(data.test.condition.as_ref().unwrap()).values(), [0.0, 1.0, 0.0]);
    files.config.classes = 2;
    assert_eq!(
        files.error(),
        "labels.npy: found 2 in example 0; expected whole numbers from 0 to 1 (data.classes = 2); set data.classes = 3 \
         at least"
    );
    files.config.classes = 3;
    files.write("labels.npy", "|u1", "(3,)", &[0, 0, 0]);
    assert!(files.error().starts_with("data.train_labels: found 3 labels; expected 4, one for each example of "));
    files.config.shape = Some([2, 3]);
    assert!(files.error().starts_with("data.shape is [2, 3], but an example of "), "{}", files.error());
}

#[test]
fn real_numbers_have_no_levels_to_transform() {
    let mut files = Files::new();
    files.write("train.npy", "<f4", "(2, 2)", &le(&[0.0, 5.0, 2.0, 5.0]));
    files.write("test.npy", "<f4", "(2, 2)", &le(&[0.0, 5.0, 2.0, 5.0]));
    files.config.dequantize = Dequantize::Uniform;
    assert!(files.error().starts_with("data.dequantize: the numbers of train.npy are real; expected levels"));
    files.config.dequantize = Dequantize::None;
    files.config.augment = Augment { orientation: Orientation::Horizontal, ..Augment::default() };
    assert!(files.error().starts_with("data.augment: train.npy holds a table; expected images"), "{}", files.error());
    files.config.augment = Augment::default();
    files.config.train = "nothing.npy".into();
    assert!(
        files.error().starts_with("data.train: there is no file nothing.npy; put an NPY file"),
        "{}",
        files.error()
    );
    files.config.train = "train.npz:x".into();
    std::fs::write(files.folder.path().join("train.npz"), b"PK").unwrap();
    assert!(files.error().starts_with("train.npz: not a whole NPZ file ("), "{}", files.error());
}

#[test]
fn only_square_images_are_turned() {
    let mut files = Files::new();
    for name in ["train.npy", "test.npy"] {
        files.write(name, "|u1", "(6, 2, 3)", &[7; 36]);
    }
    for (orientation, works) in
        [(Orientation::Horizontal, true), (Orientation::Rotations, false), (Orientation::Dihedral, false)]
    {
        files.config.augment = Augment { orientation, ..Augment::default() };
        match works {
            true => assert_eq!(files.load().unwrap().train.len(), 5),
            false => assert_eq!(
                files.error(),
                "data.augment.orientation turns images by quarter turns, and those of train have 2 × 3 pixels; expected \
                 square ones; take \"horizontal\" or \"none\""
            ),
        }
    }
}

#[test]
fn binarised_mnist_is_unpacked() {
    let Some(folder) = shared("binarized-mnist") else { return };
    let array = |name: &str| folder.join(name).display().to_string();
    let config = NpyConfig {
        train: array("train.npy"),
        validation: Some(array("valid.npy")),
        test: Some(array("test.npy")),
        packed: true,
        shape: Some([28, 28]),
        ..Files::new().config
    };
    let data = load(&DataConfig::Npy(config), Seed(0)).unwrap();
    assert_eq!((data.train.len(), data.validation.len(), data.test.len()), (50_000, 10_000, 10_000));
    assert_eq!((data.spec.shape, &data.spec.values), ([1, 28, 28], &Values::Levels(2)));
    assert_eq!(all(&data.test.target).values().iter().sum::<f64>(), 1_038_896.0);
    let first = data.train.target.read(&[0], 0).unwrap();
    let on: Vec<usize> = (0..784).filter(|&place| first.values()[place] == 1.0).collect();
    assert_eq!(on[..10], [64, 65, 66, 93, 94, 120, 121, 122, 148, 149]);
}

#[test]
fn single_numbers_are_examples() {
    let files = Files::new();
    files.write("train.npy", "<f8", "(12,)", &(0..12).flat_map(|i| f64::from(i).to_le_bytes()).collect::<Vec<u8>>());
    // numpy.array([0.5, -2], "<f2")
    files.write("test.npy", "<f2", "(2,)", &[0x00, 0x38, 0x00, 0xc0]);
    let data = files.load().unwrap();
    assert_eq!((data.spec.shape, data.train.len(), data.validation.len(), data.test.len()), ([1, 1, 1], 10, 2, 2));
    assert_eq!(all(&data.test.target).values(), [0.5, -2.0]);
    let Values::Real(scale) = &data.spec.values else { panic!() };
    // Mean and variance of 0, …, 9.
    assert_eq!(scale.mean, [4.5]);
    assert!((scale.std[0] - 8.25f64.sqrt()).abs() < 1e-6, "{:?}", scale.std);
    files.write("test.npy", "<f4", "()", &le(&[1.0]));
    let expected = "test.npy: found one number, an array without dimensions; expected examples [n] or [n, …]; save them as \
                    one array with numpy.save(file, numpy.stack(examples))";
    assert_eq!(files.error(), expected);
}

#[test]
fn pixels_from_0_to_1_are_levels() {
    let mut files = Files::new();
    let bytes: Vec<u8> = (0..=255).collect();
    files.write("train.npy", "|u1", "(64, 2, 2)", &bytes);
    files.write("test.npy", "|u1", "(1, 2, 2)", &[0, 255, 128, 7]);
    let expected = files.load().unwrap();
    files.config.levels = Some(256);
    files.config.scale = Some(255.0);
    let halves: Vec<u8> = (0..=255).flat_map(|v| half::f16::from_f64(f64::from(v) / 255.0).to_le_bytes()).collect();
    let singles: Vec<u8> = (0..=255).flat_map(|v| (v as f32 / 255.0).to_le_bytes()).collect();
    let doubles: Vec<u8> = (0..=255).flat_map(|v| f64::from(v as f32 / 255.0).to_le_bytes()).collect();
    files.write("test.npy", "<f4", "(1, 2, 2)", &le(&[0.0, 1.0, 128.0 / 255.0, 7.0 / 255.0]));
    for (descr, data) in [("<f2", halves), ("<f4", singles), ("<f8", doubles)] {
        files.write("train.npy", descr, "(64, 2, 2)", &data);
        for stream in [false, true] {
            files.config.stream = stream;
            let found = files.load().unwrap();
            assert_eq!(
                (&found.spec, all(&found.train.target)),
                (&expected.spec, all(&expected.train.target)),
                "{descr}"
            );
            assert_eq!(all(&found.test.target), all(&expected.test.target), "{descr}");
            assert_eq!(found.transforms, ["numbers times 255 are the levels"]);
        }
    }
    // Interpolated ones are none.
    files.write("test.npy", "<f4", "(1, 2, 2)", &le(&[0.0, 1.0, 0.5, 0.0]));
    let expected = "test.npy: found 0.5 in example 0, times data.scale 127.5; expected whole numbers from 0 to 255 \
                    (data.levels = 256); set another data.scale, or leave data.levels and data.scale out, so that the \
                    numbers are real";
    assert_eq!(files.error(), expected);
    files.config.scale = None;
    let advice = "found 0.003921568859368563 in example 0; expected whole numbers from 0 to 255 (data.levels = 256); for \
                  pixels from 0 to 1 set data.scale = 255, else leave data.levels out";
    assert!(files.error().ends_with(advice), "{}", files.error());
    files.config.levels = None;
    files.config.scale = Some(255.0);
    assert_eq!(files.config.validate().unwrap_err().key, "scale");
}

#[test]
fn grids_and_unseen_classes_are_named() {
    let mut files = Files::new();
    let rows: Vec<f32> = (0..60).flat_map(|i| [(i * 7 % 5) as f32 / 2.0, (i as f32).sqrt()]).collect();
    files.write("train.npy", "<f4", "(60, 2)", &le(&rows));
    files.write("test.npy", "<f4", "(1, 2)", &le(&[0.0, 1.0]));
    let data = files.load().unwrap();
    assert_eq!(data.warnings.len(), 1);
    assert!(
        data.warnings[0].starts_with("the target `number 0` takes 5 values in steps of 0.5"),
        "{:?}",
        data.warnings
    );

    // Validation is the end of the training array: of the last classes alone.
    files.write("train.npy", "|u1", "(12, 1, 2)", &[3; 24]);
    files.write("labels.npy", "|u1", "(12,)", &[0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]);
    files.write("test.npy", "|u1", "(1, 1, 2)", &[3; 2]);
    files.write("test_labels.npy", "|u1", "(1,)", &[2]);
    files.config.condition = Condition::Label;
    files.config.train_labels = Some("labels.npy".into());
    files.config.test_labels = Some("test_labels.npy".into());
    files.config.validation_size = Some(3);
    let data = files.load().unwrap();
    assert!(data.warnings[0].contains("the validation split has examples of classes that no training example has (3)"));
    files.config.validation_size = Some(2);
    assert!(files.load().unwrap().warnings.is_empty());
}
