//! The loop of a solve allocates nothing once it runs.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use std::ops::ControlFlow;
use twolayer::{
    Adaptive, ConjugateGradient, Observer, RowFactor, Run, Sketched, Solver, Stage, TraceEntry,
};
use twolayer::{HessianApprox, Inversion, KullbackLeibler, RowWeights, Target};
use twolayer_faer::Faer;
use twolayer_tests::problems::Planted;

struct Last {
    stage: Stage,
    restart: usize,
    pinned: usize,
    rows: usize,
}

impl Observer<f64> for Last {
    fn observe(&mut self, entry: &TraceEntry<f64>, _: &[f64]) -> ControlFlow<()> {
        (self.stage, self.restart, self.pinned) = (entry.stage, entry.restart, entry.pinned);
        self.rows = self.rows.max(entry.rows_used);
        ControlFlow::Continue(())
    }
}

/// Allocations of each iteration that began and ended in one descent with no kink pinned, from the
/// descent's third on.
fn allocations<'a, H: HessianApprox<Inversion<'a, Faer<f64>>>>(
    problem: &Inversion<'a, Faer<f64>>,
    mut hessian: H,
    start: &[f64],
    warm: bool,
) -> Vec<u64> {
    let solver = Solver::new().with_warm_start(warm).with_max_iterations(60);
    let mut run = Run::new(solver, problem, &mut hessian, start).unwrap();
    let mut last = Last {
        stage: run.stage(),
        restart: 0,
        pinned: 0,
        rows: 0,
    };
    let (mut counts, mut length) = (Vec::new(), 0);
    let mut over = false;
    while !over {
        let (before, rows) = ((last.stage, last.restart, last.pinned), last.rows);
        let records = run.trace().len();
        let info = allocation_counter::measure(|| over = run.step(&mut last).is_some());
        let same = before == (last.stage, last.restart, 0) && last.pinned == 0;
        length = if same { length + 1 } else { 0 };
        // One that also begins another descent leaves two records; one that draws more rows than any
        // before needs room for them; every 32nd or so makes anew what updates have carried along.
        let goes_on = !over && run.trace().len() == records + 1 && run.snapshot().is_none();
        if length > 2 && goes_on && rows == last.rows {
            counts.push(info.count_total);
        }
    }
    counts
}

#[test]
fn an_iteration_without_kinks_allocates_nothing() {
    // One thread: handing work to another allocates the message.
    let backend = Faer::<f64>::sequential();
    let mut seen = 0;
    for seed in 0..4 {
        let planted = Planted::new((10, 60, 400), false, seed);
        let network = planted.network(&backend).unwrap();
        // Out of reach, so that the descent on the target has something to do.
        let b: Vec<f64> = network.probabilities(&planted.solution).unwrap();
        let skewed = b
            .iter()
            .zip(1_u32..)
            .map(|(p, i)| p * (1.3 + f64::from(i).sin()));
        let skewed: Vec<f64> = skewed.collect();
        let total: f64 = skewed.iter().sum();
        let target = Target::new(skewed.iter().map(|p| p / total).collect()).unwrap();
        let squared = Inversion::new(&network, &target).unwrap();
        let divergence = squared.clone().with_loss(&KullbackLeibler);
        for problem in [&squared, &divergence] {
            let (x0, secant, rows) = (&planted.start, RowWeights::Secant, 80);
            let refined = ConjugateGradient::new(problem, secant, rows, 0);
            for counts in [
                allocations(problem, Adaptive::new(problem, 0), x0, true),
                allocations(problem, Adaptive::new(problem, 0), x0, false),
                allocations(problem, RowFactor::new(problem, secant), x0, false),
                allocations(
                    problem,
                    RowFactor::sampled(problem, secant, rows, 0),
                    x0,
                    false,
                ),
                allocations(problem, Sketched::new(problem, secant, rows, 0), x0, false),
                allocations(problem, refined, x0, false),
            ] {
                assert!(counts.iter().all(|&count| count == 0), "{counts:?}");
                seen += counts.len();
            }
        }
    }
    println!("{seen} iterations");
    assert!(seen > 50, "only {seen} iterations were looked at");
}
