//! Tests of folders of images: classes, splits, what is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use png::{BitDepth, ColorType};
use tempfile::TempDir;

use super::super::picture::tests::{jpeg_file, png_file};
use super::super::{DataConfig, Field, load};
use super::*;
use crate::data::{Augment, Binarize, Condition, Dequantize, Target};

/// Two classes of ten grey PNGs with 2 × 3 pixels; the first pixel names the image.
struct Folder {
    folder: TempDir,
    config: FolderConfig,
}

impl Folder {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let config = FolderConfig {
            path: folder.path().join("set"),
            test_path: None,
            channels: 1,
            size: None,
            resize: Resize::None,
            levels: 256,
            target: Target::Image,
            condition: Condition::Label,
            binarize: Binarize::None,
            dequantize: Dequantize::None,
            augment: Augment::default(),
            test_fraction: 0.1,
            validation_fraction: 0.5,
        };
        let folder = Self { folder, config };
        for class in 0..2u8 {
            for i in 0..10u8 {
                folder.write(
                    &format!("set/{}/{i}.png", ["cats", "dogs"][usize::from(class)]),
                    &grey([2, 3], 100 * class + i),
                );
            }
        }
        folder
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn load(&self) -> Result<Dataset> {
        self.config.validate().unwrap_or_else(|invalid| panic!("{invalid:?}"));
        load(&DataConfig::Images(self.config.clone()), Seed(1))
    }

    /// The message of the error, less the folder.
    fn error(&self) -> String {
        let message = self.load().expect_err("an error").to_string();
        assert!(!message.contains('\n'), "{message}");
        message.replace(&format!("{}/", self.folder.path().display()), "")
    }
}

/// A PNG whose pixels are `first`, `first` + 1, …
fn grey([height, width]: [u32; 2], first: u8) -> Vec<u8> {
    let pixels: Vec<u8> = (0..height * width).map(|i| first.wrapping_add(i as u8)).collect();
    png_file(ColorType::Grayscale, BitDepth::Eight, [height, width], &pixels)
}

fn rows(field: &Field) -> Vec<Vec<f64>> {
    let all = field.read_all(0).unwrap();
    all.values().chunks(field.width()).map(<[f64]>::to_vec).collect()
}

#[test]
fn classes_are_folders_in_the_order_of_their_names() {
    let folder = Folder::new();
    folder.write("set/.DS_Store", b"of no interest");
    let set = folder.load().unwrap();
    assert_eq!((set.name.as_str(), set.spec.shape), ("set", [1, 2, 3]));
    assert_eq!((set.train.len(), set.validation.len(), set.test.len()), (9, 9, 2));
    assert_eq!(set.transforms, Vec::<String>::new());
    let mut seen = Vec::new();
    for split in [&set.train, &set.validation, &set.test] {
        for (pixels, label) in rows(&split.target).into_iter().zip(rows(split.condition.as_ref().unwrap())) {
            assert_eq!(label, if pixels[0] < 100.0 { [1.0, 0.0] } else { [0.0, 1.0] });
            assert_eq!(pixels[5], pixels[0] + 5.0);
            seen.push(pixels[0] as u8);
        }
    }
    // Each image is in one split, and the splits are mixed.
    assert!(seen[..9].iter().any(|v| *v < 100) && seen[..9].iter().any(|v| *v >= 100));
    seen.sort_unstable();
    assert_eq!(seen, (0..10).chain(100..110).collect::<Vec<u8>>());
    assert_eq!(folder.load().unwrap().fingerprint, set.fingerprint);
    folder.write("set/cats/3.png", &grey([2, 3], 77));
    assert_ne!(folder.load().unwrap().fingerprint, set.fingerprint);
}

#[test]
fn a_folder_without_classes_has_no_labels() {
    let mut folder = Folder::new();
    folder.config.path = folder.config.path.join("dogs");
    let text = folder.error();
    assert!(text.contains("expected a folder for each class"), "{text}");
    folder.config.condition = Condition::None;
    let set = folder.load().unwrap();
    assert_eq!((set.name.as_str(), set.train.len() + set.validation.len() + set.test.len()), ("dogs", 10));
    folder.config.path = folder.folder.path().join("set");
    assert!(folder.load().unwrap().spec.condition.is_none());
}

#[test]
fn one_class_is_no_label() {
    let mut folder = Folder::new();
    fs::remove_dir_all(folder.config.path.join("dogs")).unwrap();
    let expected = "data.path: set has one folder, cats; expected two classes at least";
    assert!(folder.error().starts_with(expected), "{}", folder.error());
    (folder.config.target, folder.config.condition) = (Target::Label, Condition::Image);
    assert!(folder.error().starts_with(expected), "{}", folder.error());
    (folder.config.target, folder.config.condition) = (Target::Image, Condition::None);
    assert_eq!(folder.load().unwrap().train.len(), 4);
}

#[test]
fn a_part_of_a_few_images_is_one() {
    let mut folder = Folder::new();
    folder.config.condition = Condition::None;
    folder.config.path = folder.folder.path().join("few");
    (0..3).for_each(|i| folder.write(&format!("few/{i}.png"), &grey([2, 3], i)));
    folder.config.validation_fraction = 0.1;
    let set = folder.load().unwrap();
    assert_eq!((set.train.len(), set.validation.len(), set.test.len()), (1, 1, 1));
}

#[test]
fn the_test_may_have_a_folder_of_its_own() {
    let mut folder = Folder::new();
    folder.write("test/cats/a.png", &grey([2, 3], 50));
    folder.write("test/dogs/b.png", &grey([2, 3], 150));
    folder.config.test_path = Some(folder.folder.path().join("test"));
    let set = folder.load().unwrap();
    assert_eq!((set.train.len(), set.validation.len(), set.test.len()), (10, 10, 2));
    assert_eq!(rows(&set.test.target).iter().map(|row| row[0]).collect::<Vec<_>>(), [50.0, 150.0]);
    assert_eq!(rows(set.test.condition.as_ref().unwrap())[1], [0.0, 1.0]);

    folder.write("test/eels/c.png", &grey([2, 3], 150));
    let text = folder.error();
    assert!(text.starts_with("data.test_path: test has a folder eels, which set has not"), "{text}");
    folder.write("set/eels/c.png", &grey([2, 3], 150));
    folder.write("set/ants/c.png", &grey([2, 3], 150));
    assert!(folder.error().starts_with("data.test_path: set has a folder ants, which test has not"));
}

#[test]
fn colour_is_one_plane_a_channel_and_grey_is_made_of_it() {
    let mut folder = Folder::new();
    let pixels: Vec<u8> = (0..18).map(|i| [200, 100, 50][i % 3]).collect();
    folder.write("set/cats/0.png", &png_file(ColorType::Rgb, BitDepth::Eight, [2, 3], &pixels));
    let set = folder.load().unwrap();
    assert_eq!(set.transforms, ["1 image from colour to grey: Rec. 601 luma, rounded"]);
    let all = |set: &Dataset| [&set.train, &set.validation, &set.test].map(|split| rows(&split.target)).concat();
    assert!(all(&set).contains(&vec![124.0; 6]));

    folder.config.channels = 3;
    let set = folder.load().unwrap();
    assert_eq!(set.spec.shape, [3, 2, 3]);
    assert_eq!(set.transforms, ["19 images from grey to three equal channels"]);
    let colour: Vec<f64> = [[200.0; 6], [100.0; 6], [50.0; 6]].concat();
    assert!(all(&set).contains(&colour));
}

#[test]
fn images_of_other_sizes_are_refused_or_brought_to_one() {
    let mut folder = Folder::new();
    folder.write("set/dogs/x.jpg", &jpeg_file(&[&[40], &[80]]));
    let text = folder.error();
    let expected = "set: 1 of 21 files cannot be used: dogs/x.jpg: 8 × 16 pixels (rows × columns); expected 2 × 3";
    assert!(text.starts_with(expected) && text.contains("set data.size and data.resize"), "{text}");

    folder.config.size = Some([1, 2]);
    folder.config.resize = Resize::Area;
    let set = folder.load().unwrap();
    assert_eq!((set.spec.shape, set.transforms.len()), ([1, 1, 2], 1));
    assert!(set.transforms[0].starts_with("21 images brought to 1 × 2 by means over areas"), "{:?}", set.transforms);
    let all = [&set.train, &set.validation, &set.test].map(|split| rows(&split.target)).concat();
    assert!(all.contains(&vec![40.0, 80.0]), "{all:?}");

    folder.config.resize = Resize::Crop;
    folder.config.size = Some([4, 4]);
    let text = folder.error();
    assert!(text.contains("20 of 21 files") && text.contains("; and 15 more; mend them"), "{text}");
    folder.config.resize = Resize::None;
    folder.config.size = Some([2, 3]);
    assert!(folder.error().contains("8 × 16 pixels (rows × columns); expected 2 × 3; mend"), "{}", folder.error());
}

#[test]
fn the_first_image_that_can_be_read_gives_the_size() {
    let folder = Folder::new();
    // A file that is no picture stands before all others.
    folder.write("set/cats/+.png", b"hello");
    folder.write("set/dogs/x.png", &grey([3, 2], 0));
    let expected = "set: 2 of 22 files cannot be used: cats/+.png: not a PNG or JPEG; dogs/x.png: 3 × 2 pixels (rows × \
                    columns); expected 2 × 3 as in the first file; set data.size and data.resize; mend";
    assert!(folder.error().starts_with(expected), "{}", folder.error());
    // Refused by itself, not when all are decoded and kept.
    let refused = folder.config.decode(&folder.config.path.join("dogs/x.png"), [2, 3]).err();
    assert!(refused.unwrap().starts_with("3 × 2 pixels"));
}

#[test]
fn more_pixels_than_memory_should_hold_are_refused_before_any_is_kept() {
    let mut folder = Folder::new();
    (0..60).for_each(|i| folder.write(&format!("set/cats/more{i}.png"), &grey([1, 1], 0)));
    (0..6).for_each(|i| folder.write(&format!("test/{}/{i}.png", ["cats", "dogs"][i % 2]), &grey([1, 1], 0)));
    folder.config.channels = 3;
    folder.config.size = Some([4096, 4096]);
    // 80 images of 48 MiB are 3.75 GiB, and only their sizes are wrong; 86 are more than 4 GiB.
    assert!(folder.error().starts_with("set: 80 of 80 files cannot be used"), "{}", folder.error());
    folder.config.test_path = Some(folder.folder.path().join("test"));
    let expected = "data.path: 86 images of 4096 × 4096 pixels with 3 channels take 4.0 GiB; expected at most 4 GiB, \
                    because all are kept in memory; set a smaller data.size and data.resize, or take images out";
    assert_eq!(folder.error(), expected);
}

#[test]
fn fewer_levels() {
    let mut folder = Folder::new();
    folder.config.levels = 4;
    folder
        .write("set/cats/0.png", &png_file(ColorType::Grayscale, BitDepth::Eight, [2, 3], &[0, 63, 64, 127, 128, 255]));
    let set = folder.load().unwrap();
    assert_eq!(set.spec.values, dgm_models::Values::Levels(4));
    assert_eq!(set.transforms, ["pixels of 256 levels brought to 4: ⌊v · 4 / 256⌋"]);
    let all = [&set.train, &set.validation, &set.test].map(|split| rows(&split.target)).concat();
    assert!(all.contains(&vec![0.0, 0.0, 1.0, 1.0, 2.0, 3.0]), "{all:?}");
}

#[test]
fn every_bad_file_is_named() {
    let folder = Folder::new();
    folder.write("set/cats/notes.txt", b"hello");
    let whole = grey([2, 3], 0);
    folder.write("set/dogs/cut.png", &whole[..whole.len() - 20]);
    folder.write("set/dogs/empty.png", b"");
    // No byte of it is on the disk.
    fs::File::create(folder.config.path.join("dogs/huge.png")).unwrap().set_len((256 << 20) + 1).unwrap();
    let expected = "set: 4 of 24 files cannot be used: cats/notes.txt: not a PNG or JPEG; dogs/cut.png: the PNG is cut \
                    short; dogs/empty.png: empty; dogs/huge.png: more than 256 MiB, the most that a picture may have; \
                    mend them or take them out";
    assert_eq!(folder.error(), expected);
}

#[test]
fn folders_that_make_no_data_set_are_refused() {
    let mut folder = Folder::new();
    folder.write("set/stray.png", &grey([2, 3], 0));
    let expected = "data.path: set has the folder cats and the file stray.png side by side";
    assert!(folder.error().starts_with(expected), "{}", folder.error());
    fs::remove_file(folder.folder.path().join("set/stray.png")).unwrap();
    folder.write("set/cats/deeper/a.png", &grey([2, 3], 0));
    assert!(folder.error().starts_with("set/cats/deeper: found a folder"), "{}", folder.error());
    fs::remove_dir_all(folder.folder.path().join("set/cats/deeper")).unwrap();
    fs::create_dir(folder.folder.path().join("set/none")).unwrap();
    assert!(folder.error().starts_with("set/none: found no file"), "{}", folder.error());

    folder.config.path = folder.folder.path().join("set/none");
    assert!(folder.error().starts_with("data.path: set/none is empty; put a folder"), "{}", folder.error());
    folder.config.path = folder.folder.path().join("nothing");
    assert!(folder.error().starts_with("data.path: nothing is not there; put a folder"), "{}", folder.error());
    folder.config.path = folder.folder.path().join("set/cats/0.png");
    assert!(folder.error().contains("is a file, not a folder"), "{}", folder.error());
}

#[test]
fn values_out_of_range_are_refused() {
    let key = |change: fn(&mut FolderConfig)| {
        let mut config = Folder::new().config;
        change(&mut config);
        config.validate().unwrap_err().key
    };
    assert_eq!(key(|c| c.channels = 2), "channels");
    assert_eq!(key(|c| c.size = Some([0, 3])), "size");
    assert_eq!(key(|c| c.resize = Resize::Area), "resize");
    assert_eq!(key(|c| c.levels = 257), "levels");
    assert_eq!(key(|c| c.validation_fraction = 1.0), "validation_fraction");
    assert_eq!(key(|c| c.condition = Condition::Image), "condition");
}

#[test]
fn work_in_parallel_keeps_its_order() {
    // Long enough for every thread to have some.
    let slowly = |i: usize| {
        std::thread::sleep(std::time::Duration::from_millis(2));
        i * i
    };
    assert_eq!(in_parallel(32, slowly), (0..32).map(|i| i * i).collect::<Vec<_>>());
    assert_eq!(in_parallel(0, |i| i), Vec::<usize>::new());
}
