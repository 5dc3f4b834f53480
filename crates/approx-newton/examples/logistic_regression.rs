//! Multinomial logistic regression with a ridge on Fisher's irises: each flower is a softmax of its own.

use approx_newton::{Solver, twolayer_core};
use twolayer_core::{Composite, LinearMap, RowLoss, RowWeights, WithSquares};
use twolayer_faer::Faer;

/// −Σ log f of each flower's species, f the softmax of its three logits, and where each flower's end.
struct CrossEntropy(Vec<usize>, Vec<usize>);

impl RowLoss<f64> for CrossEntropy {
    fn value(&self, z: &[f64]) -> f64 {
        let flowers = z.chunks_exact(3).zip(&self.0);
        flowers.map(|(z, &k)| log_sum(z) - z[k]).sum()
    }

    fn gradient(&self, z: &[f64], gradient: &mut [f64]) {
        self.row_weights(z, RowWeights::Exact, gradient);
        let flowers = gradient.chunks_exact_mut(3).zip(&self.0);
        flowers.for_each(|(f, &k)| f[k] -= 1.0);
    }

    fn row_weights(&self, z: &[f64], _: RowWeights, f: &mut [f64]) {
        for (f, z) in f.chunks_exact_mut(3).zip(z.chunks_exact(3)) {
            let all = log_sum(z);
            f.iter_mut().zip(z).for_each(|(f, z)| *f = (z - all).exp());
        }
    }

    fn group_ends(&self) -> &[usize] {
        &self.1
    }
}

/// log Σ exp z, which does not overflow.
fn log_sum(z: &[f64]) -> f64 {
    let most = z.iter().copied().fold(f64::MIN, f64::max);
    most + z.iter().map(|z| (z - most).exp()).sum::<f64>().ln()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let lines = include_str!("iris.csv").lines().skip(1);
    let numbers = lines.map(|line| line.split(',').map(str::parse).collect());
    let flowers: Vec<Vec<f64>> = numbers.collect::<Result<_, _>>()?;
    let species = flowers.iter().map(|flower| flower[4] as usize).collect();
    let ends = (1..=flowers.len()).map(|i| 3 * i).collect();
    // Three logits a flower, of four weights and an offset each, and the 15 unknowns for the ridge.
    let rows = 3 * flowers.len();
    let entry = |i: usize, j: usize| match (i % 3 == j / 5, j % 5) {
        _ if i >= rows => f64::from(u8::from(i - rows == j)),
        (true, 4) => 1.0,
        (true, k) => flowers[i / 3][k],
        (false, _) => 0.0,
    };
    let map = LinearMap::from_fn(Faer::<f64>::sequential(), (rows + 15, 15), entry);
    let loss = WithSquares::new(CrossEntropy(species, ends), rows, vec![0.0; 15]);
    let solution = Solver::new().solve(&Composite::new(map, loss), &[0.0; 15])?;
    assert!(solution.status.is_converged());
    // Newton's method in NumPy on the same numbers, to a gradient of 1e-13.
    assert!((solution.loss - 36.850682735557804).abs() < 1e-12 * 36.9);
    assert!((solution.x[0] - 0.73413615).abs() < 1e-8);
    Ok(())
}
