//! NumPy's arrays: a file of examples and one of labels, or an archive, read as training does.
//!
//! Input: options, the length of the labels' array, the examples' array (or archive), the labels' array.
#![no_main]

use dgm_core::random::Seed;
use dgm_fuzz::{check, content_length, file, gzip, parts, within_bound, zip};
use dgm_train::config::{Config, ModelConfig};
use dgm_train::data::{self, npz};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((options, array, labels)) = parts(input) else { return };
    let on = |bit: u8| options >> bit & 1 == 1;
    let (name, bytes, content) = match options & 3 {
        0 => ("array.npy", array.to_vec(), content_length(array)),
        1 => ("array.npy", gzip(array), array.len()),
        2 => ("array.npz", array.to_vec(), array.len() + unpacked_length(array)),
        _ => ("array.npz", zip("a.npy", array), array.len()),
    };
    let content = content + content_length(labels);
    let (array, labels) = (file(name, &bytes), file("labels.npy", labels));
    let member = if name.ends_with("npz") && on(2) { ":a" } else { "" };
    let array = format!("{}{member}", array.display());
    let mut text = format!("[data]\nsource = 'npy'\ntrain = '{array}'\ntest = '{array}'\nvalidation_size = 1\n");
    if on(3) {
        let labels = labels.display();
        text += &format!("train_labels = '{labels}'\ntest_labels = '{labels}'\ncondition = 'label'\n");
    }
    text += match (on(4), on(5)) {
        (false, false) => "",
        (false, true) => "levels = 300\nlayout = 'channels_first'\n",
        (true, false) => "packed = true\nshape = [2, 2]\n",
        (true, true) => "levels = 4\nshape = [2, 2]\nbinarize = 'threshold'\n",
    };
    text += if on(6) { "train_limit = 2\ntest_limit = 1\n" } else { "" };
    text += if on(7) { "stream = true\n" } else { "" };
    let config = Config::<ModelConfig>::from_toml(&(text + "[model]\nkind = 'vae'\n"), "npy.toml", &[]).expect("a configuration");
    within_bound(content, || match data::load(&config.data, Seed(0)) {
        Ok(dataset) => {
            let rows: Vec<usize> = (0..dataset.train.len()).collect();
            let target = dataset.train.target.read(&rows, 0).expect("rows that are there");
            assert_eq!(target.values().len(), rows.len() * dataset.spec.event());
            assert!(target.values().iter().all(|value| value.is_finite()));
        }
        Err(error) => check(&error),
    });
});

/// The length of the longest array of an archive, unpacked: what "its only one" and "a" are.
fn unpacked_length(bytes: &[u8]) -> usize {
    let length = |member| {
        let mut length = 0;
        let _ = npz::with_member_of_bytes(bytes, "array.npz", member, |source| {
            loop {
                match source.read(4096)?.len() {
                    0 => return Ok(()),
                    n => length += n,
                }
            }
        });
        length
    };
    length(None).max(length(Some("a")))
}
