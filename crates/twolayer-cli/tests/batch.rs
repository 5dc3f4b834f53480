//! Many targets: from a file of their own, on any number of threads, from several starts.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's way to fail")]

mod common;

use common::{Desk, Problem, Storage, assert_code, forward, npy, spread, stderr, stdout};
use npyz::Order;
use serde_json::Value;

const D: usize = 6;
const N: usize = 30;
const M: usize = 50;
const TARGETS: usize = 24;

fn weights() -> [Vec<f64>; 4] {
    [
        spread(N * D, 1, 2.0),
        spread(N, 900, 1.0),
        spread(M * N, 2000, 3.0),
        spread(M, 9000, 1.0),
    ]
}

fn targets() -> Vec<f64> {
    let [a1, c1, a2, c2] = weights();
    let target = |k: usize| forward(&a1, &c1, &a2, &c2, &spread(D, 77 * k, 2.0));
    (0..TARGETS).flat_map(target).collect()
}

/// The network, without targets.
fn network() -> Problem {
    let [a1, c1, a2, c2] = weights();
    let (d, n, m) = (D as u64, N as u64, M as u64);
    let mut problem = Problem::new(Storage::PLAIN);
    problem.remove("b");
    problem
        .with("A1", &[n, d], &a1)
        .with("c1", &[n], &c1)
        .with("A2", &[m, n], &a2)
        .with("c2", &[m], &c2)
}

const SHAPE: [u64; 2] = [TARGETS as u64, M as u64];

fn desk() -> Desk {
    let desk = Desk::new(&network());
    desk.write("b.npy", &npy(&SHAPE, targets(), Order::C));
    desk
}

const FROM_FILE: [&str; 2] = ["--targets", "b.npy"];

#[test]
fn targets_of_a_file_are_those_of_the_problem() {
    let desk = desk();
    assert_code(&desk.invert(&FROM_FILE), 0);
    let result = desk.read("result.npz");
    let whole = Desk::new(&network().with("b", &SHAPE, &targets()));
    assert_code(&whole.invert(&[]), 0);
    assert_eq!(whole.read("result.npz"), result);
    // The option comes before the problem's own b.
    let mut other = network();
    other.set("b", Storage::PLAIN.array(&[M as u64], &[1.0 / M as f64; M]));
    desk.write("problem.npz", &other.bytes());
    assert_code(&desk.invert(&FROM_FILE), 0);
    assert_eq!(desk.read("result.npz"), result);
    // The other commands read it too.
    let certify = ["certify", "problem.npz", "result.npz"];
    let output = desk.run(&[&certify[..], &FROM_FILE, &["--report", "json"]].concat());
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(report["targets"].as_array().unwrap().len(), TARGETS);
}

#[test]
fn a_file_in_single_precision_is_read_exactly() {
    let desk = desk();
    let single: Vec<f32> = targets().iter().map(|&v| v as f32).collect();
    let wide: Vec<f64> = single.iter().map(|&v| f64::from(v)).collect();
    desk.write("b.npy", &npy(&SHAPE, wide, Order::C));
    assert_code(&desk.invert(&FROM_FILE), 0);
    let expected = desk.read("result.npz");
    desk.write("b.npy", &npy(&SHAPE, single, Order::C));
    assert_code(&desk.invert(&FROM_FILE), 0);
    assert_eq!(desk.read("result.npz"), expected);
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let desk = desk();
    for backend in ["faer", "ndarray"] {
        let mut results = Vec::new();
        for threads in ["1", "2", "5"] {
            let options = ["--threads", threads, "--backend", backend];
            assert_code(&desk.invert(&[&options[..], &FROM_FILE].concat()), 0);
            results.push(desk.read("result.npz"));
        }
        assert!(results.iter().all(|result| *result == results[0]));
    }
}

#[test]
fn files_of_targets_that_are_no_good_are_refused() {
    let refused = |bytes: &[u8], words: &[&str]| {
        let desk = desk();
        desk.write("b.npy", bytes);
        let output = desk.invert(&FROM_FILE);
        assert_code(&output, 2);
        for word in words.iter().chain(&["b.npy"]) {
            assert!(
                stderr(&output).contains(word),
                "{word}: {}",
                stderr(&output)
            );
        }
        assert_eq!(desk.files(), ["b.npy", "problem.npz"]);
    };
    let good = npy(&SHAPE, targets(), Order::C);
    refused(&good[..good.len() - 1], &["bytes of data"]);
    refused(&good[..5], &["b"]);
    let mut bad = targets();
    bad[7 * M + 3] = f64::NAN;
    refused(&npy(&SHAPE, bad, Order::C), &["target 7", "b[3]", "NaN"]);
    let mut bad = targets();
    bad[23 * M] += 0.5;
    refused(&npy(&SHAPE, bad, Order::C), &["target 23", "sums to"]);
    let turned = [M as u64, TARGETS as u64];
    refused(&npy(&turned, targets(), Order::C), &["(50, 24)", "(K, 50)"]);
    refused(
        &npy(&SHAPE, targets(), Order::Fortran),
        &["Fortran", "C order"],
    );
    let flat = npy(&[(TARGETS * M) as u64], targets(), Order::C);
    refused(&flat, &["(1200,)", "(K, m)"]);
    refused(&npy(&SHAPE, vec![1_i64; TARGETS * M], Order::C), &["int64"]);

    let desk = desk();
    let output = desk.invert(&["--targets", "nowhere.npy"]);
    assert_code(&output, 2);
    assert!(stderr(&output).contains("nowhere.npy"));
    // Without either there are no targets.
    let output = desk.invert(&[]);
    assert_code(&output, 2);
    assert!(stderr(&output).contains("array b is missing"));
    // Targets are not written over.
    let output = desk.run(&[
        "invert",
        "problem.npz",
        "--out",
        "b.npy",
        "--targets",
        "b.npy",
    ]);
    assert_code(&output, 2);
    assert!(
        stderr(&output).contains("the targets"),
        "{}",
        stderr(&output)
    );
}

fn report(desk: &Desk, options: &[&str]) -> Value {
    let output = desk.invert(&[options, &FROM_FILE, &["--report", "json"]].concat());
    assert!(
        matches!(output.status.code(), Some(0 | 1)),
        "{}",
        stderr(&output)
    );
    serde_json::from_str(&stdout(&output)).unwrap()
}

/// Means of two outputs are none themselves: which local minimum is found depends on the start.
#[test]
fn other_starts_are_tried_and_counted() {
    let desk = desk();
    let mut b = targets();
    for k in TARGETS - 6..TARGETS {
        for i in 0..M {
            b[k * M + i] = 0.5 * (b[k * M + i] + b[(k - 12) * M + i]);
        }
    }
    desk.write("b.npy", &npy(&SHAPE, b, Order::C));
    let once = report(&desk, &[]);
    let more = ["--starts", "5"];
    let often = report(&desk, &more);
    let rows = |report: &Value| -> Vec<(f64, String, u64)> {
        let targets = report["targets"].as_array().unwrap().iter();
        let row = |t: &Value| {
            let status = t["status"].as_str().unwrap().to_owned();
            (
                t["loss"].as_f64().unwrap(),
                status,
                t["starts"].as_u64().unwrap(),
            )
        };
        targets.map(row).collect()
    };
    let mut helped = 0;
    for ((loss, status, starts), (best, end, tried)) in rows(&once).into_iter().zip(rows(&often)) {
        assert_eq!(starts, 1);
        if status == "perfect-fit" {
            assert!(tried == 1 && best == loss);
        } else {
            assert!((2..=5).contains(&tried), "{tried}");
            assert!(best <= loss);
            assert!(tried == 5 || end == "perfect-fit");
            helped += usize::from(best < loss);
        }
    }
    println!("{helped} were helped");
    assert!(helped > 0);
    let losses = desk.result().values::<f64>("loss");
    let told: Vec<_> = rows(&often).into_iter().map(|row| row.0).collect();
    assert_eq!(losses, told);
    // The output that is written is that of the x that is written.
    let [a1, c1, a2, c2] = weights();
    let x = desk.result().values::<f64>("x");
    let f = desk.result().values::<f64>("probabilities");
    for (x, f) in x.chunks(D).zip(f.chunks(M)) {
        let expected = forward(&a1, &c1, &a2, &c2, x);
        let apart = expected.iter().zip(f).map(|(a, b)| (a - b).abs());
        // Rounding of logits of size ten.
        assert!(apart.fold(0.0, f64::max) < 1e-13);
    }
    let result = desk.read("result.npz");
    let threads = report(&desk, &[&more[..], &["--threads", "1"]].concat());
    assert!(rows(&threads) == rows(&often) && desk.read("result.npz") == result);
    // Resumed from the end, and from a checkpoint that other starts were not yet tried in.
    let kept = ["--checkpoint", "c", "--resume"];
    for _ in 0..2 {
        report(&desk, &[&more[..], &kept].concat());
        assert!(desk.read("result.npz") == result);
    }
}

/// More targets than memory holds: what is stated does not grow with K·m, and is enough.
#[test]
fn targets_and_outputs_need_not_fit_in_memory() {
    let (n, d, m, count) = (5, 2, 40_000, 150);
    let mut problem = Problem::new(Storage::PLAIN);
    for name in ["b", "c1", "c2"] {
        problem.remove(name);
    }
    let (nu, du, mu) = (n as u64, d as u64, m as u64);
    let problem = problem.with("A1", &[nu, du], &spread(n * d, 1, 1.0)).with(
        "A2",
        &[mu, nu],
        &spread(m * n, 9, 1.0),
    );
    let desk = Desk::new(&problem);
    let b = vec![1.0 / m as f64; m * count];
    desk.write("b.npy", &npy(&[count as u64, mu], b, Order::C));
    let options = ["--max-iterations", "1", "--threads", "1"];
    let run =
        |limit: &str| desk.invert(&[&options[..], &FROM_FILE, &["--max-memory", limit]].concat());
    let refusal = stderr(&run("1KiB"));
    let stated = refusal.split(['(', ')']).nth(1).unwrap();
    let stated: usize = stated.trim_end_matches(" bytes").parse().unwrap();
    // K·m numbers are 48 MB for b and as many for f; in memory there may be 2·16 MiB of f.
    println!("stated {stated}");
    assert!(stated < 100 << 20);
    assert!(run(&format!("{stated}B")).status.code() < Some(2));
    let f = desk.result().values::<f64>("probabilities");
    assert_eq!(f.len(), m * count);
    let sums = f.chunks(m).map(|f| f.iter().sum::<f64>());
    // Every row is there and is a distribution, to the rounding of a sum of m terms.
    assert!(sums.into_iter().all(|sum| (sum - 1.0).abs() < 1e-10));
}
