//! One call with K targets is K calls with one.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

mod common;

use common::{Desk, Problem, Storage, assert_code, forward, spread};

/// 16 times as many outcomes as inputs, so that the default model samples its rows.
#[test]
fn many_targets_in_one_call_are_as_many_calls() {
    let (d, n, m, targets) = (3, 10, 64, 5);
    let (a1, c1) = (spread(n * d, 1, 2.0), spread(n, 40, 1.0));
    let (a2, c2) = (spread(m * n, 60, 3.0), spread(m, 150, 1.0));
    let b: Vec<f64> = (0..targets)
        .flat_map(|k| forward(&a1, &c1, &a2, &c2, &spread(d, 31 * k, 2.0)))
        .collect();
    let problem = |b: &[f64]| {
        let count = (b.len() / m) as u64;
        let (d, n, m) = (d as u64, n as u64, m as u64);
        let mut problem = Problem::new(Storage::PLAIN);
        problem.remove("x0");
        problem.set("A1", Storage::PLAIN.array(&[n, d], &a1));
        problem.set("c1", Storage::PLAIN.array(&[n], &c1));
        problem.set("A2", Storage::PLAIN.array(&[m, n], &a2));
        problem.set("c2", Storage::PLAIN.array(&[m], &c2));
        problem.set("b", Storage::PLAIN.array(&[count, m], b));
        problem
    };
    for backend in ["faer", "nalgebra", "ndarray"] {
        for precision in ["f64", "f32"] {
            let options = ["--backend", backend, "--precision", precision];
            let all = Desk::new(&problem(&b));
            assert_code(&all.invert(&options), 0);
            let together = all.result();
            for (k, b) in b.chunks(m).enumerate() {
                let one = Desk::new(&problem(b));
                assert_code(&one.invert(&options), 0);
                let alone = one.result();
                let iterations = together.values::<i64>("iterations")[k];
                assert_eq!(alone.values::<i64>("iterations"), [iterations]);
                if precision == "f64" {
                    let x = &together.values::<f64>("x")[k * d..(k + 1) * d];
                    assert_eq!(alone.values::<f64>("x"), x, "{backend}, target {k}");
                } else {
                    let x = &together.values::<f32>("x")[k * d..(k + 1) * d];
                    assert_eq!(alone.values::<f32>("x"), x, "{backend}, target {k}");
                }
            }
        }
    }
}
