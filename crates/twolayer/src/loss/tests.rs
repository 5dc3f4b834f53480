//! Every loss against its definition, and its derivatives against differences.

mod rounding;

use super::*;
use twolayer_core::{Curvature, reduce};

/// A pass with these logits.
fn pass(z: &[f64]) -> ForwardPass<f64> {
    let mut pass = ForwardPass::new(1, z.len());
    let total: f64 = z.iter().map(|z| z.exp()).sum();
    pass.logits = z.to_vec();
    pass.log_probabilities = z.iter().map(|z| z - total.ln()).collect();
    pass.probabilities = z.iter().map(|z| z.exp() / total).collect();
    pass
}

const LOSSES: [&dyn Loss<f64>; 3] = [&SquaredError, &KullbackLeibler, &LogRatio];

/// Logits, and targets near to their output, far from it, and with outcomes that are excluded: one
/// that the network rules out too, and one that it does not.
fn cases() -> Vec<(Vec<f64>, Target<f64>)> {
    let z = vec![0.3, -0.7, 1.1, -2.0, 0.4];
    let near = [0.21, 0.08, 0.45, 0.03, 0.23];
    let far = [0.7, 0.01, 0.02, 0.17, 0.1];
    let excluded = [0.4, 0.0, 0.3, 0.3, 0.0];
    let targets = [near, far, excluded].map(|b| Target::new(b.to_vec()).unwrap());
    let mut cases: Vec<_> = targets.map(|target| (z.clone(), target)).into();
    // A sum that is not one to the last bit.
    let uneven = near.iter().map(|b| b * (1.0 + 9e-6)).collect();
    cases.push((z, Target::new(uneven).unwrap()));
    cases
}

/// The value in plain loops over f and b.
fn definition(name: &str, f: &[f64], b: &[f64]) -> f64 {
    let pairs = || f.iter().zip(b);
    match name {
        "squared" => pairs().map(|(f, b)| (f - b) * (f - b)).sum(),
        "kl" => pairs()
            .map(|(f, b)| f - b + if *b > 0.0 { b * (b / f).ln() } else { 0.0 })
            .sum(),
        _ => {
            let ratios = || {
                pairs()
                    .filter(|(_, b)| **b > 0.0)
                    .map(|(f, b)| (f / b).ln())
            };
            let mean = ratios().sum::<f64>() / ratios().count() as f64;
            let charged = || pairs().filter(|(_, b)| **b == 0.0);
            let nothing = f64::EPSILON / 8.0 / charged().count() as f64;
            let charged = charged().map(|(f, _)| ((f / nothing).ln() - mean).max(0.0).powi(2));
            0.5 * (ratios().map(|t| (t - mean).powi(2)).sum::<f64>() + charged.sum::<f64>())
        }
    }
}

fn gradient(loss: &dyn Loss<f64>, z: &[f64], target: &Target<f64>) -> Vec<f64> {
    let mut gradient = vec![0.0; z.len()];
    loss.logit_gradient(&pass(z), target, &mut gradient);
    gradient
}

/// Central differences; rounding and truncation both leave about 1e-10 of a function of size 1.
const STEP: f64 = 1e-5;
const TOLERANCE: f64 = 1e-9;

fn moved(z: &[f64], j: usize, by: f64) -> Vec<f64> {
    let mut z = z.to_vec();
    z[j] += by;
    z
}

#[test]
fn values_are_those_of_the_definition() {
    for loss in LOSSES {
        for (z, target) in cases() {
            let at = pass(&z);
            let expected = definition(loss.name(), &at.probabilities, target.probabilities());
            let value = loss.value(&at, &target);
            // A few roundings.
            assert!(
                (value - expected).abs() < 1e-15 * (10.0 + expected),
                "{} {value} {expected}",
                loss.name()
            );
            assert!(value > 0.0);
        }
    }
}

#[test]
fn gradients_are_the_slopes_of_values() {
    for loss in LOSSES {
        for (z, target) in cases() {
            let slopes = gradient(loss, &z, &target);
            for (j, slope) in slopes.iter().enumerate() {
                let value = |by: f64| loss.value(&pass(&moved(&z, j, by)), &target);
                let difference = (value(STEP) - value(-STEP)) / (2.0 * STEP);
                let size = 1.0 + loss.value(&pass(&z), &target);
                assert!(
                    (slope - difference).abs() < TOLERANCE * size,
                    "{} {j}",
                    loss.name()
                );
            }
            // A shift of all logits changes nothing, but for the Σb that is off by 1e-5.
            let size = 1.0 + slopes.iter().fold(0.0, |most: f64, u| most.max(u.abs()));
            assert!(reduce::sum(&slopes).abs() < 1e-14 * size, "{}", loss.name());
        }
    }
}

#[test]
fn the_exact_curvature_is_the_slope_of_the_gradient() {
    for loss in LOSSES {
        for (z, target) in cases() {
            let m = z.len();
            let mut curvature = Curvature::new(m);
            let Curvature {
                center,
                row_weights,
                ..
            } = &mut curvature;
            loss.curvature(&pass(&z), &target, RowWeights::Exact, center, row_weights);
            assert!((reduce::sum(center) - 1.0).abs() < 1e-14);
            for j in 0..m {
                let (ahead, behind) = (moved(&z, j, STEP), moved(&z, j, -STEP));
                let (ahead, behind) = (
                    gradient(loss, &ahead, &target),
                    gradient(loss, &behind, &target),
                );
                let mut column = vec![0.0; m];
                curvature.row_product(&moved(&vec![0.0; m], j, 1.0), &mut column);
                for i in 0..m {
                    let difference = (ahead[i] - behind[i]) / (2.0 * STEP);
                    assert!(
                        (column[i] - difference).abs() < TOLERANCE,
                        "{} {i} {j}",
                        loss.name()
                    );
                }
            }
        }
    }
}

fn weights(
    loss: &dyn Loss<f64>,
    z: &[f64],
    target: &Target<f64>,
    kind: RowWeights,
) -> [Vec<f64>; 2] {
    let (mut center, mut weights) = (vec![0.0; z.len()], vec![0.0; z.len()]);
    loss.curvature(&pass(z), target, kind, &mut center, &mut weights);
    [center, weights]
}

/// β⁺ = max(β, 0), and 2f² where the residual is neglected.
#[test]
fn the_other_weights_of_the_squared_loss_are_not_negative() {
    let mut negative = 0;
    for (z, target) in cases() {
        let f = pass(&z).probabilities;
        let of = |kind| weights(&SquaredError, &z, &target, kind);
        let [center, exact] = of(RowWeights::Exact);
        for kind in [RowWeights::Convexified, RowWeights::Secant] {
            let [_, convex] = of(kind);
            for (convex, exact) in convex.iter().zip(&exact) {
                assert_eq!(*convex, exact.max(0.0));
                negative += usize::from(*exact < 0.0);
            }
        }
        let [_, rough] = of(RowWeights::GaussNewton);
        for (rough, f) in rough.iter().zip(&f) {
            assert!((rough - 2.0 * f * f).abs() < 1e-16);
        }
        assert_eq!(center, f);
    }
    assert!(negative > 0);
}

/// A Newton step with the secant weights matches log f to log b: u = β∘(log f − log b).
#[test]
fn the_secant_weights_of_the_divergence_lead_to_the_target() {
    for (z, target) in cases() {
        let at = pass(&z);
        let [center, secant] = weights(&KullbackLeibler, &z, &target, RowWeights::Secant);
        for (i, &beta) in secant.iter().enumerate() {
            let (f, b) = (at.probabilities[i], target.probabilities()[i]);
            if b == 0.0 {
                assert_eq!(beta, f);
            } else {
                assert!((beta * (f / b).ln() - (f - b)).abs() < 1e-15, "{i}");
            }
        }
        let total: f64 = secant.iter().sum();
        for (center, beta) in center.iter().zip(&secant) {
            assert!((center - beta / total).abs() < 1e-15);
        }
        for kind in [RowWeights::Convexified, RowWeights::GaussNewton] {
            assert_eq!(
                weights(&KullbackLeibler, &z, &target, kind),
                weights(&KullbackLeibler, &z, &target, RowWeights::Exact)
            );
        }
    }
}

/// Of two outcomes that b excludes only that counts which the network gives more than rounding hides.
#[test]
fn an_excluded_outcome_counts_where_rounding_does_not_hide_it() {
    let target = Target::new(vec![0.4, 0.0, 0.6, 0.0]).unwrap();
    // log(u/8) = −38.8, and the mean of the others is near 0.
    let z = [0.0, -40.0, 0.4, -36.0];
    let [center, counts] = weights(&LogRatio, &z, &target, RowWeights::Exact);
    assert_eq!(
        (center, counts),
        (vec![0.5, 0.0, 0.5, 0.0], vec![1.0, 0.0, 1.0, 1.0])
    );
    let value = |z: &[f64]| LogRatio.value(&pass(z), &target);
    assert_eq!(value(&z), value(&moved(&z, 1, -1.0)));
    assert!(value(&z) < value(&moved(&z, 3, 1.0)));
    assert!(!Loss::<f64>::is_quadratic(&LogRatio, &target));
    let every = Target::new(vec![0.25; 4]).unwrap();
    assert!(Loss::<f64>::is_quadratic(&LogRatio, &every));
    assert!(!SquaredError.is_quadratic(&every) && !KullbackLeibler.is_quadratic(&every));
}

/// Against the definition where an outcome that has nothing is given a little, which the others lose alike.
#[test]
fn the_value_rises_with_what_has_vanished_or_falls() {
    let (at, vanished) = (pass(&[0.3, -90.0, 0.1, -80.0]), [1, 3]);
    let mut seen = [[0; 2]; 2];
    for b in [
        [1.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 1.0, 0.0],
        [0.5, 0.1, 0.4, 0.0],
        [0.1, 0.45, 0.0, 0.45],
        [0.3, 0.0, 0.2, 0.5],
    ] {
        let target = Target::new(b.to_vec()).unwrap();
        for (loss, seen) in [&SquaredError as &dyn Loss<f64>, &KullbackLeibler]
            .iter()
            .zip(&mut seen)
        {
            let change = |outcome: usize| {
                let moved = at.probabilities.iter().enumerate();
                let moved = moved.map(|(i, f)| (1.0 - 1e-6) * f + 1e-6 * f64::from(i == outcome));
                let value = |f: &[f64]| definition(loss.name(), f, &b);
                value(&moved.collect::<Vec<_>>()) - value(&at.probabilities)
            };
            let expected = vanished.iter().all(|&outcome| change(outcome) > 0.0);
            let told = loss.rises_with(&at, &target, &|i| vanished.contains(&i));
            assert_eq!(told, expected, "{} {b:?}", loss.name());
            // Of what has not vanished nothing is asked.
            assert!(loss.rises_with(&at, &target, &|_| false));
            seen[usize::from(told)] += 1;
        }
        assert!(!LogRatio.rises_with(&at, &target, &|i| vanished.contains(&i)));
    }
    assert!(seen.iter().flatten().all(|&count| count > 0), "{seen:?}");
}

/// What is there because f > 0 where b = 0, and only that.
#[test]
fn the_part_of_the_excluded_outcomes_is_told() {
    for (z, target) in cases() {
        let at = pass(&z);
        let pairs = at.probabilities.iter().zip(target.probabilities());
        let excluded: Vec<f64> = pairs.filter(|(_, b)| **b == 0.0).map(|(f, _)| *f).collect();
        let part = |loss: &dyn Loss<f64>| loss.value_of_excluded(&at, &target);
        let squares: f64 = excluded.iter().map(|f| f * f).sum();
        assert!((part(&SquaredError) - squares).abs() < 1e-16);
        assert!((part(&KullbackLeibler) - excluded.iter().sum::<f64>()).abs() < 1e-16);
        assert_eq!(part(&LogRatio), 0.0);
        assert_eq!(target.excluded(), excluded.len());
    }
}

/// No output within the errors of b has a larger loss than is told, and one has that loss.
#[test]
fn what_is_not_known_of_a_target_costs_no_more_than_is_told() {
    for (_, target) in cases() {
        let b = target.probabilities();
        for (loss, least) in LOSSES.map(|loss| [(loss, 0.0), (loss, 1e-3)]).concat() {
            let is_log_ratio = loss.name() == "log-ratio";
            if is_log_ratio && target.excluded() > 0 {
                // It charges these for far less than rounding takes from the others.
                continue;
            }
            let errors = |i: usize| 0.1 * b[i] + least;
            let told = loss.uncertainty(&target, &errors);
            let value_off = |size: f64, signs: usize| {
                let off = |i: usize| match (b[i] > 0.0, signs >> i & 1) {
                    (true, 1) => b[i] - size * errors(i),
                    _ => b[i] + size * errors(i),
                };
                let f: Vec<f64> = (0..b.len()).map(off).collect();
                definition(loss.name(), &f, b)
            };
            for signs in 0..1 << b.len() {
                for size in [0.3, 1.0] {
                    let value = value_off(size, signs);
                    assert!(value <= told * (1.0 + 1e-12), "{value:e} {told:e}");
                }
            }
            // All below b; for logarithms, less what they share, every other one.
            let (largest, share) = match is_log_ratio {
                true => (value_off(1.0, 0b01010), 0.4),
                false => (value_off(1.0, 0b11111), 1.0 - 1e-12),
            };
            assert!(largest >= share * told, "{largest:e} {told:e}");
        }
    }
}

/// An entry of which nothing is known is taken to be off by half of it.
#[test]
fn logarithms_of_what_is_not_known_are_bounded() {
    let target = Target::new(vec![0.25, 0.75]).unwrap();
    let kl = KullbackLeibler.uncertainty(&target, &|_| 1.0);
    assert!((kl - (2.0_f64.ln() - 0.5)).abs() < 1e-15);
    let logarithms = LogRatio.uncertainty(&target, &|_| 1.0);
    assert!((logarithms - 2.0_f64.ln().powi(2)).abs() < 1e-15);
}

#[test]
fn losses_are_told_apart() {
    let names = LOSSES.map(|loss| loss.name());
    assert_eq!(names, ["squared", "kl", "log-ratio"]);
    let forms = LOSSES.map(|loss| loss.closed_form());
    let (squared, kl) = (ClosedForm::SquaredError, ClosedForm::KullbackLeibler);
    assert_eq!(forms, [Some(squared), Some(kl), None]);
}
