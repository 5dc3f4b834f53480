//! Which kinks a point is taken to lie on.

use super::*;
use twolayer::{Target, TwoLayer};
use twolayer_faer::Faer;

/// One input; the first unit is on, the second has its kink at x = ½. Outcome i has the logit
/// a₀ᵢ(x + 2) + a₁ᵢ max(x − ½, 0).
fn certify(a2: [[f64; 2]; 3], b: &[f64], x: f64) -> Verdict {
    let backend = Faer::<f64>::sequential();
    let matrix = |values: &[f64], rows: usize| {
        let mut matrix = backend.zeros(rows, values.len() / rows);
        backend.copy_from_row_major(values, &mut matrix);
        matrix
    };
    let (a1, a2) = (matrix(&[1.0, 1.0], 2), matrix(a2.as_flattened(), 3));
    let network = TwoLayer::new(backend, a1, a2).unwrap();
    let network = network.with_biases(vec![2.0, -0.5], vec![0.0; 3]).unwrap();
    let target = Target::new(b.to_vec()).unwrap();
    let problem = Inversion::new(&network, &target).unwrap();
    Certifier::new().certify(&problem, &[x]).unwrap()
}

/// Left of the kink outcome 0 is too rare, right of it outcome 1 is too likely.
const HELD: [f64; 3] = [0.96, 0.01, 0.03];

/// |h| is the distance, and its terms are of size ½ and ½.
#[test]
fn a_point_is_on_a_kink_up_to_ten_thousand_roundoffs() {
    let a2 = [[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]];
    let near = |roundoffs: f64| certify(a2, &HELD, 0.5 + roundoffs * 2.0_f64.powi(-53));
    for roundoffs in [0.0, 9e3, -9e3] {
        let verdict = near(roundoffs);
        let certificate = verdict.certificate().unwrap();
        assert_eq!(certificate.kinks, [1], "{roundoffs}");
        assert_eq!(certificate.kind(), "minimum");
    }
    for roundoffs in [1.2e4, -1.2e4] {
        assert!(near(roundoffs).refusal().is_some(), "{roundoffs}");
    }
}

/// A minimum 10⁻¹³ beside a kink lies on it to rounding, but is not held by it: what is proved is the
/// minimum beside it. Where there is none the kink is what is told of.
#[test]
fn a_kink_that_does_not_hold_is_let_go() {
    let a2 = [[1.0, 2.0], [0.0, 0.0], [0.0, 0.0]];
    let side = 1e-13_f64;
    for side in [side, -side] {
        let x = 0.5 + side;
        let powers = [(x + 2.0 + 2.0 * side.max(0.0)).exp(), 1.0, 1.0];
        let total: f64 = powers.iter().sum();
        let verdict = certify(a2, &powers.map(|p| p / total), x);
        let certificate = verdict.certificate().unwrap();
        assert!(certificate.kinks.is_empty());
        assert!((certificate.kink_distance / side.abs() - 1.0).abs() < 0.1);
    }
    let verdict = certify(
        [[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]],
        &[0.3, 0.01, 0.69],
        0.5,
    );
    assert!(matches!(
        verdict.refusal(),
        Some(Refusal::NotHeld { unit: 1, .. })
    ));
}
