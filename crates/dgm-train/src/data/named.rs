//! `source = "mnist"` and `source = "fashion-mnist"`: sets that `dgm-train data fetch` knows, read as IDX.

use std::path::{Path, PathBuf};

use dgm_core::random::Seed;
use serde::{Deserialize, Serialize};

use super::catalogue::{absolute, datasets_folder};
use super::images::{self, Declared};
use super::transform::Transforms;
use super::{Dataset, IdxConfig, VisitPath};
use crate::config::Invalid;
use crate::error::{Error, Result};

images::source! {
    /// The keys of a source with a name of its own; all have the meaning and the defaults of `source = "idx"`.
    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct NamedConfig {
        /// Where the four files are, relative to the configuration's folder. Default: where `dgm-train data fetch` puts them.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub folder: Option<PathBuf>,
        /// Examples for validation, from the end of the training file. Default: a sixth of it.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub validation: Option<usize>,
        /// At most so many training examples, from the start of the file. Default: all that validation leaves.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub train_limit: Option<usize>,
        /// At most so many test examples, from the start of the file. Default: all.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub test_limit: Option<usize>,
    }
}

macro_rules! named {
    ($($(#[$doc:meta])* $config:ident = $name:literal;)+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
            #[serde(transparent)]
            pub struct $config(pub NamedConfig);

            impl $config {
                pub(super) fn validate(&self) -> std::result::Result<(), Invalid> {
                    self.0.idx(Path::new("")).validate()
                }

                pub(super) fn visit_paths(&mut self, visit: &mut VisitPath<'_>) -> Result<()> {
                    visit("folder", self.0.folder.as_mut())
                }

                pub(super) fn load(&self, seed: Seed) -> Result<Dataset> {
                    self.0.load($name, seed)
                }
            }
        )+
    };
}

named! {
    /// The keys of `source = "mnist"`.
    MnistConfig = "mnist";
    /// The keys of `source = "fashion-mnist"`.
    FashionMnistConfig = "fashion-mnist";
}

/// The files, as both sets call them.
const FILES: [&str; 4] = [
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
];

impl NamedConfig {
    /// The same as `source = "idx"`.
    fn idx(&self, folder: &Path) -> IdxConfig {
        let Declared { target, condition, transforms } = self.declared();
        let Transforms { augment, binarize, dequantize } = transforms;
        let [train_images, train_labels, test_images, test_labels] = FILES.map(|name| path_of(folder, name));
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

    fn load(&self, name: &str, seed: Seed) -> Result<Dataset> {
        let folder = match &self.folder {
            Some(folder) => folder.clone(),
            None => datasets_folder()?.join(name),
        };
        if let Some(absent) = FILES.into_iter().find(|file| !path_of(&folder, file).exists()) {
            return Err(Error::input(format!(
                "data: there is no {absent} in {}; run `dgm-train data fetch {name}`, or set data.folder to the folder \
                 with the files of {name}",
                absolute(&folder).display()
            )));
        }
        let mut dataset = self.idx(&folder).load(seed)?;
        dataset.name = name.into();
        Ok(dataset)
    }
}

/// A file, or the same unpacked where only that is there.
fn path_of(folder: &Path, name: &str) -> PathBuf {
    let packed = folder.join(name);
    let unpacked = packed.with_extension("");
    if !packed.exists() && unpacked.exists() { unpacked } else { packed }
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
        let by_path = load(&DataConfig::Idx(config.idx(&folder)), Seed(3)).unwrap();
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
            "data: there is no train-images-idx3-ubyte.gz in {}; run `dgm-train data fetch fashion-mnist`, or set \
             data.folder to the folder with the files of fashion-mnist",
            folder.path().display()
        );
        assert_eq!(message, expected);
    }

    #[test]
    fn an_unpacked_file_will_do() {
        let folder = tempfile::tempdir().unwrap();
        assert!(path_of(folder.path(), FILES[0]).ends_with(FILES[0]));
        std::fs::write(folder.path().join("train-images-idx3-ubyte"), "").unwrap();
        assert!(path_of(folder.path(), FILES[0]).ends_with("train-images-idx3-ubyte"));
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
