//! Objectives that no number bounds from below, or another number than zero does.

use num_traits::Float;
use twolayer::{LinearBackend, RowWeights, Scalar, Solver, Status, reduce};
use twolayer_core::{Composite, RowLoss, RowMap};
use twolayer_tests::for_each_backend;

const SIZE: usize = 3;

/// z = x.
struct Identity<B>(B);

impl<B: LinearBackend> RowMap for Identity<B> {
    type Backend = B;

    fn backend(&self) -> &B {
        &self.0
    }

    fn inputs(&self) -> usize {
        SIZE
    }

    fn rows(&self) -> usize {
        SIZE
    }

    fn apply(&self, x: &[B::Scalar], z: &mut [B::Scalar]) {
        z.copy_from_slice(x);
    }

    fn jacobian(&self, _: &[B::Scalar], jacobian: &mut [B::Scalar]) {
        jacobian.fill(B::Scalar::of(0.0));
        for diagonal in jacobian.iter_mut().step_by(SIZE + 1) {
            *diagonal = B::Scalar::of(1.0);
        }
    }
}

/// Σ ½ hᵢ zᵢ² − gᵢ zᵢ + c: its minimum, at zᵢ = gᵢ/hᵢ, is c − Σ ½ gᵢ²/hᵢ.
struct Parabola {
    bends: [f64; SIZE],
    slopes: [f64; SIZE],
    constant: f64,
    bound: Option<f64>,
}

impl<T: Scalar> RowLoss<T> for Parabola {
    fn value(&self, z: &[T]) -> T {
        T::of(self.constant)
            + T::of(reduce::sum_of(SIZE, |i| {
                let z = z[i].to_f64();
                0.5 * self.bends[i] * z * z - self.slopes[i] * z
            }))
    }

    fn gradient(&self, z: &[T], gradient: &mut [T]) {
        for (i, u) in gradient.iter_mut().enumerate() {
            *u = T::of(self.bends[i]) * z[i] - T::of(self.slopes[i]);
        }
    }

    fn row_weights(&self, _: &[T], _: RowWeights, row_weights: &mut [T]) {
        row_weights.copy_from_slice(&self.bends.map(T::of));
    }

    /// The value is a difference of larger numbers.
    fn rounding_error(&self, z: &[T]) -> T {
        let terms = reduce::sum_of(SIZE, |i| {
            let z = z[i].to_f64();
            0.5 * self.bends[i] * z * z + (self.slopes[i] * z).abs()
        });
        T::of(4.0 * (self.constant + terms)) * T::UNIT_ROUNDOFF
    }

    fn lower_bound(&self) -> Option<T> {
        self.bound.map(T::of)
    }
}

fn minimum_is_found_whatever_its_sign<B: LinearBackend>(backend: &B) {
    let (bends, slopes) = ([1.0, 4.0, 0.5], [2.0, -8.0, 1.0]);
    // −(2 + 8 + 1) = −11.
    for (constant, bound) in [
        (0.0, None),
        (11.0, None),
        (0.0, Some(-11.0)),
        (40.0, Some(-3.0)),
    ] {
        let loss = Parabola {
            bends,
            slopes,
            constant,
            bound,
        };
        let objective = Composite::new(Identity(backend.clone()), loss);
        let solution = Solver::new()
            .solve(&objective, &[B::Scalar::of(0.0); SIZE])
            .unwrap();
        let status = solution.status;
        assert!(status.is_converged(), "{constant} {bound:?}: {status}");
        // Only the bound that is met is a perfect fit.
        let is_met = bound == Some(constant - 11.0);
        assert_eq!(status == Status::PerfectFit, is_met, "{constant} {bound:?}");
        // A quadratic's minimum is one step away; its value is flat to the square root of its rounding.
        let tolerance = B::Scalar::UNIT_ROUNDOFF.to_f64().sqrt() * 8.0 * 11.0;
        for (x, (g, h)) in solution.x.iter().zip(slopes.iter().zip(bends)) {
            assert!((x.to_f64() - g / h).abs() <= tolerance, "{:?}", solution.x);
        }
        assert!(
            (solution.loss - B::Scalar::of(constant - 11.0))
                .abs()
                .to_f64()
                <= tolerance
        );
    }
}

for_each_backend!(minimum_is_found_whatever_its_sign);
