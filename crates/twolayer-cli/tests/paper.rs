//! `twolayer invert --method paper`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's way to fail")]

mod common;

use common::{
    Desk, INPUTS, OUTCOMES, PLANTED, Problem, Storage, UNITS, assert_code, forward, schema, stderr,
    stdout, weights,
};
use serde_json::Value;

const PAPER: [&str; 2] = ["--method", "paper"];
const WEIGHT: f64 = 0.05;

type Vector = [f64; INPUTS];

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// ∇L_reg and ∇²L_reg at x by the paper's own formulas, Cᵀ(B + W²)C with B = 2[J² + diag(f∘r) − (f∘r)fᵀ −
/// f(f∘r)ᵀ − σ diag(f) + 2σ ffᵀ], J = diag(f) − ffᵀ, of the problem with the target f(`planted`).
fn derivatives(planted: &Vector, x: &Vector) -> (Vector, [Vector; INPUTS]) {
    let [a1, c1, a2, c2] = weights().map(|v| {
        let single = v.into_iter().map(|x| f64::from(x as f32));
        single.collect::<Vec<_>>()
    });
    let b = forward(&a1, &c1, &a2, &c2, planted);
    let f = forward(&a1, &c1, &a2, &c2, x);
    let h: Vec<f64> = (0..UNITS)
        .map(|i| dot(&a1[i * INPUTS..][..INPUTS], x) + c1[i])
        .collect();
    let row = |j: usize| &a2[j * UNITS..][..UNITS];
    let c: Vec<Vector> = (0..OUTCOMES)
        .map(|j| {
            std::array::from_fn(|k| {
                let on = (0..UNITS).filter(|&i| h[i] > 0.0);
                on.map(|i| row(j)[i] * a1[i * INPUTS + k]).sum()
            })
        })
        .collect();
    let active: Vec<f64> = h.iter().map(|h| h.max(0.0)).collect();
    let u: Vec<f64> = (0..OUTCOMES).map(|j| dot(row(j), &active)).collect();
    let r: Vec<f64> = f.iter().zip(&b).map(|(f, b)| f - b).collect();
    let sigma = dot(&f, &r);
    let unit = |i: usize, j: usize| f64::from(u8::from(i == j));
    let jacobian = |i: usize, j: usize| unit(i, j) * f[i] - f[i] * f[j];
    let bend = |i: usize, j: usize| {
        let square: f64 = (0..OUTCOMES).map(|l| jacobian(i, l) * jacobian(l, j)).sum();
        let diagonal = unit(i, j) * (f[i] * r[i] - sigma * f[i]);
        let rank = f[i] * r[i] * f[j] + f[i] * f[j] * r[j] - 2.0 * sigma * f[i] * f[j];
        2.0 * (square + diagonal - rank) + unit(i, j) * WEIGHT * WEIGHT
    };
    // ∂L/∂z = 2 J r, and W²u.
    let slope: Vec<f64> = (0..OUTCOMES)
        .map(|i| {
            let loss: f64 = (0..OUTCOMES).map(|j| 2.0 * jacobian(i, j) * r[j]).sum();
            loss + WEIGHT * WEIGHT * u[i]
        })
        .collect();
    let gradient = std::array::from_fn(|k| (0..OUTCOMES).map(|i| c[i][k] * slope[i]).sum());
    let hessian = std::array::from_fn(|k| {
        std::array::from_fn(|l| {
            let pairs = (0..OUTCOMES).flat_map(|i| (0..OUTCOMES).map(move |j| (i, j)));
            pairs.map(|(i, j)| c[i][k] * bend(i, j) * c[j][l]).sum()
        })
    });
    (gradient, hessian)
}

/// H⁻¹ g by Gauss's elimination, with the condition of H by the columns of its inverse.
fn solved(hessian: &[Vector; INPUTS], gradient: &Vector) -> (Vector, f64) {
    let solve = |rhs: &Vector| {
        let (mut h, mut x) = (*hessian, *rhs);
        for p in 0..INPUTS {
            for i in (0..INPUTS).filter(|&i| i != p) {
                let factor = h[i][p] / h[p][p];
                let above = h[p];
                for (entry, above) in h[i].iter_mut().zip(above) {
                    *entry -= factor * above;
                }
                x[i] -= factor * x[p];
            }
        }
        std::array::from_fn::<_, INPUTS, _>(|i| x[i] / h[i][i])
    };
    let unit = |j: usize| std::array::from_fn(|i| f64::from(u8::from(i == j)));
    let inverse: f64 = (0..INPUTS)
        .map(|j| dot(&solve(&unit(j)), &solve(&unit(j))))
        .sum();
    let size: f64 = hessian.iter().map(|row| dot(row, row)).sum();
    (solve(gradient), (inverse * size).sqrt())
}

fn starts() -> Vec<Vector> {
    PLANTED
        .map(|x| std::array::from_fn(|k| x[k] + [2e-3, -1e-3, 1e-3][k]))
        .to_vec()
}

fn desk() -> Desk {
    let starts = starts();
    let shape = [starts.len() as u64, INPUTS as u64];
    Desk::new(&Problem::new(Storage::PLAIN).with("x0", &shape, starts.as_flattened()))
}

fn invert(desk: &Desk, options: &[&str]) -> (i32, Vec<f64>) {
    let output = desk.invert(&[&PAPER[..], options].concat());
    let code = output.status.code().unwrap();
    assert!(code < 2, "{}", stderr(&output));
    (code, desk.result().values("x"))
}

/// Every iterate is that of the formulas, to the rounding of the systems solved.
#[test]
fn the_iterates_are_those_of_the_papers_formulas() {
    let desk = desk();
    let weight = WEIGHT.to_string();
    let mut expected = starts();
    let mut tolerance = 0.0;
    for steps in ["1", "2", "3"] {
        for (x, planted) in expected.iter_mut().zip(&PLANTED) {
            let (gradient, hessian) = derivatives(planted, x);
            let (step, condition) = solved(&hessian, &gradient);
            x.iter_mut().zip(&step).for_each(|(x, step)| *x -= step);
            tolerance += 64.0 * f64::EPSILON * condition;
        }
        assert!(tolerance < 1e-8, "{tolerance:e}");
        let (_, x) = invert(
            &desk,
            &["--regularizer", &weight, "--max-iterations", steps],
        );
        for (x, expected) in x.iter().zip(expected.as_flattened()) {
            assert!(
                (x - expected).abs() <= tolerance,
                "{x} {expected} {tolerance:e}"
            );
        }
    }
}

#[test]
fn what_arrives_is_reported_as_of_any_solve() {
    let desk = desk();
    let options = ["--trace", "trace.csv", "--theory", "--report", "json"];
    let output = desk.invert(&[&PAPER[..], &options].concat());
    assert_code(&output, 0);
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(schema::check(&report, "invert"), Ok(()));
    let x: Vec<f64> = desk.result().values("x");
    let planted = PLANTED.as_flattened();
    assert!(x.iter().zip(planted).all(|(x, p)| (x - p).abs() < 1e-9));
    let trace = String::from_utf8(desk.read("trace.csv")).unwrap();
    for (number, target) in report["targets"].as_array().unwrap().iter().enumerate() {
        assert!(target["converged"] == true && target["broken_assumptions"].is_null());
        let iterations = target["iterations"].as_u64().unwrap();
        let lines = trace
            .lines()
            .filter(|l| l.starts_with(&format!("{number},")));
        assert_eq!(lines.count() as u64, iterations + 1);
        let steps = target["theory"]["steps"].as_array().unwrap();
        assert_eq!(steps.len() as u64, iterations + 1);
    }
    // One thread or several, alone or in a part.
    let whole = desk.read("result.npz");
    for options in [&["--threads", "1"][..], &["--threads", "2"]] {
        invert(&desk, options);
        assert!(desk.read("result.npz") == whole);
    }
    let (_, part) = invert(&desk, &["--shard", "2/2"]);
    assert_eq!(part, x[INPUTS..]);
}

#[test]
fn what_does_not_arrive_says_which_assumption_failed() {
    let desk = desk();
    let output = desk.invert(&[&PAPER[..], &["--start", "zero", "--report", "json"]].concat());
    assert_code(&output, 1);
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(schema::check(&report, "invert"), Ok(()));
    let targets = report["targets"].as_array().unwrap();
    let mut failed = 0;
    for target in targets.iter().filter(|target| target["converged"] == false) {
        let broken = target["broken_assumptions"].as_array().unwrap();
        assert!(!broken.is_empty());
        failed += 1;
    }
    let output = desk.invert(&[&PAPER[..], &["--start", "zero"]].concat());
    let told = stdout(&output)
        .matches("the theorem promises nothing: ")
        .count();
    assert!(failed > 0 && told >= failed, "{}", stdout(&output));
}

#[test]
fn what_the_paper_has_not_is_refused_by_name() {
    let desk = desk();
    desk.write(
        "near.npy",
        &Storage::PLAIN.array(&[INPUTS as u64], &[0.0; INPUTS]),
    );
    for (options, name) in [
        (&["--loss", "kl"][..], "--loss kl"),
        (&["--radius", "1"], "--radius"),
        (&["--tolerance", "1e-3"], "--tolerance"),
        (&["--starts", "2"], "--starts"),
        (&["--checkpoint", "run"], "--checkpoint"),
        (&["--hessian", "mixed-precision"], "mixed-precision"),
        (&["--lower", "0"], "--lower"),
        (&["--near", "near.npy", "--near-weight", "1"], "--near"),
        (&["--activation", "tanh"], "two layers with ReLU"),
    ] {
        let output = desk.invert(&[&PAPER[..], options].concat());
        assert_code(&output, 2);
        assert!(stderr(&output).contains(name), "{}", stderr(&output));
        assert!(!desk.files().contains(&"result.npz".into()));
    }
}

/// A bad start is told as by any solve, and skipped where that is asked for.
#[test]
fn a_bad_start_is_skipped() {
    let mut starts = starts();
    starts[1][0] = f64::NAN;
    let problem = Problem::new(Storage::PLAIN);
    let desk = Desk::new(&problem.with("x0", &[2, INPUTS as u64], starts.as_flattened()));
    let output = desk.invert(&PAPER);
    assert_code(&output, 2);
    assert!(stderr(&output).contains("target 1"), "{}", stderr(&output));
    let (code, x) = invert(&desk, &["--skip-bad"]);
    assert_eq!(code, 1);
    assert!(x[..INPUTS].iter().all(|x| x.is_finite()) && x[INPUTS..].iter().all(|x| x.is_nan()));
}
