//! Outcomes that never come: −∞ in c2.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

mod common;

use common::{
    Desk, INPUTS, OUTCOMES, PLANTED, Problem, Storage, assert_code, forward, stderr, stdout,
    weights,
};
use serde_json::Value;

const M: u64 = OUTCOMES as u64;
const MASKED: [usize; 2] = [1, 4];

/// The weights, as single precision has them, with two outcomes whose bias is `mask`.
fn masked(mask: f64) -> [Vec<f64>; 4] {
    let [a1, c1, a2, mut c2] = weights().map(|v| {
        v.into_iter()
            .map(|x| f64::from(x as f32))
            .collect::<Vec<_>>()
    });
    for outcome in MASKED {
        c2[outcome] = mask;
    }
    [a1, c1, a2, c2]
}

/// The planted problem with that mask.
fn problem(mask: f64) -> Problem {
    let [a1, c1, a2, c2] = masked(mask);
    let b: Vec<f64> = PLANTED
        .iter()
        .flat_map(|x| forward(&a1, &c1, &a2, &c2, x))
        .collect();
    Problem::new(Storage::PLAIN)
        .with("c2", &[M], &c2)
        .with("b", &[2, M], &b)
}

#[test]
fn they_are_taken_by_every_command() {
    for mask in [f64::NEG_INFINITY, -1e300, f64::from(f32::MIN), -1e9, -1e4] {
        for precision in ["f64", "f32"] {
            let desk = Desk::new(&problem(mask));
            let options = ["--precision", precision, "--report", "json"];
            let output = desk.invert(&options);
            assert_code(&output, 0);
            let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
            for (k, planted) in PLANTED.iter().enumerate() {
                let target = &report["targets"][k];
                assert_eq!(target["status"], "perfect-fit", "{mask} in {precision}");
                let result = desk.result();
                let x: Vec<f64> = match precision {
                    "f64" => result.values("x"),
                    _ => result
                        .values::<f32>("x")
                        .into_iter()
                        .map(f64::from)
                        .collect(),
                };
                // Four outcomes tell three unknowns in each cell, and there may be an x in several.
                let [a1, c1, a2, c2] = masked(mask);
                let output = |x: &[f64]| forward(&a1, &c1, &a2, &c2, x);
                let (found, wanted) = (output(&x[k * INPUTS..][..INPUTS]), output(planted));
                let apart = found.iter().zip(&wanted).map(|(a, b)| (a - b).abs());
                let apart = apart.fold(0.0, f64::max);
                let near = if precision == "f64" { 1e-14 } else { 1e-6 };
                assert!(apart < near, "{mask} in {precision}: {apart:e}");
                assert!(MASKED.iter().all(|&outcome| found[outcome] == 0.0));
            }
            let points = Storage::PLAIN.array(&[2, INPUTS as u64], PLANTED.as_flattened());
            desk.write("x.npy", &points);
            let evaluate = ["evaluate", "problem.npz", "--at", "x.npy"];
            let output = desk.run(&[&evaluate[..], &options].concat());
            assert_code(&output, 0);
            let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
            let least = report["targets"][0]["outcomes"][4]["probability"].as_f64();
            assert_eq!(least, Some(0.0));
        }
    }
}

#[test]
fn what_is_no_mask_is_refused() {
    let refused = |problem: &Problem, words: &[&str]| {
        let desk = Desk::new(problem);
        let before = desk.files();
        let output = desk.invert(&[]);
        assert_code(&output, 2);
        for word in words {
            assert!(stderr(&output).contains(word), "{}", stderr(&output));
        }
        assert_eq!(desk.files(), before);
    };
    let plain = || problem(f64::NEG_INFINITY);
    let mut c2 = [0.0; OUTCOMES];
    c2[2] = f64::INFINITY;
    refused(&plain().with("c2", &[M], &c2), &["c2[2]", "inf"]);
    c2[2] = f64::NAN;
    refused(&plain().with("c2", &[M], &c2), &["c2[2]", "NaN"]);
    let none = [f64::NEG_INFINITY; OUTCOMES];
    refused(&plain().with("c2", &[M], &none), &["c2", "-inf everywhere"]);
    // The second target asks for what never comes.
    let mut b = [0.0; 2 * OUTCOMES];
    (b[0], b[OUTCOMES], b[OUTCOMES + MASKED[1]]) = (1.0, 0.75, 0.25);
    let words = ["target 1", "b[4] is 0.25", "c2[4] is -inf"];
    refused(&plain().with("b", &[2, M], &b), &words);
    // Nothing else may be infinite.
    let mut c1 = weights()[1].clone();
    c1[3] = f64::NEG_INFINITY;
    refused(&plain().with("c1", &[8], &c1), &["c1[3]", "-inf", "finite"]);
}

#[test]
fn a_certificate_says_what_it_cannot_do() {
    let desk = Desk::new(&problem(f64::NEG_INFINITY));
    assert_code(&desk.invert(&[]), 0);
    let output = desk.run(&["certify", "problem.npz", "result.npz", "--report", "json"]);
    assert_code(&output, 1);
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let message = report["targets"][0]["message"].as_str().unwrap();
    assert!(message.contains("outcome 1 is masked"), "{message}");
}
