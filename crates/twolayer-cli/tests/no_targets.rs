//! K = 0: a loop over batches may come to an empty one.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

mod common;

use common::{Desk, INPUTS, OUTCOMES, Problem, Storage, assert_code, schema, stderr, stdout};
use serde_json::Value;

const D: u64 = INPUTS as u64;
const M: u64 = OUTCOMES as u64;

fn problem() -> Problem {
    Problem::new(Storage::PLAIN).with("b", &[0, M], &[])
}

/// Every array of the result has K = 0 rows, and `more` are the last.
#[track_caller]
fn assert_empty(desk: &Desk, float: &str, more: &[(&str, &str)]) {
    let contents = desk.result().contents();
    let described: Vec<_> = contents
        .iter()
        .map(|(name, dtype, shape)| (name.as_str(), dtype.to_string(), &shape[..]))
        .collect();
    let expected = [
        ("x", float, &[0, D][..]),
        ("probabilities", float, &[0, M]),
        ("loss", float, &[0]),
        ("gradient_norm", float, &[0]),
        ("iterations", "<i8", &[0]),
        ("converged", "|u1", &[0]),
    ]
    .into_iter()
    .chain(more.iter().map(|&(name, dtype)| (name, dtype, &[0][..])))
    .map(|(name, dtype, shape)| (name, dtype.to_owned(), shape));
    assert_eq!(described, expected.collect::<Vec<_>>());
}

#[test]
fn no_targets_are_an_empty_success() {
    for (precision, float) in [("f64", "<f8"), ("f32", "<f4")] {
        let desk = Desk::new(&problem());
        let output = desk.invert(&["--precision", precision]);
        assert_code(&output, 0);
        assert!(
            stdout(&output).contains("0 of 0 converged"),
            "{}",
            stdout(&output)
        );
        assert!(!stdout(&output).contains('-'), "{}", stdout(&output));
        assert!(!stdout(&output).contains("NaN"), "{}", stdout(&output));
        assert!(stderr(&output).is_empty());
        assert_empty(&desk, float, &[]);
    }
}

#[test]
fn every_output_of_no_targets_is_written() {
    let desk = Desk::new(&problem());
    let outputs = ["--trace", "t.csv", "--plot", "p.svg", "--checkpoint", "c"];
    let more = ["--starts", "3", "--certify", "--report", "json", "--resume"];
    let options = [&outputs[..], &more].concat();
    for _ in 0..2 {
        let output = desk.invert(&options);
        assert_code(&output, 0);
        let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert_eq!(schema::check(&report, "invert"), Ok(()));
        assert_eq!(report["totals"]["targets"], 0);
        assert_eq!(report["totals"]["loss"]["max"], Value::Null);
        let certificates = [("certified", "|u1"), ("certificate_radius", "<f8")];
        assert_empty(&desk, "<f8", &certificates);
        assert_eq!(
            desk.read("t.csv")
                .iter()
                .filter(|&&byte| byte == b'\n')
                .count(),
            1
        );
        assert!(desk.read("p.svg").starts_with(b"<svg"));
    }
}

#[test]
fn no_targets_of_a_file_and_no_starts_are_the_same() {
    // From a file of targets, in the order that NumPy gives an empty array or the other.
    for fortran in [false, true] {
        let desk = Desk::new(&Problem::new(Storage::PLAIN));
        let none = common::raw_npy("'<f8'", fortran, "(0, 6)", &[]);
        desk.write("b.npy", &none);
        assert_code(&desk.invert(&["--targets", "b.npy"]), 0);
        assert_empty(&desk, "<f8", &[]);
    }
    // One target from no starts.
    let b = [1.0 / 6.0; OUTCOMES];
    let desk = Desk::new(&problem().with("b", &[M], &b).with("x0", &[0, D], &[]));
    assert_code(&desk.invert(&[]), 0);
    assert_empty(&desk, "<f8", &[]);
}

#[test]
fn points_of_no_targets_are_none() {
    let desk = Desk::new(&problem());
    assert_code(&desk.invert(&[]), 0);
    let certify = desk.run(&["certify", "problem.npz", "result.npz"]);
    assert_code(&certify, 0);
    assert!(
        stdout(&certify).ends_with("0 of 0 certified\n"),
        "{}",
        stdout(&certify)
    );
    let evaluate = [
        "evaluate",
        "problem.npz",
        "--at",
        "result.npz",
        "--report",
        "json",
    ];
    let evaluate = desk.run(&evaluate);
    assert_code(&evaluate, 0);
    let report: Value = serde_json::from_str(&stdout(&evaluate)).unwrap();
    assert_eq!(report["targets"], Value::Array(Vec::new()));
    // Points for targets that are not there are a mistake.
    desk.write("x.npy", &Storage::PLAIN.array(&[2, D], &[0.0; 6]));
    let evaluate = desk.run(&["evaluate", "problem.npz", "--at", "x.npy"]);
    assert_code(&evaluate, 2);
    assert!(
        stderr(&evaluate).contains("(2, 3)"),
        "{}",
        stderr(&evaluate)
    );
}
