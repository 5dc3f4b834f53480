use super::*;
use crate::hinges::{Diagonal, Hinges};

const ROUNDOFF: f64 = f64::EPSILON / 2.0;

/// The step, and the multiplier, of ½ (x − c)ᵀ D (x − c) at x in a ball.
fn step(
    center: &[f64],
    curvatures: &[f64],
    x: &[f64],
    radius: Option<f64>,
    damping: f64,
) -> (Vec<f64>, f64) {
    let problem = Hinges {
        center: center.to_vec(),
        curvatures: curvatures.to_vec(),
        radius,
        ..Hinges::default()
    };
    let mut at = problem.new_evaluation();
    problem.evaluate(x, &[], &mut at);
    problem.differentiate(&mut at);
    let (mut step, mut end) = (vec![0.0; x.len()], vec![0.0; x.len()]);
    let space = Subspace::whole(x.len());
    let multiplier = damped_step(
        &problem,
        &at,
        &mut Diagonal,
        damping,
        &space,
        &mut step,
        &mut end,
    );
    (step, multiplier.unwrap())
}

#[test]
fn a_step_that_ends_inside_is_free() {
    for radius in [None, Some(2.0), Some(1.0)] {
        let (p, mu) = step(&[0.6, 0.8 - 1e-15], &[2.0, 3.0], &[0.1, 0.2], radius, 0.0);
        assert_eq!(mu, 0.0);
        assert!((p[0] - 0.5).abs() < 1e-15 && (p[1] - 0.6).abs() < 2e-15);
    }
}

/// (H + (ν + μ)I) p = −(g + μx), ‖x + p‖ = R and μ > 0: the conditions of the minimum in the ball.
#[test]
fn a_step_that_would_leave_ends_on_the_sphere_where_the_model_is_least() {
    for (center, curvatures, radius, damping) in [
        ([3.0, 1.0], [1.0, 1.0], 1.0, 0.0),
        ([3.0, 1.0], [1e6, 1e-3], 1.0, 0.0),
        ([1e3, -1e5], [1.0, 1e-8], 2.0, 0.0),
        ([3.0, 1.0], [1.0, 5.0], 1.0, 0.25),
        ([1.0 + 1e-9, 0.0], [1.0, 1.0], 1.0, 0.0),
    ] {
        let x = [0.3, -0.4];
        let (p, mu) = step(&center, &curvatures, &x, Some(radius), damping);
        assert!(mu > 0.0);
        let end = (x[0] + p[0]).hypot(x[1] + p[1]);
        assert!(
            end <= radius * (1.0 + 2.0 * ROUNDOFF) && end >= radius * (1.0 - 20.0 * ROUNDOFF),
            "{end}"
        );
        for j in 0..2 {
            let gradient = curvatures[j] * (x[j] - center[j]);
            let left = (curvatures[j] + damping + mu) * p[j] + gradient + mu * x[j];
            assert!(left.abs() <= 1e-15 * (gradient.abs() + mu), "{left:e}");
        }
    }
}

#[test]
fn a_model_that_is_not_positive_definite_is_told() {
    let problem = Hinges {
        center: vec![1.0],
        curvatures: vec![-1.0],
        ..Hinges::default()
    };
    let (at, space) = (problem.new_evaluation(), Subspace::whole(1));
    let solve = |damping| {
        let (mut step, mut end) = ([0.0], [0.0]);
        damped_step(
            &problem,
            &at,
            &mut Diagonal,
            damping,
            &space,
            &mut step,
            &mut end,
        )
    };
    assert!(solve(0.5).is_err() && solve(2.0) == Ok(0.0));
}

/// The root of ‖p(μ)‖ = R, how many solves it took, and the last μ asked for.
fn root(norm: impl Fn(f64) -> f64, radius: f64, guess: f64, tolerance: f64) -> (f64, usize) {
    let mut asked = Vec::new();
    let outside = (0.0, norm(0.0) / radius);
    let mu = multiplier(outside, guess, |mu| {
        asked.push(mu);
        Ok::<_, ()>((norm(mu) / radius, tolerance))
    });
    let mu = mu.expect("excess has no errors");
    assert_eq!(asked.last(), Some(&mu));
    (mu, asked.len())
}

/// ‖p(μ)‖ of a model with one large eigenvalue and one next to nothing. A plain false position
/// creeps up to the root from one side, and is not there after 60 solves.
#[test]
fn the_multiplier_is_found_in_few_solves() {
    let norm = |mu: f64| (1.0 / (1.0 + mu)).hypot(1e-8 / (1e-14 + mu));
    let (mu, solves) = root(norm, norm(1e-8), 1.0, 2e-15);
    assert!((mu - 1e-8).abs() < 1e-13 * 1e-8, "{mu:e}");
    assert!(solves < 40, "{solves}");
}

/// 1/‖p‖ is linear in μ for one eigenvalue: the first secant hits.
#[test]
fn one_eigenvalue_takes_one_secant() {
    let norm = |mu: f64| 8.0 / (1.0 + mu);
    // From above, from below, and from far below.
    for (guess, most) in [(8.0, 2), (1.0, 3), (0.004, 5)] {
        let (mu, solves) = root(norm, 2.0, guess, 1e-14);
        assert!(
            (mu - 3.0).abs() < 1e-12 && solves <= most,
            "{guess}: {mu} {solves}"
        );
    }
    // A tolerance that the guess meets is enough, if it is inside.
    assert_eq!(root(norm, 2.0, 3.2, 0.06), (3.2, 1));
    assert!(root(norm, 2.0, 2.9, 0.06).0 >= 3.0);
}

#[test]
fn an_error_of_the_solve_ends_the_search() {
    assert_eq!(
        multiplier((0.0, 2.0), 1.0, |_| Err::<(f64, f64), _>("no step")),
        Err("no step")
    );
}

#[test]
fn retraction_ends_inside() {
    let mut x = [3.0_f32, 4.0, 1e-3];
    retract(1.7, &mut x);
    assert!(reduce::norm(&x) <= 1.7 && reduce::norm(&x) > 1.699);
    assert!((x[0] / x[1] - 0.75).abs() < 1e-6);
    // What is inside stays.
    let mut x = [0.6_f64, 0.8];
    retract(1.0, &mut x);
    assert_eq!(x, [0.6, 0.8]);
}

#[test]
fn it_reaches_the_sphere() {
    let x = [0.6_f64, 0.0];
    assert!((reach(&x, &[1.0, 0.0], 1.0) - 0.4).abs() < 1e-15);
    assert!((reach(&x, &[-1.0, 0.0], 1.0) - 1.6).abs() < 1e-15);
    assert!((reach(&x, &[0.0, 1.0], 1.0) - 0.8).abs() < 1e-15);
    assert_eq!(reach(&[0.0, 2.0], &[0.0, 1.0], 2.0), 0.0);
    // From the sphere through the centre.
    assert_eq!(reach(&[0.0, 2.0], &[0.0, -1.0], 2.0), 4.0);
    // Outside by rounding: nowhere to go outward, back to the sphere inward.
    assert_eq!(reach(&[0.0, 2.0 + 1e-15], &[0.0, 1.0], 2.0), 0.0);
    // Nearly there, and 1 − ‖x‖² cancels: half of the digits are left of a wrong formula.
    let near = 1.0 - 1e-12;
    assert!((reach(&[near, 0.0], &[1.0, 0.0], 1.0) / (1.0 - near) - 1.0).abs() < 1e-12);
}

/// Sixty-four roundoffs to either side.
#[test]
fn the_sphere_is_as_thick_as_rounding_makes_it() {
    for radius in [1.0, 3.0, 1e-7] {
        let at = |roundoffs: f64| [0.0, radius * (1.0 + roundoffs * ROUNDOFF)];
        assert!(is_on_sphere(&at(-60.0), radius) && !is_on_sphere(&at(-70.0), radius));
        assert!(is_on_sphere(&at(100.0), radius));
        assert!(is_inside(&at(60.0), radius) && !is_inside(&at(70.0), radius));
        assert!(is_inside(&[0.0, 0.0], radius) && !is_inside(&[f64::NAN, 0.0], radius));
    }
}

#[test]
fn only_an_outward_pull_is_removed() {
    let x = [0.0_f64, 2.0];
    assert!(is_on_sphere(&x, 2.0) && !is_on_sphere(&x, 2.1));
    let mut pulled_out = [1.0, -3.0];
    assert_eq!(remove_outward_pull(&x, &mut pulled_out), 1.5);
    assert_eq!(pulled_out, [1.0, 0.0]);
    let mut pulled_in = [1.0, 3.0];
    assert_eq!(remove_outward_pull(&x, &mut pulled_in), 0.0);
    assert_eq!(pulled_in, [1.0, 3.0]);
    // What is left is along the sphere.
    let (x, mut gradient) = ([3.0_f64, 4.0], [-2.0, 0.5]);
    remove_outward_pull(&x, &mut gradient);
    assert!(reduce::dot(&x, &gradient).abs() < 1e-15 && gradient[0] < -1.0);
}

#[test]
fn a_start_is_taken_in_from_single_precision_and_no_further() {
    let direction = [0.6_f64, 0.8];
    for excess in [0.0, 1e-16, 6e-8, 5e-7] {
        let mut x = direction.map(|v| 0.3 * (1.0 + excess) * v);
        assert!(take_in(0.3, &mut x).is_ok());
        assert!(reduce::norm(&x) <= 0.3 && reduce::norm(&x) > 0.3 * (1.0 - 1e-15));
    }
    let mut inside = [0.1, 0.1];
    assert!(take_in(0.3, &mut inside).is_ok());
    assert_eq!(inside, [0.1, 0.1]);
    // Sixteen roundoffs of single precision.
    for (roundoffs, inside) in [(15.9, true), (16.1, false)] {
        let excess = roundoffs * 2.0_f64.powi(-24);
        let mut x = direction.map(|v| 0.3 * (1.0 + excess) * v);
        assert_eq!(take_in(0.3, &mut x).is_ok(), inside);
    }
}

/// x and x + p are each sixteen roundoffs of R from the sphere at most.
#[test]
fn a_promise_below_the_slack_of_the_sphere_is_none() {
    let (multiplier, radius) = (3.0_f64, 2.0);
    let near = radius * (1.0 - 16.0 * ROUNDOFF);
    let promised = 0.5 * multiplier * (radius * radius - near * near);
    let slack = slack(multiplier, radius);
    assert!(
        slack >= promised && slack <= 2.1 * promised,
        "{slack:e} {promised:e}"
    );
}

/// ½ (x − c)² at x = 1 − δ falls by cδ up to the sphere, and is known to u c²/2.
#[test]
fn the_sphere_holds_what_no_value_tells_from_it() {
    let holds = |center: f64, below: f64, radius: Option<f64>| {
        let problem = Hinges {
            center: vec![center, 0.0],
            curvatures: vec![1.0; 2],
            radius,
            ..Hinges::default()
        };
        let mut at = problem.new_evaluation();
        problem.evaluate(&[1.0 - below, 0.0], &[], &mut at);
        problem.differentiate(&mut at);
        holds(&problem, &at)
    };
    let center = 1e6;
    for (roundoffs, held) in [(0.0, true), (4.9e5, true), (5.1e5, false)] {
        assert_eq!(holds(center, roundoffs * ROUNDOFF, Some(1.0)), held);
    }
    // On the sphere to rounding of x, whatever the value says; without a ball nothing is.
    assert!(holds(2.0, 60.0 * ROUNDOFF, Some(1.0)) && !holds(2.0, 70.0 * ROUNDOFF, Some(1.0)));
    assert!(!holds(center, 0.0, None));
    // Where the value is known to nothing, as far as half of the digits of x tell.
    let half = ROUNDOFF.sqrt();
    assert!(holds(1e30, 0.9 * half, Some(1.0)) && !holds(1e30, 1.1 * half, Some(1.0)));
}
