//! Tests of NPY and NPZ on bytes that NumPy 2.4.6 wrote, and on damaged ones.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::super::npz::with_member_of_bytes;
use super::super::tests::shared;
use super::*;

/// A file of version 1.0 with this header, padded as NumPy pads it.
pub(crate) fn npy(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00v\x00".to_vec();
    bytes.extend(format!("{header:<117}\n").bytes());
    bytes.extend(data);
    bytes
}

fn read(bytes: &[u8], expected: Expected) -> Result<(Header, Numbers)> {
    let mut source = FileReader::from_bytes("a.npy", bytes);
    let header = read_header(&mut source)?;
    let numbers = read_data(&mut source, &header, expected, true, |_| ())?;
    Ok((header, numbers))
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    match read(bytes, Expected::Finite).unwrap().1 {
        Numbers::Floats(numbers) => numbers,
        Numbers::Doubles(numbers) => numbers.into_iter().map(|number| number as f32).collect(),
        other => panic!("{other:?}"),
    }
}

fn error(bytes: &[u8]) -> String {
    let message = read(bytes, Expected::Finite).expect_err("an error").to_string();
    assert!(!message.contains('\n'), "{message}");
    message
}

const BELOW_8: Expected = Expected::Below { bound: 8, key: "levels", scale: 1.0 };

#[test]
fn numbers_are_those_that_numpy_wrote() {
    // numpy.array([[1.5, -2], [3, 4]], "<f4")
    let bytes = npy(
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }",
        b"\x00\x00\xc0?\x00\x00\x00\xc0\x00\x00@@\x00\x00\x80@",
    );
    assert_eq!(bytes.len(), 144);
    assert_eq!(floats(&bytes), [1.5, -2.0, 3.0, 4.0]);
    // numpy.asfortranarray(numpy.arange(12).reshape(2, 3, 2) - 3)
    let data = [-3i64, 3, -1, 5, 1, 7, -2, 4, 0, 6, 2, 8].map(i64::to_le_bytes).concat();
    let bytes = npy("{'descr': '<i8', 'fortran_order': True, 'shape': (2, 3, 2), }", &data);
    assert_eq!(floats(&bytes), (-3..9).map(|i| i as f32).collect::<Vec<_>>());
    // Version 2.0 with a longer field, and the shape of a vector.
    let mut bytes = b"\x93NUMPY\x02\x00t\x00\x00\x00".to_vec();
    bytes.extend(format!("{:<115}\n", "{'descr': '<u2', 'fortran_order': False, 'shape': (3,), }").bytes());
    bytes.extend([1, 0, 0, 1, 255, 255]);
    assert_eq!(floats(&bytes), [1.0, 256.0, 65535.0]);
    bytes[6] = 3;
    assert_eq!(
        read(&bytes, Expected::Below { bound: 65536, key: "levels", scale: 1.0 }).unwrap().1,
        Numbers::Words(vec![1, 256, 65535])
    );
    // Every type in both orders of bytes.
    for (descr, data, number) in [
        (">i8", &(-7i64).to_be_bytes()[..], -7.0),
        ("<i4", &(-7i32).to_le_bytes()[..], -7.0),
        (">i4", &(-7i32).to_be_bytes()[..], -7.0),
        (">i2", &(-7i16).to_be_bytes()[..], -7.0),
        ("|i1", &(-7i8).to_le_bytes()[..], -7.0),
        ("|u1", &[249], 249.0),
        ("<u4", &4_000_000_000u32.to_le_bytes()[..], 4e9),
        (">u8", &(1u64 << 40).to_be_bytes()[..], (1u64 << 40) as f32),
        (">f4", &0.1f32.to_be_bytes()[..], 0.1),
        ("<f8", &0.1f64.to_le_bytes()[..], 0.1),
        // numpy.array([-0.333], "<f2").tobytes() is 54 b5, -0.3330078125.
        ("<f2", &[0x54, 0xb5], -0.333_007_8),
        (">f2", &[0xb5, 0x54], -0.333_007_8),
        (">f8", &(-0.1f64).to_be_bytes()[..], -0.1),
        ("|b1", &[1], 1.0),
    ] {
        let bytes = npy(&format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (1,), }}"), data);
        assert_eq!(floats(&bytes), [number], "{descr}");
        assert_eq!(read(&bytes, Expected::Finite).unwrap().0.boolean, descr == "|b1");
    }
    let bytes = npy("{\"shape\":(2L,1),\"fortran_order\":False,\"descr\":\"|u1\"}", &[7, 0]);
    assert_eq!(read(&bytes, BELOW_8).unwrap().1, Numbers::Bytes(vec![7, 0]));
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    let whole = npy("{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), }", &[1; 24]);
    for length in 0..whole.len() {
        let message = error(&whole[..length]);
        assert!(message.starts_with("a.npy: ") && (length < 6 || message.contains("cut short")), "{length}: {message}");
    }
    let mut long = whole.clone();
    long.push(0);
    assert_eq!(error(&long), "a.npy: found more than the 24 bytes of data that 2 × 3 needs; fetch it again");
}

#[test]
fn errors_say_what_was_found_and_expected() {
    let header = |text: &str| error(&npy(text, &[0; 4]));
    for (text, expected) in [
        (
            "{'descr': '<f4', 'fortran_order': False, 'shape': (1152921504606846976,), }",
            "found 4 bytes of data; expected 4611686018427387904 for 1152921504606846976: cut short",
        ),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", "more than memory can hold"),
        (
            "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }",
            "whose shape is not a tuple of whole numbers",
        ),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", "whose shape is not a tuple of whole numbers"),
        (
            "{'descr': '<f4', 'fortran_order': False, 'shape': (), }",
            "found one number, an array without dimensions; expected examples [n]",
        ),
        (
            "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 0), }",
            "the header says 2 × 0; expected sizes of at least 1",
        ),
        (
            "{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }",
            "found numbers of type \"<c8\"; expected bool, whole numbers or floats",
        ),
        ("{'descr': '<f16', 'fortran_order': False, 'shape': (1,), }", "convert it with array.astype('float32')"),
        (
            "{'descr': '<U5', 'fortran_order': False, 'shape': (1,), }",
            "these are texts; number them with numpy.unique(array, return_inverse=True)[1]",
        ),
        (
            "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
            "an array of Python objects is no array of numbers",
        ),
        (
            "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }",
            "in which a text in quotes is missing (a structured type?)",
        ),
        ("{'descr': '<f4', 'fortran_order': 0, 'shape': (1,), }", "in which True or False is missing"),
        ("{'descr': '<f4', 'shape': (1,), }", "without one of the keys"),
        ("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", "with the key \"descr\" twice"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}", "with the key \"x\""),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), } 1", "with something after the dictionary"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), ", "in which a text in quotes is missing"),
    ] {
        let message = header(text);
        assert!(message.contains(expected), "\n   found: {message}\nexpected: {expected}");
    }
    assert!(
        error(b"PK\x03\x04....").contains("starts with 50 4b 03 04 2e 2e; expected 93 4e 55 4d 50 59, an NPY file")
    );
    assert!(error(b"\x93NUMPY\x04\x00....").contains("found an NPY file of version 4.0; expected 1.0, 2.0 or 3.0"));
    assert!(
        error(b"\x93NUMPY\x02\x00\xff\xff\xff\xff").contains("found a header of 4294967295 bytes; expected at most")
    );

    let bytes = npy(
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }",
        &[0f32, 1.0, f32::NAN, 2.0].map(f32::to_le_bytes).concat(),
    );
    assert_eq!(
        error(&bytes),
        "a.npy: found NaN in example 1; expected finite numbers; take out or fill in what is missing"
    );
    let bytes = npy(
        "{'descr': '<f8', 'fortran_order': True, 'shape': (2, 2), }",
        &[0f64, 1.0, 0.5, 2.0].map(f64::to_le_bytes).concat(),
    );
    let message = read(&bytes, BELOW_8).unwrap_err().to_string();
    assert_eq!(
        message,
        "a.npy: found 0.5 in example 0; expected whole numbers from 0 to 7 (data.levels = 8); for pixels from 0 to 1 set \
         data.scale = 7, else leave data.levels out"
    );
    for number in [8u8, 255] {
        let bytes = npy("{'descr': '|u1', 'fortran_order': False, 'shape': (3, 2), }", &[0, 1, 7, 7, 7, number]);
        let message = read(&bytes, BELOW_8).unwrap_err().to_string();
        assert!(message.starts_with(&format!("a.npy: found {number} in example 2;")), "{message}");
    }
}

/// `numpy.savez(…, x=numpy.arange(6, dtype='u1').reshape(3, 2), y=numpy.array([2, 0, 1]))`
const SAVEZ: &str = "\
    504b03042d0000000000000021001bfa7d61ffffffffffffffff05001400782e6e707901001000860000000000000086000000000000\
    00934e554d5059010076007b276465736372273a20277c7531272c2027666f727472616e5f6f72646572273a2046616c73652c202773\
    68617065273a2028332c2032292c207d2020202020202020202020202020202020202020202020202020202020202020202020202020\
    20202020202020202020202020202020202020200a000102030405504b03042d0000000000000021008a1ace13ffffffffffffffff05\
    001400792e6e70790100100098000000000000009800000000000000934e554d5059010076007b276465736372273a20273c6938272c\
    2027666f727472616e5f6f72646572273a2046616c73652c20277368617065273a2028332c292c207d20202020202020202020202020\
    20202020202020202020202020202020202020202020202020202020202020202020202020202020202020202020200a020000000000\
    000000000000000000000100000000000000504b01022d032d0000000000000021001bfa7d6186000000860000000500000000000000\
    00000000800100000000782e6e7079504b01022d032d0000000000000021008a1ace1398000000980000000500000000000000000000\
    008001bd000000792e6e7079504b05060000000002000200660000008c0100000000\
";
/// The same of `numpy.savez_compressed`.
const COMPRESSED: &str = "\
    504b03042d0000000800000021001bfa7d61ffffffffffffffff05001400782e6e70790100100086000000000000004c000000000000\
    009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a05e536aa8aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416\
    a402f91ac63a0a469a3a0ab50a64032e06462666165600504b03042d0000000800000021008a1ace13ffffffffffffffff0500140079\
    2e6e70790100100098000000000000004a000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9369a1aea3a09e96\
    5f54529498179f5f94920a12774bcc294e058a17672416a402f91ac63a9a3a0ab50a14002e260654c008a501504b01022d032d000000\
    0800000021001bfa7d614c00000086000000050000000000000000000000800100000000782e6e7079504b01022d032d000000080000\
    0021008a1ace134a00000098000000050000000000000000000000800183000000792e6e7079504b0506000000000200020066000000\
    040100000000\
";

fn bytes_of(hexadecimal: &str) -> Vec<u8> {
    let digits: Vec<u8> = hexadecimal.chars().map(|c| c.to_digit(16).unwrap() as u8).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn member(bytes: &[u8], name: Option<&str>) -> Result<Numbers> {
    with_member_of_bytes(bytes, "a.npz", name, |source| {
        let header = read_header(source)?;
        read_data(source, &header, BELOW_8, true, |_| ())
    })
}

#[test]
fn arrays_of_archives_are_those_that_numpy_wrote() {
    for archive in [SAVEZ, COMPRESSED] {
        let bytes = bytes_of(archive);
        assert_eq!(member(&bytes, Some("x")).unwrap(), Numbers::Bytes(vec![0, 1, 2, 3, 4, 5]));
        assert_eq!(member(&bytes, Some("y.npy")).unwrap(), Numbers::Bytes(vec![2, 0, 1]));
        let message = member(&bytes, Some("z")).unwrap_err().to_string();
        assert_eq!(message, "a.npz: there is no array `z` in it (arrays: x, y); name one of them");
        let message = member(&bytes, None).unwrap_err().to_string();
        assert_eq!(message, "a.npz: holds several arrays (x, y); add which, as in \"a.npz:NAME\"");
    }
}

#[test]
fn a_damaged_archive_is_an_error() {
    for archive in [SAVEZ, COMPRESSED] {
        let bytes = bytes_of(archive);
        for length in 0..bytes.len() {
            let message = member(&bytes[..length], Some("x")).unwrap_err().to_string();
            assert!(message.starts_with("a.npz: not a whole NPZ file (") && !message.contains('\n'), "{message}");
        }
        // The checksum covers the array: no changed bit of it goes unnoticed. The 40 bytes before it are its name.
        for place in 55..55 + 0x4a {
            let mut changed = bytes.clone();
            changed[place] ^= 0x10;
            let message = member(&changed, Some("x")).unwrap_err().to_string();
            assert!(message.starts_with("a.npz:x: ") && !message.contains('\n'), "{place}: {message}");
        }
    }
}

#[test]
fn binarised_mnist_is_as_numpy_reads_it() {
    for (file, rows, ones, first, last, seventh) in [
        ("train", 50_000, 5_118_041, [64, 65, 66, 93], [188, 189, 190, 209], 37_810),
        ("valid", 10_000, 1_028_036, [152, 153, 154, 180], [154, 155, 181, 182], 32_813),
        ("test", 10_000, 1_038_896, [125, 126, 127, 153], [185, 186, 187, 188], 61_208),
    ] {
        let Some(path) = shared(&format!("binarized-mnist/{file}.npy")) else { return };
        let mut source = FileReader::open(&path, "train", "").unwrap();
        let header = read_header(&mut source).unwrap();
        assert_eq!((&header.shape[..], header.fortran_order), (&[rows, 98][..], true));
        let expected = Expected::Below { bound: 256, key: "levels", scale: 1.0 };
        let Numbers::Bytes(bytes) = read_data(&mut source, &header, expected, true, |_| ()).unwrap() else { panic!() };
        assert_eq!(bytes.iter().map(|byte| byte.count_ones()).sum::<u32>(), ones);
        let on = |row: usize| -> Vec<usize> {
            (0..784).filter(|bit| bytes[row * 98 + bit / 8] >> (7 - bit % 8) & 1 == 1).collect()
        };
        assert_eq!((&on(0)[..4], &on(rows - 1)[..4], on(7).iter().sum()), (&first[..], &last[..], seventh));
    }
}
