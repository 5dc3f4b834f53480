use super::*;
use crate::{KullbackLeibler, Loss, Regularizer, SquaredError, Target, TwoLayer};
use approx_newton::DenseHessian;
use twolayer_faer::Faer;

fn step(within_region: bool, flips: Option<usize>, epsilon: Option<f64>) -> TheoryStep {
    TheoryStep {
        iteration: 0,
        distance: 1.0,
        within_region,
        contraction: None,
        flips,
        epsilon,
    }
}

fn theory(steps: Vec<TheoryStep>) -> Theory {
    Theory {
        singular_values: [1.0, 2.0],
        strong_convexity: 1.0,
        hessian_lipschitz: 1.0,
        lemma_weight: 3.0,
        least_weight: 0.0,
        steps,
    }
}

/// From the first iterate within the region on: no flips, ε₀ ≤ 0.1. The last iterate makes no step.
#[test]
fn the_theorem_applies_where_all_assumptions_hold_from_the_region_on() {
    let (far, near) = (step(false, Some(3), None), step(true, Some(0), Some(0.1)));
    let end = step(true, None, None);
    let applies = |steps: &[TheoryStep]| theory(steps.to_vec()).applies();
    assert!(applies(&[far, near, near, end]));
    assert!(applies(&[near, end]));
    assert!(!applies(&[]) && !applies(&[end]));
    // The region is met by the last iterate alone.
    assert!(!applies(&[far, end]));
    for bad in [
        step(true, Some(1), Some(0.0)),
        step(true, Some(0), Some(0.1 + 1e-9)),
        step(true, Some(0), None),
        step(true, None, Some(0.0)),
    ] {
        assert!(!applies(&[far, near, bad, end]));
    }
    // Out of the region again does not undo it.
    assert!(applies(&[near, step(false, Some(0), Some(0.0)), end]));
}

#[test]
fn the_worst_contraction_is_of_steps_from_within_the_region() {
    let of = |within: bool, contraction| TheoryStep {
        contraction,
        ..step(within, Some(0), Some(0.0))
    };
    let worst = |steps: &[TheoryStep]| theory(steps.to_vec()).worst_contraction();
    let steps = [
        of(false, Some(0.9)),
        of(true, Some(0.2)),
        of(true, Some(0.3)),
        of(true, None),
    ];
    assert_eq!(worst(&steps), Some(0.3));
    assert_eq!(worst(&steps[..1]), None);
}

#[test]
fn iterates_of_the_warm_start_count_for_nothing() {
    let entry = |stage, iteration| TraceEntry {
        iteration,
        stage,
        restart: 0,
        loss: 1.0,
        stage_loss: 1.0,
        gradient_norm: 1.0,
        step_norm: 1.0,
        damping: 1.0,
        flips: 7,
        pinned: 0,
        rows_used: 0,
        elapsed: 0.0,
        seconds: approx_newton::PhaseSeconds::default(),
    };
    let mut recorder = Recorder::new(&[0.5]);
    assert_eq!(recorder.iterates, [(0, 0, vec![0.5])]);
    let _ = recorder.observe(&entry(Stage::Target, 1), &[1.0]);
    assert_eq!(recorder.iterates.len(), 2);
    let _ = recorder.observe(&entry(Stage::WarmStart, 2), &[2.0]);
    let _ = recorder.observe(&entry(Stage::Target, 3), &[3.0]);
    // The warm start ends where the target's stage begins.
    assert_eq!(recorder.iterates, [(2, 7, vec![2.0]), (3, 7, vec![3.0])]);
}

/// One unknown, two units, of which one is on at x > 0: z = x (1, −1, 0.5).
fn line(loss: &dyn Loss<f64>, run: impl FnOnce(&Inversion<'_, Faer<f64>>)) {
    let backend = Faer::<f64>::sequential();
    let mut a1 = backend.zeros(2, 1);
    backend.copy_from_row_major(&[2.0, -1.0], &mut a1);
    let mut a2 = backend.zeros(3, 2);
    backend.copy_from_row_major(&[0.5, 9.0, -0.5, 9.0, 0.25, 9.0], &mut a2);
    let network = TwoLayer::new(backend, a1, a2).unwrap();
    let target = Target::new(network.probabilities(&[0.8]).unwrap()).unwrap();
    let weights = Regularizer::new(vec![0.3, -0.2, 0.25]).unwrap();
    let problem = Inversion::new(&network, &target).unwrap().with_loss(loss);
    run(&problem.with_regularizer(&weights).unwrap());
}

/// ∇²L by differences of the gradient.
fn second_derivative(problem: &Inversion<'_, Faer<f64>>, x: f64) -> f64 {
    let slope = |x: f64| {
        let mut at = problem.new_evaluation();
        problem.evaluate(&[x], &[], &mut at);
        problem.differentiate(&mut at);
        twolayer_core::Evaluation::gradient(&at)[0]
    };
    (slope(x + 1e-5) - slope(x - 1e-5)) / 2e-5
}

/// C = (1, −1, ½)ᵀ: every constant from its definition.
#[test]
fn the_constants_are_what_they_are_defined_as() {
    let norm = 2.25_f64.sqrt();
    let root = 2.0_f64.sqrt();
    for (loss, lipschitz) in [
        // min(9√2‖C‖³, 36ρ³), and Σb min(‖C‖³/√2, 2ρ³), ρ = 1.
        (
            &SquaredError as &dyn Loss<f64>,
            (9.0 * root * norm.powi(3)).min(36.0),
        ),
        (&KullbackLeibler, (norm.powi(3) / root).min(2.0)),
    ] {
        line(loss, |problem| {
            let x = 0.6;
            let l = second_derivative(problem, x);
            // At 0.99 and 1.01 of the largest distance within the region, and at x itself.
            let region = 0.1 * l / lipschitz;
            for (part, within) in [(0.99, true), (1.01, false)] {
                let mut recorder = Recorder::new(&[x + part * region]);
                recorder.iterates.push((1, 2, vec![x - 0.25 * region]));
                recorder.iterates.push((2, 0, vec![x]));
                let mut model = DenseHessian::new(problem, RowWeights::Exact);
                let theory = examine(problem, problem, &mut model, &recorder, &[x]);
                for value in theory.singular_values {
                    assert!((value - norm).abs() < 1e-14);
                }
                assert!((theory.strong_convexity / l - 1.0).abs() < 1e-8);
                assert!((theory.hessian_lipschitz / lipschitz - 1.0).abs() < 1e-14);
                let lemma = 2.0 + l / (norm * norm);
                assert!((theory.lemma_weight / lemma - 1.0).abs() < 1e-8);
                assert!((theory.least_weight - 0.04).abs() < 1e-17);
                let [first, second, last] = &theory.steps[..] else {
                    unreachable!()
                };
                assert_eq!((first.within_region, first.flips), (within, Some(2)));
                let contraction = first.contraction.unwrap();
                assert!((contraction - 0.25 / part).abs() < 1e-9, "{contraction}");
                assert!((first.distance / (part * region) - 1.0).abs() < 1e-9);
                assert_eq!(
                    (second.iteration, second.flips, second.within_region),
                    (1, Some(0), true)
                );
                assert_eq!(
                    (last.distance, last.contraction, last.flips),
                    (0.0, None, None)
                );
                // The exact model is exact.
                assert!(last.epsilon.unwrap() < 1e-12);
            }
        });
    }
}

/// In one dimension ε₀ is |H̃/H − 1|.
#[test]
fn epsilon_is_the_models_relative_error() {
    line(&SquaredError, |problem| {
        let x = 1.4;
        let (mut at, d) = (problem.new_evaluation(), 1);
        problem.evaluate(&[x], &[], &mut at);
        let of = |kind| {
            let mut curvature = Curvature::new(problem.rows());
            problem.curvature(&at, kind, &mut curvature);
            let mut product = vec![0.0; d];
            problem.hessian_vec(
                &at,
                &curvature,
                &[1.0],
                &mut ProductScratch::default(),
                &mut product,
            );
            product[0]
        };
        let (exact, rough) = (of(RowWeights::Exact), of(RowWeights::GaussNewton));
        assert!((exact / second_derivative(problem, x) - 1.0).abs() < 1e-8);
        let mut model = DenseHessian::new(problem, RowWeights::GaussNewton);
        let theory = examine(problem, problem, &mut model, &Recorder::new(&[x]), &[x]);
        let epsilon = theory.steps[0].epsilon.unwrap();
        assert!((rough / exact - 1.0).abs() > 1e-2);
        assert!(
            (epsilon - (rough / exact - 1.0).abs()).abs() < 1e-12,
            "{epsilon}"
        );
    });
}

/// A matrix from its products, the two halves of an unsymmetric one averaged.
#[test]
fn a_matrix_is_put_together_from_its_products() {
    let entries = [1.0, 2.0, 4.0, 5.0];
    let matrix = symmetric(2, |v: &[f64], product: &mut [f64]| {
        for i in 0..2 {
            product[i] = entries[2 * i] * v[0] + entries[2 * i + 1] * v[1];
        }
    });
    assert_eq!(matrix, [1.0, 3.0, 3.0, 5.0]);
}
