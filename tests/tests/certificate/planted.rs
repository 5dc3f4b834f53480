//! Points that must be refused, or certified for what they are.

use crate::random::Problem;
use crate::reference::small;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use twolayer::Solver;
use twolayer::{
    Inversion, KullbackLeibler, LinearBackend, LogRatio, Loss, Regularizer, Scalar, SquaredError,
    Target,
};
use twolayer_certificate::{Certifier, Refusal, Verdict};
use twolayer_faer::Faer;
use twolayer_nalgebra::Nalgebra;
use twolayer_ndarray::Ndarray;
use twolayer_tests::problems::{Planted, rounded};

fn random() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(1)
}

fn refusal(verdict: Verdict) -> Refusal {
    match verdict {
        Verdict::Refused(refusal) => refusal,
        Verdict::Certified(certificate) => panic!("{certificate:?}"),
    }
}

/// A problem of two inputs, and a saddle of its squared loss away from all kinks.
fn saddle() -> (Problem, Vec<f64>) {
    for seed in 0.. {
        let planted = Planted::new((2, 6, 4), true, seed);
        let problem = Problem::planted(&planted, &planted.unrelated, &[], false);
        for start in [[0.3, 0.4], [-0.5, 0.2], [1.0, -1.0]] {
            let Some(found) = problem.reference.refine(&start, &[]) else {
                continue;
            };
            if found.negative == 1 && found.kink > 0.05 {
                return (problem, found.x.iter().map(small).collect());
            }
        }
    }
    unreachable!()
}

#[test]
fn a_saddle_is_never_a_minimum() {
    let (problem, x) = saddle();
    let verdict = problem.certify(&x, false);
    let certificate = verdict.certificate().unwrap();
    assert_eq!(
        (certificate.kind(), certificate.negative_directions),
        ("saddle", 1)
    );
    problem.check(&x, certificate, &mut random());
    // Near it, and as it is: no stationary point can be promised, or it is the saddle.
    for distance in [1e-12, 1e-9, 1e-6, 1e-3, 1e-2, 3e-2, 0.1] {
        let near = [x[0] + distance, x[1] - distance];
        for polish in [false, true] {
            if let Verdict::Certified(certificate) = problem.certify(&near, polish) {
                assert!(!certificate.is_minimum());
                problem.check(&near, &certificate, &mut random());
            }
        }
    }
    let near = [x[0] + 0.05, x[1] - 0.05];
    assert!(matches!(
        refusal(problem.certify(&near, false)),
        Refusal::Rough { .. } | Refusal::AtKink { .. }
    ));
}

/// One input; the first unit is always on, the second has its kink at x = 0.5. The minimum is at
/// x = 0.5 + `side`.
fn beside_a_kink(side: f64) -> Problem {
    // Both units raise the outcome 0, so that the minimum of either side's own function lies on the
    // same side.
    let weights = |x: f64| {
        let on = (x - 0.5).max(0.0);
        let z = [x + 2.0 + 2.0 * on, 0.0, 0.0];
        let total: f64 = z.iter().map(|z| z.exp()).sum();
        z.map(|z| z.exp() / total).to_vec()
    };
    let a2 = vec![1.0, 2.0, 0.0, 0.0, 0.0, 0.0];
    let b = weights(0.5 + side);
    Problem::new(
        [vec![1.0, 1.0], vec![2.0, -0.5], a2, vec![0.0; 3], b, vec![]],
        true,
    )
}

#[test]
fn a_point_across_a_kink_is_refused() {
    for side in [1e-3, -1e-3, 1e-6, -1e-6] {
        let problem = beside_a_kink(side);
        let across = [0.5 - side];
        let refused = refusal(problem.certify(&across, false));
        assert!(
            matches!(refused, Refusal::AtKink { unit: 1, .. }),
            "{side}: {refused}"
        );
        // Polished, it reaches the minimum on the other side, and says how far that is.
        let verdict = problem.certify(&across, true);
        let certificate = verdict.certificate().unwrap();
        problem.check(&across, certificate, &mut random());
        assert!(certificate.radius >= 1.99 * side.abs());
        let there = [0.5 + side];
        problem.check(
            &there,
            problem.certify(&there, false).certificate().unwrap(),
            &mut random(),
        );
    }
}

#[test]
fn a_minimum_at_a_kink_is_held_by_both_sides() {
    // Left of 0.5 the outcome 0 is too rare, right of it the outcome 1 is too likely.
    let problem = |b: [f64; 3]| {
        let a2 = vec![1.0, 0.0, 0.0, 2.0, 0.0, 0.0];
        Problem::new(
            [
                vec![1.0, 1.0],
                vec![2.0, -0.5],
                a2,
                vec![0.0; 3],
                b.to_vec(),
                vec![],
            ],
            true,
        )
    };
    let held = problem([0.96, 0.01, 0.03]);
    let verdict = held.certify(&[0.5], true);
    let certificate = verdict.certificate().unwrap();
    assert_eq!(
        (certificate.kinks.as_slice(), certificate.kind()),
        (&[1][..], "minimum")
    );
    held.check(&[0.5], certificate, &mut random());
    // Here the loss falls to the right, and to the left.
    for b in [[0.985, 0.01, 0.005], [0.3, 0.01, 0.69]] {
        let refused = refusal(problem(b).certify(&[0.5], true));
        assert!(
            matches!(refused, Refusal::NotHeld { unit: 1, .. }),
            "{refused}"
        );
    }
}

#[test]
fn a_degenerate_minimum_is_refused() {
    // Fewer outcomes than inputs; an input that nothing depends on; every unit off.
    let fewer = Planted::new((6, 12, 4), true, 2);
    let network = fewer.network(&Faer::<f64>::default()).unwrap();
    let target = fewer.target(&network).unwrap();
    let problem = Inversion::new(&network, &target).unwrap();
    let solution = Solver::new().solve(&problem, &fewer.start).unwrap();
    for polish in [false, true] {
        let certifier = Certifier::new().with_polish(polish);
        let refused = refusal(certifier.certify(&problem, &solution.x).unwrap());
        assert!(matches!(refused, Refusal::Singular { .. }), "{refused}");
    }
    let blind = Problem::new(
        [
            vec![1.0, 0.0, -1.0, 0.0],
            vec![2.0, 3.0],
            vec![1.0, 0.0, 0.0, 1.0],
            vec![0.0; 2],
            vec![0.5; 2],
            vec![],
        ],
        false,
    );
    assert!(matches!(
        refusal(blind.certify(&[0.5, 0.1], true)),
        Refusal::Singular { .. }
    ));
    assert!(matches!(
        refusal(blind.certify(&[-9.0, 0.1], true)),
        Refusal::Singular { .. }
    ));
    // A minimum of the fourth order: f − b vanishes, and its slope too.
    let quartic = Problem::new(
        [
            vec![1.0],
            vec![1.0],
            vec![0.0, 0.0],
            vec![0.0; 2],
            vec![0.5; 2],
            vec![],
        ],
        false,
    );
    assert!(matches!(
        refusal(quartic.certify(&[0.5], true)),
        Refusal::Singular { .. }
    ));
}

#[test]
fn an_answer_in_single_precision_is_certified_only_once_it_is_polished() {
    for seed in 0..3 {
        let planted = Planted::new((16, 64, 128), true, seed);
        let network = planted.network(&Faer::<f32>::default()).unwrap();
        let target = planted.target(&network).unwrap();
        for loss in [&SquaredError as &dyn Loss<f32>, &KullbackLeibler] {
            let problem = Inversion::new(&network, &target).unwrap().with_loss(loss);
            let x = Solver::new()
                .solve(&problem, &rounded(&planted.start))
                .unwrap()
                .x;
            let rough = Certifier::new()
                .with_polish(false)
                .certify(&problem, &x)
                .unwrap();
            let polished = Certifier::new().certify(&problem, &x).unwrap();
            let certificate = polished.certificate().unwrap();
            assert!(
                certificate.is_minimum() && certificate.radius < 0.1,
                "{certificate:?}"
            );
            assert!(certificate.point_radius < 1e-12, "{certificate:?}");
            // As it is, it is refused, or the truth is as far as it says.
            match rough {
                Verdict::Certified(rough) => assert!(rough.radius + certificate.radius >= 1e-7),
                Verdict::Refused(refusal) => {
                    assert!(matches!(
                        refusal,
                        Refusal::Rough { .. } | Refusal::AtKink { .. }
                    ));
                }
            }
        }
    }
}

#[test]
fn what_cannot_be_claimed_is_refused() {
    let planted = Planted::new((4, 16, 32), true, 3);
    let network = planted.network(&Faer::<f64>::default()).unwrap();
    let target = planted.target(&network).unwrap();
    let problem = Inversion::new(&network, &target).unwrap();
    let x = Solver::new().solve(&problem, &planted.start).unwrap().x;
    let certify = |problem: &Inversion<'_, _>| Certifier::new().certify(problem, &x).unwrap();
    assert!(certify(&problem).certificate().is_some());
    let refused = refusal(certify(&problem.clone().with_loss(&LogRatio)));
    assert!(
        matches!(refused, Refusal::UnknownLoss { name: "log-ratio" }),
        "{refused:?}"
    );
    let radius = 0.999 * x.iter().map(|x| x * x).sum::<f64>().sqrt();
    let refused = refusal(certify(&problem.clone().with_radius(radius).unwrap()));
    assert!(matches!(refused, Refusal::OnSphere { .. }), "{refused:?}");
    assert!(
        certify(&problem.clone().with_radius(1.01 * radius).unwrap())
            .certificate()
            .is_some()
    );
    assert!(Certifier::new().certify(&problem, &x[1..]).is_err());
    assert!(Certifier::new().certify(&problem, &[f64::NAN; 4]).is_err());
}

/// No kernel of a backend takes part: all three say the same to the last bit.
#[test]
fn the_backends_agree_to_the_last_bit() {
    fn verdict<B: LinearBackend>(backend: &B, x: &[f64]) -> Verdict {
        let planted = Planted::new((6, 24, 40), true, 9);
        let network = planted.network(backend).unwrap();
        let target = Target::new(rounded(&planted.unrelated)).unwrap();
        let weak = Regularizer::uniform(B::Scalar::of(0.125), 40).unwrap();
        let problem = Inversion::new(&network, &target).unwrap();
        let problem = problem
            .with_loss(&KullbackLeibler)
            .with_regularizer(&weak)
            .unwrap();
        Certifier::new().certify(&problem, x).unwrap()
    }
    let planted = Planted::new((6, 24, 40), true, 9);
    let network = planted.network(&Faer::<f64>::default()).unwrap();
    let target = Target::new(planted.unrelated.clone()).unwrap();
    let weak = Regularizer::uniform(0.125, 40).unwrap();
    let problem = Inversion::new(&network, &target).unwrap();
    let problem = problem
        .with_loss(&KullbackLeibler)
        .with_regularizer(&weak)
        .unwrap();
    let x = Solver::new().solve(&problem, &planted.start).unwrap().x;
    let faer = verdict(&Faer::<f64>::default(), &x);
    assert!(faer.certificate().is_some(), "{faer:?}");
    assert_eq!(faer, verdict(&Nalgebra::<f64>::default(), &x));
    assert_eq!(faer, verdict(&Ndarray::<f64>::default(), &x));
}
