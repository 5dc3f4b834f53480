//! A model of the Hessian of one's own: a diagonal and a few full rows, where most rows of the Jacobian have one entry.

use approx_newton::{Silent, Solver, twolayer_core};
use twolayer_core::{Composite, HessianApprox, LeastSquares, LinearBackend, MapOf, RowStructured};
use twolayer_faer::Faer;

/// H̃ = diag(δ) + UᵀU: JᵀJ, at a cost of d for each product and each row of U. δ, and U row after row.
#[derive(Default)]
struct DiagonalAndRows(Vec<f64>, Vec<f64>);

impl<O: RowStructured<Scalar = f64>> HessianApprox<O> for DiagonalAndRows {
    fn name(&self) -> &'static str {
        "diagonal-and-rows"
    }

    fn build(&mut self, objective: &O, at: &O::Evaluation) -> usize {
        let (backend, m, d) = (objective.backend(), objective.rows(), objective.dimension());
        let (mut jacobian, mut entries) = (backend.zeros(m, d), vec![0.0; m * d]);
        objective.jacobian(at, &mut jacobian, &mut Default::default());
        backend.copy_to_row_major(&jacobian, &mut entries);
        *self = Self(vec![0.0; d], Vec::new());
        for row in entries.chunks(d) {
            match row.iter().filter(|entry| **entry != 0.0).count() {
                0 | 1 => self
                    .0
                    .iter_mut()
                    .zip(row)
                    .for_each(|(sum, j)| *sum += j * j),
                _ => self.1.extend_from_slice(row),
            }
        }
        m
    }

    fn mean_eigenvalue(&self) -> f64 {
        let squares: f64 = self.1.iter().map(|u| u * u).sum();
        (self.0.iter().sum::<f64>() + squares) / self.0.len() as f64
    }

    fn apply(&mut self, _: &O, _: &O::Evaluation, p: &[f64], product: &mut [f64]) {
        for ((product, p), delta) in product.iter_mut().zip(p).zip(&self.0) {
            *product = delta * p;
        }
        for u in self.1.chunks(p.len()) {
            let along: f64 = u.iter().zip(p).map(|(u, p)| u * p).sum();
            product
                .iter_mut()
                .zip(u)
                .for_each(|(product, u)| *product += along * u);
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // z = (xᵢ + xᵢ³/10 for each i, Σ cos(2i) xᵢ, Σ cos(3i) xᵢ) near (sin i, 1, 2), i from 1 to 12.
    let number = |i: usize| (i + 1) as f64;
    let full = |k: usize, i: usize| (number(k) * number(i) + number(i)).cos();
    let apply = |x: &[f64], z: &mut [f64]| {
        z[12..].fill(0.0);
        for (i, x) in x.iter().enumerate() {
            z[i] = x + 0.1 * x * x * x;
            (0..2).for_each(|k| z[12 + k] += full(k, i) * x);
        }
    };
    let jacobian = |x: &[f64], jacobian: &mut [f64]| {
        jacobian.fill(0.0);
        for (i, x) in x.iter().enumerate() {
            jacobian[13 * i] = 1.0 + 0.3 * x * x;
            (0..2).for_each(|k| jacobian[12 * (12 + k) + i] = full(k, i));
        }
    };
    let mut target: Vec<f64> = (0..12).map(|i| number(i).sin()).collect();
    target.extend([1.0, 2.0]);
    let map = MapOf::new(Faer::<f64>::sequential(), (14, 12), apply, jacobian);
    let objective = Composite::new(map, LeastSquares { target });
    let mut model = DiagonalAndRows::default();
    let start = [0.0; 12];
    let solution = Solver::new().solve_with(&objective, &mut model, &start, &mut Silent)?;
    println!(
        "{} after {} iterations",
        solution.status, solution.iterations
    );
    assert!(solution.status.is_converged());
    // Newton's method in NumPy with the exact Hessian, to a gradient of 1e-16; its condition is 8. A loss that is flat
    // to 1e-15 leaves √1e-15 of x.
    assert!((solution.loss - 0.7165042250834133).abs() < 1e-14);
    for (x, known) in solution
        .x
        .iter()
        .zip([0.2605821091, 1.0189146025, -0.0334386965])
    {
        assert!((x - known).abs() < 1e-7, "{x} {known}");
    }
    Ok(())
}
