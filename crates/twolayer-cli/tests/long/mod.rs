//! Runs that take long enough to be ended on their way.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]
#![allow(dead_code, reason = "each test file uses a part")]
#![allow(unreachable_pub, reason = "a module of test programs")]

use crate::common::{Desk, Problem, Storage, forward, spread, stderr};
use std::process::Output;

pub const D: usize = 12;
pub const N: usize = 48;
pub const M: usize = 120;
pub const TARGETS: usize = 48;

/// Targets enough for a run to be hit on its way.
pub fn long_problem() -> Problem {
    problem_of(TARGETS)
}

pub fn problem_of(targets: usize) -> Problem {
    let (a1, c1) = (spread(N * D, 1, 2.0), spread(N, 900, 1.0));
    let (a2, c2) = (spread(M * N, 2000, 3.0), spread(M, 9000, 1.0));
    let target = |k: usize| forward(&a1, &c1, &a2, &c2, &spread(D, 77 * k, 2.0));
    let b: Vec<f64> = (0..targets).flat_map(target).collect();
    let mut problem = Problem::new(Storage::PLAIN);
    let (d, n, m) = (D as u64, N as u64, M as u64);
    let plain = Storage::PLAIN;
    problem.set("A1", plain.array(&[n, d], &a1));
    problem.set("c1", plain.array(&[n], &c1));
    problem.set("A2", plain.array(&[m, n], &a2));
    problem.set("c2", plain.array(&[m], &c2));
    problem.set("b", plain.array(&[targets as u64, m], &b));
    problem
}

/// A network and a target that it cannot produce: one solve of many iterations.
pub fn long_solve() -> Problem {
    let (d, n, m) = (80, 200, 150);
    let weights: Vec<f64> = spread(m, 5, 6.0).iter().map(|v| v.exp()).collect();
    let total: f64 = weights.iter().sum();
    let b: Vec<f64> = weights.iter().map(|v| v / total).collect();
    let (du, nu, mu) = (d as u64, n as u64, m as u64);
    Problem::new(Storage::PLAIN)
        .with("A1", &[nu, du], &spread(n * d, 1, 0.4))
        .with("c1", &[nu], &spread(n, 900, 2.0))
        .with("A2", &[mu, nu], &spread(m * n, 2000, 1.0))
        .with("c2", &[mu], &spread(m, 9000, 2.0))
        .with("b", &[mu], &b)
}

pub const CHECKPOINTED: [&str; 4] = [
    "--checkpoint",
    "run.checkpoint",
    "--checkpoint-seconds",
    "0",
];
pub const RESUMED: [&str; 5] = [
    "--checkpoint",
    "run.checkpoint",
    "--checkpoint-seconds",
    "0",
    "--resume",
];

/// After how many iterations a resumed run says that it found a solve under way.
pub fn iterations_kept(output: &Output) -> Option<usize> {
    let text = stderr(output);
    let (_, after) = text.split_once("under way, after at most ")?;
    let (count, _) = after.split_once(" iterations")?;
    Some(count.parse().unwrap())
}

/// Clears the desk for another run.
pub fn clear(desk: &Desk) {
    for name in desk.files() {
        if name != "problem.npz" {
            std::fs::remove_file(desk.path(&name)).unwrap();
        }
    }
}
