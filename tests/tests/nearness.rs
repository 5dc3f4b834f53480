//! The term for how far x is from a point: its derivatives, and where its minima lie.

use twolayer::{
    Curvature, Evaluation, Inversion, KullbackLeibler, Loss, Nearness, NumberFormat, Objective,
    Regularizer, RowStructured, RowWeights, Solver, SquaredError, Status, Target,
};
use twolayer_faer::Faer;
use twolayer_tests::problems::Planted;

const SHAPE: (usize, usize, usize) = (6, 30, 9);

/// x_ref, and scales one of which is 0.
fn nearness(planted: &Planted) -> Nearness<f64> {
    let reference = planted.start.iter().map(|x| 0.5 - x).collect();
    let scales = (0..SHAPE.0).map(|j| j as f64 / 3.0).collect();
    Nearness::with_scales(reference, 0.7, scales).unwrap()
}

/// Against differences, with the exact Hessian of the rows; C and its products belong together.
#[test]
fn derivatives_are_those_of_the_value() {
    let losses: [&dyn Loss<f64>; 2] = [&SquaredError, &KullbackLeibler];
    for seed in 0..10 {
        let planted = Planted::new(SHAPE, true, seed);
        let network = planted.network(&Faer::<f64>::sequential()).unwrap();
        let target = Target::new(planted.unrelated.clone()).unwrap();
        let (nearness, weights) = (nearness(&planted), Regularizer::uniform(0.2, 9).unwrap());
        for (loss, regularized) in [(losses[0], false), (losses[1], true)] {
            let mut problem = Inversion::new(&network, &target)
                .unwrap()
                .with_loss(loss)
                .with_nearness(&nearness)
                .unwrap();
            if regularized {
                problem = problem.with_regularizer(&weights).unwrap();
            }
            let mut at = problem.new_evaluation();
            let mut differentiated = |x: &[f64]| {
                problem.evaluate(x, &[], &mut at);
                problem.differentiate(&mut at);
                (at.value(), at.gradient().to_vec())
            };
            let x = planted.start.clone();
            let (value, gradient) = differentiated(&x);
            let direction: Vec<f64> = (0..6).map(|j| (1.0 + j as f64).sin()).collect();
            let step = 1e-6;
            let moved = |sign: f64| -> Vec<f64> {
                let pairs = x.iter().zip(&direction);
                pairs.map(|(x, p)| x + sign * step * p).collect()
            };
            let (ahead, behind) = (differentiated(&moved(1.0)), differentiated(&moved(-1.0)));
            let dot = |u: &[f64], v: &[f64]| u.iter().zip(v).map(|(u, v)| u * v).sum::<f64>();
            let slope = (ahead.0 - behind.0) / (2.0 * step);
            // Rounding of the values over the step, and the step squared.
            let error = 1e-9 * (1.0 + value);
            assert!((slope - dot(&gradient, &direction)).abs() < error, "{seed}");
            problem.evaluate(&x, &[], &mut at);
            problem.differentiate(&mut at);
            let mut curvature = Curvature::new(problem.rows());
            problem.curvature(&at, RowWeights::Exact, &mut curvature);
            let (mut product, mut scratch) = (vec![0.0; 6], Default::default());
            problem.hessian_vec(&at, &curvature, &direction, &mut scratch, &mut product);
            for (j, told) in product.iter().enumerate() {
                let bend = (ahead.1[j] - behind.1[j]) / (2.0 * step);
                let error = 1e-7 * (1.0 + bend.abs());
                assert!((bend - told).abs() < error, "{seed} {j}");
            }
            // gradient = Cᵀu.
            let u = problem.row_gradient(&at).to_vec();
            problem.jacobian_transposed_vec(&at, &u, &mut scratch, &mut product);
            assert!(
                product
                    .iter()
                    .zip(&gradient)
                    .all(|(p, g)| (p - g).abs() < 1e-14)
            );
        }
    }
}

/// Without units that are on the loss is constant: the minimum is x_ref itself.
#[test]
fn where_nothing_else_counts_the_minimum_is_the_point() {
    let planted = Planted::new(SHAPE, false, 3);
    let network = planted.network(&Faer::<f64>::sequential()).unwrap();
    let network = network.with_biases(vec![-50.0; 30], vec![0.0; 9]).unwrap();
    let target = Target::new(planted.unrelated.clone()).unwrap();
    let nearness = Nearness::new(vec![0.25; 6], 2.0).unwrap();
    let problem = Inversion::new(&network, &target)
        .unwrap()
        .with_nearness(&nearness)
        .unwrap();
    let solution = Solver::new().solve(&problem, &planted.start).unwrap();
    assert!(solution.status.is_converged(), "{}", solution.status);
    assert!(
        solution.x.iter().all(|x| (x - 0.25).abs() < 1e-12),
        "{:?}",
        solution.x
    );
}

/// Fewer outcomes than inputs: as μ falls the minimiser comes to have the output b, its misfit like μ², where μ is
/// below the curvature of the loss, which has the squares of probabilities in it.
#[test]
fn the_misfit_falls_like_the_square_of_the_weight() {
    let made = (0..100).map(|seed| Planted::new((12, 60, 4), true, seed));
    let mut kind = made.filter_map(|planted| {
        let network = planted.network(&Faer::<f64>::sequential()).unwrap();
        let target = planted.target(&network).unwrap();
        let is_kind = target.probabilities().iter().all(|&p| p > 0.05);
        is_kind.then_some((planted, network, target))
    });
    let (planted, network, target) = kind.next().unwrap();
    let mut x = planted.start.clone();
    let mut losses = Vec::new();
    for weight in [1e-3, 1e-4, 1e-5, 1e-6] {
        let nearness = Nearness::new(planted.start.clone(), weight).unwrap();
        let problem = Inversion::new(&network, &target)
            .unwrap()
            .with_nearness(&nearness)
            .unwrap();
        let solver = Solver::new().with_warm_start(false);
        let solution = solver.solve(&problem, &x).unwrap();
        assert!(solution.status.is_converged(), "{}", solution.status);
        assert_ne!(solution.status, Status::PerfectFit);
        x.clone_from(&solution.x);
        let mut at = problem.new_evaluation();
        problem.evaluate(&x, &solution.pinned, &mut at);
        losses.push(at.loss());
    }
    for pair in losses[1..].windows(2) {
        let ratio = pair[0] / pair[1];
        assert!((80.0..125.0).contains(&ratio), "{losses:?}");
    }
}

/// A b in single precision is met long before the x is found that is nearest.
#[test]
fn a_rounded_target_does_not_end_it() {
    let planted = Planted::new((12, 60, 4), true, 5);
    let network = planted.network(&Faer::<f64>::sequential()).unwrap();
    let f = network.probabilities(&planted.solution).unwrap();
    let rounded = f.iter().map(|&p| f64::from(p as f32));
    let target = Target::stored_as(rounded.collect(), NumberFormat::Single).unwrap();
    let nearness = Nearness::new(planted.start.clone(), 1e-15).unwrap();
    let problem = Inversion::new(&network, &target).unwrap();
    let met = Solver::new().solve(&problem, &planted.start).unwrap();
    assert!(met.status.is_met());
    let problem = problem.with_nearness(&nearness).unwrap();
    let solution = Solver::new().solve(&problem, &planted.start).unwrap();
    assert!(!solution.status.is_met() && solution.status.is_converged());
}
