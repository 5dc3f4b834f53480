use super::*;
use crate::hinges::{Hinges, HingesPoint};

/// The model of ½x² that takes its curvature for another, and what it was told.
struct Told {
    curvature: f64,
    outcomes: Vec<StepOutcome<f64>>,
}

impl HessianApprox<Hinges<f64>> for Told {
    fn name(&self) -> &'static str {
        "told"
    }

    fn build(&mut self, _: &Hinges<f64>, _: &HingesPoint<f64>) -> usize {
        0
    }

    fn mean_eigenvalue(&self) -> f64 {
        self.curvature
    }

    fn apply(&mut self, _: &Hinges<f64>, _: &HingesPoint<f64>, p: &[f64], product: &mut [f64]) {
        product[0] = self.curvature * p[0];
    }

    fn learn(&mut self, outcome: StepOutcome<f64>) {
        self.outcomes.push(outcome);
    }
}

/// From x = 1 a step of −1/c: all of it, a twentieth, or nothing is taken, by the places that a search looks at.
#[test]
fn a_model_is_told_what_became_of_its_step() {
    let problem = Hinges {
        center: vec![0.0],
        curvatures: vec![1.0],
        ..Hinges::default()
    };
    for (curvature, fraction, decrease) in [(1.0, 1.0, 0.5), (0.1, 0.05, 0.375), (1e-9, 0.0, 0.0)] {
        let mut descent = Descent::new(&problem, Tolerances::default());
        descent.start_at(&problem, &[1.0], &[], 1e-12);
        let mut model = Told {
            curvature,
            outcomes: Vec::new(),
        };
        descent.iterate(&problem, &mut model, true);
        let [outcome] = model.outcomes[..] else {
            panic!("{:?}", model.outcomes)
        };
        assert_eq!(outcome.fraction, fraction);
        assert!((outcome.decrease - decrease).abs() < 1e-11, "{outcome:?}");
    }
}
