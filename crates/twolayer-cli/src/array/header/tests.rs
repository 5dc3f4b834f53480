use super::*;

/// An array of a format version with this header, padded to a length where one is given, and data.
pub(in crate::array) fn npy(version: u8, header: &str, padded: usize, data: &[u8]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend([version, 0]);
    let (header, width) = (header.trim_end(), padded.saturating_sub(1));
    let header = format!("{header:width$}\n");
    let length = header.len() as u32;
    match version {
        1 => bytes.extend((length as u16).to_le_bytes()),
        _ => bytes.extend(length.to_le_bytes()),
    }
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

pub(in crate::array) fn dictionary(descr: &str, fortran: bool, shape: &str) -> String {
    let order = if fortran { "True" } else { "False" };
    format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n")
}

pub(in crate::array) fn expected(dimensions: &'static [usize]) -> Expected {
    Expected {
        name: "a",
        shape: "(n, d)",
        dimensions,
        required: true,
        is_matrix: false,
        may_be_none: false,
        is_checked_later: false,
        may_be_minus_infinity: false,
    }
}

/// What is wrong, in the words of the message.
pub(in crate::array) fn told<T>(result: Result<T, Defect>) -> String {
    match result {
        Ok(_) => "nothing".into(),
        Err(Defect { found, expected }) => format!("{found}; {expected}"),
    }
}

fn of(bytes: &[u8], types: Types) -> Result<Header, Defect> {
    inspect(&mut &bytes[..], bytes.len() as u64, "a", types)
}

#[test]
fn every_version_of_the_format_is_read() {
    for (version, before) in [(1, 10), (2, 12), (3, 12)] {
        let bytes = npy(version, &dictionary("<f4", true, "(2, 3)"), 0, &[0; 24]);
        let header = of(&bytes, Types::Floats).unwrap();
        assert_eq!((header.shape, header.order), (vec![2, 3], Order::Fortran));
        assert_eq!(header.number.size(), 4);
        let length = dictionary("<f4", true, "(2, 3)").len() as u64;
        assert_eq!(header.start, before + length);
    }
}

#[test]
fn data_must_be_as_long_as_the_shape_says() {
    let header = dictionary("<f8", false, "(2, 3)");
    assert!(of(&npy(1, &header, 0, &[0; 48]), Types::Floats).is_ok());
    for length in [0, 47, 49, 96] {
        let told = told(of(&npy(1, &header, 0, &vec![0; length]), Types::Floats));
        let expected = format!("a has shape (2, 3), but {length} bytes of data; 48 bytes");
        assert_eq!(told, expected);
    }
    // A size that is said to be less than the header's.
    let bytes = npy(1, &header, 0, &[0; 48]);
    assert!(told(inspect(&mut &bytes[..], 3, "a", Types::Floats)).contains("but 0 bytes"));
}

/// 4096 bytes are the longest header that NumPy reads.
#[test]
fn a_header_is_never_longer_than_numpys_own() {
    let header = dictionary("<f8", false, "(1,)");
    for (version, length, sound) in [
        (1, 4096, true),
        (1, 4097, false),
        (2, 4096, true),
        (2, 1 << 16, false),
    ] {
        let result = of(&npy(version, &header, length, &[0; 8]), Types::Floats);
        assert_eq!(result.is_ok(), sound, "{version} {length}");
        if !sound {
            assert!(told(result).starts_with(&format!("a has a header of {length} bytes")));
        }
    }
}

/// The product of the dimensions is not trusted to fit.
#[test]
fn shapes_beyond_all_numbers_are_refused() {
    for (shape, sound) in [
        ("(4294967296, 4294967296)", false),
        ("(18446744073709551616,)", false),
        ("(0, 5)", true),
    ] {
        let result = of(
            &npy(1, &dictionary("<f8", false, shape), 0, &[]),
            Types::Floats,
        );
        assert_eq!(result.is_ok(), sound, "{shape}");
        if !sound {
            assert!(told(result).starts_with("a claims to have more entries"));
        }
    }
}

#[test]
fn what_is_no_array_or_has_no_numbers_is_told() {
    let truth = |bytes: &[u8]| told(of(bytes, Types::Floats));
    assert_eq!(
        truth(b"just some text"),
        "a is not stored as an array; .npy data"
    );
    assert!(truth(b"short").starts_with("a cannot be decoded"));
    let array = |descr: &str, data: &[u8]| npy(1, &dictionary(descr, false, "(1,)"), 0, data);
    assert_eq!(
        truth(&array("<c16", &[0; 16])),
        "a has dtype complex128; f32 or f64"
    );
    let integers = array("<i4", &[0; 4]);
    assert_eq!(
        truth(&integers),
        "a has dtype int32; f32 or f64 (--names auto reads others)"
    );
    assert!(of(&integers, Types::Numbers).is_ok());
    let half = npy(
        1,
        "{'descr': 'bfloat16', 'fortran_order': False, 'shape': (3,), }\n",
        0,
        &[0; 6],
    );
    assert_eq!(of(&half, Types::Numbers).unwrap().number.size(), 2);
    let cut = &array("<f8", &[])[..30];
    assert!(truth(cut).starts_with("a cannot be decoded"));
}

#[test]
fn a_view_is_the_transpose_or_one_vector() {
    let header = of(
        &npy(1, &dictionary("<f4", false, "(2, 3)"), 0, &[0; 24]),
        Types::Floats,
    )
    .unwrap();
    let seen = |view| {
        let seen = header.clone().seen(view);
        (seen.shape, seen.order)
    };
    assert_eq!(seen(View::AsStored), (vec![2, 3], Order::C));
    assert_eq!(seen(View::Transposed), (vec![3, 2], Order::Fortran));
    let twice = header.clone().seen(View::Transposed).seen(View::Transposed);
    assert_eq!((twice.shape, twice.order), (vec![2, 3], Order::C));
    assert_eq!(seen(View::Flat).0, [6]);
}

#[test]
fn shapes_are_checked_and_shown_as_python_has_them() {
    let with = |shape: &[u64]| {
        let bytes = npy(1, &dictionary("<f4", false, "(1,)"), 0, &[0; 4]);
        Header {
            shape: shape.to_vec(),
            ..of(&bytes, Types::Floats).unwrap()
        }
    };
    let told = |shape: &[u64], expected: &Expected| told(with(shape).check_shape("a", expected));
    let matrix = expected(&[2]);
    assert_eq!(told(&[2, 3], &matrix), "nothing");
    assert_eq!(told(&[3], &matrix), "a has shape (3,); (n, d)");
    assert_eq!(told(&[2, 3, 1], &matrix), "a has shape (2, 3, 1); (n, d)");
    assert_eq!(told(&[], &matrix), "a has shape (); (n, d)");
    for empty in [[0, 3], [3, 0]] {
        assert!(told(&empty, &matrix).ends_with("at least 1 in every dimension"));
    }
    // None of K vectors, but no vector of none.
    let points = Expected {
        may_be_none: true,
        ..expected(&[1, 2])
    };
    assert_eq!(told(&[0, 3], &points), "nothing");
    assert!(told(&[3, 0], &points).ends_with("at least 1 in every dimension"));
    assert!(told(&[0], &points).ends_with("at least 1 in every dimension"));
}
