//! What a checkpoint is gone on from: the same run, and those of more.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's way to fail")]

mod common;
mod long;

use common::{Desk, Problem, Storage, assert_code, forward, npy, spread, stderr, stdout};
use long::{
    CHECKPOINTED, D, M, N, RESUMED, TARGETS, clear, iterations_kept, long_problem, long_solve,
    problem_of,
};
use npyz::Order;
use serde_json::Value;

/// The result of a run of its own.
fn whole(desk: &Desk, options: &[&str]) -> (Option<i32>, Vec<u8>) {
    clear(desk);
    let code = desk.invert(options).status.code();
    let result = desk.read("result.npz");
    clear(desk);
    (code, result)
}

fn run(desk: &Desk, kept: &[&str], options: &[&str]) -> std::process::Output {
    let output = desk.invert(&[kept, options].concat());
    assert!(output.status.code() < Some(2), "{}", stderr(&output));
    output
}

/// Runs to the end with some options, and on with others: the result is that of the others alone.
fn goes_on(desk: &Desk, before: &[&str], then: &[&str]) -> String {
    let (code, expected) = whole(desk, then);
    run(desk, &CHECKPOINTED, before);
    let output = run(desk, &RESUMED, then);
    assert_eq!(output.status.code(), code, "{before:?} then {then:?}");
    assert!(
        desk.read("result.npz") == expected,
        "{before:?} then {then:?}"
    );
    stderr(&output)
}

#[test]
fn a_single_solve_goes_on_with_a_higher_limit() {
    let desk = Desk::new(&long_solve());
    let limit = |limit| ["--max-iterations", limit];
    let told = goes_on(&desk, &limit("70"), &limit("400"));
    assert!(told.contains("0 finished targets"), "{told}");
    let output = desk.invert(&[&RESUMED[..], &limit("400")].concat());
    assert!(stderr(&output).contains("1 finished targets"));
    // The state at the limit is a moment of the longer solve.
    clear(&desk);
    run(&desk, &CHECKPOINTED, &limit("70"));
    let output = run(&desk, &RESUMED, &limit("100"));
    let kept = iterations_kept(&output).unwrap();
    assert!((32..=70).contains(&kept), "{kept}");
    // And it is so a second time.
    let output = run(&desk, &RESUMED, &limit("400"));
    let kept = iterations_kept(&output).unwrap();
    assert!((64..=100).contains(&kept), "{kept}");
    // A limit so low that no state was kept: from the beginning, to the same bits.
    let told = goes_on(&desk, &limit("5"), &limit("70"));
    assert!(told.contains("; 1 result does not fit"), "{told}");
}

#[test]
fn a_lower_limit_is_met_too() {
    let desk = Desk::new(&long_solve());
    let limit = |limit| ["--max-iterations", limit];
    goes_on(&desk, &limit("100"), &limit("70"));
    goes_on(&desk, &limit("400"), &limit("5"));
    let desk = Desk::new(&long_problem());
    goes_on(&desk, &limit("1000"), &limit("6"));
}

#[test]
fn many_targets_go_on_with_a_higher_limit() {
    let desk = Desk::new(&half_met(TARGETS));
    for starts in ["1", "3"] {
        let options = |limit| ["--max-iterations", limit, "--starts", starts];
        let told = goes_on(&desk, &options("12"), &options("40"));
        // Some were met before, and these are not solved again.
        let kept: usize = told
            .split_once("goes on from ")
            .and_then(|(_, rest)| rest.split(' ').next()?.parse().ok())
            .unwrap();
        assert!(0 < kept && kept < TARGETS, "{told}");
    }
}

/// Outputs and means of two, of which only some are met.
fn half_met(targets: usize) -> Problem {
    let (a1, c1) = (spread(N * D, 1, 2.0), spread(N, 900, 1.0));
    let (a2, c2) = (spread(M * N, 2000, 3.0), spread(M, 9000, 1.0));
    let output = |k: usize| forward(&a1, &c1, &a2, &c2, &spread(D, 77 * k, 2.0));
    let mut b = Vec::new();
    for k in 0..targets {
        let other = output(if k % 2 == 0 { k } else { k + 3 });
        let pairs = output(k).into_iter().zip(other);
        b.extend(pairs.map(|(p, q)| 0.5 * (p + q)));
    }
    long_problem().with("b", &[targets as u64, M as u64], &b)
}

#[test]
fn more_targets_go_on_from_the_first() {
    let desk = Desk::new(&problem_of(TARGETS));
    let (_, expected) = whole(&desk, &[]);
    desk.write("problem.npz", &problem_of(20).bytes());
    run(&desk, &CHECKPOINTED, &[]);
    desk.write("problem.npz", &problem_of(TARGETS).bytes());
    let output = run(&desk, &RESUMED, &[]);
    assert!(stderr(&output).contains("20 finished targets"));
    assert!(desk.read("result.npz") == expected);
    // They have other neighbours: what other starts came to before is of no use.
    let starts = ["--starts", "4"];
    desk.write("problem.npz", &half_met(16).bytes());
    let (_, expected) = whole(&desk, &starts);
    desk.write("problem.npz", &half_met(10).bytes());
    run(&desk, &CHECKPOINTED, &starts);
    desk.write("problem.npz", &half_met(16).bytes());
    let output = run(&desk, &RESUMED, &starts);
    let told = stderr(&output);
    assert!(told.contains("10 finished targets"), "{told}");
    assert!(!told.contains("tried again"), "{told}");
    assert!(desk.read("result.npz") == expected);
}

#[test]
fn other_starts_go_on_where_fewer_have_ended() {
    let desk = Desk::new(&half_met(12));
    let starts = |count| ["--starts", count];
    for (before, then) in [("1", "4"), ("2", "5"), ("5", "2"), ("4", "1"), ("3", "3")] {
        let told = goes_on(&desk, &starts(before), &starts(then));
        assert!(told.contains("12 finished targets"), "{told}");
        assert_eq!(told.contains("tried again"), before != "1", "{told}");
    }
}

/// The answers to permuted targets are permuted, on any number of threads, also with other starts.
#[test]
fn the_order_of_the_targets_changes_no_bit() {
    let count = 12;
    let desk = Desk::new(&half_met(count));
    let starts = spread(count * D, 31, 1.0);
    let solve = |order: &[usize], threads: &str| {
        let rows = |values: &[f64], length: usize| -> Vec<f64> {
            let rows = order.iter().flat_map(|&k| &values[k * length..][..length]);
            rows.copied().collect()
        };
        let problem = half_met(count);
        let b = problem.members.iter().find(|m| m.name == "b").unwrap();
        let b: Vec<f64> = npyz::NpyFile::new(&b.bytes[..])
            .unwrap()
            .into_vec()
            .unwrap();
        let problem = problem
            .with("b", &[count as u64, M as u64], &rows(&b, M))
            .with("x0", &[count as u64, D as u64], &rows(&starts, D));
        desk.write("problem.npz", &problem.bytes());
        run(&desk, &["--starts", "4", "--threads", threads], &[]);
        let result = desk.result();
        let (x, loss) = (result.values::<f64>("x"), result.values::<f64>("loss"));
        let iterations = result.values::<i64>("iterations");
        let row = |place: usize| {
            let x: Vec<u64> = x[place * D..][..D].iter().map(|x| x.to_bits()).collect();
            (x, loss[place].to_bits(), iterations[place])
        };
        (0..order.len()).map(row).collect::<Vec<_>>()
    };
    let straight: Vec<usize> = (0..count).collect();
    let expected = solve(&straight, "2");
    let backwards: Vec<usize> = (0..count).rev().collect();
    let by_steps: Vec<usize> = (0..count).map(|k| 5 * k % count).collect();
    for (order, threads) in [(&backwards, "1"), (&by_steps, "2"), (&straight, "1")] {
        for (found, &k) in solve(order, threads).iter().zip(order) {
            assert!(*found == expected[k], "target {k}");
        }
    }
}

/// A table of iterations is wanted only of the second run.
#[test]
fn a_table_that_was_not_kept_is_made() {
    let desk = Desk::new(&half_met(12));
    let traced = ["--trace", "trace.csv", "--starts", "2"];
    run(&desk, &[], &traced);
    // Without the last five columns, which are times.
    let table = |desk: &Desk| -> Vec<String> {
        let text = String::from_utf8(desk.read("trace.csv")).unwrap();
        let line = |line: &str| line.rsplitn(6, ',').last().unwrap_or_default().to_owned();
        text.lines().map(line).collect()
    };
    let expected = table(&desk);
    assert!(expected.len() > 100);
    clear(&desk);
    run(&desk, &CHECKPOINTED, &["--starts", "2"]);
    run(&desk, &RESUMED, &traced);
    assert!(table(&desk) == expected);
    // From one that has a table it is taken.
    let output = run(&desk, &RESUMED, &traced);
    let told = stderr(&output);
    assert!(told.contains("12 finished targets") && told.contains("tried again"));
    assert!(table(&desk) == expected);
}

#[test]
fn the_default_told_is_the_default() {
    let desk = Desk::new(&long_problem());
    run(&desk, &CHECKPOINTED, &[]);
    let result = desk.read("result.npz");
    for option in [
        ["--max-iterations", "1000"],
        ["--starts", "1"],
        ["--loss", "squared"],
        ["--hessian", "auto"],
        ["--backend", "faer"],
        ["--precision", "f64"],
        ["--seed", "0"],
        ["--regularizer", "0"],
        ["--start", "zero"],
        ["--threads", "1"],
        ["--time-limit", "1e9"],
    ] {
        let output = run(&desk, &RESUMED, &option);
        let told = stderr(&output);
        assert!(told.contains("48 finished targets"), "{option:?}: {told}");
        assert!(desk.read("result.npz") == result);
    }
    // The targets from a file of their own are the same targets, a start for each the same starts.
    let problem = problem_of(TARGETS);
    let b = problem.members.iter().find(|m| m.name == "b").unwrap();
    desk.write("b.npy", &b.bytes);
    let zeros = vec![0.0; TARGETS * D];
    let shape = [TARGETS as u64, D as u64];
    desk.write("x0.npy", &npy(&shape, zeros, Order::C));
    let output = run(
        &desk,
        &RESUMED,
        &["--targets", "b.npy", "--start", "x0.npy"],
    );
    assert!(stderr(&output).contains("48 finished targets"));
}

#[test]
fn what_differs_is_told_in_the_words_of_the_options() {
    let desk = Desk::new(&problem_of(10));
    assert_code(&desk.invert(&CHECKPOINTED), 0);
    let before = desk.read("run.checkpoint");
    let refused = |options: &[&str], words: &[&str]| {
        let output = desk.invert(&[&RESUMED[..], options].concat());
        assert_code(&output, 2);
        let told = stderr(&output);
        assert!(!told.to_lowercase().contains("some("), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
        for word in words {
            assert!(told.contains(word), "{word}: {told}");
        }
        assert_eq!(desk.read("run.checkpoint"), before);
    };
    refused(&["--loss", "kl"], &["--loss was squared, is kl"]);
    refused(
        &["--hessian", "conjugate-gradient"],
        &["--hessian was auto, is conjugate-gradient"],
    );
    refused(&["--radius", "30.5"], &["--radius was none, is 30.5"]);
    refused(&["--theory"], &["--theory was not given, is given"]);
    refused(
        &["--no-warm-start", "--seed", "7"],
        &["--seed was 0, is 7; --no-warm-start was not given, is given"],
    );
    let start = spread(D, 3, 1.0);
    desk.write("x0.npy", &npy(&[D as u64], start, Order::C));
    refused(&["--start", "x0.npy"], &["the start was ", ", is "]);
    // Other targets, fewer, and more than are solved in the same way.
    let mut other = problem_of(12);
    let (d, n) = (D as u64, N as u64);
    other.set("A1", Storage::PLAIN.array(&[n, d], &spread(N * D, 2, 2.0)));
    desk.write("problem.npz", &other.bytes());
    refused(&[], &["A1 was "]);
    desk.write("problem.npz", &half_met(12).bytes());
    refused(&[], &["b of the first 10 targets was "]);
    desk.write("problem.npz", &problem_of(9).bytes());
    refused(&[], &["the number of targets was 10, is 9"]);
    desk.write("problem.npz", &problem_of(5).bytes());
    refused(
        &[],
        &["the number of targets was 8 or more, is fewer than 8"],
    );
}

/// A run whose time is over has rows of the targets that it came to, and can go on.
#[test]
fn a_run_ends_when_its_time_is_over() {
    let desk = Desk::new(&long_solve());
    let (_, expected) = whole(&desk, &["--max-iterations", "400"]);
    let options = ["--max-iterations", "400", "--report", "json"];
    let output = desk.invert(&[&CHECKPOINTED[..], &options, &["--time-limit", "1e-9"]].concat());
    assert_code(&output, 1);
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    // None was begun, or one that ended at once.
    assert_eq!(report["not_started"], 1, "{report}");
    assert!(stderr(&output).contains("out of time: 0 of 1 targets are done"));
    run(&desk, &RESUMED, &options);
    assert!(desk.read("result.npz") == expected);

    let desk = Desk::new(&long_solve());
    let mut ended = 0;
    for limit in ["0.02", "0.05", "0.1", "0.2", "0.4"] {
        let output = desk.invert(&[&options[..], &["--time-limit", limit]].concat());
        let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
        if report["targets"][0]["status"] != "time-limit" {
            continue;
        }
        ended += 1;
        assert_code(&output, 1);
        assert_eq!(report["targets"][0]["converged"], false);
        let told = stderr(&output);
        assert!(told.contains("time-limit: raise the time limit"), "{told}");
        assert_eq!(desk.result().values::<u8>("converged"), [0]);
    }
    println!("{ended} of 5 were ended within the solve");
    for wrong in ["0", "-1", "nan", "soon"] {
        let output = desk.invert(&["--time-limit", wrong]);
        assert_code(&output, 2);
        assert!(stderr(&output).contains("--time-limit"));
    }
}
