//! Whether the file of a picture goes on to its end, and claims no more than it holds.

/// Whether the file goes on to its last chunk, which stands behind the pixels. A chunk is its length, its name, so many
/// bytes and their checksum.
pub(super) fn png_is_whole(bytes: &[u8]) -> bool {
    let mut rest = bytes.get(8..).unwrap_or_default();
    while let Some((&[a, b, c, d, name @ ..], _)) = rest.split_first_chunk::<8>() {
        let Some(next) = rest.get(12 + u32::from_be_bytes([a, b, c, d]) as usize..) else { return false };
        if &name == b"IEND" {
            return true;
        }
        rest = next;
    }
    false
}

/// Whether the file is as long as its header and each of its chunks say: the decoder makes room for what a chunk claims to hold
/// before it looks whether that is there. A chunk is its name, its length, so many bytes and one more where they are odd.
pub(super) fn webp_is_whole(bytes: &[u8]) -> bool {
    let length =
        |at: usize| bytes.get(at..).and_then(|rest| rest.first_chunk()).map(|length| u32::from_le_bytes(*length));
    let Some(all) = length(4) else { return false };
    let (end, mut at) = (8 + u64::from(all), 12u64);
    while let Some(length) = length(at as usize + 4).filter(|_| at + 8 <= end) {
        at += 8 + u64::from(length);
        if at > bytes.len() as u64 {
            return false;
        }
        at += at % 2;
    }
    bytes.len() as u64 >= end
}

/// Whether the tags of the first picture claim no more values than the file holds: the decoder makes room for what they claim before
/// it looks whether that is there. A directory is the number of its tags and the tags, each its name, a type, a number of values and
/// the values or where they are.
pub(super) fn tiff_is_whole(bytes: &[u8]) -> bool {
    let little = bytes.starts_with(b"II");
    // A number of so many bytes.
    let number = |at: u64, length: usize| -> Option<u64> {
        let part = bytes.get(usize::try_from(at).ok()?..)?.get(..length)?;
        let fold = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        Some(if little { part.iter().rev().fold(0, fold) } else { part.iter().fold(0, fold) })
    };
    // BigTIFF has 64-bit counts and offsets.
    let big = number(2, 2) == Some(43);
    let (wide, head, entry) = if big { (8, 8, 20) } else { (4, 2, 12) };
    let Some(start) = number(if big { 8 } else { 4 }, wide) else { return false };
    let Some(tags) = number(start, head) else { return false };
    let first = start.saturating_add(head as u64);
    (0..tags).all(|tag| {
        let at = first.saturating_add(tag.saturating_mul(entry));
        let (Some(kind), Some(count)) = (number(at.saturating_add(2), 2), number(at.saturating_add(4), wide)) else {
            return false;
        };
        let size = match kind {
            3 | 8 => 2,
            4 | 9 | 11 | 13 => 4,
            5 | 10 | 12 | 16..=18 => 8,
            _ => 1,
        };
        count.saturating_mul(size) <= bytes.len() as u64
    })
}

/// Whether the file goes on to the marker of its end. The decoder does not miss the end of the last rows.
///
/// A JPEG is a chain of segments, `ff marker length …`; after the one that starts a scan come coded bytes, in which `ff`
/// is followed by 0 or by a restart marker until the next segment begins.
pub(super) fn jpeg_is_whole(bytes: &[u8]) -> bool {
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
