//! Rosenbrock's valley as squares of residuals, z = (1 − x₁, 10(x₂ − x₁²)): the minimum is at (1, 1).

use approx_newton::{Solver, twolayer_core};
use twolayer_core::{Composite, LeastSquares, MapOf};
use twolayer_faer::Faer;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let valley = MapOf::new(
        Faer::<f64>::sequential(),
        (2, 2),
        |x, z| z.copy_from_slice(&[1.0 - x[0], 10.0 * (x[1] - x[0] * x[0])]),
        |x, jacobian| jacobian.copy_from_slice(&[-1.0, 0.0, -20.0 * x[0], 10.0]),
    );
    let zeros = LeastSquares {
        target: vec![0.0; 2],
    };
    let solution = Solver::new().solve(&Composite::new(valley, zeros), &[-1.2, 1.0])?;
    println!("{} at {:?}", solution.status, solution.x);
    assert!(solution.status.is_converged());
    // z is exact to a few roundoffs, and J⁻¹ has a norm of about 2.
    assert!(solution.x.iter().all(|x| (x - 1.0).abs() < 1e-14));
    Ok(())
}
