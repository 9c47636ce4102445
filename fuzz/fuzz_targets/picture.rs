//! Image files of every format, decoded and resized as training does.
//!
//! Input: a byte whose first bit asks for colour, the file.
#![no_main]

use dgm_fuzz::{BOUND_A_BYTE, check, file, within_bound};
use dgm_models::{DataSpec, Values};
use dgm_train::data::picture_as;

/// Pixels that a byte of a file may stand for: eight for each byte that deflate makes of it, 1032 at most.
const PIXELS_A_BYTE: usize = 8 * 1032;

/// Pixels of one picture at most, whatever its file's length.
const MOST_PIXELS: usize = 1 << 26;

/// Memory for a pixel: four channels of 16 bits, decoded, turned and brought to eight bits.
const BYTES_A_PIXEL: usize = 32;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((&options, bytes)) = input.split_first() else { return };
    let channels = if options & 1 == 1 { 3 } else { 1 };
    let spec = DataSpec { shape: [channels, 3, 4], values: Values::Levels(256), condition: None };
    // A WebP of one colour has any size.
    let pixels = match bytes.starts_with(b"RIFF") {
        true => MOST_PIXELS,
        false => MOST_PIXELS.min(bytes.len() * PIXELS_A_BYTE),
    };
    let path = file("picture", bytes);
    within_bound(bytes.len() + pixels * BYTES_A_PIXEL / BOUND_A_BYTE, || match picture_as(&path, &spec) {
        Ok((values, [height, width], _)) => {
            assert_eq!(values.len(), spec.event());
            assert!(height >= 1 && width >= 1 && height * width <= MOST_PIXELS);
        }
        Err(error) => check(&error),
    });
});
