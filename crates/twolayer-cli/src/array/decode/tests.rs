use super::super::header::tests::{dictionary, expected, npy, told};
use super::*;
use twolayer_faer::Faer;

fn reading(expected: &Expected, view: View) -> Reading<'_> {
    Reading {
        name: "a",
        expected,
        types: Types::Floats,
        view,
    }
}

/// The numbers 0, 1, … in the order of the file, in single precision.
fn counting(fortran: bool, shape: &[usize]) -> Vec<u8> {
    let count: usize = shape.iter().product();
    let data: Vec<u8> = (0..count).flat_map(|i| (i as f32).to_le_bytes()).collect();
    let shape: Vec<u64> = shape.iter().map(|&length| length as u64).collect();
    let shape = super::super::show_shape(&shape);
    npy(1, &dictionary("<f4", fortran, &shape), 0, &data)
}

fn read(bytes: &[u8], view: View) -> Result<Array<f64>, Defect> {
    let expected = expected(&[1, 2]);
    read_values(
        &mut &bytes[..],
        bytes.len() as u64,
        reading(&expected, view),
    )
}

/// Lines longer and shorter than a block of 65,536 numbers, and shapes that a block does not divide.
#[test]
fn both_orders_of_a_file_become_rows() {
    for shape in [[3, 70_000], [70_000, 3], [1, 5], [5, 1], [300, 300]] {
        let [rows, columns] = shape;
        for fortran in [false, true] {
            let bytes = counting(fortran, &shape);
            let entry = |row: usize, column: usize| match fortran {
                false => row * columns + column,
                true => column * rows + row,
            };
            let array = read(&bytes, View::AsStored).unwrap();
            assert_eq!(array.shape, shape);
            let backend = Faer::<f64>::sequential();
            let matrix = expected(&[2]);
            let reading = reading(&matrix, View::AsStored);
            let matrix = read_matrix(&backend, &mut &bytes[..], bytes.len() as u64, reading);
            let mut values = vec![0.0; rows * columns];
            backend.copy_to_row_major(&matrix.unwrap(), &mut values);
            for (at, (value, also)) in array.values.iter().zip(&values).enumerate() {
                let expected = entry(at / columns, at % columns) as f64;
                assert_eq!(
                    (*value, *also),
                    (expected, expected),
                    "{shape:?} {fortran} {at}"
                );
            }
            // Its transpose has the columns of the file.
            let turned = read(&bytes, View::Transposed).unwrap();
            assert_eq!(turned.shape, [columns, rows]);
            for (at, value) in turned.values.iter().enumerate() {
                assert_eq!(*value, entry(at % rows, at / rows) as f64);
            }
        }
    }
}

#[test]
fn vectors_are_read_in_one_order() {
    for fortran in [false, true] {
        let array = read(&counting(fortran, &[70_000]), View::AsStored).unwrap();
        assert_eq!(array.shape, [70_000]);
        assert!(
            array
                .values
                .iter()
                .enumerate()
                .all(|(i, &value)| value == i as f64)
        );
        let flat = read(&counting(fortran, &[4, 1]), View::Flat).unwrap();
        assert_eq!(
            (flat.shape, flat.values),
            (vec![4], vec![0.0, 1.0, 2.0, 3.0])
        );
    }
}

#[test]
fn none_of_many_vectors_is_read_as_none() {
    let bytes = npy(1, &dictionary("<f8", false, "(0, 3)"), 0, &[]);
    let expected = Expected {
        may_be_none: true,
        ..expected(&[2])
    };
    let size = bytes.len() as u64;
    let array = read_values::<f64>(&mut &bytes[..], size, reading(&expected, View::AsStored));
    let array = array.unwrap();
    assert_eq!((array.shape, array.values.len()), (vec![0, 3], 0));
}

/// Where in the array, whatever the order of the file, and why.
#[test]
fn an_entry_that_is_no_number_is_named_by_its_place() {
    let with = |fortran: bool, shape: &str, data: [f64; 6]| {
        let data: Vec<u8> = data.iter().flat_map(|value| value.to_le_bytes()).collect();
        npy(1, &dictionary("<f8", fortran, shape), 0, &data)
    };
    let data = [0.0, 1.0, 2.0, 3.0, f64::NAN, 5.0];
    let truth = |fortran, shape| told(read(&with(fortran, shape, data), View::AsStored));
    assert_eq!(
        truth(false, "(2, 3)"),
        "a[1, 1] is NaN; every entry to be finite"
    );
    assert_eq!(
        truth(true, "(2, 3)"),
        "a[0, 2] is NaN; every entry to be finite"
    );
    assert_eq!(
        truth(false, "(6,)"),
        "a[4] is NaN; every entry to be finite"
    );
    // Finite in one precision and not in the other.
    let expected = expected(&[1]);
    for (value, sound) in [(f64::from(f32::MAX), true), (-4e38, false)] {
        let bytes = with(false, "(6,)", [0.0, 1.0, value, 3.0, 4.0, 5.0]);
        let size = bytes.len() as u64;
        let single = read_values::<f32>(&mut &bytes[..], size, reading(&expected, View::AsStored));
        assert_eq!(single.is_ok(), sound);
        if !sound {
            let told = told(single);
            assert_eq!(
                told,
                "a[2] is -4e38, which is not finite in f32; at most 3.4028235e38 in magnitude"
            );
        }
        assert!(read(&bytes, View::AsStored).is_ok());
    }
}

/// Of many targets one that is no good spoils itself alone.
#[test]
fn entries_may_be_left_to_who_uses_them() {
    let data = [f64::NAN, 1.0, f64::INFINITY, -4e38].map(f64::to_le_bytes);
    let bytes = npy(
        1,
        &dictionary("<f8", false, "(2, 2)"),
        0,
        data.as_flattened(),
    );
    let size = bytes.len() as u64;
    let expected = Expected {
        is_checked_later: true,
        ..expected(&[2])
    };
    let reading = || reading(&expected, View::AsStored);
    let single = read_values::<f32>(&mut &bytes[..], size, reading()).unwrap();
    assert!(single.values[0].is_nan());
    assert_eq!(single.values[1..], [1.0, f32::INFINITY, f32::NEG_INFINITY]);
    let double = read_values::<f64>(&mut &bytes[..], size, reading()).unwrap();
    assert_eq!(double.values[1..], [1.0, f64::INFINITY, -4e38]);
}

#[test]
fn data_that_end_early_or_go_on_are_refused() {
    let bytes = counting(false, &[2, 3]);
    let expected = expected(&[2]);
    let truth = |bytes: &[u8], size: usize| {
        let reading = reading(&expected, View::AsStored);
        told(read_values::<f64>(&mut &bytes[..], size as u64, reading))
    };
    let size = bytes.len();
    assert_eq!(truth(&bytes, size), "nothing");
    assert!(truth(&bytes[..size - 1], size).starts_with("a cannot be decoded"));
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(truth(&longer, size), "a goes on after its data; no more");
    // A size that is said to be less, or is.
    let expected = "a has shape (2, 3), but 21 bytes of data; 24 bytes";
    assert_eq!(truth(&bytes, size - 3), expected);
    assert_eq!(truth(&bytes[..size - 3], size - 3), expected);
}

/// Refused before a byte is allocated.
#[test]
fn an_array_beyond_the_memory_is_refused() {
    let shape = "(1152921504606846976,)";
    let bytes = npy(1, &dictionary("<f8", false, shape), 0, &[]);
    let size = bytes.len() as u64 + (1 << 63);
    let expected = expected(&[1]);
    let result = read_values::<f64>(&mut &bytes[..], size, reading(&expected, View::AsStored));
    assert_eq!(told(result), "a does not fit into memory; a smaller array");
}
