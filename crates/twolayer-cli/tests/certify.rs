//! `twolayer certify`, `invert --certify` and `invert --theory`.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

mod common;

use common::{Desk, INPUTS, Problem, Storage, assert_code, npy, stderr, stdout};
use npyz::Order;
use serde_json::Value;

fn desk() -> Desk {
    Desk::new(&Problem::new(Storage::PLAIN))
}

/// A result file with these points only.
fn write_points(desk: &Desk, points: &[f64]) {
    let mut result = Problem {
        members: Vec::new(),
        compression: zip::CompressionMethod::Stored,
    };
    let shape = [(points.len() / INPUTS) as u64, INPUTS as u64];
    result.set("x", npy(&shape, points.to_vec(), Order::C));
    desk.write("result.npz", &result.bytes());
}

#[test]
fn what_invert_wrote_is_certified() {
    for precision in ["f64", "f32"] {
        let desk = desk();
        assert_code(&desk.invert(&["--precision", precision]), 0);
        let arguments = [
            "certify",
            "problem.npz",
            "result.npz",
            "--precision",
            precision,
        ];
        let output = desk.run(&arguments);
        assert_code(&output, 0);
        assert!(
            stdout(&output).contains("2 of 2 certified: 2 minimum"),
            "{}",
            stdout(&output)
        );
        let output = desk.run(&[&arguments[..], &["--report", "json"]].concat());
        let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert_eq!(report["certified"], 2);
        let x = desk.result();
        let x: Vec<f64> = if precision == "f64" {
            x.values("x")
        } else {
            x.values::<f32>("x").into_iter().map(f64::from).collect()
        };
        for (index, target) in report["targets"].as_array().unwrap().iter().enumerate() {
            assert_eq!(
                (&target["kind"], &target["certified"]),
                (&"minimum".into(), &true.into())
            );
            let radius = target["radius"].as_f64().unwrap();
            assert!(radius > 0.0 && radius < if precision == "f64" { 1e-12 } else { 1e-3 });
            let point = target["point"].as_array().unwrap();
            let apart = point
                .iter()
                .zip(&x[index * INPUTS..])
                .map(|(p, x)| (p.as_f64().unwrap() - x).powi(2));
            // Both lie near the stationary point.
            let slack = target["point_radius"].as_f64().unwrap();
            assert!(apart.sum::<f64>().sqrt() <= radius + slack);
        }
    }
}

#[test]
fn invert_certifies_as_it_goes() {
    let desk = desk();
    let output = desk.invert(&["--certify", "--report", "json"]);
    assert_code(&output, 0);
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let result = desk.result();
    assert_eq!(result.values::<u8>("certified"), [1, 1]);
    for (index, radius) in result
        .values::<f64>("certificate_radius")
        .into_iter()
        .enumerate()
    {
        assert_eq!(
            report["targets"][index]["certificate"]["radius"].as_f64(),
            Some(radius)
        );
    }
    let output = desk.invert(&["--certify"]);
    assert!(
        stdout(&output).contains("2 of 2 certified"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn a_rough_answer_is_refused_with_its_reason() {
    let desk = desk();
    write_points(&desk, &[0.9, 0.9, 0.9, -0.2, 0.6, 0.1]);
    let arguments = ["certify", "problem.npz", "result.npz"];
    let output = desk.run(&[&arguments[..], &["--no-polish", "--report", "json"]].concat());
    assert_code(&output, 1);
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(report["targets"][0]["certified"], false);
    assert!(report["targets"][0]["message"].as_str().unwrap().len() > 20);
    // The second is where it was planted, to the rounding of its target.
    assert_eq!(report["targets"][1]["certified"], true);
    assert_code(
        &desk.run(&[&arguments[..], &["--radius", "0.1"]].concat()),
        1,
    );
}

#[test]
fn a_result_that_does_not_fit_is_bad_input() {
    let desk = desk();
    let run = || desk.run(&["certify", "problem.npz", "result.npz"]);
    assert_code(&run(), 2);
    desk.write("result.npz", b"no archive");
    let output = run();
    assert_code(&output, 2);
    assert!(
        stderr(&output).contains("result.npz: no archive of arrays"),
        "{}",
        stderr(&output)
    );
    desk.write("result.npz", &desk.read("problem.npz"));
    let output = run();
    assert_code(&output, 2);
    assert!(
        stderr(&output).contains("array x is missing"),
        "{}",
        stderr(&output)
    );
    write_points(&desk, &[0.0; 3 * INPUTS]);
    let output = run();
    assert_code(&output, 2);
    assert!(
        stderr(&output).contains("x has shape (3, 3)"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn the_theorem_is_reported_step_by_step() {
    let desk = desk();
    let output = desk.invert(&["--theory", "--report", "json", "--hessian", "exact"]);
    assert_code(&output, 0);
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    for target in report["targets"].as_array().unwrap() {
        let theory = &target["theory"];
        let number = |name: &str| theory[name].as_f64().unwrap();
        assert!(number("strong_convexity") > 0.0 && number("hessian_lipschitz") > 0.0);
        assert!(number("lemma_weight") > 2.0 && number("least_weight") == 0.0);
        let steps = theory["steps"].as_array().unwrap();
        assert_eq!(steps.last().unwrap()["distance"].as_f64(), Some(0.0));
        // The exact Hessian against itself.
        let epsilons = steps.iter().filter_map(|step| step["epsilon"].as_f64());
        assert!(epsilons.fold(0.0, f64::max) < 1e-6);
    }
    let output = desk.invert(&["--theory"]);
    assert!(
        stdout(&output).contains("Lemma 69 asks for w² ≥"),
        "{}",
        stdout(&output)
    );
}
