//! How solves end in a ball.

use super::{DISTANCES, exact, norm, solve};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::fmt::Debug;
use twolayer::{Error, LimitPoint, LinearBackend, Scalar, Status};
use twolayer_faer::Faer;
use twolayer_tests::generators::{Blemish, Case, Distance, TargetKind};

/// In a ball so small that the value hardly tells how far the sphere is: what is converged has no gradient left but
/// what rounding of the value L hides along the sphere, whose multiplier is g/R: some √(uLg/R). It is recognised when
/// it is started from again.
fn small_balls<T: Scalar>(radii: &[f64])
where
    Faer<T>: LinearBackend<Scalar = T> + Default,
{
    let (mut solves, mut late) = (0, 0);
    for seed in 0..40 {
        let case = Case::new((5, 16, 9), Blemish::None, TargetKind::Unrelated, 0.0, seed);
        for (&radius, distance) in radii
            .iter()
            .flat_map(|radius| DISTANCES.map(|by| (radius, by)))
        {
            let solution = solve::<T>(&case, distance, Some(radius), &[0.0; 5]).unwrap();
            let (status, x) = (solution.status, exact(&solution.x));
            let whole = norm(&case.gradient(distance, &x));
            let left = solution.gradient_norm.to_f64() / whole;
            let hidden = solution.loss.to_f64() / (radius * whole);
            let most = 8.0 * (T::UNIT_ROUNDOFF.to_f64() * hidden.max(1.0)).sqrt();
            assert!(status.is_converged(), "{seed} {radius}: {status}");
            assert!(
                left <= most && most < 0.3,
                "{seed} {radius}: {status}, {left:e} {most:e}"
            );
            let again = solve::<T>(&case, distance, Some(radius), &x).unwrap();
            assert!(
                again.status.is_converged(),
                "{seed} {radius}: {}",
                again.status
            );
            solves += 1;
            late += usize::from(again.iterations > 2);
        }
    }
    assert!(
        20 * late <= solves,
        "{late} of {solves} not recognised at once"
    );
}

#[test]
fn answers_in_small_balls_are_stationary_and_recognised() {
    small_balls::<f64>(&[1e-9, 1e-6, 1e-3]);
    small_balls::<f32>(&[1e-3, 1e-2]);
}

/// In a ball, of any radius and with any target: a solve converges or says `flat`, and its answer is
/// recognised when it is started from again.
fn balls<T: Scalar + Debug>() -> [usize; 3]
where
    Faer<T>: LinearBackend<Scalar = T> + Default,
{
    let kinds = [
        TargetKind::Reachable,
        TargetKind::Unrelated,
        TargetKind::Uniform,
        TargetKind::OneHot,
    ];
    let (mut on_sphere, mut at_kinks, mut at_vertices, mut late) = (0, 0, 0, 0);
    for seed in 0..160 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let shape = (
            random.random_range(1..6),
            random.random_range(2..20),
            random.random_range(2..12),
        );
        let kind = kinds[seed as usize % 4];
        let case = Case::new(shape, Blemish::None, kind, 0.0, seed);
        let radius = f64::from(10.0_f64.powf(random.random_range(-1.5..0.5)) as f32);
        for distance in DISTANCES {
            let ball = Some(radius);
            let solution = solve::<T>(&case, distance, ball, &vec![0.0; case.d]).unwrap();
            let (status, x) = (solution.status, exact(&solution.x));
            let what = format!("{seed} {distance:?}: {status}");
            assert!(status.is_converged() || status == Status::Flat, "{what}");
            let is_on_sphere = norm(&x) >= radius * (1.0 - 1e-6);
            if status == Status::Flat || !(is_on_sphere || solution.limit == LimitPoint::AtKinks) {
                continue;
            }
            on_sphere += usize::from(is_on_sphere);
            at_kinks += usize::from(is_on_sphere && !solution.pinned.is_empty());
            at_vertices += usize::from(is_on_sphere && solution.pinned.len() + 1 == case.d);
            let again = solve::<T>(&case, distance, ball, &x).unwrap();
            assert!(again.status.is_converged(), "{what}, then {}", again.status);
            let rounding = T::of(1.0) + T::of(64.0) * T::UNIT_ROUNDOFF;
            assert!(again.loss <= solution.loss * rounding, "{what}");
            late += usize::from(again.iterations > 2);
        }
    }
    println!(
        "{}: {on_sphere} on the sphere, {late} not recognised at once",
        T::NAME
    );
    assert!(20 * late <= on_sphere);
    [on_sphere, at_kinks, at_vertices]
}

#[test]
fn answers_in_a_ball_are_recognised() {
    for counts in [balls::<f64>(), balls::<f32>()] {
        println!("{counts:?}");
        assert!(counts.iter().all(|&count| count > 10));
    }
}

/// Starts on the sphere to the rounding of single precision, and answers of it in double precision.
#[test]
fn a_start_on_the_sphere_is_taken() {
    let case = Case::new((7, 20, 12), Blemish::None, TargetKind::Unrelated, 0.0, 3);
    let radius = 0.3;
    for excess in [1.0, 1.0 + 1e-15, 1.0 + 2e-7] {
        let scale = excess * radius / norm(&case.x);
        let start: Vec<f64> = case.x.iter().map(|x| scale * x).collect();
        let solution = solve::<f64>(&case, Distance::Squared, Some(radius), &start).unwrap();
        assert!(solution.status.is_converged());
        let single = solve::<f32>(&case, Distance::Squared, Some(radius), &start).unwrap();
        let start = exact(&single.x);
        assert!(solve::<f64>(&case, Distance::Squared, Some(radius), &start).is_ok());
    }
    let scale = 1.001 * radius / norm(&case.x);
    let start: Vec<f64> = case.x.iter().map(|x| scale * x).collect();
    let error = solve::<f64>(&case, Distance::Squared, Some(radius), &start).unwrap_err();
    assert!(matches!(error, Error::StartOutsideBall { .. }));
}

/// The reported norm of the gradient is that of the least element of the subdifferential: at one kink and on
/// the sphere it is had by trying all multipliers.
#[test]
fn the_gradient_norm_is_that_of_the_shortest_subgradient() {
    let (mut at_kinks, mut on_spheres) = (0, 0);
    for seed in 0..400 {
        let case = Case::new((2, 6, 5), Blemish::None, TargetKind::Unrelated, 0.0, seed);
        let radius = 0.5 + 0.01 * seed as f64;
        let solved = solve::<f64>(&case, Distance::Squared, Some(radius), &[0.0; 2]);
        let solution = solved.unwrap();
        if !solution.status.is_converged() || solution.pinned.len() > 1 {
            continue;
        }
        let x = &solution.x;
        let is_on_sphere = norm(x) >= radius * (1.0 - 1e-12);
        on_spheres += usize::from(is_on_sphere);
        at_kinks += usize::from(!solution.pinned.is_empty());
        // On both sides of the kink, if there is one.
        let normal: Vec<f64> = match solution.pinned.first() {
            Some(&unit) => case.a1[2 * unit..][..2].to_vec(),
            None => vec![0.0; 2],
        };
        let side = |sign: f64| -> Vec<f64> {
            let beside = x.iter().zip(&normal).map(|(x, a)| x + sign * 1e-9 * a);
            case.gradient(Distance::Squared, &beside.collect::<Vec<_>>())
        };
        let (on, off) = (side(1.0), side(-1.0));
        let mut least = f64::INFINITY;
        for part in 0..=1000 {
            let part = f64::from(part) / 1000.0;
            let mixed = [0, 1].map(|i| part * on[i] + (1.0 - part) * off[i]);
            let pull = (mixed[0] * x[0] + mixed[1] * x[1]) / norm(x).powi(2);
            let outward = if is_on_sphere { pull.min(0.0) } else { 0.0 };
            least = least.min(norm(&[0, 1].map(|i| mixed[i] - outward * x[i])));
        }
        // A thousandth of the way from one side to the other, and what 1e-9 beside the kink changes.
        let spread = norm(&[on[0] - off[0], on[1] - off[1]]);
        let found = solution.gradient_norm;
        assert!(found <= least + 1e-7, "{seed}: {found:e}, {least:e}");
        assert!(
            found >= least - 1e-3 * spread - 1e-7,
            "{seed}: {found:e}, {least:e}"
        );
    }
    println!("{at_kinks} at kinks, {on_spheres} on spheres");
    assert!(at_kinks > 20 && on_spheres > 20);
}
