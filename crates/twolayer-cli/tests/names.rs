//! `--names auto`: files as other people and programs write them, read as the same problem.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

mod common;

use common::{
    Desk, INPUTS, Member, OUTCOMES, Problem, Storage, UNITS, archive, assert_code, npy, raw_npy,
    stderr,
};
use npyz::Order;
use zip::CompressionMethod;

const D: usize = INPUTS;
const N: usize = UNITS;
const M: usize = OUTCOMES;

/// A1, A2, c1, c2, all of small whole numbers, and b, as arrays of this project.
struct Network {
    a1: Vec<f64>,
    a2: Vec<f64>,
    c1: Vec<f64>,
    c2: Vec<f64>,
    b: Vec<u8>,
}

fn network() -> Network {
    let whole = |count: usize, offset| -> Vec<f64> {
        let values = common::spread(count, offset, 6.0);
        values.into_iter().map(f64::round).collect()
    };
    Network {
        a1: whole(N * D, 1),
        a2: whole(M * N, 60),
        c1: whole(N, 40),
        c2: whole(M, 150),
        b: Storage::PLAIN.array(&[M as u64], &[0.3, 0.1, 0.2, 0.1, 0.1, 0.2]),
    }
}

impl Network {
    fn own(&self) -> Problem {
        let [d, n, m] = [D, N, M].map(|length| length as u64);
        let mut problem = Problem::new(Storage::PLAIN)
            .with("A1", &[n, d], &self.a1)
            .with("A2", &[m, n], &self.a2)
            .with("c1", &[n], &self.c1)
            .with("c2", &[m], &self.c2);
        problem.set("b", self.b.clone());
        problem
    }

    /// Under other names, weights and biases in an order that alphabets do not have.
    fn under(&self, names: [&str; 4], store: impl Fn(&[f64], usize) -> Vec<u8>) -> Vec<u8> {
        let arrays = [(&self.a1, D), (&self.a2, N), (&self.c1, 1), (&self.c2, 1)];
        let arrays = arrays.map(|(values, columns)| store(values, columns));
        let named = names.iter().zip(arrays);
        let mut members: Vec<_> = named
            .map(|(name, bytes)| (format!("{name}.npy"), bytes))
            .collect();
        members.reverse();
        members.push(("b.npy".into(), self.b.clone()));
        archive(&members, CompressionMethod::Deflated)
    }
}

fn transposed(values: &[f64], columns: usize) -> Vec<f64> {
    let rows = values.len() / columns;
    let at = |index: usize| values[index % rows * columns + index / rows];
    (0..values.len()).map(at).collect()
}

fn f64s(shape: &[usize], values: &[f64]) -> Vec<u8> {
    let shape: Vec<u64> = shape.iter().map(|&length| length as u64).collect();
    npy(&shape, values.to_vec(), Order::C)
}

/// Asserts that a file has the result of the network under this project's names, and says what is
/// told of it.
#[track_caller]
fn assert_same_problem(network: &Network, file: &[u8]) -> String {
    let solve = |desk: &Desk, options: &[&str]| {
        let output = desk.invert(&[&["--max-iterations", "3"], options].concat());
        assert!(
            matches!(output.status.code(), Some(0 | 1)),
            "{}",
            stderr(&output)
        );
        (stderr(&output), desk.read("result.npz"))
    };
    let own = Desk::new(&network.own());
    let other = Desk::new(&network.own());
    other.write("problem.npz", file);
    let (_, expected) = solve(&own, &["--quiet"]);
    let (told, result) = solve(&other, &["--names", "auto"]);
    assert!(result == expected, "{told}");
    let (told_quietly, _) = solve(&other, &["--names", "auto", "--quiet"]);
    assert!(told_quietly.is_empty());
    told.lines().next().unwrap().to_owned()
}

const FAMILIES: [[&str; 4]; 6] = [
    ["W1", "W2", "b1", "b2"],
    ["weights_0", "weights_1", "biases_0", "biases_1"],
    ["coefs_0", "coefs_1", "intercepts_0", "intercepts_1"],
    ["0.weight", "2.weight", "0.bias", "2.bias"],
    ["fc1.weight", "fc2.weight", "fc1.bias", "fc2.bias"],
    ["A1", "A2", "c1", "c2"],
];

#[test]
fn names_and_orientations_of_others_are_the_same_problem() {
    let network = network();
    for names in FAMILIES {
        let as_ours = network.under(names, |values, columns| match columns {
            1 => f64s(&[values.len()], values),
            _ => f64s(&[values.len() / columns, columns], values),
        });
        let told = assert_same_problem(&network, &as_ours);
        assert!(!told.contains("transposed"), "{told}");
        // By columns, biases as rows or as columns.
        for as_row in [true, false] {
            let other_way = network.under(names, |values, columns| match columns {
                1 if as_row => f64s(&[1, values.len()], values),
                1 => f64s(&[values.len(), 1], values),
                _ => {
                    let shape = [columns, values.len() / columns];
                    f64s(&shape, &transposed(values, columns))
                }
            });
            let told = assert_same_problem(&network, &other_way);
            let [a, b, ..] = names;
            let from = |own: &str, name: &str| match own == name {
                true => String::new(),
                false => format!(" from {name}"),
            };
            for part in [
                format!("A1 (8, 3){}, transposed", from("A1", a)),
                format!("A2 (6, 8){}, transposed", from("A2", b)),
                "b (6,)".to_owned(),
            ] {
                assert!(told.contains(&part), "no {part:?} in: {told}");
            }
            assert!(told.starts_with("problem.npz: read as "), "{told}");
        }
    }
}

#[test]
fn types_of_others_are_the_same_numbers() {
    let network = network();
    let names = ["W1", "W2", "b1", "b2"];
    let narrow = |descr: &'static str, number: fn(f64) -> Vec<u8>| {
        network.under(names, move |values, columns| {
            let shape = match columns {
                1 => format!("({},)", values.len()),
                _ => format!("({}, {columns})", values.len() / columns),
            };
            let bytes: Vec<u8> = values.iter().flat_map(|&value| number(value)).collect();
            raw_npy(descr, false, &shape, &bytes)
        })
    };
    let bf16 = |value| half::bf16::from_f64(value).to_le_bytes().to_vec();
    for (file, words) in [
        (
            narrow("'|i1'", |v| (v as i8).to_le_bytes().to_vec()),
            "int8",
        ),
        (
            narrow("'<i4'", |v| (v as i32).to_le_bytes().to_vec()),
            "int32",
        ),
        (
            narrow("'>i8'", |v| (v as i64).to_be_bytes().to_vec()),
            "int64",
        ),
        (
            narrow("'<f2'", |v| half::f16::from_f64(v).to_le_bytes().to_vec()),
            "float16",
        ),
        (narrow("'<V2'", bf16), "taken for bfloat16"),
        (narrow("'|V2'", bf16), "taken for bfloat16"),
        (narrow("'bfloat16'", bf16), "taken for bfloat16"),
    ] {
        let told = assert_same_problem(&network, &file);
        assert_eq!(told.matches(words).count(), 4, "{told}");
    }
    for file in [
        narrow("'<f4'", |v| (v as f32).to_le_bytes().to_vec()),
        narrow("'>f4'", |v| (v as f32).to_be_bytes().to_vec()),
        narrow("'>f8'", |v| v.to_be_bytes().to_vec()),
    ] {
        let told = assert_same_problem(&network, &file);
        assert!(!told.contains("float"), "{told}");
    }
}

#[test]
fn targets_starts_and_points_may_be_of_such_types_too() {
    let network = network();
    let one_hot: Vec<u8> = (0..2 * M).map(|index| u8::from(index % 7 == 0)).collect();
    let desk = Desk::new(&network.own());
    desk.write(
        "b.npy",
        &npy::<u8>(&[2, M as u64], one_hot.clone(), Order::C),
    );
    desk.write("x.npy", &npy::<i64>(&[D as u64], vec![1, -1, 2], Order::C));
    let wide: Vec<f64> = one_hot.iter().copied().map(f64::from).collect();
    desk.write("b-wide.npy", &f64s(&[2, M], &wide));
    desk.write("x-wide.npy", &f64s(&[D], &[1.0, -1.0, 2.0]));
    let solve = |options: &[&str]| {
        let output = desk.invert(&[&["--max-iterations", "3", "--quiet"], options].concat());
        assert!(
            matches!(output.status.code(), Some(0 | 1)),
            "{}",
            stderr(&output)
        );
        desk.read("result.npz")
    };
    let wide = solve(&["--targets", "b-wide.npy", "--start", "x-wide.npy"]);
    let narrow = ["--names", "auto", "--targets", "b.npy", "--start", "x.npy"];
    assert!(solve(&narrow) == wide);
    // Without the option they are refused, with a hint at it.
    for option in [["--targets", "b.npy"], ["--start", "x.npy"]] {
        let output = desk.invert(&option);
        assert_code(&output, 2);
        assert!(
            stderr(&output).contains("f32 or f64 (--names auto"),
            "{}",
            stderr(&output)
        );
    }
}

#[test]
fn members_without_a_suffix_are_arrays() {
    let problem = network().own();
    let bare: Vec<_> = problem
        .members
        .into_iter()
        .map(|Member { name, bytes }| (name, bytes))
        .collect();
    let desk = Desk::new(&network().own());
    assert!(desk.invert(&["--quiet"]).status.code().is_some());
    let expected = desk.read("result.npz");
    desk.write("problem.npz", &archive(&bare, CompressionMethod::Stored));
    assert!(desk.invert(&["--quiet"]).status.code().is_some());
    assert!(desk.read("result.npz") == expected);
}

#[track_caller]
fn assert_refused(file: &[u8], words: &[&str]) {
    let desk = Desk::new(&network().own());
    desk.write("problem.npz", file);
    let output = desk.invert(&["--names", "auto"]);
    assert_code(&output, 2);
    let message = stderr(&output);
    for word in words {
        assert!(message.contains(word), "no {word:?} in: {message}");
    }
    assert_eq!(desk.files(), ["problem.npz"]);
}

fn file(arrays: &[(&str, &[usize])]) -> Vec<u8> {
    let member = |&(name, shape): &(&str, &[usize])| {
        let count = shape.iter().product::<usize>();
        let values = match name {
            "b" => vec![1.0 / shape[shape.len() - 1] as f64; count],
            _ => common::spread(count, 3, 1.0),
        };
        (format!("{name}.npy"), f64s(shape, &values))
    };
    let members: Vec<_> = arrays.iter().map(member).collect();
    archive(&members, CompressionMethod::Stored)
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    // A square matrix: which way does it lie?
    let square = file(&[("W1", &[8, 8]), ("W2", &[6, 8]), ("b", &[6])]);
    let words = [
        "W1 has shape (8, 8)",
        "both as they are, or with W1 transposed",
        "A1 (n, d)",
    ];
    assert_refused(&square, &words);
    // Two names for one part.
    let twice = file(&[
        ("A1", &[8, 3]),
        ("W1", &[8, 3]),
        ("A2", &[6, 8]),
        ("b", &[6]),
    ]);
    assert_refused(&twice, &["\"A1\" and \"W1\" can both be read as A1"]);
    let biases = file(&[
        ("W1", &[8, 3]),
        ("W2", &[6, 8]),
        ("b1", &[8]),
        ("c1", &[8]),
        ("b", &[6]),
    ]);
    assert_refused(&biases, &["\"b1\" and \"c1\" can both be read as c1"]);
    // The names of a program tell what the lengths do not; this is told.
    let network = file(&[("0.weight", &[8, 8]), ("2.weight", &[6, 8]), ("b", &[6])]);
    let desk = Desk::new(&common::Problem::new(Storage::PLAIN));
    desk.write("problem.npz", &network);
    let output = desk.invert(&["--names", "auto", "--max-iterations", "1"]);
    let told = stderr(&output);
    assert!(told.contains("A1 (8, 8) from 0.weight; A2"), "{told}");
}

#[test]
fn a_bias_is_not_taken_for_the_target() {
    let without = file(&[("W1", &[8, 3]), ("b1", &[8]), ("W2", &[6, 8]), ("b2", &[6])]);
    assert_refused(&without, &["array b is missing", "b1 and b2 are biases"]);
    // b is the target also where it has the length of a bias.
    let bias = file(&[("W1", &[8, 3]), ("W2", &[6, 8]), ("b2", &[6]), ("b", &[8])]);
    assert_refused(&bias, &["b has shape (8,)", "(6,) or (K, 6)"]);
}

#[test]
fn networks_of_one_layer_are_refused() {
    let flat = file(&[("W1", &[6, 3]), ("b1", &[6]), ("b", &[6])]);
    assert_refused(&flat, &["the weights of one layer only"]);
    let other = file(&[("W1", &[8, 3]), ("W2", &[6, 8]), ("y", &[6])]);
    assert_refused(&other, &["unknown array \"y\"", "0.weight"]);
}

#[test]
fn the_other_commands_read_such_files_too() {
    let network = network();
    let file = network.under(FAMILIES[3], |values, columns| match columns {
        1 => f64s(&[values.len()], values),
        _ => f64s(&[values.len() / columns, columns], values),
    });
    let desk = Desk::new(&network.own());
    let evaluate = |options: &[&str]| {
        desk.write("x.npy", &f64s(&[D], &[0.5, 0.25, -1.0]));
        desk.run(&[&["evaluate", "problem.npz", "--at", "x.npy"], options].concat())
    };
    let own = evaluate(&[]);
    desk.write("problem.npz", &file);
    let other = evaluate(&["--names", "auto"]);
    assert_code(&other, 0);
    assert_eq!(own.stdout, other.stdout);
    assert!(stderr(&other).contains("A1 (8, 3) from 0.weight"));
}
