//! Runs that are killed, interrupted, or cannot write.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's way to fail")]
#![cfg(unix)]

mod common;
mod long;

use common::{Desk, Storage, assert_code, forward, spread, stderr, stdout};
use long::{
    CHECKPOINTED, D, M, N, RESUMED, TARGETS, clear, iterations_kept, long_problem, long_solve,
    problem_of,
};
use serde_json::Value;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

fn start(desk: &Desk, options: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_twolayer"))
        .args(["invert", "problem.npz", "--out", "result.npz"])
        .args(options)
        .current_dir(desk.path("."))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("sh")
        .args(["-c", &format!("kill -{name} {}", child.id())])
        .status();
    assert!(sent.unwrap().success());
}

/// Moments between 0 and 1, the same on every run: the multiples of the golden ratio, which fill
/// the interval evenly.
fn moment(index: u32) -> f64 {
    (f64::from(index) * 0.618_033_988_749_895).fract()
}

#[test]
fn a_killed_run_always_resumes_and_ends_the_same() {
    let desk = Desk::new(&long_problem());
    let clock = Instant::now();
    assert_code(&desk.invert(&CHECKPOINTED), 0);
    let whole = clock.elapsed().as_secs_f64();
    let expected = desk.read("result.npz");
    let mut killed_on_the_way = 0;
    for index in 0..50 {
        std::fs::remove_file(desk.path("run.checkpoint")).unwrap();
        std::fs::remove_file(desk.path("result.npz")).unwrap();
        let mut child = start(&desk, &CHECKPOINTED);
        sleep(Duration::from_secs_f64(whole * moment(index)));
        child.kill().unwrap();
        child.wait().unwrap();
        let has_checkpoint = desk.files().contains(&"run.checkpoint".into());
        let has_result = desk.files().contains(&"result.npz".into());
        killed_on_the_way += u32::from(has_checkpoint && !has_result);
        assert_code(&desk.invert(&RESUMED), 0);
        assert_eq!(desk.read("result.npz"), expected, "kill number {index}");
    }
    println!("{killed_on_the_way} of 50 kills fell between the first checkpoint and the result");
    assert!(killed_on_the_way >= 10, "{killed_on_the_way}");
}

#[test]
fn a_run_killed_again_and_again_ends_the_same() {
    let desk = Desk::new(&long_problem());
    let clock = Instant::now();
    assert_code(&desk.invert(&[]), 0);
    let whole = clock.elapsed();
    let expected = desk.read("result.npz");
    for index in 0..6 {
        let mut child = start(&desk, &RESUMED);
        sleep(whole.mul_f64(0.1 + 0.3 * moment(index)));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert_code(&desk.invert(&RESUMED), 0);
    assert_eq!(desk.read("result.npz"), expected);
}

#[test]
fn a_single_solve_that_is_killed_goes_on_where_it_was() {
    let desk = Desk::new(&long_solve());
    let options = ["--max-iterations", "400"];
    let code = desk.invert(&options).status.code().unwrap();
    assert!(code < 2);
    let expected = desk.read("result.npz");
    let iterations = desk.result().values::<i64>("iterations")[0] as usize;
    clear(&desk);
    let checkpointed = [&CHECKPOINTED[..], &options].concat();
    let resumed = [&RESUMED[..], &options].concat();
    // That its state is kept changes nothing.
    let clock = Instant::now();
    assert_code(&desk.invert(&checkpointed), code);
    let whole = clock.elapsed();
    assert_eq!(desk.read("result.npz"), expected);
    let (mut kept, mut kills) = (0, 0);
    for index in 0..50 {
        clear(&desk);
        let mut child = start(&desk, &checkpointed);
        sleep(whole.mul_f64(moment(index)));
        child.kill().unwrap();
        child.wait().unwrap();
        let output = desk.invert(&resumed);
        assert_code(&output, code);
        assert_eq!(desk.read("result.npz"), expected, "kill number {index}");
        if let Some(count) = iterations_kept(&output) {
            assert!(count < iterations, "{count} of {iterations}");
            kept += count;
            kills += 1;
        }
    }
    println!(
        "{kills} of 50 kills fell within the solve of {iterations} iterations, of which {} were \
         kept on average",
        kept / kills.max(1)
    );
    assert!(kills >= 5 && kept > 32 * kills, "{kills} {kept}");
}

/// Of two runs that go on from one checkpoint, the times of an iteration are the same where it was
/// made before, and not where each made it itself.
#[test]
fn what_was_done_before_the_kill_is_not_done_again() {
    let desk = Desk::new(&long_solve());
    let traced = [&CHECKPOINTED[..], &["--trace", "trace.csv"]].concat();
    let mut child = start(&desk, &traced);
    while !desk.files().contains(&"run.checkpoint".into()) {
        sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let checkpoint = desk.read("run.checkpoint");
    let mut runs = Vec::new();
    for _ in 0..2 {
        clear(&desk);
        desk.write("run.checkpoint", &checkpoint);
        let output = desk.invert(&[&RESUMED[..], &["--trace", "trace.csv"]].concat());
        let kept = iterations_kept(&output).expect("a solve under way");
        let trace = String::from_utf8(desk.read("trace.csv")).unwrap();
        runs.push((kept, trace));
    }
    let [(kept, first), (_, second)] = &runs[..] else {
        panic!("two runs")
    };
    let pairs = first.lines().zip(second.lines());
    let same = pairs.take_while(|(first, second)| first == second).count();
    // The names of the columns, the start and every start of a descent have lines too.
    assert!(same > *kept && same < kept + 10, "{same} {kept}");
    assert!(first.lines().count() > kept + 32);
}

/// Targets that are out of reach are tried again: what that came to is kept, too.
#[test]
fn a_run_killed_among_other_starts_goes_on_there() {
    let mut b = Vec::new();
    let (a1, c1) = (spread(N * D, 1, 2.0), spread(N, 900, 1.0));
    let (a2, c2) = (spread(M * N, 2000, 3.0), spread(M, 9000, 1.0));
    let f: Vec<_> = (0..12)
        .map(|k| forward(&a1, &c1, &a2, &c2, &spread(D, 77 * k, 2.0)))
        .collect();
    for k in 0..12 {
        // Every other is the mean of two outputs.
        let other = if k % 2 == 0 { k } else { k - 1 };
        b.extend((0..M).map(|i| 0.5 * (f[k][i] + f[other][i])));
    }
    let desk = Desk::new(&long_problem().with("b", &[12, M as u64], &b));
    let options = ["--starts", "4"];
    let code = desk.invert(&options).status.code().unwrap();
    assert!(code < 2);
    let expected = desk.read("result.npz");
    clear(&desk);
    let clock = Instant::now();
    let kept = [&CHECKPOINTED[..], &options].concat();
    assert_code(&desk.invert(&kept), code);
    let whole = clock.elapsed();
    assert_eq!(desk.read("result.npz"), expected);
    let (mut among, mut within) = (0, 0);
    for index in 0..30 {
        clear(&desk);
        let mut child = start(&desk, &kept);
        sleep(whole.mul_f64(moment(index)));
        child.kill().unwrap();
        child.wait().unwrap();
        let resumed = desk.invert(&[&RESUMED[..], &options].concat());
        assert_code(&resumed, code);
        assert_eq!(desk.read("result.npz"), expected, "kill number {index}");
        let told = stderr(&resumed);
        among += u32::from(told.contains("12 finished targets") && told.contains("tried again"));
        within += u32::from(told.contains("12 finished targets") && told.contains("under way"));
    }
    println!(
        "{among} of 30 kills after a target that was tried again, {within} within such a solve"
    );
    assert!(among >= 5 && within >= 1, "{among} {within}");
}

/// What the theorem says of a run, without times.
fn theory(output: &Output) -> Value {
    let report: Value = serde_json::from_str(&stdout(output)).unwrap();
    let targets = report["targets"].as_array().unwrap();
    let theories = targets.iter().map(|target| target["theory"].clone());
    let theories: Vec<_> = theories.collect();
    assert!(theories.iter().all(|theory| theory["steps"].is_array()));
    theories.into()
}

#[test]
fn the_iterates_that_the_theorem_is_checked_on_are_kept() {
    let desk = Desk::new(&long_solve());
    let options = ["--theory", "--report", "json"];
    let whole = desk.invert(&options);
    let expected = theory(&whole);
    clear(&desk);
    let mut child = start(&desk, &[&CHECKPOINTED[..], &options].concat());
    while !desk.files().contains(&"run.checkpoint".into()) {
        sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let size = desk.read("run.checkpoint").len();
    let resumed = desk.invert(&[&RESUMED[..], &options].concat());
    let kept = iterations_kept(&resumed).expect("a solve under way");
    println!("a checkpoint of {size} bytes after {kept} iterations");
    assert!(theory(&resumed) == expected);
    // And what was found for a target that is finished.
    let again = desk.invert(&[&RESUMED[..], &options].concat());
    assert!(stderr(&again).contains("1 finished targets"));
    assert!(theory(&again) == expected);
}

#[test]
fn an_interrupted_run_ends_cleanly_with_what_is_done() {
    // So many that the signal comes before the end on a busy machine too.
    let targets = 8 * TARGETS;
    for name in ["INT", "TERM"] {
        let desk = Desk::new(&problem_of(targets));
        assert_code(&desk.invert(&[]), 0);
        let (x, losses) = {
            let result = desk.result();
            (result.values::<f64>("x"), result.values::<f64>("loss"))
        };
        let whole = desk.read("result.npz");
        std::fs::remove_file(desk.path("result.npz")).unwrap();

        let child = start(&desk, &CHECKPOINTED);
        while !desk.files().contains(&"run.checkpoint".into()) {
            sleep(Duration::from_millis(1));
        }
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        assert_code(&output, 130);
        let done = desk.result().values::<u8>("converged");
        assert!(!done.is_empty() && done.len() < targets, "{}", done.len());
        let finished: usize = done.iter().map(|&converged| usize::from(converged)).sum();
        let statement = format!("{finished} of {targets} targets are done");
        assert!(stderr(&output).contains(&statement), "{}", stderr(&output));
        assert!(stdout(&output).contains("stopped") == (finished < done.len()));
        // What is called converged is what the whole run finds.
        assert_eq!(
            desk.result().values::<f64>("x")[..finished * D],
            x[..finished * D]
        );
        assert_eq!(
            desk.result().values::<f64>("loss")[..finished],
            losses[..finished]
        );

        assert_code(&desk.invert(&RESUMED), 0);
        assert_eq!(desk.read("result.npz"), whole);
    }
}

#[test]
fn a_checkpoint_belongs_to_its_problem_and_options() {
    let desk = Desk::new(&long_problem());
    assert_code(&desk.invert(&CHECKPOINTED), 0);
    let refused = |options: &[&str], words: &[&str]| {
        let output = desk.invert(&[&RESUMED[..], options].concat());
        assert_code(&output, 2);
        for word in words {
            assert!(
                stderr(&output).contains(word),
                "{word}: {}",
                stderr(&output)
            );
        }
    };
    refused(
        &["--loss", "kl"],
        &["run.checkpoint", "--loss was squared", "kl"],
    );
    refused(&["--seed", "1"], &["--seed was 0"]);
    refused(&["--precision", "f32"], &["--precision was f64"]);
    refused(&["--radius", "3"], &["--radius was none"]);
    refused(&["--regularizer", "1"], &["the regulariser was none"]);
    let mut other = long_problem();
    let mut c2 = spread(M, 9000, 1.0);
    c2[7] += 1e-12;
    other.set("c2", Storage::PLAIN.array(&[M as u64], &c2));
    desk.write("problem.npz", &other.bytes());
    refused(&[], &["c2 was"]);
    // Without --resume nothing is overwritten.
    let before = desk.read("run.checkpoint");
    let output = desk.invert(&CHECKPOINTED);
    assert_code(&output, 2);
    assert!(stderr(&output).contains("--resume"), "{}", stderr(&output));
    assert_eq!(desk.read("run.checkpoint"), before);
}

#[test]
fn a_damaged_checkpoint_is_refused() {
    let desk = Desk::new(&long_problem());
    assert_code(&desk.invert(&CHECKPOINTED), 0);
    let whole = desk.read("run.checkpoint");
    for kept in [0, 5, 30, 60, whole.len() / 2, whole.len() - 1] {
        desk.write("run.checkpoint", &whole[..kept]);
        let output = desk.invert(&RESUMED);
        assert_code(&output, 2);
        assert!(
            stderr(&output).contains("run.checkpoint"),
            "{}",
            stderr(&output)
        );
    }
    for position in [3, 25, whole.len() / 3, whole.len() - 1] {
        let mut flipped = whole.clone();
        flipped[position] ^= 4;
        desk.write("run.checkpoint", &flipped);
        assert_code(&desk.invert(&RESUMED), 2);
    }
}

#[test]
fn a_checkpoint_that_cannot_be_written_is_an_error_that_names_it() {
    let desk = Desk::new(&long_problem());
    for (place, word) in [
        ("no/such/folder/x", "no/such/folder/x"),
        ("problem.npz/x", "problem.npz/x"),
        (".", "folder"),
        ("result.npz", "the result"),
    ] {
        let output = desk.invert(&["--checkpoint", place]);
        assert_code(&output, 2);
        assert!(stderr(&output).contains(word), "{}", stderr(&output));
        assert_eq!(desk.files(), ["problem.npz"]);
    }
}

/// A disk that fills up on the way, played by the limit on a file's size: the write fails midway,
/// as it does without space.
#[test]
fn a_full_disk_loses_no_earlier_checkpoint() {
    let desk = Desk::new(&long_problem());
    assert_code(&desk.invert(&[]), 0);
    let expected = desk.read("result.npz");
    std::fs::remove_file(desk.path("result.npz")).unwrap();
    // A few kilobytes: room for some targets and not for all. The signal that the limit sends is
    // ignored, so that the write sees an error.
    let script = format!(
        "trap '' XFSZ; ulimit -f 8; exec {} invert problem.npz --out result.npz {}",
        env!("CARGO_BIN_EXE_twolayer"),
        CHECKPOINTED.join(" ")
    );
    let output = Command::new("sh")
        .args(["-c", &script])
        .current_dir(desk.path("."))
        .output()
        .unwrap();
    assert_code(&output, 2);
    let message = stderr(&output);
    assert!(
        message.contains("run.checkpoint: cannot be written"),
        "{message}"
    );
    // The one before is whole, no half of a file is left, and the run goes on from it.
    assert_eq!(desk.files(), ["problem.npz", "run.checkpoint"]);
    let kept = desk.read("run.checkpoint").len();
    assert!(kept > 1000, "{kept}");
    let resumed = desk.invert(&RESUMED);
    assert_code(&resumed, 0);
    assert_eq!(desk.read("result.npz"), expected);
}
