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
            stream: false,
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
    let expected = "data.test_path: test has the class eels, of which set has no images; expected the classes of training; \
                    put training images of it there, or take the folder test/eels out";
    assert_eq!(text, expected);
    folder.write("set/eels/c.png", &grey([2, 3], 150));
    let set = folder.load().unwrap();
    assert_eq!(set.transforms, Vec::<String>::new());
    // Labels that nobody asks for need not fit.
    fs::remove_dir_all(folder.config.path.join("eels")).unwrap();
    folder.config.condition = Condition::None;
    assert_eq!(folder.load().unwrap().test.len(), 3);
}

#[test]
fn a_class_without_test_images_is_one() {
    let mut folder = Folder::new();
    folder.write("set/eels/c.png", &grey([2, 3], 200));
    folder.write("test/eels/a.png", &grey([2, 3], 50));
    folder.write("test/dogs/b.png", &grey([2, 3], 150));
    folder.config.test_path = Some(folder.folder.path().join("test"));
    for _ in 0..2 {
        let set = folder.load().unwrap();
        assert_eq!((set.spec.condition.as_ref().unwrap().classes, set.test.len()), (Some(3), 2));
        assert_eq!(rows(set.test.condition.as_ref().unwrap()), [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);
        assert_eq!(set.transforms, ["no test image of the class cats"]);
        // The same with an empty folder.
        fs::create_dir_all(folder.folder.path().join("test/cats")).unwrap();
    }
}

#[test]
fn classes_that_are_numbers_are_in_their_order() {
    let mut folder = Folder::new();
    for class in [1, 10, 2, 11, 9] {
        folder.write(&format!("numbers/{class}/a.png"), &grey([2, 3], class));
        folder.write(&format!("numbers/{class}/b.png"), &grey([2, 3], class));
    }
    folder.config.path = folder.folder.path().join("numbers");
    let set = folder.load().unwrap();
    for split in [&set.train, &set.validation, &set.test] {
        for (pixels, label) in rows(&split.target).into_iter().zip(rows(split.condition.as_ref().unwrap())) {
            let class = [1.0, 2.0, 9.0, 10.0, 11.0].iter().position(|class| *class == pixels[0]).unwrap();
            assert_eq!(label[class], 1.0, "{pixels:?} {label:?}");
        }
    }
    let names = |names: &[&str]| {
        let root = TempDir::new().unwrap();
        for name in names {
            fs::create_dir(root.path().join(name)).unwrap();
            fs::write(root.path().join(name).join("a.png"), grey([2, 3], 0)).unwrap();
        }
        Listing::of(root.path(), None, true).unwrap().train.classes
    };
    assert_eq!(names(&["010", "9", "1", "123456789012345678901234567890"])[..3], ["1", "9", "010"]);
    // One name is a word: by name.
    assert_eq!(names(&["1", "10", "2", "x"]), ["1", "10", "2", "x"]);
}

#[test]
fn splits_may_be_folders_inside_the_folder() {
    let mut folder = Folder::new();
    fs::rename(folder.folder.path().join("set"), folder.folder.path().join("train")).unwrap();
    fs::create_dir(folder.folder.path().join("set")).unwrap();
    fs::rename(folder.folder.path().join("train"), folder.folder.path().join("set/train")).unwrap();
    folder.write("set/test/cats/a.png", &grey([2, 3], 50));
    folder.write("set/test/dogs/b.png", &grey([2, 3], 150));
    folder.write("set/labels.csv", b"of no interest");
    let set = folder.load().unwrap();
    assert_eq!((set.train.len(), set.validation.len(), set.test.len()), (10, 10, 2));
    let beside = "left out beside the folders of the splits: labels.csv";
    assert_eq!(set.transforms, ["training images of train, test images of test", beside]);
    fs::remove_file(folder.config.path.join("labels.csv")).unwrap();

    folder.write("set/Val/dogs/c.png", &grey([2, 3], 150));
    let set = folder.load().unwrap();
    assert_eq!((set.train.len(), set.validation.len(), set.test.len()), (20, 1, 2));
    let said = "training images of train, validation images of Val, test images of test";
    assert_eq!(set.transforms, [said, "no validation image of the class cats"]);
    folder.write("set/valid/dogs/c.png", &grey([2, 3], 150));
    assert!(folder.error().starts_with("data.path: set has the folders Val and valid"), "{}", folder.error());
    fs::remove_dir_all(folder.config.path.join("valid")).unwrap();

    // Test images without classes: of no use for labels, but for images.
    fs::remove_dir_all(folder.config.path.join("test")).unwrap();
    (0..3).for_each(|i| folder.write(&format!("set/test/{i}.png"), &grey([2, 3], i)));
    let text = folder.error();
    let expected = "data.path: set/test has images beside no folder; expected a folder for each class as in set/train, \
                    because data.target or data.condition is the label; sort the images into folders, or set data.path = \
                    \"set/train\", of which a part is then for the test";
    assert_eq!(text, expected);
    folder.config.condition = Condition::None;
    assert_eq!(folder.load().unwrap().test.len(), 3);
    // As the message says.
    folder.config.condition = Condition::Label;
    folder.config.path = folder.config.path.join("train");
    assert_eq!(folder.load().unwrap().test.len(), 2);

    // A class may be called so.
    folder.config.path = folder.folder.path().join("vehicles");
    ["train", "plane"].iter().for_each(|class| {
        (0..5).for_each(|i| folder.write(&format!("vehicles/{class}/{i}.png"), &grey([2, 3], i)));
    });
    assert_eq!(folder.load().unwrap().spec.condition.unwrap().classes, Some(2));
}

#[test]
fn what_systems_leave_in_folders_is_left_out() {
    let folder = Folder::new();
    for name in [
        "Thumbs.db",
        "cats/Thumbs.db",
        "dogs/desktop.ini",
        "cats/._0.png",
        "dogs/.ipynb_checkpoints/a.png",
        "__MACOSX/cats/x",
    ] {
        folder.write(&format!("set/{name}"), b"of no interest");
    }
    assert_eq!(folder.load().unwrap().transforms, Vec::<String>::new());
    // Other files beside the classes are said.
    folder.write("set/LICENSE.txt", b"free");
    assert_eq!(folder.load().unwrap().transforms, ["left out beside the folders of the classes: LICENSE.txt"]);
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
    let advice = "as in the first file; set data.size = [2, 3], say, and data.resize = \"cover\"";
    assert!(text.starts_with(expected) && text.ends_with(advice), "{text}");

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
    assert!(text.contains("20 of 21 files") && text.contains("; and 15 more; set data.resize = \"cover\""), "{text}");
    folder.config.resize = Resize::None;
    folder.config.size = Some([2, 3]);
    let advice =
        "8 × 16 pixels (rows × columns); expected 2 × 3; set data.resize = \"cover\" to bring all to data.size";
    assert!(folder.error().ends_with(advice), "{}", folder.error());
    folder.config.resize = Resize::Cover;
    assert_eq!(folder.load().unwrap().spec.shape, [1, 2, 3]);
}

#[test]
fn the_first_image_that_can_be_read_gives_the_size() {
    let folder = Folder::new();
    // A file that is no picture stands before all others.
    folder.write("set/cats/+.png", b"hello");
    folder.write("set/dogs/x.png", &grey([3, 2], 0));
    let expected = "set: 2 of 22 files cannot be used: cats/+.png: not a PNG, JPEG, WebP, BMP, GIF or TIFF; dogs/x.png: \
                    3 × 2 pixels (rows × columns); expected 2 × 3 as in the first file; set data.size = [2, 3], say, and \
                    data.resize = \"cover\"; fix or convert the others, or take them out";
    assert_eq!(folder.error(), expected);
    // Refused by itself, not when all are decoded and kept.
    let refused = folder.config.decode(&folder.config.path.join("dogs/x.png"), [2, 3], true).err();
    assert!(matches!(refused.unwrap(), Wrong::Size(what) if what.starts_with("3 × 2 pixels")));
}

#[test]
fn images_on_disk_are_those_in_memory() {
    let mut folder = Folder::new();
    folder.config.levels = 16;
    folder.config.resize = Resize::Cover;
    folder.config.size = Some([2, 2]);
    folder.config.channels = 3;
    folder.write("test/cats/a.png", &grey([4, 4], 50));
    folder.config.test_path = Some(folder.folder.path().join("test"));
    let memory = folder.load().unwrap();
    folder.config.stream = true;
    let disk = folder.load().unwrap();
    assert_eq!((&disk.fingerprint, &disk.transforms), (&memory.fingerprint, &memory.transforms));
    for (disk, memory) in
        [(&disk.train, &memory.train), (&disk.validation, &memory.validation), (&disk.test, &memory.test)]
    {
        assert_eq!(rows(&disk.target), rows(&memory.target));
        assert_eq!(rows(disk.condition.as_ref().unwrap()), rows(memory.condition.as_ref().unwrap()));
    }
    // What is checked in memory is checked there.
    folder.write("set/dogs/x.png", b"hello");
    assert!(folder.error().starts_with("set: 1 of 21 files cannot be used: dogs/x.png"), "{}", folder.error());
    // Changed or gone while it is in use.
    folder.write("test/cats/a.png", &grey([5, 5], 50));
    let error = disk.test.target.read_all(0).unwrap_err();
    assert!(error.to_string().contains("cats/a.png: the file was changed while it is in use"), "{error}");
    fs::remove_file(folder.folder.path().join("test/cats/a.png")).unwrap();
    let error = disk.test.target.read_all(0).unwrap_err();
    assert_eq!((error.exit_code(), error.to_string().contains("cats/a.png: cannot be read any more")), (1, true));
}

#[test]
fn more_pixels_than_memory_should_hold_stay_on_disk() {
    let mut config = Folder::new().config;
    config.channels = 3;
    // 42 images of 48 MiB are less than 2 GiB, 43 more.
    assert!(!config.streams(42, [4096, 4096]) && config.streams(43, [4096, 4096]));
    config.stream = true;
    assert!(config.streams(1, [1, 1]));
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
    let expected = "set: 4 of 24 files cannot be used: cats/notes.txt: not a PNG, JPEG, WebP, BMP, GIF or TIFF; \
                    dogs/cut.png: the PNG is cut short; dogs/empty.png: empty; dogs/huge.png: more than 256 MiB, the most \
                    that a picture may have; fix or convert them, or take them out";
    assert_eq!(folder.error(), expected);
}

#[test]
fn folders_that_make_no_data_set_are_refused() {
    let mut folder = Folder::new();
    folder.write("set/stray.png", &grey([2, 3], 0));
    let expected = "data.path: set has the image stray.png beside the folders of the classes; expected images in them \
                    alone, or no folders; move stray.png into one of them or take it out";
    assert_eq!(folder.error(), expected);
    fs::remove_file(folder.folder.path().join("set/stray.png")).unwrap();
    folder.write("set/cats/deeper/a.png", &grey([2, 3], 0));
    let expected = "data.path: set has the folder cats and in it the folder deeper; expected images alone in the folder of \
                    a class; move its images up into cats, or set data.path to the folder whose folders are the classes \
                    (\"set/cats\", say)";
    assert_eq!(folder.error(), expected);
    fs::remove_dir_all(folder.folder.path().join("set/cats/deeper")).unwrap();
    // A folder around all, and the way out.
    ["a", "b"].iter().for_each(|class| {
        (0..5).for_each(|i| folder.write(&format!("around/archive/{class}/{i}.png"), &grey([2, 3], i)));
    });
    folder.config.path = folder.folder.path().join("around");
    let advice = "if its folders are the classes, set data.path = \"around/archive\"";
    assert!(folder.error().ends_with(advice), "{}", folder.error());
    folder.config.path = folder.folder.path().join("around/archive");
    assert_eq!(folder.load().unwrap().spec.condition.unwrap().classes, Some(2));
    folder.config.path = folder.folder.path().join("set");
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
