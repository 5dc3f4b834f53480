//! Rosenbrock's valley as squares of residuals, z = (1 − x₁, 10(x₂ − x₁²)): the minimum is at (1, 1).

use approx_newton::{Solver, twolayer_core};
use twolayer_core::{Composite, LeastSquares, RowMap};
use twolayer_faer::Faer;

struct Valley(Faer<f64>);

impl RowMap for Valley {
    type Backend = Faer<f64>;

    fn backend(&self) -> &Faer<f64> {
        &self.0
    }

    fn inputs(&self) -> usize {
        2
    }

    fn rows(&self) -> usize {
        2
    }

    fn apply(&self, x: &[f64], z: &mut [f64]) {
        z.copy_from_slice(&[1.0 - x[0], 10.0 * (x[1] - x[0] * x[0])]);
    }

    fn jacobian(&self, x: &[f64], jacobian: &mut [f64]) {
        jacobian.copy_from_slice(&[-1.0, 0.0, -20.0 * x[0], 10.0]);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let zeros = LeastSquares {
        target: vec![0.0; 2],
    };
    let objective = Composite::new(Valley(Faer::sequential()), zeros);
    let solution = Solver::new().solve(&objective, &[-1.2, 1.0])?;
    println!("{} at {:?}", solution.status, solution.x);
    assert!(solution.status.is_converged());
    // z is exact to a few roundoffs, and J⁻¹ has a norm of about 2.
    assert!(solution.x.iter().all(|x| (x - 1.0).abs() < 1e-14));
    Ok(())
}
