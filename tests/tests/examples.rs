//! The examples of the crates are run; each holds its answer against an independent solution.

use std::process::Command;

/// Examples of a crate with the features that they need.
fn run(package: &str, names: &[&str], features: &str) {
    for name in names {
        let mut command = Command::new(env!("CARGO"));
        command.args(["run", "--quiet", "--offline", "--package", package]);
        command.args(["--features", features, "--example", name]);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {said}");
    }
}

#[test]
fn objectives_of_ones_own_reach_known_answers() {
    run(
        "approx-newton",
        &[
            "rosenbrock",
            "nonlinear_least_squares",
            "logistic_regression",
        ],
        "",
    );
}

#[test]
fn a_model_of_ones_own_reaches_a_known_answer() {
    run("approx-newton", &["own_model"], "");
}

#[test]
fn a_backend_of_ones_own_passes_the_suite() {
    run("twolayer-core", &["plain_backend"], "conformance");
}

#[test]
fn derivatives_of_an_answer_foresee_the_next() {
    run("twolayer", &["sensitivity"], "");
}
