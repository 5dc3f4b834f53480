//! Memory is computed before it is taken, and what was computed is enough.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's way to fail")]

mod common;

use common::{Desk, Problem, Storage, assert_code, forward, spread, stderr};
use peak_alloc::PeakAlloc;
use std::ffi::OsString;
use twolayer::LinearBackend;
use twolayer_faer::{Faer, FaerScalar};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

fn problem(d: usize, n: usize, m: usize, targets: usize) -> Problem {
    let mut problem = Problem::new(Storage::PLAIN);
    let uniform = vec![1.0 / m as f64; m * targets];
    let (du, nu, mu) = (d as u64, n as u64, m as u64);
    problem.set(
        "A1",
        Storage::PLAIN.array(&[nu, du], &spread(n * d, 1, 1.0)),
    );
    problem.set(
        "A2",
        Storage::PLAIN.array(&[mu, nu], &spread(m * n, 9, 1.0)),
    );
    problem.set("c1", Storage::PLAIN.array(&[nu], &spread(n, 5, 1.0)));
    problem.set("c2", Storage::PLAIN.array(&[mu], &spread(m, 7, 1.0)));
    problem.set("b", Storage::PLAIN.array(&[targets as u64, mu], &uniform));
    problem
}

/// The same with targets next to what the network puts out at the start: within reach and not met, so that
/// starts are looked for until the splitting is asked.
fn within_reach(d: usize, n: usize, m: usize, targets: usize) -> Problem {
    let mut problem = problem(d, n, m, targets);
    let x0 = spread(d, 3, 1.0);
    let (a1, c1) = (spread(n * d, 1, 1.0), spread(n, 5, 1.0));
    let (a2, c2) = (spread(m * n, 9, 1.0), spread(m, 7, 1.0));
    let f = forward(&a1, &c1, &a2, &c2, &x0);
    let row = |k: usize| -> Vec<f64> {
        let noise = spread(m, 11 + k, 0.05);
        let b: Vec<f64> = f.iter().zip(noise).map(|(f, e)| f * e.exp()).collect();
        let total: f64 = b.iter().sum();
        b.iter().map(|p| p / total).collect()
    };
    let b: Vec<f64> = (0..targets).flat_map(row).collect();
    let shape = [targets as u64, m as u64];
    problem.set("b", Storage::PLAIN.array(&shape, &b));
    problem.set("x0", Storage::PLAIN.array(&[d as u64], &x0));
    problem
}

/// The figure in the refusal of a run with hardly any memory.
fn stated(desk: &Desk, options: &[&str]) -> usize {
    let output = desk.invert(&[options, &["--max-memory", "1KiB"]].concat());
    assert_code(&output, 2);
    let message = stderr(&output);
    assert!(
        message.contains("problem.npz: needs") && message.contains("(1024 bytes)"),
        "{message}"
    );
    assert_eq!(desk.files(), ["problem.npz"]);
    let figure = message.split(['(', ')']).nth(1).unwrap();
    figure.trim_end_matches(" bytes").parse().unwrap()
}

/// The most that the same run allocates in this process.
fn taken(desk: &Desk, options: &[&str]) -> usize {
    let (problem, result) = (desk.path("problem.npz"), desk.path("result.npz"));
    let mut arguments: Vec<OsString> = vec!["twolayer".into(), "invert".into(), problem.into()];
    arguments.extend(["--out".into(), result.into(), "--quiet".into()]);
    arguments.extend(options.iter().map(Into::into));
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    twolayer_cli::run(arguments);
    std::fs::remove_file(desk.path("result.npz")).unwrap();
    MEMORY.peak_usage() - before
}

/// The program's own memory is not allocated but is the executable and its threads.
const PROGRAM: usize = 16 << 20;
const TEXT: usize = 1 << 20;

/// A run with no more memory than is stated, and one that goes on from where it ended.
fn check(desk: &Desk, shape: &str, options: &[&str]) {
    let stated = stated(desk, options);
    let limit = format!("{stated}B");
    let resumes = options.contains(&"--resume");
    for run in 1..=1 + u32::from(resumes) {
        let taken = taken(desk, &[options, &["--max-memory", &limit]].concat());
        let what = format!(
            "{shape} {}, run {run}: stated {stated} − {PROGRAM}, taken {taken}",
            options.join(" ")
        );
        println!("{what}");
        assert!(taken <= stated - PROGRAM + TEXT, "{what}");
        assert!(stated - PROGRAM <= 3 * taken || resumes, "{what}");
    }
    for name in desk.files() {
        if name != "problem.npz" {
            std::fs::remove_file(desk.path(&name)).unwrap();
        }
    }
}

/// Has this thread multiply once.
fn reserve<T: FaerScalar>() {
    let backend = Faer::<T>::sequential();
    let (a, all) = (backend.zeros(64, 64), Vec::from_iter(0..64));
    let (mut product, mut workspace) = (backend.zeros(64, 64), Default::default());
    backend.mul_inner(&a, &all, &a, &mut product, &mut workspace);
}

/// One test, so that no other allocates at the same time. Without the program's own 16 MiB the
/// figure must still do, but for a megabyte of text and tables, and not be more than three times too
/// large; where the way of a solve is kept, which may be shorter than the iterations allowed, it
/// only has to do.
#[test]
fn what_is_stated_is_enough_and_not_much_more() {
    // faer reserves buffers as large as the processor's caches, once for each thread that multiplies.
    taken(&Desk::new(&problem(40, 700, 500, 1)), &[]);
    rayon::broadcast(|_| (reserve::<f64>(), reserve::<f32>()));
    for (d, n, m, targets) in [
        (40, 700, 500, 1),
        (20, 300, 3000, 1),
        (150, 200, 180, 2),
        (4, 8, 2500, 60),
    ] {
        // Where outcomes are few, what is dearest is made for targets that seem within reach.
        let is_within_reach = m < 2 * d;
        let desk = Desk::new(&match is_within_reach {
            true => within_reach(d, n, m, targets),
            false => problem(d, n, m, targets),
        });
        for backend in ["faer", "nalgebra", "ndarray"] {
            for (precision, hessian) in [
                ("f64", "auto"),
                ("f32", "secant"),
                ("f64", "exact"),
                ("f64", "mixed-precision"),
            ] {
                check(
                    &desk,
                    &format!("{d} × {n} × {m}, {targets} targets"),
                    &[
                        "--backend",
                        backend,
                        "--precision",
                        precision,
                        "--hessian",
                        hessian,
                        // b is out of reach: enough for the warm start to come to its dearest part.
                        "--max-iterations",
                        "40",
                    ],
                );
            }
        }
    }
    // What is kept on the way.
    for (d, n, m, targets) in [(40, 100, 80, 1), (4, 8, 25, 200)] {
        let desk = Desk::new(&problem(d, n, m, targets));
        let [file, table] = ["run.checkpoint", "trace.csv"].map(|name| desk.path(name));
        let (file, table) = (file.to_str().unwrap(), table.to_str().unwrap());
        let kept = [
            "--checkpoint",
            file,
            "--checkpoint-seconds",
            "0",
            "--resume",
        ];
        for options in [
            &["--max-iterations", "300"][..],
            &["--max-iterations", "300", "--trace", table],
            &["--max-iterations", "300", "--theory"],
            &["--max-iterations", "100", "--starts", "3"],
        ] {
            let shape = format!("{d} × {n} × {m}, {targets} targets");
            check(&desk, &shape, &[&kept[..], options].concat());
        }
    }
}
