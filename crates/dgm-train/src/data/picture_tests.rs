//! Tests of decoding: files written here, cut and damaged.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use png::{BitDepth, ColorType};

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
        sample(WEBP_LOSSLESS),
        sample(WEBP_LOSSY),
        sample(BMP_24),
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
fn oversized_headers_are_refused_before_allocation() {
    let resized = |[height, width]: [u32; 2]| {
        let mut file = png_file(ColorType::Grayscale, BitDepth::Eight, [1, 1], &[0]);
        file[16..20].copy_from_slice(&width.to_be_bytes());
        file[20..24].copy_from_slice(&height.to_be_bytes());
        let crc = crc(&file[12..29]);
        file[29..33].copy_from_slice(&crc.to_be_bytes());
        decode(&file, 1).unwrap_err()
    };
    assert!(resized([1, 16_385]).contains("at most 16384 per side"), "{}", resized([1, 16_385]));
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
    assert_eq!(decode(b"hello", 1).unwrap_err(), "not a PNG, JPEG, WebP, BMP, GIF or TIFF");
    assert_eq!(decode(b"GIF89a", 1).unwrap_err(), "the GIF is cut short");
    assert_eq!(decode(b"\0\0\0\x18ftypheic\0\0\0\0", 1).unwrap_err(), "a HEIC picture; convert it to JPEG");
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

/// The bytes of a sample.
fn sample(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
}

/// Two rows of three colours.
const COLOURS: [u8; 18] = [255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30, 200, 100, 50, 255, 255, 255];

/// The same, turned clockwise: three rows of two.
const TURNED: [u8; 18] = [10, 20, 30, 255, 0, 0, 200, 100, 50, 0, 255, 0, 255, 255, 255, 0, 0, 255];

#[test]
fn other_formats_without_loss() {
    for (name, file) in [
        ("WebP", WEBP_LOSSLESS),
        ("BMP", BMP_24),
        ("TIFF", TIFF_RGB),
        ("TIFF, LZW", TIFF_LZW),
        ("TIFF, deflate", TIFF_DEFLATE),
    ] {
        let (picture, changes) = decode(&sample(file), 3).expect(name);
        assert_eq!((picture.height, picture.width, changes), (2, 3, Changes::default()), "{name}");
        assert_eq!(picture.pixels, COLOURS, "{name}");
    }
    for (name, file) in [("BMP", BMP_BITS), ("TIFF", TIFF_BITS), ("TIFF, fax", TIFF_FAX)] {
        assert_eq!(pixels(&sample(file), 1), [255, 0, 255, 0, 0, 255], "{name}");
    }
    let palette = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120, 70, 80, 90, 40, 50, 60];
    assert_eq!(pixels(&sample(BMP_PALETTE), 3), palette);
    // The second frame is of one colour.
    let (picture, changes) = decode(&sample(GIF_TWO_FRAMES), 3).unwrap();
    assert_eq!((picture.pixels, changes), (palette.to_vec(), Changes::default()));
    let (picture, changes) = decode(&sample(GIF_SEEN_THROUGH), 3).unwrap();
    assert_eq!((&picture.pixels[..9], changes.composited), (&[10, 20, 30, 0, 0, 0, 70, 80, 90][..], true));

    let (picture, changes) = decode(&sample(TIFF_16), 1).unwrap();
    assert_eq!((picture.pixels, changes.narrowed), (vec![0x12, 0xff, 0], true));
    // 255 · 128 / 255 and 10 · 51 / 255.
    let (picture, changes) = decode(&sample(WEBP_ALPHA), 3).unwrap();
    assert_eq!((&picture.pixels[..12], changes.composited), (&[255, 0, 0, 0, 128, 0, 0, 0, 0, 2, 4, 6][..], true));
    let error = decode(&sample(TIFF_FLOAT), 1).unwrap_err();
    assert!(
        error.starts_with("a TIFF of a kind that is not read") && error.ends_with("; convert it to PNG"),
        "{error}"
    );
}

#[test]
fn lossy_webp() {
    // By Pillow: (201, 100, 52) and (21, 40, 159).
    let line = pixels(&sample(WEBP_LOSSY), 3);
    for (x, expected) in [(0, [201, 100, 52]), (15, [21, 40, 159])] {
        let found = &line[3 * (8 * 16 + x)..][..3];
        assert!(found.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= 1), "{found:?}");
    }
}

#[test]
fn a_webp_holds_what_its_chunks_claim() {
    // VP8X, the pixels, and EXIF data of a length that no file has: the decoder would make room for it.
    let lossless = sample(WEBP_LOSSLESS);
    let pixels = &lossless[12..];
    let extended = |exif: u32| {
        let head = [&b"VP8X"[..], &10u32.to_le_bytes(), &[8, 0, 0, 0, 15, 0, 0, 7, 0, 0]].concat();
        let exif = [&b"EXIF"[..], &exif.to_le_bytes(), &[0; 4]].concat();
        let body = [&b"WEBP"[..], &head, pixels, &exif].concat();
        [&b"RIFF"[..], &(body.len() as u32).to_le_bytes(), &body].concat()
    };
    assert!(webp_is_whole(&lossless) && webp_is_whole(&extended(4)));
    for claimed in [5, 1 << 20, 1 << 31, u32::MAX] {
        assert_eq!(decode(&extended(claimed), 3).unwrap_err(), "the WebP is cut short or damaged", "{claimed}");
    }
}

#[test]
fn a_tiff_holds_what_its_tags_claim() {
    for name in [TIFF_CMYK, TIFF_FLOAT] {
        let file = sample(name);
        assert!(tiff_is_whole(&file));
        // The number of values of each tag in turn, of which the decoder would make room for five million.
        let start = u32::from_le_bytes(file[4..8].try_into().unwrap()) as usize;
        for tag in 0..usize::from(u16::from_le_bytes(file[start..start + 2].try_into().unwrap())) {
            let mut claims = file.clone();
            claims[start + 2 + 12 * tag + 4..][..4].copy_from_slice(&5_000_000u32.to_le_bytes());
            assert_eq!(decode(&claims, 3).unwrap_err(), "the TIFF is cut short or damaged", "tag {tag}");
        }
    }
    assert!(!tiff_is_whole(b"MM\0*\0\0\0\x08") && !tiff_is_whole(b"II+\0\x08\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff"));
}

#[test]
fn ink_becomes_light() {
    // (255 - C) (255 - K) / 255 of (0, 0, 0, 0), (255, 0, 0, 0) and (100, 50, 0, 51).
    let expected = [255, 255, 255, 0, 255, 255, 124, 164, 204];
    let (picture, changes) = decode(&sample(TIFF_CMYK), 3).unwrap();
    assert_eq!((picture.pixels, changes.inked), (expected.to_vec(), true));
    // In JPEG files Adobe writes 255 less the ink, 0: as it is, 2: as YCbCr and K.
    let adobe = |transform: u8, blocks: &[&[i32]]| {
        let mut file = jpeg_file(blocks);
        file.splice(2..2, [&[0xff, 0xee, 0, 14][..], b"Adobe", &[0, 100, 0, 0, 0, 0, transform]].concat());
        decode(&file, 3).unwrap()
    };
    let inks: [&[i32]; 3] = [&[255, 255, 255, 255], &[0, 255, 255, 255], &[155, 205, 255, 204]];
    let (picture, changes) = adobe(0, &inks);
    assert!(changes.inked);
    let first = |picture: &Picture| [0, 8, 16].map(|x| picture.pixels[3 * x..3 * x + 3].to_vec()).concat();
    assert_eq!(first(&picture), expected);
    // Grey ink of 55 is the colour 255 - 200 = 55 of YCbCr: 200 · 204 / 255.
    let (picture, _) = adobe(2, &[&[55, 128, 128, 204], &[0, 128, 128, 255], &[255, 128, 128, 255]]);
    assert_eq!(first(&picture), [160, 160, 160, 255, 255, 255, 0, 0, 0]);
}

#[test]
fn a_picture_is_turned_as_its_exif_data_say() {
    // Little-endian TIFF with one entry: 0x0112, a number of 16 bits.
    let exif = |orientation: u8| {
        let mut exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
        exif.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
        exif
    };
    let png = |orientation: u8| {
        let mut file = png_file(ColorType::Grayscale, BitDepth::Eight, [2, 3], &[0, 1, 2, 3, 4, 5]);
        let chunk = [b"eXIf", &exif(orientation)[..]].concat();
        let whole = [&(chunk.len() as u32 - 4).to_be_bytes()[..], &chunk, &crc(&chunk).to_be_bytes()].concat();
        file.splice(33..33, whole);
        file
    };
    // By ImageOps.exif_transpose of Pillow.
    for (orientation, rows, expected) in [
        (1, 2, [0, 1, 2, 3, 4, 5]),
        (2, 2, [2, 1, 0, 5, 4, 3]),
        (3, 2, [5, 4, 3, 2, 1, 0]),
        (4, 2, [3, 4, 5, 0, 1, 2]),
        (5, 3, [0, 3, 1, 4, 2, 5]),
        (6, 3, [3, 0, 4, 1, 5, 2]),
        (7, 3, [5, 2, 4, 1, 3, 0]),
        (8, 3, [2, 5, 1, 4, 0, 3]),
        (9, 2, [0, 1, 2, 3, 4, 5]),
    ] {
        let (picture, changes) = decode(&png(orientation), 1).unwrap();
        assert_eq!((picture.height, &picture.pixels[..]), (rows, &expected[..]), "{orientation}");
        assert_eq!(changes.turned, (2..9).contains(&orientation), "{orientation}");
    }
    for file in [WEBP_TURNED, TIFF_TURNED] {
        let (picture, changes) = decode(&sample(file), 3).unwrap();
        assert_eq!((picture.height, picture.width, changes.turned), (3, 2, true));
        assert_eq!(picture.pixels, TURNED);
    }
    let mut file = jpeg_file(&[&[10], &[200]]);
    let segment = [b"Exif\0\0", &exif(6)[..]].concat();
    file.splice(2..2, [&[0xff, 0xe1, 0, segment.len() as u8 + 2][..], &segment].concat());
    let (picture, changes) = decode(&file, 1).unwrap();
    assert_eq!((picture.height, picture.width, changes.turned), (16, 8, true));
    assert_eq!((picture.pixels[0], picture.pixels[127]), (10, 200));
}

#[test]
fn damaged_files_of_other_formats_are_errors_or_images() {
    for sample in [WEBP_LOSSLESS, WEBP_LOSSY, GIF_TWO_FRAMES, BMP_PALETTE, TIFF_LZW, TIFF_FAX, TIFF_CMYK].map(sample) {
        for place in 0..sample.len() {
            for flip in [1, 2, 16, 128, 255] {
                let mut damaged = sample.clone();
                damaged[place] ^= flip;
                for file in [&damaged[..], &damaged[..place]] {
                    match decode(file, 3) {
                        Ok((picture, _)) => assert_eq!(picture.pixels.len(), picture.height * picture.width * 3),
                        Err(what) => assert!(!what.contains(char::is_control), "{what:?}"),
                    }
                }
            }
        }
    }
}

// Written by Pillow 13.
const WEBP_LOSSLESS: &str = "5249464642000000574542505650384c360000002f024000002f40906db341dcebfe32d32093b6c95fff76666d64d236ad87fdf3afb2f31f\
    68e491acfb06040294b1e2816d22fa1fe305";
const WEBP_TURNED: &str = "524946467600000057454250565038580a000000080000000200000100005650384c360000002f024000002f40906db341dcebfe32d32093\
    b6c95fff76666d64d236ad87fdf3afb2f31f68e491acfb06040294b1e2816d22fa1fe305455849461a0000004d4d002a0000000800010112\
    0003000000010006000000000000";
const WEBP_ALPHA: &str = "5249464648000000574542505650384c3c0000002f024000102f40906d538979dd5fe61a64d236ed5bff7a666d621a623ab8f56f8920db66\
    ea639ac69d1e18e76788559b8380844cc9235f44f43f6201";
const WEBP_LOSSY: &str = "5249464640000000574542505650382034000000d001009d012a1000100000c01225a00274ba01f80003b000fef80fffffbfdf2ffdde6fe8\
    50fda7aff9ed1ffe3293abe32a6c6800";
const GIF_TWO_FRAMES: &str = "474946383761030002008100000a141e28323c46505a646e782c00000000030002000008090001041030404080800021f90401000001002c\
    000000000300020081646e7800000000000000000008070001080c203020003b";
const GIF_SEEN_THROUGH: &str =
    "474946383961030002008100000a141e28323c46505a646e7821f90401000001002c0000000003000200000809000104103040408080003b";
const BMP_24: &str = "424d4e0000000000000036000000280000000300000002000000010018000000000018000000c40e0000c40e000000000000000000001e14\
    0a3264c8ffffff0000000000ff00ff00ff0000000000";
const BMP_PALETTE: &str = "424d4e0000000000000046000000280000000300000002000000010008000000000008000000c40e0000c40e000004000000040000001e14\
    0a003c3228005a504600786e64000302010000010200";
const BMP_BITS: &str = "424d46000000000000003e000000280000000300000002000000010001000000000008000000c40e0000c40e000002000000020000000000\
    0000ffffff0020000000a0000000";
const TIFF_RGB: &str = "49492a00080000000a0000010400010000000300000001010400010000000200000002010300030000008600000003010300010000000100\
    000006010300010000000200000011010400010000008c000000150103000100000003000000160104000100000002000000170104000100\
    0000120000001c010300010000000100000000000000080008000800ff000000ff000000ff0a141ec86432ffffff";
const TIFF_LZW: &str = "49492a001a000000803fc01038141014140f320c8327fc3602000a0000010300010000000300000001010300010000000200000002010300\
    0300000098000000030103000100000005000000060103000100000002000000110104000100000008000000150103000100000003000000\
    1601030001000000020000001701040001000000110000001c010300010000000100000000000000080008000800";
const TIFF_DEFLATE: &str = "49492a0020000000789cfbcfc0c0f01f84b944e44ea418fdffff1f00391a07950a0000010300010000000300000001010300010000000200\
    000002010300030000009e000000030103000100000008000000060103000100000002000000110104000100000008000000150103000100\
    0000030000001601030001000000020000001701040001000000180000001c010300010000000100000000000000080008000800";
const TIFF_16: &str = "49492a0008000000090000010400010000000300000001010400010000000100000002010300010000001000000003010300010000000100\
    000006010300010000000100000011010400010000007a0000001601040001000000010000001701040001000000060000001c0103000100\
    00000100000000000000341200ffff00";
const TIFF_BITS: &str = "49492a0008000000080000010400010000000300000001010400010000000200000003010300010000000100000006010300010000000100\
    000011010400010000006e0000001601040001000000020000001701040001000000020000001c010300010000000100000000000000a020";
const TIFF_FAX: &str = "49492a000e00000004128e002002090000010300010000000300000001010300010000000200000002010300010000000100000003010300\
    0100000004000000060103000100000001000000110104000100000008000000160103000100000002000000170104000100000006000000\
    1c010300010000000100000000000000";
const TIFF_CMYK: &str = "49492a00080000000a0000010400010000000300000001010400010000000100000002010300040000008600000003010300010000000100\
    000006010300010000000500000011010400010000008e000000150103000100000004000000160104000100000001000000170104000100\
    00000c0000001c010300010000000100000000000000080008000800080000000000ff00000064320033";
const TIFF_TURNED: &str = "49492a00080000000b0000010400010000000300000001010400010000000200000002010300030000009200000003010300010000000100\
    0000060103000100000002000000110104000100000098000000120103000100000006000000150103000100000003000000160104000100\
    0000020000001701040001000000120000001c010300010000000100000000000000080008000800ff000000ff000000ff0a141ec86432ff\
    ffff";
const TIFF_FLOAT: &str = "49492a00080000000a0000010400010000000200000001010400010000000100000002010300010000002000000003010300010000000100\
    00000601030001000000010000001101040001000000860000001601040001000000010000001701040001000000080000001c0103000100\
    000001000000530103000100000003000000000000000000003f0000803f";
