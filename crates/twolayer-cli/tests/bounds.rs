//! Bounds on x from options and from the problem.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

mod common;

use common::{Desk, INPUTS, PLANTED, Problem, Storage, assert_code, schema, stderr, stdout};
use serde_json::Value;

const D: u64 = INPUTS as u64;

fn problem() -> Problem {
    Problem::new(Storage::PLAIN)
}

fn array(values: &[f64]) -> Vec<u8> {
    Storage::PLAIN.array(&[values.len() as u64], values)
}

/// The report, and x of all targets.
fn inverted(desk: &Desk, options: &[&str]) -> (Value, Vec<f64>) {
    let output = desk.invert(&[options, &["--report", "json"]].concat());
    assert!(
        matches!(output.status.code(), Some(0 | 1)),
        "{}",
        stderr(&output)
    );
    let report = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(schema::check(&report, "invert"), Ok(()));
    (report, desk.result().values("x"))
}

#[test]
fn answers_lie_within_bounds_from_wherever_these_come() {
    let bounded =
        problem()
            .with("lower", &[], &[-0.25])
            .with("upper", &[D], &[0.3, 0.5, f64::INFINITY]);
    let from_the_problem = Desk::new(&bounded);
    let desk = Desk::new(&problem());
    desk.write("u.npy", &array(&[0.3, 0.5, f64::INFINITY]));
    let options = ["--lower", "-0.25", "--upper", "u.npy"];
    for precision in ["f64", "f32"] {
        let in_precision = ["--precision", precision];
        if precision == "f64" {
            let (report, x) = inverted(&desk, &[&options[..], &in_precision].concat());
            assert_eq!(x, inverted(&from_the_problem, &in_precision).1);
            for x in x.chunks(INPUTS) {
                assert!(x.iter().all(|&x| x >= -0.25) && x[0] <= 0.3 && x[1] <= 0.5);
            }
            let targets = report["targets"].as_array().unwrap();
            let mut told = 0;
            for (target, x) in targets.iter().zip(x.chunks(INPUTS)) {
                assert_eq!(target["start_projected"], false);
                for at in target["at_bounds"].as_array().unwrap() {
                    let entry = at["entry"].as_u64().unwrap() as usize;
                    let bound = match at["bound"].as_str().unwrap() {
                        "lower" => -0.25,
                        _ => [0.3, 0.5, f64::INFINITY][entry],
                    };
                    assert_eq!(x[entry], bound);
                    assert!(at["multiplier"].as_f64().unwrap() >= -1e-12);
                    told += 1;
                }
            }
            assert!(told > 0);
        } else {
            let output = desk.invert(&[&options[..], &in_precision].concat());
            assert!(matches!(output.status.code(), Some(0 | 1)));
            let x = desk.result().values::<f32>("x");
            assert!(x.iter().all(|&x| x >= -0.25) && x[0] <= 0.3 && x[3] <= 0.3);
        }
    }
    // The option goes before the problem's own.
    let (report, x) = inverted(&from_the_problem, &["--lower", "-9", "--upper", "9"]);
    assert_eq!(report["totals"]["statuses"]["perfect-fit"], 2);
    let planted = PLANTED.as_flattened();
    assert!(x.iter().zip(planted).all(|(x, p)| (x - p).abs() < 1e-9));
}

#[test]
fn a_known_input_stays_and_a_start_outside_is_moved() {
    let known = [PLANTED[0][0], f64::NEG_INFINITY, f64::NEG_INFINITY];
    let desk = Desk::new(&problem());
    desk.write("l.npy", &array(&known));
    desk.write(
        "u.npy",
        &array(&known.map(|x| if x.is_finite() { x } else { f64::INFINITY })),
    );
    let (report, x) = inverted(&desk, &["--lower", "l.npy", "--upper", "u.npy"]);
    assert_eq!((x[0], x[INPUTS]), (known[0], known[0]));
    let target = &report["targets"][0];
    assert_eq!(target["status"], "perfect-fit");
    assert_eq!(target["at_bounds"][0]["bound"], "both");
    // Zero is outside.
    assert_eq!(target["start_projected"], true);
    let output = desk.invert(&["--lower", "l.npy", "--upper", "u.npy"]);
    let said = stdout(&output);
    assert!(said.contains("x[0] both"), "{said}");
    assert!(
        said.contains("2 began at the nearest point within the bounds"),
        "{said}"
    );
}

#[test]
fn a_certificate_needs_bounds_that_are_off() {
    let desk = Desk::new(&problem());
    let within = ["--lower", "-1", "--upper", "1"];
    let certify = ["certify", "problem.npz", "result.npz"];
    assert_code(&desk.invert(&within), 0);
    assert_code(&desk.run(&[&certify[..], &within].concat()), 0);
    let tight = ["--lower", "-0.25", "--upper", "0.35"];
    let output = desk.invert(&[&tight[..], &["--certify", "--report", "json"]].concat());
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(report["targets"][0]["certificate"]["reason"], "at-bound");
    let output = desk.run(&[&certify[..], &tight, &["--report", "json"]].concat());
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(report["targets"][0]["reason"], "at-bound");
}

#[test]
fn bounds_that_are_none_are_refused() {
    let desk = Desk::new(&problem());
    desk.write("l.npy", &array(&[0.0, 1.0, 0.0]));
    desk.write("short.npy", &array(&[0.0, 1.0]));
    desk.write("nan.npy", &array(&[0.0, f64::NAN, 1.0]));
    for (options, words) in [
        (
            &["--lower", "2", "--upper", "1"][..],
            "lower[0] is 2 and upper[0] is 1",
        ),
        (
            &["--lower", "l.npy", "--upper", "0.5"],
            "lower[1] is 1 and upper[1] is 0.5",
        ),
        (&["--lower", "nan"], "lower[0] is NaN"),
        (&["--upper", "nan.npy"], "upper[1] is NaN"),
        (&["--lower", "inf"], "lower[0] is inf"),
        (
            &["--lower", "short.npy"],
            "lower has shape (2,); expected (3,) or one number",
        ),
        (&["--lower", "missing.npy"], "missing.npy"),
        (&["--lower", "1", "--radius", "0.5"], "at least 1.73"),
    ] {
        let output = desk.invert(options);
        assert_code(&output, 2);
        let said = stderr(&output);
        assert!(said.contains(words) && said.lines().count() == 1, "{said}");
    }
    for (name, shape, values, words) in [
        (
            "lower",
            &[2][..],
            &[0.0, 1.0][..],
            "lower has shape (2,); expected (3,)",
        ),
        ("upper", &[1, 3], &[0.0; 3], "upper has shape (1, 3)"),
        ("upper", &[], &[f64::NEG_INFINITY], "upper[0] is -inf"),
    ] {
        let output = Desk::new(&problem().with(name, shape, values)).invert(&[]);
        assert_code(&output, 2);
        let said = stderr(&output);
        assert!(said.contains(words), "{said}");
    }
}

/// Another run with other bounds does not go on from the first one's checkpoint.
#[test]
fn a_checkpoint_is_of_its_bounds() {
    let desk = Desk::new(&problem());
    let kept = ["--checkpoint", "run", "--lower", "-0.25"];
    let output = desk.invert(&kept);
    assert!(matches!(output.status.code(), Some(0 | 1)));
    let x = desk.read("result.npz");
    let output = desk.invert(&[&kept[..], &["--resume"]].concat());
    assert!(matches!(output.status.code(), Some(0 | 1)));
    assert_eq!(desk.read("result.npz"), x);
    let other = ["--checkpoint", "run", "--resume", "--lower", "-0.3"];
    let output = desk.invert(&other);
    assert_code(&output, 2);
    assert!(stderr(&output).contains("lower was"), "{}", stderr(&output));
}

#[test]
fn a_bound_may_be_any_number() {
    let desk = Desk::new(&problem());
    for number in ["-1e-3", "-.5", "-2.5E+1", "-inf"] {
        let output = desk.invert(&["--lower", number, "--quiet"]);
        assert!(matches!(output.status.code(), Some(0 | 1)), "{number}");
    }
    let output = desk.invert(&["--lower", "--upper", "1"]);
    assert_code(&output, 2);
    assert!(!stderr(&output).is_empty());
}
