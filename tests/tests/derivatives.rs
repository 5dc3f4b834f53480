//! Gradient and Hessian against differences of the value, and invariances, on random problems.

use proptest::prelude::*;
use twolayer::DenseHessian;
use twolayer::{
    Evaluation, HessianApprox, Inversion, Kinked, KullbackLeibler, LogRatio, Loss, Objective,
    Regularizer, RowWeights, SquaredError, Target, TwoLayer, reduce,
};
use twolayer_faer::Faer;
use twolayer_tests::problems::Planted;

const LOSSES: [&dyn Loss<f64>; 3] = [&SquaredError, &KullbackLeibler, &LogRatio];

fn value(problem: &Inversion<'_, Faer<f64>>, x: &[f64]) -> (f64, Vec<bool>) {
    let mut at = problem.new_evaluation();
    problem.evaluate(x, &[], &mut at);
    (at.value(), at.forward_pass().pattern.clone())
}

fn gradient(problem: &Inversion<'_, Faer<f64>>, x: &[f64]) -> Vec<f64> {
    let mut at = problem.new_evaluation();
    problem.evaluate(x, &[], &mut at);
    problem.differentiate(&mut at);
    at.gradient().to_vec()
}

/// x + h·direction and x − h·direction.
fn around(x: &[f64], direction: &[f64], h: f64) -> [Vec<f64>; 2] {
    [h, -h].map(|h| x.iter().zip(direction).map(|(x, p)| x + h * p).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn derivatives_are_the_limits_of_differences(
        d in 1_usize..6, n in 1_usize..10, m in 1_usize..12, seed: u64, weight in 0.0_f64..2.0,
    ) {
        let planted = Planted::new((d, n, m), true, seed);
        let network = planted.network(&Faer::<f64>::default()).unwrap();
        let target = Target::new(planted.unrelated.clone()).unwrap();
        let regularizer = Regularizer::uniform(weight, m).unwrap();
        let x = &planted.start;
        let direction: Vec<f64> = planted.solution.iter().map(|v| v.cos()).collect();
        for loss in LOSSES {
            let problem = Inversion::new(&network, &target).unwrap()
                .with_loss(loss).with_regularizer(&regularizer).unwrap();
            // Central differences: h²/6 times the third derivative plus rounding over h. With
            // h = 1e-5 both are near 1e-10 of the sizes that occur here (logits up to some tens).
            let h = 1e-5;
            let [ahead, behind] = around(x, &direction, h);
            let ((high, right), (low, left)) = (value(&problem, &ahead), value(&problem, &behind));
            prop_assume!(right == left);
            let size = 1.0 + high.abs();
            let g = gradient(&problem, x);
            let slope = reduce::dot(&g, &direction);
            let scale = size * (1.0 + reduce::norm(&g)) * 1e4;
            prop_assert!((slope - (high - low) / (2.0 * h)).abs() <= 1e-10 * scale,
                "{}: slope {slope} against {}", loss.name(), (high - low) / (2.0 * h));

            let mut at = problem.new_evaluation();
            problem.evaluate(x, &[], &mut at);
            problem.differentiate(&mut at);
            let mut product = vec![0.0; d];
            twolayer_tests::hessian_vec(&problem, &at, RowWeights::Exact, &direction, &mut product);
            let (ahead, behind) = (gradient(&problem, &ahead), gradient(&problem, &behind));
            let difference: Vec<f64> =
                ahead.iter().zip(&behind).map(|(a, b)| (a - b) / (2.0 * h)).collect();
            let error: Vec<f64> = product.iter().zip(&difference).map(|(p, q)| p - q).collect();
            let scale = 1e5 * (1.0 + reduce::norm(&ahead) + reduce::norm(&product));
            prop_assert!(reduce::norm(&error) <= 1e-10 * scale,
                "{}: Hessian product off by {:e}", loss.name(), reduce::norm(&error));
        }
    }

    /// A kink's slopes differ by what its column of A2 adds to the logits; so do second biases.
    #[test]
    fn jumps_of_slopes_are_the_limits_of_differences(
        d in 1_usize..6, n in 1_usize..10, m in 1_usize..12, seed: u64,
    ) {
        let planted = Planted::new((d, n, m), true, seed);
        let network = planted.network(&Faer::<f64>::default()).unwrap();
        let target = Target::new(planted.unrelated.clone()).unwrap();
        let x = &planted.start;
        let step: Vec<f64> = planted.solution.iter().map(|v| v.sin()).collect();
        let all: Vec<usize> = (0..n).collect();
        let last_first: Vec<usize> = (0..n).rev().collect();
        let jumps = |network: &TwoLayer<Faer<f64>>, loss, step, kinks: &[usize]| {
            let problem = Inversion::new(network, &target).unwrap().with_loss(loss);
            let mut at = problem.new_evaluation();
            problem.evaluate(x, &[], &mut at);
            problem.differentiate(&mut at);
            problem.foresee(&mut at, step);
            let mut jumps = vec![0.0; kinks.len()];
            problem.slope_jumps(&at, kinks, &mut jumps);
            jumps
        };
        let shifted = |direction: &[f64], h: f64| {
            let bias2 = network.bias2().iter().zip(direction);
            let bias2 = bias2.map(|(c, v)| c + h * v).collect();
            network.clone().with_biases(network.bias1().to_vec(), bias2).unwrap()
        };
        let h = 1e-5;
        let problem = Inversion::new(&network, &target).unwrap();
        let logits = |x: &[f64]| {
            let mut at = problem.new_evaluation();
            problem.evaluate(x, &[], &mut at);
            (at.forward_pass().logits.clone(), at.forward_pass().pattern.clone())
        };
        let [ahead, behind] = around(x, &step, h);
        let ((high, right), (low, left)) = (logits(&ahead), logits(&behind));
        prop_assume!(right == left);
        // C p.
        let change: Vec<f64> = high.iter().zip(&low).map(|(a, b)| (a - b) / (2.0 * h)).collect();
        for loss in LOSSES {
            let (here, foreseen) = (
                jumps(&network, loss, None, &all),
                jumps(&network, loss, Some(&step), &all),
            );
            for (found, of_all) in [
                (jumps(&network, loss, None, &last_first), &here),
                (jumps(&network, loss, Some(&step), &last_first), &foreseen),
            ] {
                let pairs = found.iter().rev().zip(of_all);
                let size = 1.0 + reduce::norm(of_all);
                prop_assert!(pairs.clone().all(|(a, b)| (a - b).abs() <= 1e-12 * size));
            }
            let [more, less] = [h, -h].map(|h| jumps(&shifted(&change, h), loss, None, &all));
            for unit in 0..n {
                let column: Vec<f64> = (0..m).map(|row| network.a2()[(row, unit)]).collect();
                let value = |h| value(
                    &Inversion::new(&shifted(&column, h), &target).unwrap().with_loss(loss), x,
                ).0;
                let (high, low) = (value(h), value(-h));
                // As for the gradient and the Hessian above.
                let scale = 1e4 * (1.0 + high.abs()) * (1.0 + here[unit].abs());
                let slope = (high - low) / (2.0 * h);
                prop_assert!((here[unit] - slope).abs() <= 1e-10 * scale,
                    "{}: jump {} against {slope}", loss.name(), here[unit]);
                let bend = (more[unit] - less[unit]) / (2.0 * h);
                let error = foreseen[unit] - here[unit] - bend;
                let scale = 1e5 * (1.0 + reduce::norm(&here) + reduce::norm(&foreseen));
                prop_assert!(error.abs() <= 1e-10 * scale,
                    "{}: foreseen {} against {}", loss.name(), foreseen[unit], here[unit] + bend);
            }
        }
    }

    #[test]
    fn products_without_c_are_those_of_the_matrix(
        d in 1_usize..6, n in 1_usize..10, m in 1_usize..12, seed: u64, weight in 0.0_f64..2.0,
    ) {
        let planted = Planted::new((d, n, m), true, seed);
        let network = planted.network(&Faer::<f64>::default()).unwrap();
        let target = Target::new(planted.unrelated.clone()).unwrap();
        let regularizer = Regularizer::uniform(weight, m).unwrap();
        let kinds = [
            RowWeights::Exact, RowWeights::Convexified, RowWeights::GaussNewton, RowWeights::Secant,
        ];
        for (loss, kind) in LOSSES.into_iter().flat_map(|l| kinds.map(|k| (l, k))) {
            let problem = Inversion::new(&network, &target).unwrap()
                .with_loss(loss).with_regularizer(&regularizer).unwrap();
            let mut at = problem.new_evaluation();
            problem.evaluate(&planted.start, &[], &mut at);
            problem.differentiate(&mut at);
            let mut dense = DenseHessian::new(&problem, kind);
            dense.build(&problem, &at);
            let (mut by_rows, mut by_matrix) = (vec![0.0; d], vec![0.0; d]);
            twolayer_tests::hessian_vec(&problem, &at, kind, &planted.solution, &mut by_rows);
            dense.apply(&problem, &at, &planted.solution, &mut by_matrix);
            let error: Vec<f64> = by_rows.iter().zip(&by_matrix).map(|(a, b)| a - b).collect();
            // Both are sums of products whose sizes ‖C‖²‖v‖ bounds; ‖C‖² ≲ 18·m·n here.
            let size = 18.0 * (1.0 + weight * weight) * (m * n) as f64
                * reduce::norm(&planted.solution);
            let bound = 64.0 * f64::EPSILON * size * (m + n + d) as f64;
            prop_assert!(reduce::norm(&error) <= bound, "{} {kind:?}", loss.name());
        }
    }

    #[test]
    fn a_shift_of_all_logits_changes_nothing(
        d in 1_usize..6, n in 1_usize..10, m in 1_usize..12, seed: u64, shift in -30.0_f64..30.0,
    ) {
        let planted = Planted::new((d, n, m), true, seed);
        let plain = planted.network(&Faer::<f64>::default()).unwrap();
        let (bias1, mut bias2) = (plain.bias1().to_vec(), plain.bias2().to_vec());
        bias2.iter_mut().for_each(|c| *c += shift);
        let backend = Faer::<f64>::default();
        let shifted = TwoLayer::new(backend, plain.a1().clone(), plain.a2().clone()).unwrap()
            .with_biases(bias1, bias2).unwrap();
        let target = Target::new(planted.unrelated.clone()).unwrap();
        for loss in LOSSES {
            let here = Inversion::new(&plain, &target).unwrap().with_loss(loss);
            let there = Inversion::new(&shifted, &target).unwrap().with_loss(loss);
            let ((a, _), (b, _)) = (value(&here, &planted.start), value(&there, &planted.start));
            // A logit of size up to 100 is rounded at 1e-14, a log-ratio carries that on.
            prop_assert!((a - b).abs() <= 1e-11 * (1.0 + a), "{}: {a} against {b}", loss.name());
        }
    }
}
