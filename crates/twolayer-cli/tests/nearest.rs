//! The nearest x with an output, or with a winner, from the command.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

mod common;

use common::{Desk, INPUTS, PLANTED, Problem, Storage, assert_code, schema, stderr, stdout};
use serde_json::Value;

const D: u64 = INPUTS as u64;

fn array(shape: &[u64], values: &[f64]) -> Vec<u8> {
    Storage::PLAIN.array(shape, values)
}

/// As they are in a problem: rounded to single precision.
fn weights() -> [Vec<f64>; 4] {
    common::weights().map(|v| v.into_iter().map(|x| f64::from(x as f32)).collect())
}

/// With as many outcomes as leave a surface of solutions: two of three inputs' worth.
fn problem() -> Problem {
    let [a1, c1, a2, c2] = weights();
    let mut problem = Problem::new(Storage::PLAIN);
    let few = 3;
    let units = c1.len();
    problem = problem
        .with("A2", &[few as u64, units as u64], &a2[..few * units])
        .with("c2", &[few as u64], &c2[..few]);
    let outputs = PLANTED.map(|x| common::forward(&a1, &c1, &a2[..few * units], &c2[..few], &x));
    problem.with("b", &[2, few as u64], &outputs.concat())
}

/// The output of the network of [`problem`].
fn output(x: &[f64]) -> Vec<f64> {
    let [a1, c1, a2, c2] = weights();
    common::forward(&a1, &c1, &a2[..3 * c1.len()], &c2[..3], x)
}

fn report(desk: &Desk, options: &[&str]) -> Vec<Value> {
    let output = desk.invert(&[options, &["--report", "json"]].concat());
    assert_code(&output, 0);
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(schema::check(&report, "nearest"), Ok(()));
    report["nearest"].as_array().unwrap().clone()
}

#[test]
fn answers_have_the_outputs_and_are_nearest() {
    let desk = Desk::new(&problem());
    let references = [0.1, -0.2, 0.3, 0.5, 0.4, -0.6];
    desk.write("r.npy", &array(&[2, D], &references));
    let told = report(&desk, &["--nearest", "--near", "r.npy", "--starts", "4"]);
    let result = desk.result();
    let x: Vec<f64> = result.values("x");
    let distances: Vec<f64> = result.values("distance");
    let targets = PLANTED.map(|x| output(&x));
    for (index, x) in x.chunks(INPUTS).enumerate() {
        for (f, b) in output(x).iter().zip(&targets[index]) {
            assert!((f / b).ln().abs() < 1e-10);
        }
        let reference = &references[index * INPUTS..][..INPUTS];
        let apart = |y: &[f64]| {
            y.iter()
                .zip(reference)
                .map(|(y, r)| (y - r).powi(2))
                .sum::<f64>()
        };
        assert!((apart(x).sqrt() - distances[index]).abs() < 1e-14);
        // One that has the output is known.
        assert!(distances[index] <= apart(&PLANTED[index]).sqrt() + 1e-12);
        let told = &told[index];
        assert_eq!(told["status"], "nearest");
        assert!(told["residual"].as_f64().unwrap() < 1e-5);
        assert!(told["violation"].as_f64().unwrap() < 1e-10);
        assert!(told["distinct"].as_u64().unwrap() >= 1);
    }
    assert_eq!(result.values::<u8>("converged"), [1, 1]);
    let f: Vec<f64> = result.values("probabilities");
    assert!(
        f.iter()
            .zip(&targets.concat())
            .all(|(f, b)| (f - b).abs() < 1e-10)
    );
    // One thread or two, the same bits.
    let options = [
        "--nearest",
        "--near",
        "r.npy",
        "--starts",
        "4",
        "--threads",
        "1",
    ];
    report(&desk, &options);
    assert_eq!(desk.result().values::<f64>("x"), x);
}

#[test]
fn a_winner_is_found_within_bounds() {
    let desk = Desk::new(&problem());
    desk.write("r.npy", &array(&[D], &PLANTED[0]));
    let before = output(&PLANTED[0]);
    let rank = |i: &usize| before[*i];
    let least = (0..3).min_by(|a, b| rank(a).total_cmp(&rank(b))).unwrap();
    let (want, margin) = (least.to_string(), (before[least] + 0.02).to_string());
    let options = [
        "--want", &want, "--margin", &margin, "--near", "r.npy", "--upper", "0.45", "--lower", "-5",
    ];
    for precision in ["f64", "f32"] {
        let told = report(&desk, &[&options[..], &["--precision", precision]].concat());
        assert_eq!(told.len(), 1);
        let f = match precision {
            "f64" => {
                let x: Vec<f64> = desk.result().values("x");
                assert!(x.iter().all(|&x| x <= 0.45));
                output(&x)[least]
            }
            _ => {
                let x: Vec<f32> = desk.result().values("x");
                output(&x.iter().map(|&x| x.into()).collect::<Vec<_>>())[least]
            }
        };
        assert!((f - before[least] - 0.02).abs() < 1e-5, "{f}");
    }
    // As many points as there are, whatever b there is.
    desk.write(
        "three.npy",
        &array(&[3, D], &[PLANTED[0], PLANTED[1], PLANTED[0]].concat()),
    );
    let options = ["--want", &want, "--margin", &margin, "--near", "three.npy"];
    assert_eq!(report(&desk, &options).len(), 3);
    // What it is already costs nothing.
    let most = (0..3).max_by(|a, b| rank(a).total_cmp(&rank(b))).unwrap();
    let margin = (0.99 * before[most]).to_string();
    let want = most.to_string();
    let options = ["--want", &want, "--margin", &margin, "--near", "r.npy"];
    assert_eq!(report(&desk, &options)[0]["distance"], 0.0);
}

#[test]
fn what_is_out_of_bounds_is_told() {
    let desk = Desk::new(&problem());
    desk.write("r.npy", &array(&[D], &[0.0; INPUTS]));
    let options = [
        "--nearest",
        "--near",
        "r.npy",
        "--lower",
        "-1e-3",
        "--upper",
        "1e-3",
    ];
    let output = desk.invert(&options);
    assert_code(&output, 1);
    assert!(stdout(&output).contains("not-met"));
    assert!(
        stderr(&output).contains("2 not-met: no x within the bounds"),
        "{}",
        stderr(&output)
    );
    assert_eq!(desk.result().values::<u8>("converged"), [0, 0]);
}

#[test]
fn what_cannot_be_asked_is_refused_in_a_line() {
    let mut one_hot = vec![0.0; 3];
    one_hot[1] = 1.0;
    let desk = Desk::new(&problem().with("b", &[3], &one_hot));
    desk.write("r.npy", &array(&[D], &[0.0; INPUTS]));
    desk.write("two.npy", &array(&[2, D - 1], &[0.0; 4]));
    for (options, words) in [
        (
            &["--nearest", "--near", "r.npy"][..],
            "b[0] is 0; an x with this output is at infinity",
        ),
        (
            &["--want", "3", "--near", "r.npy"],
            "want is 3; it must be below",
        ),
        (
            &["--want", "1", "--margin", "1", "--near", "r.npy"],
            "between 0 and 1",
        ),
        (&["--margin", "0.7", "--near", "r.npy"], "--want"),
        (&["--want", "1", "--near", "two.npy"], "x_ref"),
        (&["--want", "1"], "no x_ref to be near to"),
        (
            &["--nearest", "--near", "r.npy", "--near-weight", "1"],
            "cannot be used with",
        ),
        (
            &["--nearest", "--near", "r.npy", "--method", "paper"],
            "cannot be used with",
        ),
        (
            &["--nearest", "--near", "r.npy", "--certify"],
            "cannot be used with",
        ),
        (
            &["--want", "1", "--near", "r.npy", "--shard", "1/2"],
            "cannot be used with",
        ),
        (
            &[
                "--want", "1", "--near", "r.npy", "--lower", "1", "--upper", "0",
            ],
            "lower[0]",
        ),
    ] {
        let output = desk.invert(options);
        assert_code(&output, 2);
        assert!(
            stderr(&output).contains(words),
            "{options:?}: {}",
            stderr(&output)
        );
    }
}
