//! Multinomial logistic regression with a ridge on Fisher's irises: each flower is a softmax of its own.

use approx_newton::{Solver, twolayer_core};
use twolayer_core::{Composite, RowLoss, RowMap, RowWeights};
use twolayer_faer::Faer;

const CLASSES: usize = 3;
const WEIGHTS: usize = 5;
const UNKNOWNS: usize = CLASSES * WEIGHTS;

struct Irises(Faer<f64>, Vec<([f64; WEIGHTS], usize)>);

/// Three logits a flower, then the unknowns themselves for the ridge.
impl RowMap for Irises {
    type Backend = Faer<f64>;

    fn backend(&self) -> &Faer<f64> {
        &self.0
    }

    fn inputs(&self) -> usize {
        UNKNOWNS
    }

    fn rows(&self) -> usize {
        CLASSES * self.1.len() + UNKNOWNS
    }

    fn apply(&self, x: &[f64], z: &mut [f64]) {
        for ((flower, _), z) in self.1.iter().zip(z.chunks_exact_mut(CLASSES)) {
            for (z, w) in z.iter_mut().zip(x.chunks_exact(WEIGHTS)) {
                *z = w.iter().zip(flower).map(|(w, f)| w * f).sum();
            }
        }
        z[CLASSES * self.1.len()..].copy_from_slice(x);
    }

    fn jacobian(&self, _: &[f64], jacobian: &mut [f64]) {
        jacobian.fill(0.0);
        for (row, entries) in jacobian.chunks_exact_mut(UNKNOWNS).enumerate() {
            match self.1.get(row / CLASSES) {
                Some((flower, _)) => {
                    entries[row % CLASSES * WEIGHTS..][..WEIGHTS].copy_from_slice(flower);
                }
                None => entries[row - CLASSES * self.1.len()] = 1.0,
            }
        }
    }
}

/// −Σ log f of each flower's species, and ½‖x‖².
struct CrossEntropy(Vec<usize>, Vec<usize>);

fn softmax(z: &[f64]) -> [f64; CLASSES] {
    let most = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let f = [0, 1, 2].map(|k| (z[k] - most).exp());
    f.map(|entry| entry / f.iter().sum::<f64>())
}

impl RowLoss<f64> for CrossEntropy {
    fn value(&self, z: &[f64]) -> f64 {
        let (logits, x) = z.split_at(z.len() - UNKNOWNS);
        let flowers = logits.chunks_exact(CLASSES).zip(&self.0);
        let misfit: f64 = flowers.map(|(z, &k)| -softmax(z)[k].ln()).sum();
        misfit + 0.5 * x.iter().map(|x| x * x).sum::<f64>()
    }

    fn gradient(&self, z: &[f64], gradient: &mut [f64]) {
        gradient.copy_from_slice(z);
        let flowers = gradient.chunks_exact_mut(CLASSES).zip(&self.0);
        for (z, &k) in flowers {
            let f = softmax(z);
            z.copy_from_slice(&f);
            z[k] -= 1.0;
        }
    }

    fn row_weights(&self, z: &[f64], _: RowWeights, row_weights: &mut [f64]) {
        row_weights.fill(1.0);
        self.centers(z, &mut row_weights[..z.len() - UNKNOWNS]);
    }

    fn group_ends(&self) -> &[usize] {
        &self.1
    }

    fn centers(&self, z: &[f64], centers: &mut [f64]) {
        for (center, z) in centers
            .chunks_exact_mut(CLASSES)
            .zip(z.chunks_exact(CLASSES))
        {
            center.copy_from_slice(&softmax(z));
        }
    }

    fn lower_bound(&self) -> Option<f64> {
        Some(0.0)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut flowers = Vec::new();
    for line in include_str!("iris.csv").lines().skip(1) {
        let v: Vec<f64> = line.split(',').map(str::parse).collect::<Result<_, _>>()?;
        flowers.push(([v[0], v[1], v[2], v[3], 1.0], v[4] as usize));
    }
    let species = flowers.iter().map(|(_, species)| *species).collect();
    let ends = (1..=flowers.len()).map(|i| CLASSES * i).collect();
    let map = Irises(Faer::sequential(), flowers);
    let objective = Composite::new(map, CrossEntropy(species, ends));
    let solution = Solver::new().solve(&objective, &[0.0; UNKNOWNS])?;
    println!(
        "{}: {} after {} iterations",
        solution.status, solution.loss, solution.iterations
    );
    assert!(solution.status.is_converged());
    // Newton's method in NumPy on the same numbers, to a gradient of 1e-13.
    assert!((solution.loss - 36.850682735557804).abs() < 1e-12 * 36.9);
    assert!((solution.x[0] - 0.73413615).abs() < 1e-8);
    Ok(())
}
