//! gzip as gzip(1) reads it: all members of a file, and zeros behind them.

use std::io::{BufRead, Error, ErrorKind, Read, Result};

use flate2::bufread::GzDecoder;

/// The first bytes of a gzip file.
pub(super) const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The content of all members, one after the other. Zeros may follow a member, as tapes and block devices add them; anything
/// else is an error.
pub(super) struct Gzip<R> {
    /// `None`: the end was reached.
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Gzip<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { member: Some(GzDecoder::new(reader)) }
    }
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while let Some(mut member) = self.member.take() {
            let read = member.read(buffer)?;
            if read > 0 {
                self.member = Some(member);
                return Ok(read);
            }
            let mut rest = member.into_inner();
            match next_byte(&mut rest)? {
                None => break,
                Some(first) if first == GZIP[0] => self.member = Some(GzDecoder::new(rest)),
                Some(_) => {
                    return Err(Error::new(ErrorKind::InvalidData, "something else follows the compressed data"));
                }
            }
        }
        Ok(0)
    }
}

/// The next byte that is not 0, which stays to be read.
fn next_byte(reader: &mut impl BufRead) -> Result<Option<u8>> {
    loop {
        let bytes = reader.fill_buf()?;
        let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
        let (length, next) = (bytes.len(), bytes.get(zeros).copied());
        reader.consume(zeros);
        if next.is_some() || length == 0 {
            return Ok(next);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::{BufReader, Write};

    use super::*;

    fn packed(content: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    /// The content, read through a buffer of few bytes.
    fn unpacked(file: &[u8]) -> Result<Vec<u8>> {
        let mut content = Vec::new();
        Gzip::new(BufReader::with_capacity(3, file)).read_to_end(&mut content)?;
        Ok(content)
    }

    #[test]
    fn members_follow_each_other_and_zeros_the_last() {
        let [one, two] = [packed(b"one "), packed(b"two")];
        assert_eq!(unpacked(&[&one[..], &two].concat()).unwrap(), b"one two");
        assert_eq!(unpacked(&[&one[..], &[0; 10], &two, &[0; 1000]].concat()).unwrap(), b"one two");
        // An empty member is one.
        assert_eq!(unpacked(&[&packed(b"")[..], &two].concat()).unwrap(), b"two");
    }

    #[test]
    fn anything_else_behind_them_is_an_error() {
        let one = packed(b"one ");
        let error = unpacked(&[&one[..], &[0, 0, 7]].concat()).unwrap_err();
        assert_eq!(error.to_string(), "something else follows the compressed data");
        assert!(unpacked(&[&one[..], &[0x1f, 0]].concat()).is_err());
        assert_eq!(unpacked(&one[..one.len() - 1]).unwrap_err().kind(), ErrorKind::UnexpectedEof);
        let second = packed(b"two");
        let cut = [&one[..], &second[..12]].concat();
        assert_eq!(unpacked(&cut).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }
}
