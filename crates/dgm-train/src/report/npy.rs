//! Rows of numbers as NPY, NumPy's file of one array.

/// An array of `[rows, width]` numbers of 64 bits: version 1.0, whose header is padded to a multiple of 64 bytes (NumPy, NEP 1).
pub fn of_rows(rows: &[Vec<f64>], width: usize) -> Vec<u8> {
    let mut header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({}, {width}), }}", rows.len());
    let before = 10;
    let padded = (before + header.len() + 1).next_multiple_of(64) - before;
    header.push_str(&" ".repeat(padded - header.len() - 1));
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((padded as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(rows.iter().flatten().flat_map(|number| number.to_le_bytes()));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_is_what_numpy_writes() {
        // numpy.save of numpy.array([[1., 2.5], [-3., 0.]]).
        let bytes = of_rows(&[vec![1.0, 2.5], vec![-3.0, 0.0]], 2);
        assert_eq!(bytes.len(), 128 + 32);
        assert_eq!(&bytes[..10], b"\x93NUMPY\x01\x00\x76\x00");
        assert!(bytes[10..].starts_with(b"{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2), }"));
        assert_eq!(bytes[127], b'\n');
        assert_eq!(bytes[128..136], 1.0f64.to_le_bytes());
        assert_eq!(bytes[152..160], 0.0f64.to_le_bytes());
    }
}
