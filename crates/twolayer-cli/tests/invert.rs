//! What `twolayer invert` writes and prints.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

mod common;

use common::{
    Desk, INPUTS, OUTCOMES, PLANTED, Problem, Storage, assert_code, forward, spread, stderr,
    stdout, weights,
};
use npyz::Order;
use serde_json::Value;
use zip::CompressionMethod;

fn desk() -> Desk {
    Desk::new(&Problem::new(Storage::PLAIN))
}

#[test]
fn the_result_is_what_a_plain_forward_pass_says() {
    let desk = desk();
    assert_code(&desk.invert(&[]), 0);
    let result = desk.result();
    let x = result.values::<f64>("x");
    let probabilities = result.values::<f64>("probabilities");
    let loss = result.values::<f64>("loss");
    let [a1, c1, a2, c2] = weights().map(|v| {
        v.into_iter()
            .map(|x| f64::from(x as f32))
            .collect::<Vec<_>>()
    });
    for (k, planted) in PLANTED.iter().enumerate() {
        let b = forward(&a1, &c1, &a2, &c2, planted);
        let at = &x[k * INPUTS..(k + 1) * INPUTS];
        let output = forward(&a1, &c1, &a2, &c2, at);
        let written = &probabilities[k * OUTCOMES..(k + 1) * OUTCOMES];
        let apart =
            |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
        // Rounding of sums of eight products of numbers of size one.
        assert!(apart(&output, written) < 1e-28);
        assert!((apart(&output, &b) - loss[k]).abs() < 1e-28);
        assert!(loss[k] < 1e-20, "{}", loss[k]);
    }
    assert_eq!(result.values::<u8>("converged"), [1, 1]);
}

#[test]
fn the_arrays_are_as_documented() {
    for (precision, float) in [("f64", "<f8"), ("f32", "<f4")] {
        let desk = desk();
        assert_code(&desk.invert(&["--precision", precision]), 0);
        let contents = desk.result().contents();
        let described: Vec<_> = contents
            .iter()
            .map(|(name, dtype, shape)| (name.as_str(), dtype.to_string(), shape.clone()))
            .collect();
        let (d, m) = (INPUTS as u64, OUTCOMES as u64);
        let expected = [
            ("x", float, vec![2, d]),
            ("probabilities", float, vec![2, m]),
            ("loss", float, vec![2]),
            ("gradient_norm", float, vec![2]),
            ("iterations", "<i8", vec![2]),
            ("converged", "|u1", vec![2]),
        ]
        .map(|(name, dtype, shape)| (name, dtype.to_owned(), shape));
        assert_eq!(described, expected);
    }
}

#[test]
fn a_problem_means_the_same_however_it_is_stored() {
    let desk = desk();
    assert_code(&desk.invert(&[]), 0);
    let reference = desk.read("result.npz");
    for order in [Order::C, Order::Fortran] {
        for compression in [CompressionMethod::Stored, CompressionMethod::Deflated] {
            let storage = Storage {
                single: false,
                order,
                compression,
            };
            let desk = Desk::new(&Problem::new(storage));
            assert_code(&desk.invert(&[]), 0);
            assert!(desk.read("result.npz") == reference);
        }
    }
}

/// Both matrices are read in several pieces: rows, or columns.
#[test]
fn a_large_problem_means_the_same_in_either_order() {
    let (d, n, m) = (201, 401, 403);
    let result = |order| {
        let storage = Storage {
            order,
            ..Storage::PLAIN
        };
        let mut problem = Problem::new(storage);
        let (a1, a2) = (spread(n * d, 3, 0.1), spread(m * n, 5, 0.1));
        problem.set("A1", storage.array(&[n as u64, d as u64], &a1));
        problem.set("A2", storage.array(&[m as u64, n as u64], &a2));
        problem.set("c1", storage.array(&[n as u64], &spread(n, 5, 1.0)));
        problem.set("c2", storage.array(&[m as u64], &spread(m, 7, 1.0)));
        problem.set("b", storage.array(&[m as u64], &vec![1.0 / m as f64; m]));
        let desk = Desk::new(&problem);
        let code = desk.invert(&["--max-iterations", "5"]).status.code();
        assert!(matches!(code, Some(0 | 1)), "{code:?}");
        desk.read("result.npz")
    };
    assert!(result(Order::C) == result(Order::Fortran));
}

#[test]
fn single_precision_files_are_read_exactly() {
    let storage = Storage {
        single: true,
        ..Storage::PLAIN
    };
    // The weights are the same numbers in both; only b was rounded.
    let mut problem = Problem::new(storage);
    let rounded = Problem::new(Storage::PLAIN);
    let b = rounded.members.iter().find(|member| member.name == "b");
    problem.set("b", b.unwrap().bytes.clone());
    let single = Desk::new(&problem);
    let double = desk();
    assert_code(&single.invert(&[]), 0);
    assert_code(&double.invert(&[]), 0);
    assert!(single.read("result.npz") == double.read("result.npz"));
}

#[test]
fn one_seed_gives_one_result() {
    let (first, second) = (desk(), desk());
    for desk in [&first, &second] {
        assert_code(&desk.invert(&["--seed", "7"]), 0);
    }
    assert!(first.read("result.npz") == second.read("result.npz"));
}

#[test]
fn every_backend_and_every_hessian_solves_it() {
    for backend in ["faer", "nalgebra", "ndarray"] {
        for hessian in ["secant", "exact", "convexified", "gauss-newton"] {
            for loss in ["squared", "kl"] {
                let desk = desk();
                let options = ["--backend", backend, "--hessian", hessian, "--loss", loss];
                assert_code(&desk.invert(&options), 0);
                for loss in desk.result().values::<f64>("loss") {
                    assert!(loss < 1e-20, "{options:?}: {loss}");
                }
            }
        }
    }
}

/// Below what single precision can tell from 0, which is 1e-14 or more: also where rows are drawn,
/// of the divergence, with a regulariser, and for every target of several.
#[test]
fn a_model_in_single_precision_reaches_double_precision() {
    let (d, n, m) = (4, 24, 300);
    let [a1, c1] = [spread(n * d, 1, 2.0), spread(n, 40, 1.0)];
    let [a2, c2] = [spread(m * n, 60, 3.0), spread(m, 150, 1.0)];
    let planted = [[0.4, -0.3, 0.5, 0.1], [-0.2, 0.6, 0.1, -0.4]];
    let b = planted.map(|x| forward(&a1, &c1, &a2, &c2, &x)).concat();
    let near = planted.map(|x| x.map(|value| value + 0.02)).concat();
    let [du, nu, mu] = [d, n, m].map(|size| size as u64);
    let problem = Problem::new(Storage::PLAIN)
        .with("A1", &[nu, du], &a1)
        .with("c1", &[nu], &c1)
        .with("A2", &[mu, nu], &a2)
        .with("c2", &[mu], &c2)
        .with("b", &[2, mu], &b)
        .with("x0", &[2, du], &near);
    let desk = Desk::new(&problem);
    for backend in ["faer", "nalgebra", "ndarray"] {
        for loss in ["squared", "kl"] {
            let solve = |hessian: &str, regularizer: &str| {
                let options = ["--backend", backend, "--loss", loss, "--hessian", hessian];
                let alone = ["--no-warm-start", "--regularizer", regularizer];
                assert_code(&desk.invert(&[&options[..], &alone].concat()), 0);
                let result = desk.result();
                let values = |name| result.values::<f64>(name);
                let iterations = result.values::<i64>("iterations");
                (values("loss"), values("gradient_norm"), iterations)
            };
            let (losses, _, iterations) = solve("mixed-precision", "0");
            let (_, _, in_double) = solve("sampled", "0");
            for k in 0..2 {
                assert!(losses[k] < 1e-24, "{backend} {loss}: {losses:?}");
                let few = in_double[k] + 5;
                assert!(iterations[k] <= few, "{backend} {loss}: {iterations:?}");
            }
            // A minimum that is no perfect fit: the same to double precision.
            let (mixed, gradients, _) = solve("mixed-precision", "0.001");
            let (exact, _, _) = solve("exact", "0.001");
            for k in 0..2 {
                let apart = (mixed[k] - exact[k]).abs() / exact[k];
                assert!(apart < 1e-12, "{backend} {loss}: {mixed:?}, {exact:?}");
                assert!(gradients[k] < 1e-8, "{backend} {loss}: {gradients:?}");
            }
        }
    }
}

#[test]
fn the_report_for_programs_says_what_the_file_says() {
    let desk = desk();
    let output = desk.invert(&["--report", "json"]);
    assert_code(&output, 0);
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let targets = report["targets"].as_array().unwrap();
    assert_eq!(targets.len(), 2);
    let result = desk.result();
    let losses = result.values::<f64>("loss");
    let norms = result.values::<f64>("gradient_norm");
    let iterations = result.values::<i64>("iterations");
    for (k, target) in targets.iter().enumerate() {
        assert_eq!(target["loss"].as_f64(), Some(losses[k]));
        assert_eq!(target["gradient_norm"].as_f64(), Some(norms[k]));
        assert_eq!(target["iterations"].as_i64(), Some(iterations[k]));
        assert_eq!(target["converged"], Value::Bool(true));
        assert!(target["status"].is_string());
        assert!(target["solve_seconds"].as_f64().unwrap() > 0.0);
    }
    assert_eq!(report["totals"]["targets"], 2);
    assert_eq!(report["totals"]["converged"], 2);
}

#[test]
fn the_report_for_people_is_a_table() {
    let output = desk().invert(&[]);
    let text = stdout(&output);
    assert!(text.contains("gradient norm"), "{text}");
    assert!(text.contains("2 of 2 converged"), "{text}");
    assert!(stderr(&output).is_empty());
}

#[test]
fn without_convergence_the_results_are_written_and_the_exit_code_is_1() {
    let desk = desk();
    let output = desk.invert(&["--max-iterations", "1"]);
    assert_code(&output, 1);
    assert_eq!(desk.result().values::<u8>("converged"), [0, 0]);
    assert_eq!(desk.result().values::<i64>("iterations"), [1, 1]);
    assert!(stderr(&output).contains("raise the iteration limit"));
    // Advice is silenced, the exit code is not.
    let quiet = desk.invert(&["--max-iterations", "1", "--quiet"]);
    assert_code(&quiet, 1);
    assert!(stderr(&quiet).is_empty());
}

#[test]
fn a_start_of_the_command_line_overrides_that_of_the_file() {
    let d = INPUTS as u64;
    let problem = Problem::new(Storage::PLAIN).with("x0", &[2, d], PLANTED.as_flattened());
    let desk = Desk::new(&problem);
    assert_code(&desk.invert(&[]), 0);
    assert_eq!(desk.result().values::<i64>("iterations"), [0, 0]);
    assert_code(&desk.invert(&["--start", "zero"]), 0);
    assert!(
        desk.result()
            .values::<i64>("iterations")
            .iter()
            .all(|&i| i > 0)
    );
    desk.write("start.npy", &Storage::PLAIN.array(&[d], &PLANTED[1]));
    assert_code(&desk.invert(&["--start", "start.npy"]), 0);
    let iterations = desk.result().values::<i64>("iterations");
    assert!(iterations[0] > 0 && iterations[1] == 0, "{iterations:?}");
}

#[test]
fn the_radius_is_kept() {
    let desk = desk();
    desk.invert(&["--radius", "0.25"]);
    for x in desk.result().values::<f64>("x").chunks(INPUTS) {
        let norm = x.iter().map(|v| v * v).sum::<f64>().sqrt();
        assert!(norm <= 0.25 * (1.0 + 4.0 * f64::EPSILON), "{norm}");
    }
}

#[test]
fn the_regulariser_pulls_the_logits_towards_zero() {
    let desk = desk();
    assert_code(&desk.invert(&["--regularizer", "0"]), 0);
    let free = desk.result().values::<f64>("loss");
    assert_code(&desk.invert(&["--regularizer", "0.1"]), 0);
    let pulled = desk.result().values::<f64>("loss");
    assert!(free[0] < 1e-20 && pulled[0] > 1e-6, "{free:?} {pulled:?}");
    // The same by the file's array.
    let weights = [0.1; OUTCOMES];
    let problem = Problem::new(Storage::PLAIN).with("w", &[OUTCOMES as u64], &weights);
    let by_file = Desk::new(&problem);
    assert_code(&by_file.invert(&[]), 0);
    assert_eq!(by_file.result().values::<f64>("loss"), pulled);
    // None was the best choice: then the file's array counts no more.
    let without = desk.invert(&[]);
    assert_code(&without, 0);
    let x = desk.result().values::<f64>("x");
    for choice in ["auto", "0"] {
        assert_code(&by_file.invert(&["--regularizer", choice]), 0);
        assert_eq!(by_file.result().values::<f64>("x"), x, "{choice}");
    }
    for command in ["invert", "evaluate", "certify"] {
        let help = stdout(&by_file.run(&[command, "--help"]));
        assert!(help.contains("--regularizer <auto|W>"), "{help}");
    }
}

#[test]
fn the_trace_has_a_line_for_each_iteration() {
    let desk = desk();
    assert_code(&desk.invert(&["--trace", "trace.csv"]), 0);
    let trace = String::from_utf8(desk.read("trace.csv")).unwrap();
    let mut lines = trace.lines();
    let columns: Vec<&str> = lines.next().unwrap().split(',').collect();
    let column = |name: &str| columns.iter().position(|c| *c == name).unwrap();
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    let iterations = desk.result().values::<i64>("iterations");
    let losses = desk.result().values::<f64>("loss");
    for target in 0..2 {
        let index = target.to_string();
        let own: Vec<_> = rows
            .iter()
            .filter(|row| row[column("target")] == index)
            .collect();
        // Iteration numbers rise from 0 by ones; a stage begins with the number it goes on from.
        assert_eq!(own[0][column("iteration")], "0");
        for pair in own.windows(2) {
            let number = |row: &[&str]| row[column("iteration")].parse::<i64>().unwrap();
            let begins = pair[0][column("stage")] != pair[1][column("stage")]
                || pair[0][column("restart")] != pair[1][column("restart")];
            assert_eq!(number(pair[1]), number(pair[0]) + i64::from(!begins));
        }
        let last = own.last().unwrap();
        assert_eq!(last[column("iteration")], iterations[target].to_string());
        assert_eq!(last[column("loss")].parse::<f64>().unwrap(), losses[target]);
        // Within a stage and a start, what is minimised never rises.
        for pair in own.windows(2) {
            let same = ["stage", "restart"]
                .iter()
                .all(|&name| pair[0][column(name)] == pair[1][column(name)]);
            let value = |row: &[&str]| row[column("stage_loss")].parse::<f64>().unwrap();
            assert!(!same || value(pair[1]) <= value(pair[0]));
        }
    }
}

#[test]
fn the_plot_is_a_picture() {
    let desk = desk();
    assert_code(&desk.invert(&["--plot", "plot.svg"]), 0);
    let plot = String::from_utf8(desk.read("plot.svg")).unwrap();
    assert!(plot.starts_with("<svg") && plot.trim_end().ends_with("</svg>"));
    let words = ["loss", "gradient norm", "iteration", "seconds"];
    for word in words.iter().chain(&["hardest first", "perfect-fit: 2"]) {
        assert!(plot.contains(word), "{word}");
    }
}
