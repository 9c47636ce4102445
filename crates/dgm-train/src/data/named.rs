//! `source = "mnist"` and `source = "fashion-mnist"`: sets that `dgm-train data fetch` knows, read as IDX under all names
//! that their files have, or from the archive of Keras.

use std::path::{Path, PathBuf};

use dgm_core::random::Seed;
use serde::{Deserialize, Serialize};

use super::catalogue::{absolute, datasets_folder};
use super::images::{self, Declared};
use super::transform::Transforms;
use super::{Dataset, IdxConfig, Layout, NpyConfig, VisitPath};
use crate::check::Invalid;
use crate::error::{Error, Result};

images::source! {
    /// The keys of a source with a name of its own; all have the meaning and the defaults of `source = "idx"`.
    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct NamedConfig {
        /// Where the files are, relative to the configuration's folder, or the folder that torchvision keeps them in. Default: where
        /// `dgm-train data fetch` puts them.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub folder: Option<PathBuf>,
        /// Examples for validation, from the end of the training file. Default: a sixth of it.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub validation: Option<usize>,
        /// Maximum number of training examples, from the start of the file. Default: all that validation leaves.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub train_limit: Option<usize>,
        /// Maximum number of test examples, from the start of the file. Default: all.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub test_limit: Option<usize>,
    }
}

macro_rules! named {
    ($($(#[$doc:meta])* $config:ident = $name:literal, $torchvision:literal;)+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
            #[serde(transparent)]
            pub struct $config(pub NamedConfig);

            impl $config {
                pub(super) fn validate(&self) -> std::result::Result<(), Invalid> {
                    self.0.idx(FILES.map(PathBuf::from)).validate()
                }

                pub(super) fn visit_paths(&mut self, visit: &mut VisitPath<'_>) -> Result<()> {
                    visit("folder", self.0.folder.as_mut())
                }

                pub(super) fn load(&self, seed: Seed) -> Result<Dataset> {
                    self.0.load($name, $torchvision, seed)
                }
            }
        )+
    };
}

named! {
    /// The keys of `source = "mnist"`.
    MnistConfig = "mnist", "MNIST";
    /// The keys of `source = "fashion-mnist"`.
    FashionMnistConfig = "fashion-mnist", "FashionMNIST";
}

/// The files, as both sets call them; packed, each ends in `.gz`.
pub(crate) const FILES: [&str; 4] =
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

/// The archive of Keras, which has it for MNIST alone.
const KERAS: &str = "mnist.npz";

impl NamedConfig {
    /// The same as `source = "idx"`.
    fn idx(&self, [train_images, train_labels, test_images, test_labels]: [PathBuf; 4]) -> IdxConfig {
        let Declared { target, condition, transforms } = self.declared();
        let Transforms { augment, binarize, dequantize } = transforms;
        IdxConfig {
            train_images,
            train_labels: Some(train_labels),
            test_images,
            test_labels: Some(test_labels),
            target,
            condition,
            levels: 256,
            classes: 10,
            binarize,
            dequantize,
            augment,
            stream: false,
            validation: self.validation,
            train_limit: self.train_limit,
            test_limit: self.test_limit,
        }
    }

    /// The same as `source = "npy"`, of the archive of Keras.
    fn npy(&self, archive: &Path) -> NpyConfig {
        let Declared { target, condition, transforms } = self.declared();
        let Transforms { augment, binarize, dequantize } = transforms;
        let array = |name: &str| format!("{}:{name}", archive.display());
        NpyConfig {
            train: array("x_train"),
            validation: None,
            test: Some(array("x_test")),
            train_labels: Some(array("y_train")),
            validation_labels: None,
            test_labels: Some(array("y_test")),
            validation_size: self.validation,
            train_limit: self.train_limit,
            test_limit: self.test_limit,
            layout: Layout::ChannelsLast,
            shape: None,
            packed: false,
            levels: None,
            scale: None,
            classes: 10,
            stream: false,
            target,
            condition,
            binarize,
            dequantize,
            augment,
        }
    }

    fn load(&self, name: &str, torchvision: &str, seed: Seed) -> Result<Dataset> {
        let folder = match &self.folder {
            Some(folder) => folder.clone(),
            None => datasets_folder()?.join(name),
        };
        let folders = ["", "raw", torchvision].map(|inside| folder.join(inside));
        let folders = [&folders[..], &[folder.join(torchvision).join("raw")]].concat();
        let found = FILES.map(|file| find(&folders, file));
        let archive = folder.join(KERAS);
        let mut dataset = match found {
            [Some(a), Some(b), Some(c), Some(d)] => self.idx([a, b, c, d]).load(seed)?,
            _ if name == "mnist" && archive.is_file() => self.npy(&archive).load(seed)?,
            found => {
                let absent: Vec<&str> =
                    FILES.into_iter().zip(&found).filter(|(_, path)| path.is_none()).map(|(file, _)| file).collect();
                let archive = if name == "mnist" { format!(", or {KERAS} of Keras") } else { String::new() };
                return Err(Error::input(format!(
                    "data: there is no {} (or with .gz, or with .idx for -idx{archive}) in {}, nor in raw, {torchvision} or \
                     {torchvision}/raw there; run `dgm-train data fetch {name}`, or set data.folder to the folder with the \
                     files of {name}",
                    absent.join(", no "),
                    absolute(&folder).display()
                )));
            }
        };
        dataset.name = name.into();
        Ok(dataset)
    }
}

/// The files in a folder, or in the folder `raw` in it; those that are there. Of a file: those beside it whose names begin alike, as
/// in `emnist-letters-train-images-idx3-ubyte`, where `test` stands for `t10k`.
pub(crate) fn files_of(path: &Path) -> [Option<PathBuf>; 4] {
    if path.is_dir() {
        return FILES.map(|file| find(&[path.to_owned(), path.join("raw")], file));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().map_or(String::new(), |name| name.to_string_lossy().replace(".idx", "-idx"));
    let names = |file: &str| [file.to_owned(), file.replace("t10k", "test")];
    let start = FILES.iter().flat_map(|file| names(file)).find_map(|file| name.find(&file));
    let prefix = start.and_then(|start| name.get(..start)).unwrap_or_default();
    FILES.map(|file| names(file).iter().find_map(|file| find(&[folder.to_owned()], &format!("{prefix}{file}"))))
}

/// The first of the names that a file has: packed or not, with a hyphen or, as some archives write it, a dot; or in a folder
/// of its own name.
fn find(folders: &[PathBuf], file: &str) -> Option<PathBuf> {
    let dotted = file.replace("-idx", ".idx");
    let names =
        [format!("{file}.gz"), file.to_owned(), format!("{dotted}.gz"), dotted.clone(), format!("{file}/{file}")];
    folders.iter().flat_map(|folder| names.iter().map(|name| folder.join(name))).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::super::tests::shared;
    use super::super::{DataConfig, load};
    use super::*;
    use crate::data::{Binarize, Condition, Target};

    #[test]
    fn mnist_is_the_same_as_by_its_paths() {
        let Some(folder) = shared("mnist") else { return };
        let config = NamedConfig {
            folder: Some(folder.clone()),
            condition: Condition::Label,
            train_limit: Some(20),
            test_limit: Some(10),
            ..NamedConfig::default()
        };
        let by_name = load(&DataConfig::Mnist(MnistConfig(config.clone())), Seed(3)).unwrap();
        let by_path =
            load(&DataConfig::Idx(config.idx(FILES.map(|file| folder.join(format!("{file}.gz"))))), Seed(3)).unwrap();
        assert_eq!((by_name.name.as_str(), by_name.train.len(), by_name.validation.len()), ("mnist", 20, 10_000));
        for (name, path) in [(&by_name.train, &by_path.train), (&by_name.test, &by_path.test)] {
            assert_eq!(name.target.read_all(0).unwrap(), path.target.read_all(0).unwrap());
        }
        assert_eq!((by_name.spec, by_name.fingerprint), (by_path.spec, by_path.fingerprint));
    }

    #[test]
    fn an_absent_file_says_how_to_get_it() {
        let folder = tempfile::tempdir().unwrap();
        let config = NamedConfig { folder: Some(folder.path().into()), ..NamedConfig::default() };
        let message = FashionMnistConfig(config).load(Seed(0)).unwrap_err().to_string();
        let expected = format!(
            "data: there is no train-images-idx3-ubyte, no train-labels-idx1-ubyte, no t10k-images-idx3-ubyte, no \
             t10k-labels-idx1-ubyte (or with .gz, or with .idx for -idx) in {}, nor in raw, FashionMNIST or FashionMNIST/raw \
             there; run `dgm-train data fetch fashion-mnist`, or set data.folder to the folder with the files of \
             fashion-mnist",
            folder.path().display()
        );
        assert_eq!(message, expected);
    }

    /// Six images of 2 × 2 pixels whose first is `first`, and as many labels.
    fn files(first: u8) -> [Vec<u8>; 4] {
        let images = [&[0, 0, 8, 3, 0, 0, 0, 6, 0, 0, 0, 2, 0, 0, 0, 2, first][..], &[7; 23]].concat();
        let labels = [&[0, 0, 8, 1, 0, 0, 0, 6][..], &[0, 1, 2, 3, 4, 9]].concat();
        [images.clone(), labels.clone(), images, labels]
    }

    #[test]
    fn files_are_found_under_all_their_names() {
        let dots =
            ["train-images.idx3-ubyte", "train-labels.idx1-ubyte", "t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte"];
        for names in [
            FILES.map(str::to_owned),
            dots.map(str::to_owned),
            FILES.map(|file| format!("raw/{file}")),
            FILES.map(|file| format!("FashionMNIST/raw/{file}")),
            FILES.map(|file| format!("{file}/{file}")),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let write = |names: &[String; 4], first: u8| {
                for (name, bytes) in names.iter().zip(files(first)) {
                    let path = folder.path().join(name);
                    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                    std::fs::write(path, bytes).unwrap();
                }
            };
            write(&names, 5);
            // Of the other set.
            write(&FILES.map(|file| format!("MNIST/raw/{file}")), 6);
            let config = NamedConfig { folder: Some(folder.path().into()), ..NamedConfig::default() };
            let set = FashionMnistConfig(config).load(Seed(0)).unwrap();
            assert_eq!((set.name.as_str(), set.train.len(), set.test.len()), ("fashion-mnist", 5, 6), "{names:?}");
            assert_eq!(set.test.target.read_all(0).unwrap().values()[..2], [5.0, 7.0], "{names:?}");
        }
    }

    #[test]
    fn the_archive_of_keras_is_mnist_too() {
        let mut zip = Vec::new();
        let mut directory = Vec::new();
        let header = |shape: &str, data: &[u8]| {
            let header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}");
            [b"\x93NUMPY\x01\x00v\x00", format!("{header:<117}\n").as_bytes(), data].concat()
        };
        let [images, labels] = [header("(6, 2, 2)", &[8; 24]), header("(6,)", &[0, 1, 2, 3, 4, 9])];
        for (name, bytes) in [("x_train", &images), ("y_train", &labels), ("x_test", &images), ("y_test", &labels)] {
            // A member that is stored as it is.
            let name = format!("{name}.npy");
            let mut sum = flate2::Crc::new();
            sum.update(bytes);
            let size = (bytes.len() as u32).to_le_bytes();
            let about = [&[20, 0, 0, 0, 0, 0, 0, 0, 0, 0], &sum.sum().to_le_bytes()[..], &size, &size].concat();
            let about = [&about[..], &(name.len() as u16).to_le_bytes(), &[0, 0]].concat();
            let offset = (zip.len() as u32).to_le_bytes();
            zip.extend([b"PK\x03\x04", &about[..], name.as_bytes(), bytes].concat());
            directory.extend([b"PK\x01\x02\x14\0", &about[..], &[0; 10], &offset, name.as_bytes()].concat());
        }
        let (offset, length) = (zip.len() as u32, directory.len() as u32);
        zip.extend(directory);
        zip.extend(
            [b"PK\x05\x06\0\0\0\0\x04\0\x04\0", &length.to_le_bytes()[..], &offset.to_le_bytes(), &[0, 0]].concat(),
        );
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(KERAS), zip).unwrap();
        let config =
            NamedConfig { folder: Some(folder.path().into()), condition: Condition::Label, ..NamedConfig::default() };
        let set = MnistConfig(config.clone()).load(Seed(0)).unwrap();
        assert_eq!((set.name.as_str(), set.spec.shape, set.train.len(), set.test.len()), ("mnist", [1, 2, 2], 5, 6));
        assert_eq!(set.spec.condition.unwrap().classes, Some(10));
        assert!(FashionMnistConfig(config).load(Seed(0)).is_err());
    }

    #[test]
    fn the_keys_are_checked_as_those_of_idx() {
        let config = MnistConfig(NamedConfig { train_limit: Some(0), ..NamedConfig::default() });
        assert_eq!(config.validate().unwrap_err().key, "train_limit");
        let config = NamedConfig {
            target: Target::Label,
            condition: Condition::Image,
            binarize: Binarize::Dynamic,
            ..NamedConfig::default()
        };
        assert_eq!(MnistConfig(config).validate().unwrap_err().key, "binarize");
    }
}
