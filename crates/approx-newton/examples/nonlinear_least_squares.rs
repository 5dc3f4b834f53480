//! A decay a·exp(−kt) + c fitted to eight measurements, within a ball.

use approx_newton::{Solver, twolayer_core};
use twolayer_core::{Composite, LeastSquares, RowMap};
use twolayer_faer::Faer;

struct Decay {
    backend: Faer<f64>,
    times: Vec<f64>,
}

impl RowMap for Decay {
    type Backend = Faer<f64>;

    fn backend(&self) -> &Faer<f64> {
        &self.backend
    }

    fn inputs(&self) -> usize {
        3
    }

    fn rows(&self) -> usize {
        self.times.len()
    }

    fn apply(&self, x: &[f64], z: &mut [f64]) {
        for (z, t) in z.iter_mut().zip(&self.times) {
            *z = x[0] * (-x[1] * t).exp() + x[2];
        }
    }

    fn jacobian(&self, x: &[f64], jacobian: &mut [f64]) {
        for (row, t) in jacobian.chunks_exact_mut(3).zip(&self.times) {
            let decay = (-x[1] * t).exp();
            row.copy_from_slice(&[decay, -x[0] * t * decay, 1.0]);
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let times = (0..8).map(|i| 0.5 * f64::from(i)).collect();
    let measured = vec![5.12, 3.31, 2.05, 1.47, 1.01, 0.83, 0.61, 0.58];
    let map = Decay {
        backend: Faer::sequential(),
        times,
    };
    let objective = Composite::new(map, LeastSquares { target: measured }).with_radius(100.0)?;
    let solution = Solver::new().solve(&objective, &[1.0, 1.0, 0.0])?;
    let [a, k, c] = solution.x[..] else {
        return Ok(());
    };
    println!(
        "{}: {a} exp(-{k} t) + {c}, half the squares {}",
        solution.status, solution.loss
    );
    assert!(solution.status.is_converged());
    // SciPy's least_squares (method lm, tolerances 1e-15) on the same numbers.
    let known = [4.7075378555, 1.0239590104, 0.4283743880];
    assert!(
        solution
            .x
            .iter()
            .zip(known)
            .all(|(x, known)| (x - known).abs() < 1e-7)
    );
    Ok(())
}
