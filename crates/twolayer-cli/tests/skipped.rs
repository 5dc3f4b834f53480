//! Targets that are no good: all are refused at once, or each is told in its own row.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's way to fail")]

mod common;

use common::{Desk, Problem, Storage, assert_code, forward, npy, schema, spread, stderr, stdout};
use npyz::Order;
use serde_json::Value;

const D: usize = 6;
const N: usize = 30;
const M: usize = 50;
const TARGETS: usize = 24;
const BAD: [usize; 12] = [0, 1, 3, 4, 7, 8, 11, 13, 17, 19, 22, 23];

fn weights() -> [Vec<f64>; 4] {
    [
        spread(N * D, 1, 2.0),
        spread(N, 900, 1.0),
        spread(M * N, 2000, 3.0),
        spread(M, 9000, 1.0),
    ]
}

/// Outputs of the network, every fourth the mean of two.
fn targets() -> Vec<f64> {
    let [a1, c1, a2, c2] = weights();
    let output = |k: usize| forward(&a1, &c1, &a2, &c2, &spread(D, 77 * k, 2.0));
    let target = |k: usize| {
        let other = output(if k % 4 == 2 { k + 5 } else { k });
        let pairs = output(k).into_iter().zip(other);
        pairs.map(|(p, q)| 0.5 * (p + q)).collect::<Vec<_>>()
    };
    (0..TARGETS).flat_map(target).collect()
}

/// The same with half of them spoilt, each in one of three ways.
fn spoilt() -> Vec<f64> {
    let mut b = targets();
    for (number, k) in BAD.into_iter().enumerate() {
        match number % 3 {
            0 => b[k * M + number] = f64::NAN,
            1 => b[k * M] += 0.5,
            _ => b[k * M + 1] = -0.25,
        }
    }
    b
}

fn good() -> Vec<usize> {
    (0..TARGETS).filter(|k| !BAD.contains(k)).collect()
}

fn problem(b: &[f64]) -> Problem {
    let [a1, c1, a2, c2] = weights();
    let (d, n, m) = (D as u64, N as u64, M as u64);
    Problem::new(Storage::PLAIN)
        .with("A1", &[n, d], &a1)
        .with("c1", &[n], &c1)
        .with("A2", &[m, n], &a2)
        .with("c2", &[m], &c2)
        .with("b", &[(b.len() / M) as u64, m], b)
}

#[test]
fn all_that_is_bad_is_refused_at_once_and_named() {
    let inside = Desk::new(&problem(&spoilt()));
    let beside = Desk::new(&problem(&targets()));
    let shape = [TARGETS as u64, M as u64];
    beside.write("b.npy", &npy(&shape, spoilt(), Order::C));
    for (desk, options, file) in [
        (&inside, &[][..], "problem.npz: "),
        (&beside, &["--targets", "b.npy"], "b.npy: "),
    ] {
        let files = desk.files();
        let output = desk.invert(options);
        assert_code(&output, 2);
        let told = stderr(&output);
        assert_eq!(told.lines().count(), 1, "{told}");
        assert!(told.contains(file), "{told}");
        for words in [
            "12 of 24 targets are no good: target 0: b[0] is NaN",
            "target 1: b sums to 1.5",
            "target 3: b[1] is -0.25",
            "target 19: b[9] is NaN",
            "; and 2 more; --skip-bad solves the others",
        ] {
            assert!(told.contains(words), "{words}: {told}");
        }
        assert!(!told.contains("target 22"), "{told}");
        assert_eq!(desk.files(), files);
    }
    // Where nothing can be skipped it is not advised.
    desk_evaluates(&inside);
    // One that all share leaves nothing to solve.
    let alone = Desk::new(&problem(&targets()));
    let mut start = vec![0.0; D];
    start[2] = f64::INFINITY;
    alone.write("x0.npy", &npy(&[D as u64], start, Order::C));
    let output = alone.invert(&["--start", "x0.npy", "--skip-bad"]);
    assert_code(&output, 2);
    let told = stderr(&output);
    assert!(
        told.contains("x0[2] is inf") && !told.contains("skip"),
        "{told}"
    );
}

fn desk_evaluates(desk: &Desk) {
    let points = vec![0.1; TARGETS * D];
    let shape = [TARGETS as u64, D as u64];
    desk.write("x.npy", &npy(&shape, points, Order::C));
    let output = desk.run(&["evaluate", "problem.npz", "--at", "x.npy"]);
    assert_code(&output, 2);
    let told = stderr(&output);
    assert!(told.contains("12 of 24 targets are no good") && !told.contains("skip"));
}

/// Rows of an array by target.
fn rows(desk: &Desk, name: &str, length: usize) -> Vec<Vec<u64>> {
    let values = desk.result().values::<f64>(name);
    let bits = |row: &[f64]| row.iter().map(|v| v.to_bits()).collect();
    values.chunks(length).map(bits).collect()
}

#[test]
fn the_others_are_solved_as_if_they_were_alone() {
    let desk = Desk::new(&problem(&spoilt()));
    let b = targets();
    let among_themselves: Vec<f64> = good()
        .iter()
        .flat_map(|&k| &b[k * M..][..M])
        .copied()
        .collect();
    let alone = Desk::new(&problem(&among_themselves));
    for options in [
        &["--certify", "--plot", "plot.svg"][..],
        &["--starts", "3", "--trace", "trace.csv"],
        &["--hessian", "mixed-precision"],
        &["--checkpoint", "c"],
        &["--checkpoint", "c", "--resume", "--starts", "4"],
    ] {
        let alone_ends = alone.invert(options).status.code();
        assert!(alone_ends < Some(2));
        let skipping = [options, &["--skip-bad", "--report", "json"]].concat();
        let output = desk.invert(&skipping);
        assert_code(&output, 1);
        for (name, length) in [
            ("x", D),
            ("probabilities", M),
            ("loss", 1),
            ("gradient_norm", 1),
        ] {
            let (found, expected) = (rows(&desk, name, length), rows(&alone, name, length));
            assert_eq!(found.len(), TARGETS);
            for (place, k) in good().into_iter().enumerate() {
                assert!(found[k] == expected[place], "{name} of target {k}");
            }
            for k in BAD {
                let is_nan = |&bits: &u64| f64::from_bits(bits).is_nan();
                assert!(found[k].iter().all(is_nan), "{name} of target {k}");
            }
        }
        let converged = desk.result().values::<u8>("converged");
        assert!(BAD.iter().all(|&k| converged[k] == 0));
        let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert_eq!(schema::check(&report, "invert"), Ok(()));
        assert_eq!(report["totals"]["statuses"]["bad"], BAD.len());
        let target = &report["targets"][4];
        assert_eq!(target["status"], "bad");
        assert_eq!(target["converged"], false);
        let error = target["error"].as_str().unwrap();
        assert!(error.starts_with("b[3] is NaN"), "{error}");
        assert!(report["targets"][2].get("error").is_none());
        assert!(report["totals"]["loss"]["max"].is_f64(), "{report}");
        assert!(
            stderr(&output).contains("12 × bad: "),
            "{}",
            stderr(&output)
        );
    }
    let output = desk.invert(&["--skip-bad", "--certify"]);
    let text = stdout(&output);
    assert!(text.contains("target 0 was skipped: b[0] is NaN"), "{text}");
    assert!(text.contains("and 2 more were skipped"), "{text}");
    assert!(text.contains(" of 12 certified"), "{text}");
}

/// A start that is no good is that of one target, too.
#[test]
fn starts_are_skipped_with_their_targets() {
    let desk = Desk::new(&problem(&targets()));
    let mut starts = spread(TARGETS * D, 5, 0.2);
    starts[5 * D + 3] = f64::NAN;
    starts[9 * D..10 * D].fill(4.0);
    let shape = [TARGETS as u64, D as u64];
    desk.write("x0.npy", &npy(&shape, starts.clone(), Order::C));
    let options = ["--start", "x0.npy", "--radius", "8"];
    let output = desk.invert(&options);
    assert_code(&output, 2);
    let told = stderr(&output);
    for words in [
        "x0.npy: 2 of 24",
        "target 5: x0[3] is NaN",
        "target 9: x0 has norm 9.7",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let output = desk.invert(&[&options[..], &["--skip-bad"]].concat());
    assert_code(&output, 1);
    let converged = desk.result().values::<u8>("converged");
    assert!(converged[5] == 0 && converged[9] == 0);
    assert!(converged[4] == 1 && converged[10] == 1);
    // The problem's own starts are the same.
    desk.write(
        "problem.npz",
        &problem(&targets()).with("x0", &shape, &starts).bytes(),
    );
    let output = desk.invert(&["--radius", "8"]);
    assert_code(&output, 2);
    assert!(stderr(&output).contains("problem.npz: 2 of 24"));
    // With nothing to skip the option changes nothing.
    desk.write("problem.npz", &problem(&targets()).bytes());
    desk.invert(&[]);
    let expected = desk.read("result.npz");
    desk.invert(&["--skip-bad"]);
    assert!(desk.read("result.npz") == expected);
}

/// What single precision does not have is one target's own, too.
#[test]
fn what_overflows_in_single_precision_is_skipped() {
    let mut b = targets();
    b[2 * M] = 1e300;
    let desk = Desk::new(&problem(&b));
    let single = ["--precision", "f32"];
    let output = desk.invert(&single);
    assert_code(&output, 2);
    let told = stderr(&output);
    assert!(
        told.contains("target 2: b[0] is inf in this precision"),
        "{told}"
    );
    let output = desk.invert(&[&single[..], &["--skip-bad"]].concat());
    assert_code(&output, 1);
    let loss = desk.result().values::<f32>("loss");
    assert!((0..TARGETS).all(|k| loss[k].is_nan() == (k == 2)));
    // Where all are bad nothing is left to solve, which is no error.
    let all = Desk::new(&problem(&vec![1.0; 3 * M]));
    assert_code(&all.invert(&["--skip-bad", "--starts", "4"]), 1);
    let converged = all.result().values::<u8>("converged");
    assert_eq!(converged, [0; 3]);
}
