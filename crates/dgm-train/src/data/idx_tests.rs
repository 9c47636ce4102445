//! Tests of the IDX reader on files written here, and on MNIST where it is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Write;

use tempfile::TempDir;

use super::super::tests::{all, shared};
use super::super::{DataConfig, load};
use super::*;
use crate::data::{Augment, Binarize, Condition, Dequantize, Target};

fn idx(kind: u8, sizes: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, kind, sizes.len() as u8];
    sizes.iter().for_each(|size| bytes.extend(size.to_be_bytes()));
    bytes.extend(data);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Six train images of 1 × 2 pixels with labels 0..6, and two test images.
struct Files {
    folder: TempDir,
    config: IdxConfig,
}

impl Files {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let path = |name: &str| folder.path().join(name);
        let config = IdxConfig {
            train_images: path("train-images"),
            train_labels: Some(path("train-labels")),
            test_images: path("test-images"),
            test_labels: Some(path("test-labels")),
            target: Target::Image,
            condition: Condition::Label,
            levels: 256,
            classes: 10,
            binarize: Binarize::None,
            dequantize: Dequantize::None,
            augment: Augment::default(),
            stream: false,
            validation: None,
            train_limit: None,
            test_limit: None,
        };
        let files = Self { folder, config };
        files.write("train-images", &idx(8, &[6, 1, 2], &[0, 10, 20, 30, 40, 50, 60, 127, 128, 200, 255, 0]));
        files.write("train-labels", &gzip(&idx(8, &[6], &[0, 1, 2, 3, 4, 5])));
        files.write("test-images", &gzip(&idx(8, &[2, 1, 2], &[0, 255, 255, 0])));
        files.write("test-labels", &idx(8, &[2], &[7, 8]));
        files
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.folder.path().join(name), bytes).unwrap();
    }

    fn load(&self) -> Result<Dataset> {
        load(&DataConfig::Idx(self.config.clone()), Seed(1))
    }

    /// The message of the error, less the folder.
    fn error(&self) -> String {
        let message = self.load().expect_err("an error").to_string();
        assert!(!message.contains('\n'), "{message}");
        message.replace(&format!("{}/", self.folder.path().display()), "")
    }
}

#[test]
fn small_files_are_read() {
    let mut files = Files::new();
    let data = files.load().unwrap();
    assert_eq!((data.train.len(), data.validation.len(), data.test.len()), (5, 1, 2));
    assert_eq!(all(&data.train.target).row(3), [60.0, 127.0]);
    assert_eq!(all(&data.validation.target).row(0), [255.0, 0.0]);
    assert_eq!(all(&data.validation.condition.unwrap()).row(0), [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!(all(&data.test.condition.unwrap()).row(1), [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0]);

    files.config.validation = Some(2);
    files.config.train_limit = Some(3);
    files.config.test_limit = Some(1);
    files.config.binarize = Binarize::Threshold;
    let data = files.load().unwrap();
    assert_eq!((data.train.len(), data.validation.len(), data.test.len()), (3, 2, 1));
    assert_eq!(all(&data.validation.target).values(), [1.0, 1.0, 1.0, 0.0]);
    assert_eq!(data.spec.values, dgm_models::Values::Levels(2));
}

#[test]
fn the_fingerprint_is_that_of_the_content() {
    let files = Files::new();
    let before = files.load().unwrap().fingerprint;
    let plain = std::fs::read(&files.config.train_images).unwrap();
    files.write("train-images", &gzip(&plain));
    assert_eq!(files.load().unwrap().fingerprint, before);
    files.write("test-labels", &idx(8, &[2], &[7, 9]));
    assert_ne!(files.load().unwrap().fingerprint, before);
}

#[test]
fn dynamic_binarisation_draws_every_epoch_anew() {
    let mut files = Files::new();
    let grey: Vec<u8> = (0..600).map(|i| [0, 255, 51][i % 3]).collect();
    files.write("train-images", &idx(8, &[6, 10, 10], &grey));
    files.write("test-images", &idx(8, &[2, 10, 10], &grey[..200]));
    files.config.binarize = Binarize::Dynamic;
    let data = files.load().unwrap();
    let other = load(&DataConfig::Idx(files.config.clone()), Seed(9)).unwrap();
    let epoch = |epoch| data.train.target.read_all(epoch).unwrap();
    assert_eq!(epoch(4), epoch(4));
    assert_ne!(epoch(4), epoch(5));
    assert_ne!(epoch(4), other.train.target.read_all(4).unwrap());
    assert_eq!(data.test.target.read_all(4).unwrap(), all(&data.test.target));
    assert_eq!(all(data.train.condition.as_ref().unwrap()).row(4)[4], 1.0);
    let mut ones = [0.0; 3];
    for number in 0..50 {
        for (i, value) in epoch(number).values().iter().enumerate() {
            assert!(*value == 0.0 || *value == 1.0);
            ones[i % 3] += value;
        }
    }
    let draws = 50.0 * 500.0 / 3.0;
    assert_eq!(ones[0], 0.0);
    assert!((ones[1] / draws - 1.0).abs() < 0.01, "{ones:?}");
    assert!((ones[2] / draws - 0.2).abs() < 5.0 * (0.16f64 / draws).sqrt(), "{ones:?}");
    // Validation and test do not depend on the seed.
    assert_eq!(all(&other.test.target), all(&data.test.target));
    assert_eq!(all(&other.validation.target), all(&data.validation.target));
    assert_eq!(data.transforms, ["pixels binarised anew each epoch; validation and test drawn once with seed 0"]);
}

/// What every release draws: one number per pixel, in the order of the rows.
#[test]
fn a_row_is_drawn_as_if_all_rows_were() {
    let mut files = Files::new();
    let grey: Vec<u8> = (0..600).map(|i| (i * 7 % 256) as u8).collect();
    files.write("train-images", &idx(8, &[6, 10, 10], &grey));
    files.write("test-images", &idx(8, &[2, 10, 10], &grey[400..]));
    files.config.binarize = Binarize::Dynamic;
    let data = files.load().unwrap();
    let draw = |grey: &[u8], mut stream: dgm_core::random::Stream| -> Vec<f64> {
        grey.iter().map(|&v| f64::from(u8::from(stream.uniform() * 255.0 < f32::from(v)))).collect()
    };
    let whole = draw(&grey[..500], Seed(1).stream("binarize", 3));
    let read = data.train.target.read(&[4, 0, 2, 4], 3).unwrap();
    for (i, row) in [4, 0, 2, 4].into_iter().enumerate() {
        assert_eq!(read.row(i), &whole[row * 100..][..100], "row {row}");
    }
    let validation = draw(&grey[500..], Seed(0).stream("binarize.validation", 0));
    assert_eq!(data.validation.target.read_all(3).unwrap().values(), validation);
    assert_eq!(all(&data.test.target).values(), draw(&grey[400..], Seed(0).stream("binarize.test", 0)));
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    let files = Files::new();
    let whole = idx(8, &[6, 1, 2], &[1; 12]);
    for length in 0..whole.len() {
        files.write("train-images", &whole[..length]);
        assert!(files.error().starts_with("train-images: found "), "{}", files.error());
        files.write("train-images", &gzip(&whole[..length]));
        assert!(files.error().starts_with("train-images: found "), "{}", files.error());
    }
    let packed = gzip(&whole);
    for length in 0..packed.len() {
        files.write("train-images", &packed[..length]);
        let message = files.error();
        assert!(message.starts_with("train-images: "), "{message}");
        assert!(length < 2 || message.contains("cut short"), "{length}: {message}");
    }
    for length in 0..idx(8, &[6], &[0; 6]).len() {
        files.write("train-images", &whole);
        files.write("train-labels", &idx(8, &[6], &[0; 6])[..length]);
        assert!(files.error().starts_with("train-labels: found "), "{}", files.error());
    }
}

#[test]
fn errors_say_what_was_found_and_expected() {
    let data = [0u8; 12];
    for (bytes, expected) in [
        (idx(8, &[6, 1, 2], &[0; 13]), "found more than the 12 bytes of data that 6 × 1 × 2 needs; fetch it again"),
        (
            gzip(&idx(8, &[6, 1, 2], &[0; 13])),
            "found more than the 12 bytes of data that 6 × 1 × 2 needs; fetch it again",
        ),
        (idx(11, &[6, 1, 2], &data), "found 12 bytes of data; expected 24 for 6 × 1 × 2: cut short; fetch it again"),
        (idx(10, &[6, 1, 2], &data), "found IDX data of type 0a; expected 08, 09, 0b, 0c, 0d or 0e, whole numbers or"),
        (
            idx(9, &[6, 1, 2], &[255; 12]),
            "found the value -1 in image 0; expected whole numbers from 0 to 255 (data.levels = 256); save the array with \
             numpy.save and take data.source = \"npy\", which reads any numbers",
        ),
        (
            idx(13, &[6, 1, 2], &0.5f32.to_be_bytes().repeat(12)),
            "found the value 0.5 in image 0; expected whole numbers",
        ),
        (idx(8, &[6], &data), "found IDX data with 1 dimensions; expected 3; give the IDX file with the train images"),
        (idx(8, &[6, 0, 2], &data), "the header says 6 × 0 × 2; expected sizes of at least 1"),
        (b"PK\x03\x04".to_vec(), "an IDX file; unpack it and name the unpacked file"),
        (b"\x93NUMPY\x01\0".to_vec(), "an IDX file; it is an array of NumPy: set data.source = \"npy\""),
        (b"col_a,col_b\n1,2\n".to_vec(), "starts with 63 6f 6c 5f; expected 00 00 08 03, say, an IDX file"),
        (idx(8, &[1 << 30, 1 << 30, 1], &data), "found 12 bytes of data; expected 1152921504606846976 for "),
        (gzip(&idx(8, &[1 << 29, 1 << 30, 1], &data)), "found 12 bytes of data; expected 576460752303423488 for "),
        (
            idx(8, &[u32::MAX, u32::MAX, u32::MAX], &data),
            "the header says 4294967295 × 4294967295 × 4294967295, more than",
        ),
        (idx(8, &[7, 1, 2], &[0; 14]), "found 6 labels; expected 7, one for each image of train-images"),
        (idx(8, &[6, 2, 1], &data), "found images of 1 × 2 pixels; expected 2 × 1 as in train-images"),
    ] {
        let files = Files::new();
        files.write("train-images", &bytes);
        let message = files.error();
        assert!(message.contains(expected), "\n   found: {message}\nexpected: {expected}");
    }
    let mut files = Files::new();
    let mut packed = gzip(&idx(8, &[6, 1, 2], &data));
    let middle = packed.len() - 6;
    packed[middle] ^= 0x55;
    files.write("train-images", &packed);
    assert!(files.error().starts_with("train-images: the gzip file is damaged"), "{}", files.error());

    files = Files::new();
    files.write("train-labels", &idx(8, &[6], &[0, 1, 10, 3, 4, 5]));
    let expected =
        "train-labels: found the label 10 of example 2; expected labels below data.classes = 10; raise data.classes";
    assert_eq!(files.error(), expected);

    files = Files::new();
    files.config.levels = 100;
    let expected =
        "train-images: found the value 127 in image 3; expected values below data.levels = 100; raise data.levels";
    assert_eq!(files.error(), expected);

    files = Files::new();
    files.config.validation = Some(6);
    assert!(
        files.error().starts_with("train-images: found 6 images, of which 6 are for validation"),
        "{}",
        files.error()
    );

    files = Files::new();
    files.config.train_images = files.folder.path().join("nothing");
    let expected = "data.train_images: there is no file nothing; put the IDX file with the train images (MNIST's \
                    train-images-idx3-ubyte.gz, say) there, or set data.train_images to where it is, as with --set data.train_images=PATH";
    assert_eq!(files.error(), expected);
    files.config.train_images = files.folder.path().to_owned();
    assert!(files.error().contains("is a folder, not a file"), "{}", files.error());
}

#[test]
fn other_number_types_are_read_as_levels_and_classes() {
    let mut files = Files::new();
    let expected = files.load().unwrap();
    let pixels = [0u8, 10, 20, 30, 40, 50, 60, 127, 128, 200, 255, 0];
    let labels = [0u8, 1, 2, 3, 4, 5];
    let words = |values: &[u8]| values.iter().flat_map(|&v| i16::from(v).to_be_bytes()).collect::<Vec<u8>>();
    let longs = |values: &[u8]| values.iter().flat_map(|&v| i32::from(v).to_be_bytes()).collect::<Vec<u8>>();
    let floats = |values: &[u8]| values.iter().flat_map(|&v| f32::from(v).to_be_bytes()).collect::<Vec<u8>>();
    let doubles = |values: &[u8]| values.iter().flat_map(|&v| f64::from(v).to_be_bytes()).collect::<Vec<u8>>();
    for (kind, of_pixels, of_labels) in [
        (8, pixels.to_vec(), labels.to_vec()),
        (11, words(&pixels), words(&labels)),
        (12, longs(&pixels), longs(&labels)),
        (13, floats(&pixels), floats(&labels)),
        (14, doubles(&pixels), doubles(&labels)),
    ] {
        files.write("train-images", &idx(kind, &[6, 1, 2], &of_pixels));
        files.write("train-labels", &gzip(&idx(kind, &[6], &of_labels)));
        files.write("test-images", &idx(8, &[2, 1, 2], &[0, 255, 255, 0]));
        for stream in [false, true] {
            files.config.stream = stream;
            let found = files.load().unwrap();
            assert_eq!(all(&found.train.target), all(&expected.train.target), "{kind}");
            assert_eq!(all(&found.validation.condition.unwrap()).row(0)[5], 1.0, "{kind}");
        }
    }
    files.config.stream = false;
    // Signed bytes, and a number beyond all levels.
    files.write("train-labels", &idx(9, &[6], &labels));
    files.load().unwrap();
    files.write("train-labels", &idx(11, &[6], &300i16.to_be_bytes().repeat(6)));
    assert!(
        files.error().starts_with("train-labels: found the label 300 of example 0; expected whole numbers from 0 to 9")
    );
}

#[test]
fn gzip_files_of_members_and_zeros_are_read() {
    let files = Files::new();
    let expected = files.load().unwrap();
    let whole = idx(8, &[6, 1, 2], &[0, 10, 20, 30, 40, 50, 60, 127, 128, 200, 255, 0]);
    let (first, second) = whole.split_at(20);
    for file in [[gzip(first), gzip(second)].concat(), [&gzip(&whole)[..], &[0; 512]].concat()] {
        files.write("train-images", &file);
        let found = files.load().unwrap();
        assert_eq!(
            (found.fingerprint, all(&found.train.target)),
            (expected.fingerprint.clone(), all(&expected.train.target))
        );
    }
    files.write("train-images", &[&gzip(&whole)[..], b"<html>"].concat());
    let message = files.error();
    let expected =
        "train-images: the gzip file is damaged (something else follows the compressed data); fetch it again";
    assert_eq!(message, expected);
}

#[test]
fn labels_are_needed_where_they_are_used() {
    let mut files = Files::new();
    files.config.train_labels = None;
    let invalid = files.config.validate().unwrap_err();
    assert_eq!(invalid.key, "train_labels");
    files.config.condition = Condition::None;
    files.config.test_labels = None;
    assert!(files.load().unwrap().train.condition.is_none());
}

#[test]
fn mnist_is_mnist() {
    let Some(folder) = shared("mnist") else { return };
    let config = IdxConfig {
        train_images: folder.join("train-images-idx3-ubyte.gz"),
        train_labels: Some(folder.join("train-labels-idx1-ubyte.gz")),
        test_images: folder.join("t10k-images-idx3-ubyte.gz"),
        test_labels: Some(folder.join("t10k-labels-idx1-ubyte.gz")),
        condition: Condition::Label,
        ..Files::new().config
    };
    let data = load(&DataConfig::Idx(config), Seed(0)).unwrap();
    assert_eq!((data.name.as_str(), data.spec.shape), ("mnist", [1, 28, 28]));
    assert_eq!((data.train.len(), data.validation.len(), data.test.len()), (50_000, 10_000, 10_000));
    let labels = all(data.train.condition.as_ref().unwrap());
    for (row, label) in [5, 0, 4, 1, 9].into_iter().enumerate() {
        assert_eq!(labels.row(row).iter().position(|&one| one == 1.0), Some(label), "label {row}");
    }
    let (train, validation) = (all(&data.train.target), all(&data.validation.target));
    let values = || train.values().iter().chain(validation.values());
    let mean = values().sum::<f64>() / values().count() as f64 / 255.0;
    assert!((mean - 0.1307).abs() < 5e-5, "{mean}");
}

#[test]
fn a_file_on_disk_reads_as_one_in_memory() {
    let mut files = Files::new();
    let grey: Vec<u8> = (0..600).map(|i| (i * 7 % 256) as u8).collect();
    files.write("train-images", &idx(8, &[6, 10, 10], &grey));
    files.write("test-images", &idx(8, &[2, 10, 10], &grey[400..]));
    files.config.binarize = Binarize::Dynamic;
    let memory = files.load().unwrap();
    files.config.stream = true;
    let disk = files.load().unwrap();
    assert_eq!(disk.fingerprint, memory.fingerprint);
    for (disk, memory) in
        [(&disk.train, &memory.train), (&disk.validation, &memory.validation), (&disk.test, &memory.test)]
    {
        assert_eq!(disk.target.read_all(2).unwrap(), memory.target.read_all(2).unwrap());
        assert_eq!(all(disk.condition.as_ref().unwrap()), all(memory.condition.as_ref().unwrap()));
    }
    // What is checked in memory is checked there.
    files.config.levels = 200;
    let expected = "train-images: found the value 203 in image 0; expected values below data.levels = 200; raise \
                    data.levels";
    assert_eq!(files.error(), expected);
    // Rows of a compressed file cannot be found.
    files.config.levels = 256;
    files.write("test-images", &gzip(&idx(8, &[2, 10, 10], &grey[400..])));
    let expected = "test-images: rows inside a gzip file cannot be read one by one; unpack it (gunzip) and name the \
                    unpacked file, or set data.stream = false";
    assert_eq!(files.error(), expected);

    // Cut or written anew while it is in use.
    for bytes in [&grey[..300], &[0; 600][..]] {
        files.write("train-images", &idx(8, &[6, 10, 10], bytes));
        let message = disk.train.target.read(&[0], 0).unwrap_err().to_string();
        assert!(message.contains("the file was changed while it is in use") && !message.contains('\n'), "{message}");
    }
}
