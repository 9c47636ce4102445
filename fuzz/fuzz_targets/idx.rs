//! IDX: two files of images and labels, plain or gzip, read as training does.
//!
//! Input: options, the length of the labels' file, the images' file, the labels' file.
#![no_main]

use dgm_core::random::Seed;
use dgm_fuzz::{check, content_length, file, gzip, parts, within_bound};
use dgm_train::config::{Config, ModelConfig};
use dgm_train::data;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((options, images, labels)) = parts(input) else { return };
    let on = |bit: u8| options >> bit & 1 == 1;
    let content = content_length(images) + content_length(labels);
    let packed = |bytes: &[u8], packed: bool| if packed { gzip(bytes) } else { bytes.to_vec() };
    let images = file("images", &packed(images, on(0)));
    let labels = file("labels", &packed(labels, on(1)));

    let (images, labels) = (images.display(), labels.display());
    let mut text =
        format!("[data]\nsource = 'idx'\ntrain_images = '{images}'\ntest_images = '{images}'\nvalidation = 1\n");
    if on(2) || on(3) {
        text += &format!("train_labels = '{labels}'\ntest_labels = '{labels}'\n");
    }
    text += match (on(3), on(4)) {
        (false, _) => "",
        (true, false) => "condition = 'label'\n",
        (true, true) => "target = 'label'\ncondition = 'image'\n",
    };
    text += if on(5) { "binarize = 'threshold'\n" } else { "" };
    text += if on(6) { "train_limit = 2\ntest_limit = 1\n" } else { "" };
    text += if on(7) { "stream = true\n" } else { "" };
    let config = Config::<ModelConfig>::from_toml(&(text + "[model]\nkind = 'vae'\n"), "idx.toml", &[]).expect("a configuration");
    within_bound(content, || match data::load(&config.data, Seed(0)) {
        Ok(dataset) => {
            let rows: Vec<usize> = (0..dataset.train.len()).collect();
            let target = dataset.train.target.read(&rows, 0).expect("rows that are there");
            assert_eq!(target.values().len(), rows.len() * dataset.spec.event());
        }
        Err(error) => check(&error),
    });
});
