//! PNG and JPEG files → pictures of eight bits, one or three channels, of the size that is wanted.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use png::{ColorType, Transformations};
use serde::{Deserialize, Serialize};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// The longest side of a picture.
const MOST_SIDE: usize = 16_384;

/// Pixels of a picture: 64 Mi.
const MOST_PIXELS: usize = 1 << 26;

/// Deflate makes at most 1032 bytes out of one.
const DEFLATE_RATIO: usize = 1032;

/// The shortest code of a JPEG's block of 8 × 8 pixels has one bit.
const JPEG_PIXELS_A_BYTE: usize = 8 * 64;

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
    /// 16 bits a channel became 8.
    pub(super) narrowed: bool,
    /// What can be seen through was put on black.
    pub(super) composited: bool,
    /// Colour became grey.
    pub(super) greyed: bool,
    /// Grey became colour.
    pub(super) coloured: bool,
}

/// Eight bits a channel, row by row, the channels of a pixel side by side.
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
    let (picture, mut changes) = if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        decode_png(bytes)?
    } else if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
        // Should the decoder ever panic on a damaged file, that file is the one to name.
        let decoded = catch_unwind(AssertUnwindSafe(|| decode_jpeg(bytes)));
        decoded.unwrap_or_else(|_| Err("damaged JPEG".into()))?
    } else if bytes.is_empty() {
        return Err("empty".into());
    } else {
        return Err("not a PNG or JPEG".into());
    };
    changes.greyed = channels == 1 && picture.channels == 3;
    changes.coloured = channels == 3 && picture.channels == 1;
    Ok((picture.with_channels(channels), changes))
}

/// Sizes that a header claims, before anything is allocated: `most` is what a file of this length can hold.
fn check_size(width: usize, height: usize, most: usize) -> std::result::Result<(), String> {
    if width == 0 || height == 0 {
        return Err("the header says that it has no pixels: damaged".into());
    }
    let pixels = width.saturating_mul(height);
    if width.max(height) > MOST_SIDE || pixels > MOST_PIXELS {
        return Err(format!(
            "{width} × {height} pixels (columns × rows); expected at most {MOST_SIDE} a side and {MOST_PIXELS} in all"
        ));
    }
    if pixels > most {
        return Err(format!(
            "the header says {width} × {height} pixels, more than the file can hold: cut short or damaged"
        ));
    }
    Ok(())
}

fn decode_png(bytes: &[u8]) -> Decoded {
    let wrong = |error: png::DecodingError| match error {
        png::DecodingError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            "the PNG is cut short".to_owned()
        }
        error => format!("damaged PNG ({})", error.to_string().replace('\n', " ")),
    };
    let limits = png::Limits { bytes: 8 * MOST_PIXELS };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let header = decoder.read_header_info().map_err(wrong)?;
    let (width, height) = (header.width as usize, header.height as usize);
    // Up to eight pixels lie in one byte.
    check_size(width, height, bytes.len().saturating_mul(8 * DEFLATE_RATIO))?;
    let narrowed = header.bit_depth == png::BitDepth::Sixteen;
    let mut reader = decoder.read_info().map_err(wrong)?;
    let (kind, _) = reader.output_color_type();
    let size = reader.output_buffer_size().ok_or("too large")?;
    let mut pixels = vec![0; size];
    reader.next_frame(&mut pixels).map_err(wrong)?;
    reader.finish().map_err(wrong)?;
    let (channels, alpha) = match kind {
        ColorType::Grayscale => (1, false),
        ColorType::GrayscaleAlpha => (1, true),
        ColorType::Rgb => (3, false),
        ColorType::Rgba => (3, true),
        ColorType::Indexed => return Err("damaged PNG (its palette is missing)".into()),
    };
    // A picture may have an alpha channel that hides nothing.
    let composited = alpha && pixels.chunks_exact(channels + 1).any(|pixel| pixel.last() != Some(&255));
    if alpha {
        pixels = on_black(&pixels, channels);
    }
    Ok((Picture { channels, height, width, pixels }, Changes { narrowed, composited, ..Changes::default() }))
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

fn decode_jpeg(bytes: &[u8]) -> Decoded {
    if !jpeg_is_whole(bytes) {
        return Err("the JPEG is cut short or damaged".into());
    }
    let wrong = |error: zune_jpeg::errors::DecodeErrors| {
        let text = format!("{error:?}").replace('\n', " ");
        format!("damaged JPEG, or one of a kind that cannot be read ({})", text.trim_matches('"'))
    };
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(MOST_SIDE)
        .set_max_height(MOST_SIDE)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(wrong)?;
    let info = decoder.info().ok_or("damaged JPEG")?;
    let (width, height) = (usize::from(info.width), usize::from(info.height));
    check_size(width, height, bytes.len().saturating_mul(JPEG_PIXELS_A_BYTE))?;
    let channels = match decoder.input_colorspace() {
        Some(ColorSpace::Luma) => 1,
        Some(ColorSpace::YCbCr | ColorSpace::RGB) => 3,
        other => {
            let found = other.map_or_else(|| "of no known colours".into(), |space| format!("in {space:?}"));
            return Err(format!("a JPEG {found}; expected grey, YCbCr or RGB; convert it"));
        }
    };
    if channels == 1 {
        decoder.set_options(options.jpeg_set_out_colorspace(ColorSpace::Luma));
    }
    let pixels = decoder.decode().map_err(wrong)?;
    if pixels.len() != width * height * channels {
        return Err("damaged JPEG".into());
    }
    Ok((Picture { channels, height, width, pixels }, Changes::default()))
}

/// Whether the file goes on to the marker of its end. The decoder does not miss the end of the last rows.
///
/// A JPEG is a chain of segments, `ff marker length …`; after the one that starts a scan come coded bytes, in which `ff`
/// is followed by 0 or by a restart marker until the next segment begins.
fn jpeg_is_whole(bytes: &[u8]) -> bool {
    let mut place = 2;
    loop {
        // Coded bytes and fillers, up to a marker.
        let marker = loop {
            match (bytes.get(place), bytes.get(place + 1)) {
                (Some(0xff), Some(&marker)) if !matches!(marker, 0 | 0xff | 0xd0..=0xd7) => break marker,
                (Some(_), Some(_)) => place += 1,
                _ => return false,
            }
        };
        if marker == 0xd9 {
            return true;
        }
        let (Some(&high), Some(&low)) = (bytes.get(place + 2), bytes.get(place + 3)) else { return false };
        place += 2 + usize::from(u16::from_be_bytes([high, low]));
    }
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
pub(super) mod tests;
