//! Against the equations that a step solves, and against the factor of the other side.

use super::super::triangular::Triangular;
use super::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use twolayer_faer::Faer;

const D: usize = 14;
const ROWS: usize = 5;

/// Both models of the same rows, with the rows (e among them), their loads and the rest of the gradient.
struct Pair {
    wide: Wide<Faer<f64>>,
    tall: Triangular<Faer<f64>>,
    rows: Vec<Vec<f64>>,
    gradient: Vec<f64>,
    x: Vec<f64>,
    subspace: Subspace<f64>,
}

impl Pair {
    /// Rows of very different lengths where `spread` is large; a gradient that they do not tell where
    /// there is a `rest` of it.
    fn new(seed: u64, spread: f64, rest: f64, pinned: usize) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut draw = |count: usize| -> Vec<f64> {
            let entry = |_| random.random_range(-1.0..1.0);
            (0..count).map(entry).collect()
        };
        let mut entries = draw(ROWS * D);
        for (i, row) in entries.chunks_exact_mut(D).enumerate() {
            let size = spread.powf(-(i as f64) / ROWS as f64);
            row.iter_mut().for_each(|entry| *entry *= size);
        }
        let (mut carried, extra, t) = (draw(ROWS), draw(D), draw(D));
        let mut rows: Vec<_> = entries.chunks_exact(D).map(<[f64]>::to_vec).collect();
        let (length, along) = (0.7, 0.3);
        let mut gradient: Vec<_> = t.iter().map(|t| rest * t).collect();
        for (row, &s) in rows.iter().zip(&carried) {
            reduce::axpy(s, row, &mut gradient);
        }
        reduce::axpy(along, &extra, &mut gradient);
        rows.push(extra.iter().map(|e| length * e).collect());
        let backend = Faer::<f64>::sequential();
        let mut matrix = backend.zeros(ROWS, D);
        backend.copy_from_row_major(&entries, &mut matrix);
        let mut wide = Wide::new(backend.clone(), ROWS, D);
        let mut tall = Triangular::new(backend, D);
        wide.take_rows(&matrix, &carried);
        tall.factor_rows(&mut matrix, &mut carried);
        for model_rest in [&mut wide.rows.rest, &mut tall.rows.rest] {
            for (to, &t) in model_rest.iter_mut().zip(&t) {
                *to = rest * t;
            }
        }
        wide.rows.set_extra_row(length, &extra, along);
        tall.rows.set_extra_row(length, &extra, along);
        let mut subspace = Subspace::whole(D);
        for _ in 0..pinned {
            assert!(subspace.constrain(&draw(D)));
        }
        let x = draw(D);
        Self {
            wide,
            tall,
            rows,
            gradient,
            x,
            subspace,
        }
    }

    /// H̃ p + νp.
    fn product(&self, damping: f64, p: &[f64]) -> Vec<f64> {
        let mut product: Vec<_> = p.iter().map(|p| damping * p).collect();
        for row in &self.rows {
            reduce::axpy(reduce::dot(row, p), row, &mut product);
        }
        product
    }
}

#[test]
fn steps_solve_their_equations() {
    let cases = [(1.0, 0.0), (1.0, 0.5), (1e8, 0.0), (1e8, 0.5)];
    for (seed, (spread, rest)) in cases.into_iter().cycle().take(24).enumerate() {
        for damping in [1e-10, 1e-4, 1.0, 1e6] {
            for pull in [None, Some(0.2)] {
                let mut pair = Pair::new(seed as u64, spread, rest, seed % 4);
                let x = pair.x.clone();
                let pull = pull.map(|multiplier| (multiplier, &x[..]));
                let mut p = vec![f64::NAN; D];
                let subspace = pair.subspace.clone();
                pair.wide.step(damping, pull, &subspace, &mut p).unwrap();
                let mut left = pair.product(damping, &p);
                reduce::axpy(1.0, &pair.gradient, &mut left);
                if let Some((multiplier, x)) = pull {
                    reduce::axpy(multiplier, x, &mut left);
                }
                subspace.project(&mut left);
                // ‖H̃‖ is below 2·D; all sums have few terms.
                let scale = 2.0 * D as f64 * reduce::norm(&p) + reduce::norm(&pair.gradient) + 1.0;
                let left = reduce::norm(&left);
                assert!(left <= 64.0 * f64::EPSILON * scale, "{left:e} of {scale:e}");
                let mut inside = p.clone();
                subspace.project(&mut inside);
                reduce::axpy(-1.0, &p, &mut inside);
                assert!(reduce::norm(&inside) <= 64.0 * f64::EPSILON * reduce::norm(&p));
            }
        }
    }
}

/// Small directions of J are kept: the step is as exact as J's own condition number, 10⁷, lets it be.
#[test]
fn steps_are_those_of_the_other_side() {
    for seed in 0..12 {
        let mut pair = Pair::new(seed, 1e7, 0.0, seed as usize % 4);
        let (mut wide, mut tall) = (vec![0.0; D], vec![0.0; D]);
        let damping = 1e-15;
        pair.wide
            .step(damping, None, &pair.subspace, &mut wide)
            .unwrap();
        pair.tall
            .step(damping, None, &pair.subspace, &mut tall)
            .unwrap();
        let size = reduce::norm(&tall);
        reduce::axpy(-1.0, &tall, &mut wide);
        let apart = reduce::norm(&wide) / size;
        assert!(apart <= 1e7 * 64.0 * f64::EPSILON, "{apart:e}");
    }
}

#[test]
fn factors_are_those_of_the_model() {
    for seed in 0..8 {
        let mut pair = Pair::new(seed, 10.0, 0.5 * (seed % 2) as f64, seed as usize % 3);
        assert!(
            (pair.wide.rows.mean_eigenvalue() / pair.tall.rows.mean_eigenvalue() - 1.0).abs()
                < 1e-14
        );
        let (mut factor, mut residual) = (vec![f64::NAN; D * D], vec![f64::NAN; D]);
        let damping = 0.3;
        assert!(pair.wide.damped_factor(damping, &mut factor, &mut residual));
        // RᵀR v and Rᵀs.
        let transposed = |v: &[f64]| -> Vec<f64> {
            let column = |j: usize| (0..D).map(|i| factor[i * D + j] * v[i]).sum();
            (0..D).map(column).collect()
        };
        let v = pair.x.clone();
        let rv: Vec<_> = factor
            .chunks_exact(D)
            .map(|row| reduce::dot(row, &v))
            .collect();
        for (product, expected) in [
            (transposed(&rv), pair.product(damping, &v)),
            (transposed(&residual), pair.gradient.clone()),
        ] {
            for (product, expected) in product.iter().zip(&expected) {
                assert!((product - expected).abs() < 1e-12, "{product} {expected}");
            }
        }
        let mut product = vec![f64::NAN; D];
        pair.wide.rows.apply(&v, &mut product);
        let expected = pair.product(0.0, &v);
        for (product, expected) in product.iter().zip(&expected) {
            assert!((product - expected).abs() < 1e-13);
        }
        // Over the free coordinates: N (NᵀH̃N + νI)⁻¹ Nᵀv.
        let (subspace, pinned) = (pair.subspace.clone(), pair.subspace.constraints());
        let mut solved = v.clone();
        subspace.rotate(&mut solved);
        solved[..pinned].fill(0.0);
        pair.wide.factor_damped(damping, &subspace);
        pair.wide.solve_damped(&mut solved[pinned..]);
        subspace.rotate_back(&mut solved);
        let mut left = pair.product(damping, &solved);
        reduce::axpy(-1.0, &v, &mut left);
        subspace.project(&mut left);
        assert!(reduce::norm(&left) < 1e-13, "{left:?}");
        let free = subspace.dimension();
        let ours = pair
            .wide
            .slightly_damped_factor(&subspace)
            .unwrap()
            .to_vec();
        let theirs = pair.tall.slightly_damped_factor(&subspace).unwrap();
        let gram = |r: &[f64], i: usize, j: usize| -> f64 {
            (0..free).map(|k| r[k * free + i] * r[k * free + j]).sum()
        };
        for i in 0..free {
            for j in 0..free {
                assert!((gram(&ours, i, j) - gram(theirs, i, j)).abs() < 1e-12);
            }
        }
    }
}
