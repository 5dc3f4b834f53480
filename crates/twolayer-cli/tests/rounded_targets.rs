//! Targets in fewer digits than are computed with.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

mod common;

use common::{
    Desk, OUTCOMES, PLANTED, Problem, Storage, assert_code, forward, raw_npy, schema, stderr,
    stdout, weights,
};
use half::{bf16, f16};
use serde_json::Value;

/// What the network puts out at the planted inputs.
fn outputs() -> Vec<f64> {
    let [a1, c1, a2, c2] = weights().map(|v| {
        let narrow = |x: f64| f64::from(x as f32);
        v.into_iter().map(narrow).collect::<Vec<_>>()
    });
    let planted = PLANTED.iter();
    planted
        .flat_map(|x| forward(&a1, &c1, &a2, &c2, x))
        .collect()
}

/// b as a type of NumPy's, by its name, and the numbers that it has there.
fn stored(kind: &str) -> (Vec<u8>, Vec<f64>) {
    let two_bytes: fn(f64) -> ([u8; 2], f64) = match kind {
        "'<f2'" => |p| (f16::from_f64(p).to_le_bytes(), f16::from_f64(p).to_f64()),
        _ => |p| (bf16::from_f64(p).to_le_bytes(), bf16::from_f64(p).to_f64()),
    };
    let (data, values): (Vec<_>, Vec<_>) = match kind {
        "'<f4'" => {
            let single = outputs().into_iter().map(|p| p as f32);
            single
                .map(|p| (p.to_le_bytes().to_vec(), f64::from(p)))
                .unzip()
        }
        _ => {
            let narrow = outputs().into_iter().map(two_bytes);
            narrow.map(|(bytes, p)| (bytes.to_vec(), p)).unzip()
        }
    };
    let shape = format!("(2, {OUTCOMES})");
    (raw_npy(kind, false, &shape, &data.concat()), values)
}

fn report(desk: &Desk, options: &[&str]) -> Value {
    let options = [
        options,
        &["--report", "json", "--names", "auto", "--starts", "3"],
    ]
    .concat();
    let output = desk.invert(&options);
    assert_code(&output, 0);
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(schema::check(&report, "invert"), Ok(()));
    report
}

#[test]
fn they_are_met_as_closely_as_they_are_known() {
    for kind in ["'<f4'", "'<f2'", "'<V2'"] {
        let (b, values) = stored(kind);
        let mut problem = Problem::new(Storage::PLAIN);
        problem.set("b", b.clone());
        let desk = Desk::new(&problem);
        desk.write("b.npy", &b);
        for options in [&[][..], &["--targets", "b.npy"], &["--loss", "kl"]] {
            let report = report(&desk, options);
            for target in report["targets"].as_array().unwrap() {
                assert_eq!(target["status"], "meets-target", "{kind} {options:?}");
                assert_eq!(
                    (&target["converged"], &target["starts"]),
                    (&true.into(), &1.into())
                );
                let number = |name: &str| target[name].as_f64().unwrap();
                assert!(
                    number("loss") <= number("loss_uncertainty"),
                    "{kind} {options:?}"
                );
            }
        }
        // What they are met by is told, and is near.
        let output = desk.invert(&["--names", "auto"]);
        let told = stderr(&output) + &stdout(&output);
        assert!(
            told.contains("2 × meets-target: met as closely as b is known"),
            "{told}"
        );
        let apart = |(f, b): (&f64, &f64)| (f - b).abs();
        let f = desk.result().values::<f64>("probabilities");
        let furthest = f.iter().zip(&values).map(apart).fold(0.0, f64::max);
        assert!(furthest < 0.02, "{kind} {furthest}");
        // A point of it is looked at with the same b.
        let evaluate = [
            "evaluate",
            "problem.npz",
            "--at",
            "result.npz",
            "--names",
            "auto",
        ];
        assert_code(&desk.run(&evaluate), 0);
    }
}

/// The same numbers in double precision are those of nobody's rounding: their sum is no 1.
#[test]
fn half_precision_is_told_by_the_type_alone() {
    let (b, values) = stored("'<f2'");
    let mut problem = Problem::new(Storage::PLAIN);
    problem.set("b", b);
    let narrow = Desk::new(&problem);
    assert_code(
        &narrow.invert(&["--names", "auto", "--checkpoint", "run"]),
        0,
    );
    let problem = problem.with("b", &[2, OUTCOMES as u64], &values);
    let desk = Desk::new(&problem);
    let output = desk.invert(&[]);
    assert_code(&output, 2);
    assert!(stderr(&output).contains("a distribution sums to 1 (within 1e-5)"));
    // And another run.
    desk.write("run", &narrow.read("run"));
    let output = desk.invert(&["--names", "auto", "--checkpoint", "run", "--resume"]);
    assert_code(&output, 2);
    let words = "what b is rounded to was float16, is float32";
    assert!(stderr(&output).contains(words), "{}", stderr(&output));
}

#[test]
fn a_tolerance_ends_a_solve() {
    let unrelated = [0.3, 0.05, 0.25, 0.15, 0.05, 0.2];
    let problem = Problem::new(Storage::PLAIN).with("b", &[OUTCOMES as u64], &unrelated);
    let desk = Desk::new(&problem);
    let iterations = |options: &[&str]| {
        assert_code(&desk.invert(options), 0);
        desk.result().values::<i64>("iterations")[0]
    };
    let (few, many) = (iterations(&["--tolerance", "0.5"]), iterations(&[]));
    assert!(few < many, "{few} {many}");
    for bad in ["1", "-0.1", "nan", "word"] {
        let output = desk.invert(&["--tolerance", bad]);
        assert_code(&output, 2);
        assert!(stderr(&output).contains("expected a number from 0 to below 1"));
    }
}
