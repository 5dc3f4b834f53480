//! What is said of the theorem, against its definitions.

use twolayer::theory::{PROMISED_CONTRACTION, Recorder, examine};
use twolayer::{DenseHessian, Solver};
use twolayer::{
    Evaluation, Inversion, KullbackLeibler, LinearBackend, Loss, Objective, Regularizer,
    RowWeights, SquaredError, reduce,
};
use twolayer_faer::Faer;
use twolayer_tests::problems::Planted;

const SHAPE: (usize, usize, usize) = (6, 24, 40);

/// ‖(H(x) − H(y)) v‖ for a unit vector v, from the products; zero where a kink lies between.
fn change<B: LinearBackend<Scalar = f64>>(
    problem: &Inversion<'_, B>,
    x: &[f64],
    y: &[f64],
    v: &[f64],
) -> f64 {
    let product = |x: &[f64]| {
        let mut at = problem.new_evaluation();
        problem.evaluate(x, &[], &mut at);
        let mut product = vec![0.0; v.len()];
        twolayer_tests::hessian_vec(problem, &at, RowWeights::Exact, v, &mut product);
        (at, product)
    };
    let ((at, mut a), (other, b)) = (product(x), product(y));
    if at.flips_from(&other) > 0 {
        return 0.0;
    }
    reduce::axpy(-1.0, &b, &mut a);
    reduce::norm(&a)
}

#[test]
fn the_constants_bound_what_they_are_said_to() {
    let planted = Planted::new(SHAPE, true, 4);
    let network = planted.network(&Faer::<f64>::default()).unwrap();
    let target = planted.target(&network).unwrap();
    let heavy = Regularizer::uniform(0.1, SHAPE.2).unwrap();
    for loss in [&SquaredError as &dyn Loss<f64>, &KullbackLeibler] {
        let plain = Inversion::new(&network, &target).unwrap().with_loss(loss);
        for problem in [plain.clone(), plain.with_regularizer(&heavy).unwrap()] {
            let mut model = DenseHessian::new(&problem, RowWeights::Exact);
            let mut recorder = Recorder::new(&planted.start);
            let solution = Solver::new()
                .with_warm_start(false)
                .solve_with(&problem, &mut model, &planted.start, &mut recorder)
                .unwrap();
            let theory = examine(&problem, &problem, &mut model, &recorder, &solution.x);
            let x = &solution.x;
            let [least, largest] = theory.singular_values;
            for seed in 0..20 {
                let v = Planted::new((6, 1, 1), false, seed).solution;
                let length = reduce::norm(&v);
                let v: Vec<f64> = v.iter().map(|v| v / length).collect();
                // Singular values by the products C v, l by vᵀHv, M by the change of H v.
                let mut at = problem.new_evaluation();
                problem.evaluate(x, &[], &mut at);
                let mut product = vec![0.0; SHAPE.2];
                network.jacobian_vec(
                    &at.forward_pass().active,
                    &v,
                    &mut Default::default(),
                    &mut product,
                );
                let size = reduce::norm(&product);
                assert!(size >= least * (1.0 - 1e-12) && size <= largest * (1.0 + 1e-12));
                let mut product = vec![0.0; 6];
                twolayer_tests::hessian_vec(&problem, &at, RowWeights::Exact, &v, &mut product);
                assert!(reduce::dot(&v, &product) >= theory.strong_convexity * (1.0 - 1e-9));
                let near: Vec<f64> = x.iter().zip(&v).map(|(x, v)| x + 1e-6 * v).collect();
                let bound = theory.hessian_lipschitz * 1e-6;
                assert!(change(&problem, x, &near, &v) <= bound * (1.0 + 1e-3));
            }
            // Where the theorem applies, it holds; the exact model is exact.
            let roundoff = 1e-12 * reduce::norm(x);
            for step in &theory.steps {
                assert!(
                    step.epsilon.is_none_or(|epsilon| epsilon < 1e-8),
                    "{step:?}"
                );
                let promised =
                    step.within_region && step.flips == Some(0) && step.distance > roundoff;
                if let Some(contraction) = step.contraction.filter(|_| promised) {
                    assert!(contraction <= PROMISED_CONTRACTION, "{step:?}");
                }
            }
            assert_eq!(
                theory.least_weight,
                if problem.regularizer().is_some() {
                    0.1 * 0.1
                } else {
                    0.0
                }
            );
            assert_eq!(theory.steps.last().unwrap().distance, 0.0);
        }
    }
}

/// The Gauss–Newton matrix of a target out of reach differs from the Hessian by what it leaves out.
#[test]
fn epsilon_is_the_distance_between_the_matrices() {
    let planted = Planted::new(SHAPE, true, 4);
    let network = planted.network(&Faer::<f64>::default()).unwrap();
    let target = planted.target(&network).unwrap();
    let problem = Inversion::new(&network, &target).unwrap();
    let mut model = DenseHessian::new(&problem, RowWeights::GaussNewton);
    let recorder = Recorder::new(&planted.start);
    let theory = examine(&problem, &problem, &mut model, &recorder, &planted.solution);
    let Some(epsilon) = theory.steps[0].epsilon else {
        return;
    };
    // |vᵀ(H̃ − H)v| ≤ ε vᵀHv for every v, and for some nearly so.
    let mut at = problem.new_evaluation();
    problem.evaluate(&planted.start, &[], &mut at);
    let mut worst: f64 = 0.0;
    for seed in 0..400 {
        let v = Planted::new((6, 1, 1), false, seed).solution;
        let mut product = vec![0.0; 6];
        let mut form = |kind| {
            twolayer_tests::hessian_vec(&problem, &at, kind, &v, &mut product);
            reduce::dot(&v, &product)
        };
        let (exact, model) = (form(RowWeights::Exact), form(RowWeights::GaussNewton));
        worst = worst.max((model / exact - 1.0).abs());
    }
    assert!(
        worst <= epsilon * (1.0 + 1e-9) && worst >= 0.1 * epsilon,
        "{worst} {epsilon}"
    );
}
