//! Whole solves of generated problems.

use crate::{DISTANCES, properties, with_problem};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use twolayer::{DenseHessian, RowFactor, Silent, Solution, Solver};
use twolayer::{Evaluation, Scalar, Target, reduce};
use twolayer::{HessianApprox, Inversion, KullbackLeibler, LinearBackend, RowWeights};
use twolayer_tests::generators::{Case, cases, for_all};
use twolayer_tests::problems::{Planted, rounded};

properties!(
    no_accepted_step_raises_the_objective,
    a_solve_leaves_nothing_to_the_next,
);

const SOLVES: u32 = 24;

fn monotone<T: Scalar>(solution: &Solution<T>) -> bool {
    solution.trace.windows(2).all(|pair| {
        let same_descent = pair[0].stage == pair[1].stage && pair[0].restart == pair[1].restart;
        !same_descent || pair[1].stage_loss <= pair[0].stage_loss
    })
}

fn checked<'a, B: LinearBackend, H: HessianApprox<Inversion<'a, B>>>(
    case: &Case,
    problem: &Inversion<'a, B>,
    mut model: H,
) -> TestCaseResult {
    for warm in [true, false] {
        let solver = Solver::new().with_warm_start(warm).with_max_iterations(120);
        let solution = solver
            .solve_with(problem, &mut model, &rounded(&case.x), &mut Silent)
            .unwrap();
        prop_assert!(monotone(&solution), "{} rises", model.name());
        prop_assert!(reduce::all_finite(&solution.x) && solution.loss.to_f64().is_finite());
        prop_assert!(solution.gradient_norm.to_f64().is_finite());
    }
    Ok(())
}

fn no_accepted_step_raises_the_objective<B: LinearBackend>(backend: &B) {
    for_all(&cases(), SOLVES, |case| {
        for distance in DISTANCES {
            with_problem(backend, &case, distance, |problem, at| {
                let rows = RowFactor::new(problem, RowWeights::Secant);
                checked(&case, problem, rows)?;
                let exact = DenseHessian::new(problem, RowWeights::Exact);
                checked(&case, problem, exact)?;
                let solution = Solver::new().solve(problem, at.point()).unwrap();
                prop_assert!(solution.loss <= at.value());
                Ok(())
            })?;
        }
        Ok(())
    });
}

/// A model that has served other targets gives the same bits as a new one, random models too: K
/// targets in one call are K calls.
fn a_solve_leaves_nothing_to_the_next<B: LinearBackend>(backend: &B) {
    // So many outcomes that the default model samples them.
    let planted = Planted::new((3, 12, 64), true, 5);
    let network = planted.network(backend).unwrap();
    let targets = [planted.target(&network).unwrap(), {
        Target::new(rounded(&planted.unrelated)).unwrap()
    }];
    let start = rounded::<B::Scalar>(&planted.start);
    let problems = [0, 1, 0].map(|k| {
        Inversion::new(&network, &targets[k])
            .unwrap()
            .with_loss(&KullbackLeibler)
    });
    let solver = Solver::new().with_seed(3);
    let mut shared = solver.default_hessian(&problems[0]);
    for problem in &problems {
        let together = solver
            .solve_with(problem, &mut shared, &start, &mut Silent)
            .unwrap();
        let alone = solver.solve(problem, &start).unwrap();
        assert_eq!(together.x, alone.x);
        assert_eq!(together.loss, alone.loss);
        assert_eq!(together.iterations, alone.iterations);
    }
}
