//! The examples of the crates are run; each holds its answer against an independent solution.

use std::process::Command;

/// Every example of a crate.
fn run(package: &str, names: &[&str]) {
    for name in names {
        let output = Command::new(env!("CARGO"))
            .args([
                "run",
                "--quiet",
                "--offline",
                "--package",
                package,
                "--example",
                name,
            ])
            .output()
            .unwrap();
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
    );
}
