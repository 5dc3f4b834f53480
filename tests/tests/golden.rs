//! Every formula of the objective against 60-digit arithmetic, on every backend and precision.
//!
//! Tolerances: the logits carry an error of u·Z, Z = ‖|A2|(|A1||x| + |c1|) + |c2|‖_∞, the data's own
//! rounding to the precision included; probabilities carry it relatively, and so do the terms in
//! them. With sums over n and d terms that makes value, gradient and Hessian accurate to
//! (n + d)(1 + Z)·u times 1, ‖C‖ and ‖C‖², times the size of the term's own factors.

use twolayer::DenseHessian;
use twolayer::{
    Evaluation, ForwardPass, HessianApprox, Inversion, KullbackLeibler, LinearBackend, LogitErrors,
    Loss, Objective, Regularizer, RowWeights, Scalar, SquaredError, Target,
};
use twolayer_tests::for_each_backend;
use twolayer_tests::golden::{Expected, Golden};
use twolayer_tests::problems::rounded;

/// No loss at all, so that the regulariser can be looked at alone.
#[derive(Debug)]
struct Nothing;

impl<T: Scalar> Loss<T> for Nothing {
    fn name(&self) -> &'static str {
        "nothing"
    }

    fn value(&self, _: &ForwardPass<T>, _: &Target<T>) -> T {
        T::zero()
    }

    fn logit_gradient(&self, _: &ForwardPass<T>, _: &Target<T>, gradient: &mut [T]) {
        gradient.fill(T::zero());
    }

    fn curvature(
        &self,
        pass: &ForwardPass<T>,
        _: &Target<T>,
        _: RowWeights,
        center: &mut [T],
        row_weights: &mut [T],
    ) {
        center.copy_from_slice(&pass.probabilities);
        row_weights.fill(T::zero());
    }

    fn rounding_error(&self, _: &ForwardPass<T>, _: &Target<T>, _: &LogitErrors<'_, T>) -> T {
        T::zero()
    }

    fn logit_gradient_errors(
        &self,
        _: &ForwardPass<T>,
        _: &Target<T>,
        _: &LogitErrors<'_, T>,
        bounds: &mut [T],
    ) {
        bounds.fill(T::zero());
    }
}

struct Case<'a> {
    name: String,
    expected: &'a Expected,
    /// What the value is short of the definition's, for a b that does not sum to 1 exactly.
    offset: f64,
    /// Bounds on value, ‖∂/∂z‖ and ‖∂²/∂z²‖.
    sizes: [f64; 3],
}

fn check<B: LinearBackend>(backend: &B) {
    let problems = Golden::all().unwrap();
    assert_eq!(problems.len(), 12);
    for golden in problems {
        let network = golden.network(backend.clone()).unwrap();
        let target = golden.target().unwrap();
        let plain = Inversion::new(&network, &target).unwrap();
        let regularizer = Regularizer::new(rounded(&golden.w)).unwrap();
        let excess = golden.b.iter().sum::<f64>() - 1.0;
        let heaviest = golden.w.iter().fold(0.0, |a: f64, w| a.max(w * w));
        let z = 1.0 + golden.logit_magnitude();
        let m = golden.m as f64;
        let case = |term: &str, expected, offset, sizes| Case {
            name: format!(
                "{} {} {} {term}",
                backend.name(),
                B::Scalar::NAME,
                golden.name
            ),
            expected,
            offset,
            sizes,
        };
        check_case(
            &plain.clone().with_loss(&SquaredError),
            &golden,
            case("squared", &golden.squared, 0.0, [2.0, 4.0, 2.5]),
        );
        check_case(
            &plain.clone().with_loss(&KullbackLeibler),
            &golden,
            case("kl", &golden.kl, -excess, [1.0, 2.0, 1.0]),
        );
        check_case(
            &plain
                .with_loss(&Nothing)
                .with_regularizer(&regularizer)
                .unwrap(),
            &golden,
            case(
                "regulariser",
                &golden.regulariser,
                0.0,
                [heaviest * m * z * z, heaviest * m.sqrt() * z, heaviest],
            ),
        );
    }
}

fn check_case<B: LinearBackend>(problem: &Inversion<'_, B>, golden: &Golden, case: Case<'_>) {
    let Case {
        name,
        expected,
        offset,
        sizes,
    } = case;
    let roundoff = B::Scalar::UNIT_ROUNDOFF.to_f64();
    let relative = 4.0 * (golden.n + golden.d) as f64 * (1.0 + golden.logit_magnitude()) * roundoff;
    let jacobian = golden.jacobian_magnitude();

    let mut at = problem.new_evaluation();
    problem.evaluate(&rounded(&golden.x), &[], &mut at);
    problem.differentiate(&mut at);
    assert_eq!(at.forward_pass().pattern, golden.active, "{name}: pattern");

    let error = (at.value().to_f64() - (expected.value + offset)).abs();
    assert!(
        error <= relative * sizes[0],
        "{name}: value off by {error:e}"
    );

    let error = distance(at.gradient(), &expected.gradient);
    let bound = relative * jacobian * sizes[1];
    assert!(
        error <= bound,
        "{name}: gradient off by {error:e}, bound {bound:e}"
    );

    let bound = relative * jacobian * jacobian * sizes[2];
    let mut model = DenseHessian::new(problem, RowWeights::Exact);
    model.build(problem, &at);
    let mut product = vec![B::Scalar::of(0.0); golden.d];
    for j in 0..golden.d {
        let row = &model.matrix()[j * golden.d..(j + 1) * golden.d];
        let error = distance(row, &expected.hessian[j]);
        assert!(
            error <= bound,
            "{name}: Hessian row {j} off by {error:e}, bound {bound:e}"
        );

        let unit: Vec<_> = (0..golden.d)
            .map(|i| B::Scalar::of(f64::from(u8::from(i == j))))
            .collect();
        twolayer_tests::hessian_vec(problem, &at, RowWeights::Exact, &unit, &mut product);
        let error = distance(&product, &expected.hessian[j]);
        assert!(
            error <= bound,
            "{name}: Hessian·e{j} off by {error:e}, bound {bound:e}"
        );
    }
}

fn distance<T: Scalar>(found: &[T], expected: &[f64]) -> f64 {
    let square = |(&f, &e): (&T, &f64)| (f.to_f64() - e).powi(2);
    found.iter().zip(expected).map(square).sum::<f64>().sqrt()
}

for_each_backend!(check);
