//! A decay a·exp(−kt) + c fitted to eight measurements, within a ball.

use approx_newton::{Solver, twolayer_core};
use twolayer_core::{Composite, LeastSquares, MapOf};
use twolayer_faer::Faer;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let times: Vec<f64> = (0..8).map(|i| 0.5 * f64::from(i)).collect();
    let measured = vec![5.12, 3.31, 2.05, 1.47, 1.01, 0.83, 0.61, 0.58];
    let decay = MapOf::new(
        Faer::<f64>::sequential(),
        (times.len(), 3),
        |x, z| {
            for (z, t) in z.iter_mut().zip(&times) {
                *z = x[0] * (-x[1] * t).exp() + x[2];
            }
        },
        |x, jacobian| {
            for (row, t) in jacobian.chunks_exact_mut(3).zip(&times) {
                let decay = (-x[1] * t).exp();
                row.copy_from_slice(&[decay, -x[0] * t * decay, 1.0]);
            }
        },
    );
    let loss = LeastSquares { target: measured };
    let objective = Composite::new(decay, loss).with_radius(100.0)?;
    let solution = Solver::new().solve(&objective, &[1.0, 1.0, 0.0])?;
    let x = &solution.x;
    println!("{}: {x:?}, {}", solution.status, solution.loss);
    assert!(solution.status.is_converged());
    // SciPy's least_squares (method lm, tolerances 1e-15) on the same numbers.
    let known = [4.7075378555, 1.0239590104, 0.4283743880];
    assert!(
        x.iter()
            .zip(known)
            .all(|(x, known)| (x - known).abs() < 1e-7)
    );
    Ok(())
}
