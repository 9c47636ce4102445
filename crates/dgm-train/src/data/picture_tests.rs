//! Tests of decoding: files written here, cut and damaged.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use png::BitDepth;

use super::*;

/// A PNG of these bytes.
pub(crate) fn png_file(kind: ColorType, depth: BitDepth, [height, width]: [u32; 2], bytes: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(kind);
    encoder.set_depth(depth);
    if kind == ColorType::Indexed {
        encoder.set_palette(&[10, 20, 30, 40, 50, 60, 70, 80, 90][..]);
        encoder.set_trns(&[255, 0][..]);
    }
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(bytes).unwrap();
    writer.finish().unwrap();
    file
}

/// A baseline JPEG (ITU-T T.81) whose blocks of 8 × 8 pixels are flat, one row of blocks: of each block its numbers
/// Y, or Y, Cb and Cr. Quantisation by 1, so a flat block's one coefficient is 8 (Y - 128).
pub(crate) fn jpeg_file(blocks: &[&[i32]]) -> Vec<u8> {
    let channels = blocks[0].len() as u8;
    let mut file = vec![0xff, 0xd8];
    let mut segment = |marker: u8, bytes: &[u8]| {
        file.extend([0xff, marker]);
        file.extend((bytes.len() as u16 + 2).to_be_bytes());
        file.extend(bytes);
    };
    segment(0xdb, &[&[0][..], &[1; 64]].concat());
    let mut frame = vec![8, 0, 8, 0, 8 * blocks.len() as u8, channels];
    (1..=channels).for_each(|c| frame.extend([c, 0x11, 0]));
    segment(0xc0, &frame);
    // Twelve categories of differences with codes of four bits; one code of one bit: no other coefficient.
    segment(0xc4, &[&[0x00, 0, 0, 0, 12][..], &[0; 12], &(0..12).collect::<Vec<u8>>()].concat());
    segment(0xc4, &[&[0x10, 1][..], &[0; 15], &[0]].concat());
    let mut scan = vec![channels];
    (1..=channels).for_each(|c| scan.extend([c, 0]));
    segment(0xda, &[&scan[..], &[0, 63, 0]].concat());
    let mut bits = String::new();
    let mut last = vec![0; blocks[0].len()];
    for block in blocks {
        for (value, last) in block.iter().zip(&mut last) {
            let coefficient = 8 * (value - 128);
            let difference = coefficient - *last;
            *last = coefficient;
            let size = (32 - difference.unsigned_abs().leading_zeros()) as usize;
            bits += &format!("{size:04b}");
            if size > 0 {
                let code = if difference < 0 { difference + (1 << size) - 1 } else { difference };
                bits += &format!("{code:0size$b}");
            }
            bits += "0";
        }
    }
    while !bits.len().is_multiple_of(8) {
        bits.push('1');
    }
    for byte in bits.as_bytes().chunks(8) {
        let byte = byte.iter().fold(0, |byte, bit| byte << 1 | (bit - b'0'));
        file.push(byte);
        if byte == 0xff {
            file.push(0);
        }
    }
    file.extend([0xff, 0xd9]);
    file
}

fn pixels(file: &[u8], channels: usize) -> Vec<u8> {
    let (picture, _) = decode(file, channels).unwrap();
    assert_eq!(picture.pixels.len(), picture.height * picture.width * channels);
    picture.pixels
}

#[test]
fn every_kind_of_png_becomes_eight_bits() {
    use BitDepth::{Eight, One, Sixteen};
    let grey = png_file(ColorType::Grayscale, Eight, [2, 3], &[0, 1, 2, 127, 128, 255]);
    let (picture, changes) = decode(&grey, 1).unwrap();
    assert_eq!((picture.height, picture.width, changes), (2, 3, Changes::default()));
    assert_eq!(picture.pixels, [0, 1, 2, 127, 128, 255]);
    assert_eq!(pixels(&grey, 3)[..6], [0, 0, 0, 1, 1, 1]);
    assert!(decode(&grey, 3).unwrap().1.coloured);

    let bits = png_file(ColorType::Grayscale, One, [1, 3], &[0b1010_0000]);
    assert_eq!(pixels(&bits, 1), [255, 0, 255]);

    let wide = png_file(ColorType::Grayscale, Sixteen, [1, 2], &[18, 52, 255, 0]);
    assert_eq!((pixels(&wide, 1), decode(&wide, 1).unwrap().1.narrowed), (vec![18, 255], true));

    // The second colour of the palette cannot be seen, and is black.
    let palette = png_file(ColorType::Indexed, Eight, [1, 3], &[0, 1, 2]);
    assert_eq!(pixels(&palette, 3), [10, 20, 30, 0, 0, 0, 70, 80, 90]);
    assert!(decode(&palette, 3).unwrap().1.composited);

    let alpha = png_file(ColorType::GrayscaleAlpha, Eight, [1, 3], &[200, 255, 200, 128, 200, 0]);
    assert_eq!(pixels(&alpha, 1), [200, 100, 0]);
    let rgba = png_file(ColorType::Rgba, Eight, [1, 2], &[255, 100, 0, 51, 9, 8, 7, 255]);
    assert_eq!(pixels(&rgba, 3), [51, 20, 0, 9, 8, 7]);
    let opaque = png_file(ColorType::Rgba, Eight, [1, 1], &[1, 2, 3, 255]);
    assert_eq!((pixels(&opaque, 3), decode(&opaque, 3).unwrap().1), (vec![1, 2, 3], Changes::default()));
}

#[test]
fn grey_is_the_luma_of_rec_601() {
    let colours = [255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255, 200, 100, 50];
    let file = png_file(ColorType::Rgb, BitDepth::Eight, [1, 5], &colours);
    // 76.245, 149.685, 29.07, 255, 124.2
    assert_eq!(pixels(&file, 1), [76, 150, 29, 255, 124]);
    assert!(decode(&file, 1).unwrap().1.greyed);
}

#[test]
fn jpegs_in_grey_and_colour() {
    let file = jpeg_file(&[&[0], &[77], &[255]]);
    let (picture, _) = decode(&file, 1).unwrap();
    assert_eq!((picture.height, picture.width), (8, 24));
    let line: Vec<u8> = [[0; 8], [77; 8], [255; 8]].concat();
    assert_eq!(picture.pixels, line.repeat(8));

    // JFIF: R = Y + 1.402 (Cr - 128), G = Y - 0.344136 (Cb - 128) - 0.714136 (Cr - 128), B = Y + 1.772 (Cb - 128).
    let file = jpeg_file(&[&[124, 86, 182], &[200, 128, 128]]);
    let (picture, changes) = decode(&file, 3).unwrap();
    assert_eq!((picture.height, picture.width, changes), (8, 16, Changes::default()));
    for (x, expected) in [(0, [199.708, 99.890, 49.576]), (15, [200.0; 3])] {
        for (found, expected) in picture.pixels[3 * x..3 * x + 3].iter().zip(expected) {
            assert!((f64::from(*found) - expected).abs() <= 1.0, "{:?}", &picture.pixels[3 * x..3 * x + 3]);
        }
    }
    // The luma of the colours is Y again.
    assert!(pixels(&file, 1)[0].abs_diff(124) <= 1 && pixels(&file, 1)[15].abs_diff(200) <= 1);
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    let noise: Vec<u8> = (0..48u32).map(|i| (i * i * 31 % 251) as u8).collect();
    for file in [
        png_file(ColorType::Rgb, BitDepth::Eight, [4, 4], &noise),
        jpeg_file(&[&[124, 86, 182], &[200, 128, 128], &[17, 3, 240]]),
        jpeg_file(&[&[10], &[200]]),
    ] {
        decode(&file, 3).unwrap();
        for length in 0..file.len() {
            let error = decode(&file[..length], 3).expect_err("an error");
            assert!(!error.contains('\n'), "{error}");
        }
    }
}

#[test]
fn a_damaged_file_is_an_error_or_an_image_and_never_a_panic() {
    for file in [
        png_file(ColorType::Indexed, BitDepth::Eight, [2, 3], &[0, 1, 2, 2, 1, 0]),
        jpeg_file(&[&[124, 86, 182], &[200, 128, 128]]),
        jpeg_file(&[&[10], &[200]]),
    ] {
        for place in 0..file.len() {
            for flip in [1, 2, 4, 8, 16, 32, 64, 128, 255] {
                let mut damaged = file.clone();
                damaged[place] ^= flip;
                let outcome =
                    if damaged.starts_with(&[0xff, 0xd8, 0xff]) { decode_jpeg(&damaged) } else { decode(&damaged, 1) };
                if let Ok((picture, _)) = outcome {
                    assert_eq!(picture.pixels.len(), picture.height * picture.width * picture.channels);
                }
            }
        }
    }
}

#[test]
fn sizes_that_a_header_only_claims_are_refused_before_they_cost_memory() {
    let resized = |[height, width]: [u32; 2]| {
        let mut file = png_file(ColorType::Grayscale, BitDepth::Eight, [1, 1], &[0]);
        file[16..20].copy_from_slice(&width.to_be_bytes());
        file[20..24].copy_from_slice(&height.to_be_bytes());
        let crc = crc(&file[12..29]);
        file[29..33].copy_from_slice(&crc.to_be_bytes());
        decode(&file, 1).unwrap_err()
    };
    assert!(resized([1, 16_385]).contains("at most 16384 a side"), "{}", resized([1, 16_385]));
    assert!(resized([16_000, 16_000]).contains("at most"), "{}", resized([16_000, 16_000]));
    assert!(resized([8000, 8000]).contains("more than the file can hold"), "{}", resized([8000, 8000]));
    assert!(resized([1, 2]).contains("PNG"), "{}", resized([1, 2]));
    let mut file = jpeg_file(&[&[10]]);
    let frame = file.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    file[frame + 5..frame + 9].copy_from_slice(&[0x10, 0, 0x10, 0]);
    let error = decode(&file, 1).unwrap_err();
    assert!(error.contains("4096 × 4096 pixels, more than the file can hold"), "{error}");
}

/// CRC-32 of PNG, bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

#[test]
fn what_is_no_image_is_named() {
    assert_eq!(decode(b"", 1).unwrap_err(), "empty");
    assert_eq!(decode(b"GIF89a", 1).unwrap_err(), "not a PNG or JPEG");
}

fn picture(height: usize, width: usize, pixels: &[u8]) -> Picture {
    Picture { channels: pixels.len() / height / width, height, width, pixels: pixels.to_vec() }
}

#[test]
fn means_over_areas() {
    let resized = |picture: Picture, resize, size| picture.resized(resize, size).unwrap().pixels;
    let four = picture(2, 4, &[0, 10, 20, 31, 40, 50, 60, 70]);
    assert_eq!(resized(four.clone(), Resize::Area, [1, 2]), [25, 45]);
    assert_eq!(resized(four.clone(), Resize::Area, [2, 4]), four.pixels);
    // Three cells out of four: (0·3 + 10·1) / 4, (10·2 + 20·2) / 4, (20·1 + 31·3) / 4.
    assert_eq!(resized(picture(1, 4, &[0, 10, 20, 31]), Resize::Area, [1, 3]), [3, 15, 28]);
    // Larger: each pixel stands where it stood.
    assert_eq!(resized(picture(1, 2, &[7, 9]), Resize::Area, [2, 4]), [7, 7, 9, 9, 7, 7, 9, 9]);
    // Colours by themselves.
    assert_eq!(resized(picture(1, 2, &[0, 10, 20, 100, 110, 121]), Resize::Area, [1, 1]), [50, 60, 71]);
    // The middle 2 × 2 of 2 × 4.
    assert_eq!(resized(four.clone(), Resize::Crop, [2, 2]), [10, 20, 50, 60]);
    assert_eq!(resized(four.clone(), Resize::Cover, [1, 1]), [35]);
    let tall = picture(4, 2, &[1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(resized(tall.clone(), Resize::Cover, [2, 2]), [3, 4, 5, 6]);
    assert_eq!(
        tall.clone().resized(Resize::Crop, [2, 3]).unwrap_err(),
        "4 × 2 pixels (rows × columns); expected at least 2 × 3 to crop"
    );
    assert_eq!(tall.resized(Resize::None, [4, 3]).unwrap_err(), "4 × 2 pixels (rows × columns); expected 4 × 3");
}

#[test]
fn the_mean_stays_whatever_the_size() {
    let pixels: Vec<u8> = (0..13 * 17u32).map(|i| (i * 37 % 256) as u8).collect();
    let mean = |pixels: &[u8]| pixels.iter().map(|&v| f64::from(v)).sum::<f64>() / pixels.len() as f64;
    for size in [[5, 7], [1, 1], [12, 16], [26, 34], [40, 3]] {
        let resized = picture(13, 17, &pixels).resized(Resize::Area, size).unwrap();
        assert_eq!(resized.pixels.len(), size[0] * size[1]);
        // Rounding of each pixel, at most a half.
        assert!((mean(&resized.pixels) - mean(&pixels)).abs() < 0.5, "{size:?}");
    }
}
