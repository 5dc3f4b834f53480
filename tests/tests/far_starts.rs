//! From far away the solver gets by the kinks that stop a descent.

use twolayer::{Inversion, LinearBackend, Scalar};
use twolayer::{Solver, Stage, Status};
use twolayer_tests::for_each_backend;
use twolayer_tests::problems::{Planted, rounded};

const SHAPE: (usize, usize, usize) = (32, 128, 256);
const NETWORKS: u64 = 8;

/// Where a descent on few outcomes goes on slowly, the one from where smooth ReLUs lead begins near a
/// solution; ten times nearer, counted in the objective of both, in most cases.
fn a_continuation_leads_near_solutions<B: LinearBackend>(backend: &B) {
    let (mut helped, mut met) = (0, 0);
    for seed in 0..NETWORKS {
        let planted = Planted::new(SHAPE, false, seed);
        let network = planted.network(backend).unwrap();
        let target = planted.target(&network).unwrap();
        let problem = Inversion::new(&network, &target).unwrap();
        let start: Vec<f64> = planted.start.iter().map(|x| -0.5 * x).collect();
        let solution = Solver::new().solve(&problem, &rounded(&start)).unwrap();
        met += usize::from(solution.status == Status::PerfectFit);
        let entries = solution.trace.iter();
        let on_rungs: Vec<_> = entries
            .filter(|entry| entry.stage == Stage::WarmStart)
            .collect();
        helped += on_rungs
            .windows(2)
            .filter(|pair| (pair[0].restart, pair[1].restart) == (0, 1))
            .filter(|pair| pair[1].stage_loss < B::Scalar::of(0.1) * pair[0].stage_loss)
            .count();
    }
    assert!(met >= 7, "{met} of {NETWORKS} solved");
    assert!(helped >= 5, "{helped} of {NETWORKS} helped");
}

/// Hardly more outcomes than unknowns: the continuation then works on all of them. Without it half of
/// these end at kinks.
fn a_continuation_helps_on_few_outcomes<B: LinearBackend>(backend: &B) {
    let met = (0..NETWORKS).filter(|&seed| {
        let planted = Planted::new((48, 192, 72), false, 100 + seed);
        let network = planted.network(backend).unwrap();
        let target = planted.target(&network).unwrap();
        let problem = Inversion::new(&network, &target).unwrap();
        let start: Vec<f64> = planted.start.iter().map(|x| -0.5 * x).collect();
        let solution = Solver::new().solve(&problem, &rounded(&start)).unwrap();
        solution.status == Status::PerfectFit
    });
    let met = met.count();
    assert!(met >= 7, "{met} of {NETWORKS} solved");
}

mod few_outcomes {
    use super::a_continuation_helps_on_few_outcomes as check;
    super::for_each_backend!(check);
}

mod far_starts {
    use super::a_continuation_leads_near_solutions as check;
    super::for_each_backend!(check);
}
