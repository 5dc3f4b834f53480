use super::*;
use crate::definition::{Definition, Numbers, arrived};
use crate::exact::{Big, Draws, absolute, big, norm as exact_norm, small, wide};
use crate::real::DoubleDouble;
use twolayer::ClosedForm;

/// η, δ, ω and r of all sizes, δ sometimes next to 1.
fn drawn(count: usize) -> Vec<[f64; 4]> {
    let mut draws = Draws::new(1);
    (0..count)
        .map(|case| {
            let defect = match case % 3 {
                0 => draws.between(0.0, 1.0),
                1 => 1.0 - draws.between(1e-9, 1e-3),
                _ => draws.between(0.0, 1e-6),
            };
            let eta = draws.of_any_size(30.0).abs();
            [
                eta,
                defect,
                draws.of_any_size(30.0).abs(),
                draws.of_any_size(30.0).abs(),
            ]
        })
        .collect()
}

/// To the safe side of the exact value, and by a few roundings only, which 1 − δ enlarges.
#[track_caller]
fn above(bound: f64, exact: &Big, defect: f64) {
    let slack = big(1.0) + big(48.0 * up::UNIT) / (big(1.0) - big(defect));
    assert!(
        big(bound) >= *exact && big(bound) <= exact * slack,
        "{bound:e} {exact} {defect}"
    );
}

#[test]
fn every_bound_of_the_proof_is_rounded_to_the_safe_side() {
    for [eta, defect, omega, radius] in drawn(3000) {
        let (h, o, r) = (big(eta), big(omega), big(radius));
        let regular = big(1.0) - big(defect);
        above(reach(eta, defect), &(&h * big(2.0) / &regular), defect);
        above(
            kappa(eta, defect, omega),
            &(&o * &h / (&regular * &regular)),
            defect,
        );
        let bend = big(1.0) + big(defect) + &o * &r;
        let change = &r * (&h + &bend * &r * big(0.5));
        above(change_of_value(eta, defect, omega, radius), &change, defect);
        // ωr is at most half of what δ leaves.
        let omega = 0.5 * (1.0 - defect) / radius;
        let exact = (&regular - big(omega) * &r) / (&h * &h);
        let bound = least_eigenvalue(defect, omega, radius, eta);
        assert!(big(bound) <= exact, "{bound:e} {exact}");
        let slack = big(1.0) - big(32.0 * up::UNIT) / &regular;
        assert!(big(bound) >= exact * slack, "{bound:e} {defect}");
    }
}

#[test]
fn the_radius_satisfies_its_inequality_and_is_nearly_the_smaller_root() {
    let mut nearly_half = 0;
    for (case, [eta, defect, omega, _]) in drawn(3000).into_iter().enumerate() {
        // κ as it comes, or near to one half.
        let regular = big(1.0) - big(defect);
        let omega = match case % 5 {
            0 => omega,
            part => {
                let wanted = [0.49999, 0.3, 1e-3, 1e-20][part - 1];
                small(&(&regular * &regular * big(wanted) / big(eta)))
            }
        };
        let (h, o) = (big(eta), big(omega));
        let kappa = &o * &h / (&regular * &regular);
        let Some(radius) = smallest_radius(eta, defect, omega) else {
            // Nothing is given away but for rounding.
            assert!(kappa > big(0.5 - 1e-6), "{kappa}");
            continue;
        };
        let r = big(radius);
        assert!(
            &h + big(defect) * &r + &o * &r * &r * big(0.5) <= r,
            "{eta:e} {defect} {omega:e}"
        );
        assert!(kappa < big(0.5));
        let reach = &h * big(2.0) / &regular;
        // Where the inequality has little to spare beyond the root, rounding hides it.
        let root = small(&(big(1.0) - &kappa * big(2.0))).max(0.0).sqrt();
        let smallest = &reach / big(1.0 + root);
        let spared = (1.0 - defect) * root > 0.01;
        let far = if spared {
            smallest * big(1.0 + 1e-9)
        } else {
            reach
        };
        assert!(r <= &far * big(1.0 + 1e-6), "{radius:e} {defect}");
        nearly_half += usize::from(kappa > big(0.4999));
    }
    assert!(nearly_half > 400, "{nearly_half}");
}

#[test]
fn a_kappa_of_one_half_is_refused() {
    assert!(smallest_radius(0.5, 0.0, 1.0).is_none());
    assert!(smallest_radius(0.5, 0.0, 0.999).is_some());
    assert!(smallest_radius(f64::NAN, 0.0, 0.1).is_none());
    assert!(smallest_radius(0.1, 0.0, f64::INFINITY).is_none());
    // With δ: κ = ωη/(1 − δ)².
    assert!(smallest_radius(0.125, 0.5, 1.01).is_none());
    assert!(smallest_radius(0.125, 0.5, 0.99).is_some());
}

/// Where rounding hides the smaller root, the whole reach will do.
#[test]
fn next_to_a_defect_of_one_the_reach_itself_is_taken() {
    let defect = 1.0 - 1e-7;
    assert_eq!(
        smallest_radius(1.0, defect, 1e-20),
        Some(reach(1.0, defect))
    );
}

fn rounded(position: &Position<DoubleDouble>) -> Vec<f64> {
    position.point.x[..2].iter().map(|x| x.hi).collect()
}

fn distance(x: &[Big], y: &[f64]) -> Big {
    let gap: Vec<Big> = x.iter().zip(y).map(|(x, &y)| x - big(y)).collect();
    exact_norm(&gap)
}

#[test]
fn what_a_certificate_says_is_so_and_little_more() {
    for loss in [ClosedForm::SquaredError, ClosedForm::KullbackLeibler] {
        let (numbers, position) = arrived(loss, vec![]);
        let instance = numbers.instance();
        // Off by 1e-9, so that the radius has something to say.
        let given: Vec<f64> = rounded(&position).iter().map(|x| x + 1e-9).collect();
        let claim = Claim {
            instance: &instance,
            given: &given,
            polish: true,
        };
        let certificate = claim.check(&position).unwrap();
        let active = position.point.cell.active.clone();
        let definition = Definition {
            instance: &instance,
            active,
            held: vec![],
        };
        let x: Vec<Big> = position.point.x.iter().map(|&x| wide(x)).collect();
        let truth = definition.stationary(&x);

        let gap = distance(&truth, &given);
        let radius = big(certificate.radius);
        assert!(
            radius >= gap && radius <= gap * big(1.0 + 1e-6),
            "{certificate:?}"
        );
        let gap = distance(&truth, &certificate.point);
        let radius = big(certificate.point_radius);
        assert!(
            radius >= gap && radius <= &gap * big(1.0 + 1e-6),
            "{certificate:?}"
        );
        let value = definition.value(&truth);
        let [least, most] = certificate.loss.map(big);
        assert!(
            least <= value && value <= most && &most - &least < big(1e-14 * certificate.loss[1])
        );
        // The least eigenvalue of two: of their sum and product. T may be wider than it needs by √2.
        let h = definition.hessian(&truth);
        let (half, det) = (
            small(&(&h[0][0] + &h[1][1])) / 2.0,
            small(&(&h[0][0] * &h[1][1] - &h[0][1] * &h[1][0])),
        );
        let root = (half * half - det).sqrt();
        let size = (half - root).abs().min((half + root).abs());
        let bound = certificate.least_eigenvalue;
        assert!(bound <= size && bound >= 0.49 * size, "{bound} {size}");
        let below = usize::from(half - root < 0.0) + usize::from(half + root < 0.0);
        assert_eq!(certificate.negative_directions, below);
        let kink = |unit: usize| {
            let normal: Vec<Big> = instance.normal(unit).iter().map(|&a| big(a)).collect();
            absolute(&definition.hidden(unit, &x)) / exact_norm(&normal)
        };
        let nearest = (0..6).map(kink).min().unwrap();
        let bound = big(certificate.kink_distance);
        assert!(
            bound <= nearest && bound >= nearest * big(1.0 - 1e-14),
            "{certificate:?}"
        );
        let unique = certificate.unique_within;
        assert!(unique > certificate.radius && unique < certificate.kink_distance);
        assert_eq!(
            certificate.kappa,
            kappa(
                certificate.eta,
                certificate.defect,
                certificate.hessian_lipschitz
            )
        );
        assert_eq!(
            (certificate.newton_steps, certificate.arithmetic),
            (position.steps, "double-double")
        );
    }
}

/// As given, an x has a certificate without polishing; polished, it may have moved by a tenth.
#[test]
fn polishing_may_move_x_by_a_tenth_of_its_length() {
    let (numbers, mut position) = arrived(ClosedForm::KullbackLeibler, vec![]);
    let instance = numbers.instance();
    let x = rounded(&position);
    let part = |part: f64| -> Vec<f64> { x.iter().map(|x| x / (1.0 + part)).collect() };
    let check = |given: &[f64], position: &Position<DoubleDouble>| {
        Claim {
            instance: &instance,
            given,
            polish: true,
        }
        .check(position)
    };
    let certificate = check(&part(0.0999), &position).unwrap();
    let norm = x[0].hypot(x[1]);
    assert!((certificate.radius / norm - 0.0999 / 1.0999).abs() < 1e-9);
    // What polishing moved does not count as unique.
    let there = check(&x, &position).unwrap();
    assert!(
        (there.unique_within - certificate.unique_within).abs()
            <= certificate.radius * (1.0 + 1e-9)
            && certificate.unique_within < there.unique_within
    );
    match check(&part(0.1001), &position) {
        Err(Refusal::Moved { moved, limit }) => assert!((moved / limit - 1.001).abs() < 1e-6),
        other => panic!("{other:?}"),
    }
    position.steps = 0;
    assert!(check(&part(0.1001), &position).is_ok());
}

#[test]
fn the_ball_must_hold_the_stationary_point_inside() {
    let (mut numbers, position) = arrived(ClosedForm::KullbackLeibler, vec![]);
    let x = rounded(&position);
    let given: Vec<f64> = x.iter().map(|x| x * (1.0 - 1e-3)).collect();
    let norm = x[0].hypot(x[1]);
    for (radius, inside) in [(norm * (1.0 + 1e-9), true), (norm * (1.0 - 1e-9), false)] {
        numbers.radius = Some(radius);
        let instance = numbers.instance();
        let claim = Claim {
            instance: &instance,
            given: &given,
            polish: true,
        };
        match claim.check(&position) {
            Ok(_) => assert!(inside),
            Err(Refusal::OnSphere { norm: reached, .. }) => {
                assert!(
                    !inside && reached >= norm * (1.0 - 1e-12) && reached < norm * (1.0 + 1e-9)
                );
            }
            other => panic!("{other:?}"),
        }
    }
}

/// A ball that reaches to where the stationary point may lie, and not beyond.
#[test]
fn the_sphere_itself_is_not_inside() {
    let (mut numbers, position) = arrived(ClosedForm::KullbackLeibler, vec![]);
    let given = rounded(&position);
    let check = |numbers: &Numbers| {
        let instance = numbers.instance();
        let claim = Claim {
            instance: &instance,
            given: &given,
            polish: true,
        };
        claim.check(&position)
    };
    let certificate = check(&numbers).unwrap();
    let reached = up::add(up::norm(given.iter().copied()), certificate.radius);
    numbers.radius = Some(reached);
    assert!(matches!(check(&numbers), Err(Refusal::OnSphere { .. })));
    numbers.radius = Some(reached.next_up());
    assert!(check(&numbers).is_ok());
}

#[test]
fn a_defect_of_one_or_too_few_negative_signs_prove_nothing() {
    let (numbers, mut position) = arrived(ClosedForm::KullbackLeibler, vec![]);
    let instance = numbers.instance();
    let given = rounded(&position);
    let claim = Claim {
        instance: &instance,
        given: &given,
        polish: false,
    };
    assert_eq!(claim.check(&position).unwrap().negative_directions, 0);
    position.scaling.scaled.signs[1] = -1.0;
    assert_eq!(claim.check(&position).unwrap().negative_directions, 1);
    for defect in [1.0, 2.0, f64::NAN] {
        position.scaling.scaled.defect = defect;
        assert!(matches!(
            claim.check(&position),
            Err(Refusal::Singular { .. })
        ));
    }
    position.scaling.scaled.defect = 1.0 - 1e-3;
    assert!(claim.check(&position).is_ok());
    // One negative sign for each unit that is held is K's own.
    let (numbers, mut position) = arrived(ClosedForm::KullbackLeibler, vec![2]);
    let instance = numbers.instance();
    let given = rounded(&position);
    position.scaling.scaled.signs = vec![1.0; 3];
    let claim = Claim {
        instance: &instance,
        given: &given,
        polish: false,
    };
    assert!(matches!(
        claim.check(&position),
        Err(Refusal::Singular { .. })
    ));
    position.scaling.scaled.signs[1] = -1.0;
    assert!(claim.check(&position).unwrap().is_minimum());
}

/// A Newton step of one half is no step of a proof.
#[test]
fn a_rough_point_is_refused_with_its_kappa() {
    let numbers = Numbers::drawn((2, 6, 5), ClosedForm::KullbackLeibler, 1);
    let instance = numbers.instance();
    let given = [0.9, -0.9];
    let position = Position::<f64>::new(&instance, &given, vec![]);
    let claim = Claim {
        instance: &instance,
        given: &given,
        polish: true,
    };
    match claim.check(&position) {
        Err(Refusal::Rough { kappa, polished }) => assert!(kappa >= 0.5 && polished),
        other => panic!("{other:?}"),
    }
}

/// Probabilities and rows of a real point, with a ball of any size asked for.
#[test]
fn uniqueness_reaches_to_the_nearest_kink_or_as_far_as_the_curvature_lasts() {
    let (numbers, position) = arrived(ClosedForm::KullbackLeibler, vec![]);
    let instance = numbers.instance();
    let norms = &position.scaling.scaled.row_norms;
    let lipschitz = Lipschitz::new(&instance, &position.point, norms);
    let lengths = position.row_lengths();
    let holds = |defect: f64, r: f64| defect + lipschitz.within(r, &lengths) * r < 1.0;
    // A near kink stops it just before.
    let near = unique_radius(&lipschitz, &lengths, 0.1, 1e-6);
    assert!(near < 1e-6 && near > 1e-6 * (1.0 - 2e-9));
    // Without kinks it is halved until the inequality holds, and not once more.
    for defect in [0.0, 0.5, 0.999] {
        let far = unique_radius(&lipschitz, &lengths, defect, f64::INFINITY);
        assert!(
            far > 0.0 && holds(defect, far) && !holds(defect, 2.0 * far),
            "{defect} {far}"
        );
    }
    assert_eq!(unique_radius(&lipschitz, &lengths, 1.0, 1.0), 0.0);
    assert_eq!(unique_radius(&lipschitz, &lengths, f64::NAN, 1.0), 0.0);
    // Rows so short that the curvature lasts for ever: the largest logit moves by a hundred.
    let flat = Lipschitz::new(&instance, &position.point, &[0.0; 5]);
    let lengths = [1e-3, 2e-3, 0.0, 0.0, 0.0];
    assert_eq!(
        unique_radius(&flat, &lengths, 0.1, f64::INFINITY),
        100.0 / 2e-3
    );
}

#[test]
fn kinks_that_are_held_are_no_bound_to_the_distance() {
    let (numbers, position) = arrived(ClosedForm::KullbackLeibler, vec![2]);
    let instance = numbers.instance();
    let given = rounded(&position);
    let claim = Claim {
        instance: &instance,
        given: &given,
        polish: true,
    };
    let of = |unit: usize| {
        let normal = instance.normal(unit);
        position.point.hidden[unit].middle.hi.abs() / normal[0].hypot(normal[1])
    };
    let nearest = (0..6)
        .filter(|&unit| unit != 2)
        .map(of)
        .fold(f64::INFINITY, f64::min);
    let distance = claim.kink_distance(&position);
    assert!((distance / nearest - 1.0).abs() < 1e-14 && of(2) < 1e-15);
}
