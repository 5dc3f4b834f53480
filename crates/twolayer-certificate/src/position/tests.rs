use super::*;
use crate::definition::{Definition, Numbers, arrived};
use crate::exact::{Big, Draws, big, dot, norm as exact_norm, small, wide};
use crate::hessian::HessianRows;
use twolayer::ClosedForm;

const KL: ClosedForm = ClosedForm::KullbackLeibler;

fn drawn(seed: u64) -> Numbers {
    Numbers::drawn((2, 6, 5), KL, seed)
}

/// With a T of one's own.
fn with_t(instance: &Instance, x: &[f64], held: Vec<usize>, t: &[f64]) -> Position<f64> {
    let mut position = Position::<f64>::new(instance, x, held);
    position.scaling.scaled = position.hessian.scaled(t);
    position.scaling.t = t.to_vec();
    position
}

fn multipliers(position: &mut Position<f64>, instance: &Instance, of: &[f64]) {
    let d = instance.inputs;
    let mut x = position.point.x.clone();
    for (entry, &mu) in x[d..].iter_mut().zip(of) {
        *entry = mu.into();
    }
    position.point = Point::new(instance, &position.held, x, None);
}

#[test]
fn a_new_position_is_at_x_with_multipliers_of_zero() {
    let instance = drawn(1).instance();
    let position = Position::<DoubleDouble>::new(&instance, &[0.3, -0.2], vec![4, 1]);
    let x: Vec<f64> = position.point.x.iter().map(|x| x.hi).collect();
    assert_eq!(x, [0.3, -0.2, 0.0, 0.0]);
    assert_eq!((position.steps, position.held.as_slice()), (0, &[4, 1][..]));
    let free: Vec<usize> = position.free_kinks(&instance).collect();
    assert_eq!(free, [0, 2, 3, 5]);
}

/// −T D TᵀF is Newton's step but for the defect.
#[test]
fn the_step_is_newtons() {
    for held in [vec![], vec![2]] {
        let instance = drawn(2).instance();
        let position = Position::<DoubleDouble>::new(&instance, &[0.5, -0.2], held.clone());
        let (step, size) = position.newton_step();
        let active = position.point.cell.active.clone();
        let definition = Definition {
            instance: &instance,
            active,
            held,
        };
        let x: Vec<Big> = position.point.x.iter().map(|&x| wide(x)).collect();
        let gradient = definition.gradient(&x);
        let step: Vec<Big> = step.into_iter().map(wide).collect();
        // K·step = −F, to the defect.
        let left: Vec<Big> = definition
            .hessian(&x)
            .iter()
            .zip(&gradient)
            .map(|(row, g)| dot(row, &step) + g)
            .collect();
        let defect = position.scaling.scaled.defect;
        assert!(defect < 1e-3);
        assert!(
            exact_norm(&left) <= exact_norm(&gradient) * big(1e-2),
            "{defect:e}"
        );
        let length = position.residual().norm();
        assert!((size / length - 1.0).abs() < 1e-12);
    }
}

/// Off by a thousandth, Newton's method doubles the digits from step to step.
#[test]
fn polishing_arrives_in_few_steps_and_then_stays() {
    for held in [vec![], vec![3]] {
        let (numbers, first) = arrived(KL, held.clone());
        let instance = numbers.instance();
        assert!(first.residual().norm() < 1e-25);
        let x: Vec<f64> = first.point.x[..2].iter().map(|x| x.hi + 1e-6).collect();
        let again = Position::<DoubleDouble>::new(&instance, &x, held.clone());
        let again = again.polish(&instance);
        let gap = |x: &[DoubleDouble]| {
            let gap = x
                .iter()
                .zip(&first.point.x)
                .map(|(&x, &y)| (x - y).hi.powi(2));
            gap.sum::<f64>().sqrt()
        };
        assert!(gap(&again.point.x) < 1e-24, "{:e}", gap(&again.point.x));
        // 1e-6, 1e-12, 1e-24, 1e-30, one more to see it, and those of an older curvature.
        assert!((3..=7).contains(&again.steps), "{}", again.steps);
        // The curvature is that of the point itself.
        let fresh = HessianRows::<DoubleDouble>::new(&instance, &held, &again.point);
        let scaled = fresh.scaled(&again.scaling.t);
        assert_eq!(scaled.defect, again.scaling.scaled.defect);
        assert!(scaled.defect < 1e-3);
        let truth = Definition {
            instance: &instance,
            active: again.point.cell.active.clone(),
            held: held.clone(),
        };
        let x: Vec<Big> = again.point.x.iter().map(|&x| wide(x)).collect();
        let stationary = truth.stationary(&x);
        let gap: Vec<Big> = x.iter().zip(&stationary).map(|(x, y)| x - y).collect();
        assert!(small(&exact_norm(&gap)) < 1e-26);
    }
}

/// Where there is nothing to gain, the point stays as it was given.
#[test]
fn polishing_leaves_what_it_cannot_judge() {
    // The second input goes nowhere.
    let mut numbers = drawn(3);
    numbers
        .a1
        .iter_mut()
        .skip(1)
        .step_by(2)
        .for_each(|a| *a = 0.0);
    let instance = numbers.instance();
    let position = Position::<f64>::new(&instance, &[0.4, -0.3], vec![]).polish(&instance);
    assert!(position.scaling.scaled.defect >= 1.0);
    assert_eq!(position.steps, 0);
    // No more than the limit from where Newton's method wanders.
    for seed in 0..10 {
        let mut numbers = Numbers::drawn((2, 6, 5), ClosedForm::SquaredError, seed);
        numbers.weights.clear();
        let instance = numbers.instance();
        let position = Position::<f64>::new(&instance, &[3.0, -3.0], vec![]).polish(&instance);
        assert!(position.steps <= MOST_NEWTON_STEPS && position.point.is_finite());
    }
}

/// The better of the two ways: by F, whose error T enlarges, or by C T, whose error the slopes do.
#[test]
fn the_residual_is_the_one_that_is_known_better() {
    let instance = drawn(4).instance();
    let mut position = with_t(&instance, &[0.4, -0.3], vec![], &[1.0, 0.5, -0.25, 2.0]);
    let by_rows = position
        .hessian
        .residual(&position.scaling.t, &position.point);
    // In double precision C is known to sixteen digits, F to thirty.
    let by_gradient = position.residual();
    assert!(by_gradient.error < 1e-6 * by_rows.error && by_gradient.error > 0.0);
    let gap = |a: &Residual, b: &Residual| (a.middle[1] - b.middle[1]).hi.abs();
    assert!(gap(&by_gradient, &by_rows) <= by_rows.error);
    // TᵀF itself.
    let f: Vec<Big> = position
        .point
        .gradient
        .iter()
        .map(|g| wide(g.middle))
        .collect();
    let exact = [
        &f[0] + &f[1] * big(-0.25),
        &f[0] * big(0.5) + &f[1] * big(2.0),
    ];
    for (y, exact) in by_gradient.middle.iter().zip(&exact) {
        assert!(small(&(wide(*y) - exact)).abs() <= by_gradient.error);
    }
    for g in &mut position.point.gradient {
        *g = g.widened(1e-3);
    }
    assert_eq!(position.residual().error, by_rows.error);
}

/// ‖T_x‖_F.
#[test]
fn x_moves_with_the_first_rows_of_t() {
    let instance = drawn(5).instance();
    let t = [3.0, 0.0, 0.0, 0.0, 4.0, 0.0, 7.0, 8.0, 9.0];
    let position = with_t(&instance, &[0.4, -0.3], vec![2], &t);
    let norm = position.input_norm();
    assert!((5.0..5.0 + 1e-13).contains(&norm));
    assert_eq!(position.row_lengths(), position.hessian.row_lengths());
}

/// |h| against r‖aᵀT_x‖, at the very boundary.
#[test]
fn no_free_kink_may_be_within_the_radius() {
    let mut numbers = drawn(6);
    // h₂ is small, the others are not.
    (numbers.a1[4], numbers.a1[5]) = (3.0, 4.0);
    numbers.bias1 = vec![5.0, 6.0, 1e-3, 7.0, 5.0, 6.0];
    let instance = numbers.instance();
    for (t, slope) in [([1.0, 0.0, 0.0, 1.0], 5.0), ([0.5, 0.0, 2.0, 0.0], 9.5)] {
        let position = with_t(&instance, &[0.0, 0.0], vec![], &t);
        let radius = 1e-3 / slope;
        assert_eq!(
            position.check_kinks(&instance, radius * (1.0 - 1e-12)),
            Ok(())
        );
        match position.check_kinks(&instance, radius * (1.0 + 1e-14)) {
            Err(Refusal::AtKink {
                unit: 2,
                distance,
                reach,
            }) => {
                assert!(distance <= 1e-3 && distance > 0.999e-3);
                assert!((reach / 1e-3 - 1.0).abs() < 1e-13);
            }
            other => panic!("{other:?}"),
        }
        assert!(position.check_kinks(&instance, f64::NAN).is_err());
        // A unit that is held may be met.
        let t: Vec<f64> = t.chunks(2).flat_map(|row| [row[0], row[1], 0.0]).collect();
        let t = [t, vec![0.0, 0.0, 1.0]].concat();
        let held = with_t(&instance, &[0.0, 0.0], vec![2], &t);
        assert_eq!(held.check_kinks(&instance, radius * 2.0), Ok(()));
    }
}

/// A slope that rounding makes zero: what it may be is all that counts.
#[test]
fn the_rounding_of_a_kinks_slope_is_covered() {
    let (x, y) = (1.0 + 3.0 * f64::EPSILON, 1.0 + 5.0 * f64::EPSILON);
    let slope = small(&(big(x) * big(y) - big(x * y))).abs();
    assert!(slope > 0.0);
    let mut numbers = drawn(7);
    (numbers.a1[0], numbers.a1[1]) = (x, -1.0);
    numbers.bias1 = vec![1e-9, 6.0, 5.0, 7.0, 5.0, 6.0];
    let instance = numbers.instance();
    let position = with_t(&instance, &[0.0, 0.0], vec![], &[y, 0.0, x * y, 0.0]);
    let radius = 1e-9 / slope;
    assert!(matches!(
        position.check_kinks(&instance, radius),
        Err(Refusal::AtKink { unit: 0, .. })
    ));
}

/// 0 < μ < v, each with what it may change by within the radius: μ by the row of T, and v by
/// ‖column of A2‖ (3 + max w²) ‖C T‖ r.
#[test]
fn multipliers_must_hold_over_the_whole_radius() {
    let instance = drawn(8).instance();
    let t = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 3.0, 0.0, 4.0];
    let mut position = with_t(&instance, &[0.4, -0.3], vec![1], &t);
    let jump = position.point.jumps[0].middle.hi;
    let column: f64 = (0..5)
        .map(|i| instance.a2[6 * i + 1].powi(2))
        .sum::<f64>()
        .sqrt();
    let heaviest = drawn(8).weights.iter().map(|w| w * w).fold(0.0, f64::max);
    let change = column * (3.0 + heaviest) * position.scaling.scaled.image_norm;
    let sign = jump.signum();
    assert!(sign > 0.0, "another seed: {jump}");
    let mut holds = |mu: f64, radius: f64| {
        multipliers(&mut position, &instance, &[mu]);
        match position.check_multipliers(&instance, radius) {
            Ok(()) => true,
            Err(Refusal::NotHeld {
                unit: 1,
                multiplier,
                jump: told,
            }) => {
                assert_eq!((multiplier, told), (mu, jump));
                false
            }
            other => panic!("{other:?}"),
        }
    };
    // By μ > 5r.
    let mu = 1e-3 * jump;
    assert!(holds(mu, mu / 5.0 * (1.0 - 1e-9)));
    assert!(!holds(mu, mu / 5.0 * (1.0 + 1e-9)));
    // By v − μ > (5 + change) r.
    let mu = 0.9 * jump;
    let radius = (jump - mu) / (5.0 + change);
    assert!(holds(mu, radius * (1.0 - 1e-9)));
    assert!(!holds(mu, radius * (1.0 + 1e-9)));
    assert!(
        !holds(0.0, 0.0) && !holds(-mu, 0.0) && !holds(jump * (1.0 + 1e-15), 0.0) && holds(mu, 0.0)
    );
}

/// The Hessian of either loss in the logits is at most 3 in norm, as the check above has it.
#[test]
fn the_slope_of_the_loss_changes_no_faster_than_three() {
    use crate::definition::{hessian, loss_of};
    let mut draws = Draws::new(9);
    let mut largest: f64 = 0.0;
    for case in 0..40 {
        let z = [draws.between(-4.0, 4.0), draws.between(-4.0, 4.0)];
        let b = draws.between(0.0, 1.0);
        let loss = [KL, ClosedForm::SquaredError][case % 2];
        let z: Vec<Big> = z.iter().map(|&z| big(z)).collect();
        let h = hessian(|z| loss_of(z, &[b, 1.0 - b], loss), &z);
        // Two outcomes: B = β (1, −1)(1, −1)ᵀ, and its norm is twice an entry.
        largest = largest.max(2.0 * small(&h[0][0]).abs());
    }
    assert!(largest <= 3.0 && largest > 0.4, "{largest}");
}
