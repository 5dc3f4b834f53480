//! The term for how far x is from a point, from options and from the problem.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

mod common;

use common::{Desk, INPUTS, PLANTED, Problem, Storage, assert_code, stderr};

const D: u64 = INPUTS as u64;

fn problem() -> Problem {
    Problem::new(Storage::PLAIN)
}

fn inverted(desk: &Desk, options: &[&str]) -> Vec<f64> {
    let output = desk.invert(options);
    assert!(
        matches!(output.status.code(), Some(0 | 1)),
        "{}",
        stderr(&output)
    );
    desk.result().values("x")
}

#[test]
fn answers_are_drawn_to_the_point_from_wherever_it_comes() {
    let point = [0.1, 0.2, -0.3];
    let desk = Desk::new(&problem());
    desk.write("near.npy", &Storage::PLAIN.array(&[D], &point));
    let free = inverted(&desk, &[]);
    let planted = PLANTED.as_flattened();
    assert!(free.iter().zip(planted).all(|(x, p)| (x - p).abs() < 1e-9));
    let distance = |x: &[f64]| -> f64 {
        let pairs = x.iter().zip(&point);
        pairs.map(|(x, p)| (x - p).powi(2)).sum()
    };
    let near = |weight: &str| inverted(&desk, &["--near", "near.npy", "--near-weight", weight]);
    assert_eq!(
        near("0"),
        inverted(&desk, &["--near-weight", "0", "--near", "near.npy"])
    );
    let mut last = distance(&free[..INPUTS]);
    for weight in ["1e-4", "1e-2", "1e6"] {
        let x = near(weight);
        assert!(distance(&x[..INPUTS]) < last);
        last = distance(&x[..INPUTS]);
    }
    assert!(last < 1e-12, "{last:e}");
    // The problem's own, and the option before it.
    let own = problem()
        .with("x_ref", &[D], &point)
        .with("near_weight", &[], &[1e-2])
        .with("near_scales", &[], &[1.0]);
    let own = Desk::new(&own);
    assert_eq!(inverted(&own, &[]), near("1e-2"));
    assert_eq!(inverted(&own, &["--near-weight", "1e6"]), near("1e6"));
    // No start but the point: it is its own start.
    let mixed = ["--hessian", "mixed-precision", "--near-weight", "1e-2"];
    let x = inverted(&own, &mixed);
    assert!(
        x.iter()
            .zip(near("1e-2"))
            .all(|(x, y)| (x - y).abs() < 1e-6)
    );
    let output = desk.invert(&["--near", "near.npy", "--near-weight", "1", "--certify"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("nearness"));
}

#[test]
fn what_is_no_term_is_refused() {
    let desk = Desk::new(&problem());
    desk.write("near.npy", &Storage::PLAIN.array(&[D], &[0.0; INPUTS]));
    desk.write(
        "nan.npy",
        &Storage::PLAIN.array(&[D], &[0.0, f64::NAN, 0.0]),
    );
    desk.write("short.npy", &Storage::PLAIN.array(&[2], &[0.0; 2]));
    for (options, words) in [
        (&["--near", "near.npy"][..], "expected --near-weight MU"),
        (&["--near-weight", "1"], "expected --near FILE"),
        (&["--near", "near.npy", "--near-weight", "-1"], "at least 0"),
        (
            &["--near", "nan.npy", "--near-weight", "1"],
            "x_ref[1] is NaN",
        ),
        (
            &["--near", "short.npy", "--near-weight", "1"],
            "x_ref has shape (2,); expected (3,)",
        ),
    ] {
        let output = desk.invert(options);
        assert_code(&output, 2);
        assert!(stderr(&output).contains(words), "{}", stderr(&output));
    }
    let scales = problem()
        .with("x_ref", &[D], &[0.0; INPUTS])
        .with("near_weight", &[], &[1.0])
        .with("near_scales", &[D], &[1.0, -2.0, 1.0]);
    let output = Desk::new(&scales).invert(&[]);
    assert_code(&output, 2);
    assert!(
        stderr(&output).contains("near_scales is -2"),
        "{}",
        stderr(&output)
    );
}
