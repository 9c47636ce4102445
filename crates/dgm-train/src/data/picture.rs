//! Image files → pictures of eight bits, one or three channels, of the size that is wanted.

mod whole;

use std::io::{Cursor, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::codecs::bmp::BmpDecoder;
use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::tiff::TiffDecoder;
use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;
use image::{
    ColorType, DynamicImage, ExtendedColorType, GrayImage, ImageDecoder, ImageError, ImageFormat, ImageResult,
};
use image::{Limits, RgbImage};
use serde::{Deserialize, Serialize};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use whole::{jpeg_is_whole, png_is_whole, tiff_is_whole, webp_is_whole};

/// The formats that are read, in messages.
pub(super) const FORMATS: &str = "PNG, JPEG, WebP, BMP, GIF or TIFF";

/// The longest side of a picture.
const MOST_SIDE: usize = 16_384;

/// Pixels of a picture: 64 Mi.
const MOST_PIXELS: usize = 1 << 26;

/// Bytes of a pixel at most, while it is decoded: four channels of 16 bits.
const PIXEL_BYTES: usize = 8;

/// Memory that a decoder may take whatever the file's length, for tables and metadata: 1 MiB.
const DECODER_BYTES: usize = 1 << 20;

/// Deflate makes at most 1032 bytes out of one, and up to eight pixels lie in a byte.
const DEFLATE_PIXELS_A_BYTE: usize = 8 * 1032;

/// The shortest code of a JPEG's block of 8 × 8 pixels has one bit.
const JPEG_PIXELS_A_BYTE: usize = 8 * 64;

/// LZW makes at most as many pixels out of a code as its table of 12 bits has entries.
const GIF_PIXELS_A_BYTE: usize = 4096 * 8 / 12 + 1;

/// Run lengths of a BMP: up to 255 pixels in two bytes.
const BMP_PIXELS_A_BYTE: usize = 128;

/// How pictures come to one size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resize {
    /// Not at all: they have it.
    #[default]
    None,
    /// The middle of that size is cut out; smaller ones are refused.
    Crop,
    /// A pixel is the mean over its area of the old picture, rounded. The ratio of the sides is not kept.
    Area,
    /// The largest middle part with the new ratio of the sides is cut out, and `area` makes it that size.
    Cover,
}

/// What was changed on the way to eight bits and the channels that are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// Turned or mirrored as its EXIF data say.
    pub(super) turned: bool,
    /// Amounts of ink became light.
    pub(super) inked: bool,
    /// 16 bits per channel became 8.
    pub(super) narrowed: bool,
    /// What can be seen through was put on black.
    pub(super) composited: bool,
    /// Colour became grey.
    pub(super) greyed: bool,
    /// Grey became colour.
    pub(super) coloured: bool,
}

/// Eight bits per channel, row by row, the channels of a pixel side by side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Picture {
    pub(super) channels: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) pixels: Vec<u8>,
}

type Decoded = std::result::Result<(Picture, Changes), String>;

/// Decodes a file into a picture of `channels` channels (1 or 3). The first bytes say which format it is.
///
/// # Errors
/// What is wrong with it, in words that follow the file's name.
pub(super) fn decode(bytes: &[u8], channels: usize) -> Decoded {
    // Should a decoder ever panic on a damaged file, that file is the one to name.
    let decoded = catch_unwind(AssertUnwindSafe(|| decode_any(bytes)));
    let (picture, mut changes) = decoded.unwrap_or_else(|_| Err("damaged".into()))?;
    changes.greyed = channels == 1 && picture.channels == 3;
    changes.coloured = channels == 3 && picture.channels == 1;
    Ok((picture.with_channels(channels), changes))
}

fn decode_any(bytes: &[u8]) -> Decoded {
    let file = || Cursor::new(bytes);
    let most = |pixels_per_byte: usize| bytes.len().saturating_mul(pixels_per_byte);
    match image::guess_format(bytes) {
        Ok(ImageFormat::Jpeg) => decode_jpeg(bytes),
        Ok(ImageFormat::Png) => {
            let most = most(DEFLATE_PIXELS_A_BYTE);
            let decoded = read("PNG", PngDecoder::with_limits(file(), limits(most)), most)?;
            if png_is_whole(bytes) { Ok(decoded) } else { Err("the PNG is cut short".into()) }
        }
        // A picture of one colour takes no more bytes the larger it is.
        Ok(ImageFormat::WebP) if !webp_is_whole(bytes) => Err("the WebP is cut short or damaged".into()),
        Ok(ImageFormat::WebP) => read("WebP", WebPDecoder::new(file()), usize::MAX),
        Ok(ImageFormat::Bmp) => read("BMP", BmpDecoder::new(file()), most(BMP_PIXELS_A_BYTE)),
        Ok(ImageFormat::Gif) => read("GIF", GifDecoder::new(file()), most(GIF_PIXELS_A_BYTE)),
        Ok(ImageFormat::Tiff) if !tiff_is_whole(bytes) => Err("the TIFF is cut short or damaged".into()),
        Ok(ImageFormat::Tiff) => read("TIFF", TiffDecoder::new(file()), most(DEFLATE_PIXELS_A_BYTE)),
        _ if bytes.is_empty() => Err("empty".into()),
        _ => Err(match bytes.get(4..12) {
            Some(b"ftypheic" | b"ftypheix" | b"ftypmif1" | b"ftypmsf1") => "a HEIC picture; convert it to JPEG".into(),
            Some(b"ftypavif") => "an AVIF picture; convert it to PNG".into(),
            _ => format!("not a {FORMATS}"),
        }),
    }
}

/// Sizes that a header claims, before anything is allocated: `most` is what a file of this length can hold.
fn check_size(width: usize, height: usize, most: usize) -> std::result::Result<(), String> {
    if width == 0 || height == 0 {
        return Err("the header says that it has no pixels: damaged".into());
    }
    let pixels = width.saturating_mul(height);
    if width.max(height) > MOST_SIDE || pixels > MOST_PIXELS {
        return Err(format!(
            "{width} × {height} pixels (columns × rows); expected at most {MOST_SIDE} per side and {MOST_PIXELS} in all"
        ));
    }
    if pixels > most {
        return Err(format!(
            "the header says {width} × {height} pixels, more than the file can hold: cut short or damaged"
        ));
    }
    Ok(())
}

/// The memory of a decoder whose file can hold `most` pixels.
fn limits(most: usize) -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some((most.min(MOST_PIXELS) * PIXEL_BYTES + DECODER_BYTES) as u64);
    limits
}

/// What a decoder of this format makes of a file that can hold `most` pixels.
fn read(format: &str, decoder: ImageResult<impl ImageDecoder>, most: usize) -> Decoded {
    let wrong = |error: ImageError| match error {
        ImageError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            format!("the {format} is cut short")
        }
        ImageError::Unsupported(error) => {
            format!("a {format} of a kind that is not read ({}); convert it to PNG", one_line(&error.to_string()))
        }
        error => match one_line(&error.to_string()) {
            text if text.to_lowercase().contains("unexpected end of file") => format!("the {format} is cut short"),
            text => format!("damaged {format} ({text})"),
        },
    };
    let mut decoder = decoder.map_err(wrong)?;
    let (width, height) = decoder.dimensions();
    check_size(width as usize, height as usize, most)?;
    if matches!(decoder.color_type(), ColorType::Rgb32F | ColorType::Rgba32F) {
        return Err(format!(
            "a {format} with floating-point pixels; expected 8 or 16 bits per channel; convert it to PNG"
        ));
    }
    decoder.set_limits(limits(most)).map_err(wrong)?;
    // Metadata that cannot be read say nothing of the pixels.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let inked = matches!(decoder.original_color_type(), ExtendedColorType::Cmyk8 | ExtendedColorType::Cmyk16);
    let image = DynamicImage::from_decoder(decoder).map_err(wrong)?;
    eight_bits(image, orientation, inked)
}

/// Without line breaks and other control characters.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// The picture as a person sees it, eight bits per channel and nothing to be seen through.
fn eight_bits(mut image: DynamicImage, orientation: Orientation, inked: bool) -> Decoded {
    image.apply_orientation(orientation);
    let (width, height) = (image.width() as usize, image.height() as usize);
    let (channels, alpha) = (usize::from(image.color().channel_count()), image.color().has_alpha());
    let channels = channels - usize::from(alpha);
    let mut narrowed = false;
    let mut upper = |wide: Vec<u16>| {
        narrowed = true;
        wide.into_iter().map(|v| (v >> 8) as u8).collect()
    };
    let mut pixels = match image {
        DynamicImage::ImageLuma8(image) => image.into_raw(),
        DynamicImage::ImageLumaA8(image) => image.into_raw(),
        DynamicImage::ImageRgb8(image) => image.into_raw(),
        DynamicImage::ImageRgba8(image) => image.into_raw(),
        DynamicImage::ImageLuma16(image) => upper(image.into_raw()),
        DynamicImage::ImageLumaA16(image) => upper(image.into_raw()),
        DynamicImage::ImageRgb16(image) => upper(image.into_raw()),
        DynamicImage::ImageRgba16(image) => upper(image.into_raw()),
        other => {
            return Err(format!("pixels of type {:?}; expected 8 or 16 bits per channel; convert it", other.color()));
        }
    };
    // A picture may have an alpha channel that hides nothing.
    let composited = alpha && pixels.chunks_exact(channels + 1).any(|pixel| pixel.last() != Some(&255));
    if alpha {
        pixels = on_black(&pixels, channels);
    }
    let turned = orientation != Orientation::NoTransforms;
    let changes = Changes { turned, inked, narrowed, composited, ..Changes::default() };
    Ok((Picture { channels, height, width, pixels }, changes))
}

/// Each channel times alpha / 255, rounded; without the alpha.
fn on_black(pixels: &[u8], channels: usize) -> Vec<u8> {
    let mut opaque = Vec::with_capacity(pixels.len() / (channels + 1) * channels);
    for pixel in pixels.chunks_exact(channels + 1) {
        if let Some((&alpha, colours)) = pixel.split_last() {
            opaque.extend(colours.iter().map(|&c| ((u32::from(c) * u32::from(alpha) + 127) / 255) as u8));
        }
    }
    opaque
}

/// The decoder is called without `image`, which takes damaged scans for grey areas.
fn decode_jpeg(bytes: &[u8]) -> Decoded {
    if !jpeg_is_whole(bytes) {
        return Err("the JPEG is cut short or damaged".into());
    }
    let wrong = |error: zune_jpeg::errors::DecodeErrors| {
        let text = one_line(&format!("{error:?}"));
        format!("damaged JPEG, or one of a kind that is not read ({}); convert it to PNG", text.trim_matches('"'))
    };
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(MOST_SIDE)
        .set_max_height(MOST_SIDE)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(wrong)?;
    let info = decoder.info().ok_or("damaged JPEG")?;
    check_size(info.width.into(), info.height.into(), bytes.len().saturating_mul(JPEG_PIXELS_A_BYTE))?;
    let space = decoder.input_colorspace();
    let inked = matches!(space, Some(ColorSpace::CMYK | ColorSpace::YCCK));
    if space == Some(ColorSpace::Luma) {
        decoder.set_options(options.jpeg_set_out_colorspace(ColorSpace::Luma));
    }
    let orientation = decoder.exif().and_then(|exif| Orientation::from_exif_chunk(exif));
    let pixels = decoder.decode().map_err(wrong)?;
    let (width, height) = (info.width.into(), info.height.into());
    let image = match space {
        Some(ColorSpace::Luma) => GrayImage::from_raw(width, height, pixels).map(DynamicImage::from),
        _ => RgbImage::from_raw(width, height, pixels).map(DynamicImage::from),
    };
    eight_bits(image.ok_or("damaged JPEG")?, orientation.unwrap_or(Orientation::NoTransforms), inked)
}

impl Picture {
    /// Grey from colour is the luma of Rec. 601, (299 R + 587 G + 114 B) / 1000, rounded; colour from grey is three times
    /// the same.
    fn with_channels(self, channels: usize) -> Self {
        let pixels = match (self.channels, channels) {
            (3, 1) => self
                .pixels
                .chunks_exact(3)
                .map(|rgb| {
                    let luma: u32 = rgb.iter().zip([299, 587, 114]).map(|(&c, weight)| u32::from(c) * weight).sum();
                    ((luma + 500) / 1000) as u8
                })
                .collect(),
            (1, 3) => self.pixels.iter().flat_map(|&grey| [grey; 3]).collect(),
            _ => return self,
        };
        Self { channels, pixels, ..self }
    }

    /// The picture in this size.
    ///
    /// # Errors
    /// A picture that `crop` or `none` cannot bring to it.
    pub(super) fn resized(self, resize: Resize, [height, width]: [usize; 2]) -> std::result::Result<Self, String> {
        let found = format!("{} × {} pixels (rows × columns)", self.height, self.width);
        if [self.height, self.width] == [height, width] {
            return Ok(self);
        }
        match resize {
            Resize::None => Err(format!("{found}; expected {height} × {width}")),
            Resize::Crop if self.height < height || self.width < width => {
                Err(format!("{found}; expected at least {height} × {width} to crop"))
            }
            Resize::Crop => Ok(self.middle(height, width)),
            Resize::Area => Ok(self.area(height, width)),
            Resize::Cover => {
                let part = match self.width * height > self.height * width {
                    true => [self.height, (self.height * width / height).max(1)],
                    false => [(self.width * height / width).max(1), self.width],
                };
                Ok(self.middle(part[0], part[1]).area(height, width))
            }
        }
    }

    /// The middle; where it cannot be exact, half a pixel up and to the left.
    fn middle(self, height: usize, width: usize) -> Self {
        let (top, left) = ((self.height - height) / 2, (self.width - width) / 2);
        let lines = self.pixels.chunks_exact(self.width * self.channels).skip(top).take(height);
        let pixels = lines.flat_map(|line| line.iter().skip(left * self.channels).take(width * self.channels));
        Self { height, width, pixels: pixels.copied().collect(), ..self }
    }

    /// A new pixel is the mean over the old pixels that its area covers, each by the part that is covered. Whole numbers:
    /// with old pixels `height` × `width` units large and new ones H × W, every overlap is one.
    fn area(self, height: usize, width: usize) -> Self {
        let channels = self.channels;
        let (columns, rows) = (overlaps(self.width, width), overlaps(self.height, height));
        let total = (self.height * self.width) as u64;
        let mut pixels = Vec::with_capacity(height * width * channels);
        for rows in &rows {
            for columns in &columns {
                for channel in 0..channels {
                    let mut sum = 0u64;
                    for &(y, tall) in rows {
                        let along = columns.iter().map(|&(x, wide)| {
                            let place = (y * self.width + x) * channels + channel;
                            wide * self.pixels.get(place).copied().map_or(0, u64::from)
                        });
                        sum += tall * along.sum::<u64>();
                    }
                    pixels.push(((sum + total / 2) / total) as u8);
                }
            }
        }
        Self { height, width, pixels, ..self }
    }
}

/// For each of `new` cells along a line the old cells that it covers and how much of them, in parts whose sum is `old`.
fn overlaps(old: usize, new: usize) -> Vec<Vec<(usize, u64)>> {
    let cell = |i: usize| {
        let (start, end) = (i * old, (i + 1) * old);
        let covered = start / new..end.div_ceil(new);
        covered.map(|j| (j, (end.min((j + 1) * new) - start.max(j * new)) as u64)).collect()
    };
    (0..new).map(cell).collect()
}

#[cfg(test)]
#[path = "picture_tests.rs"]
pub(crate) mod tests;
