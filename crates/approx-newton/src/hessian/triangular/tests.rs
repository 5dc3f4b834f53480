//! R from JᵀJ against R from J.

use super::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use twolayer_faer::Faer;

const D: usize = 9;
const ROWS: usize = 60;

/// The model of `ROWS` random rows, whose last column is `size` times as long as the others.
fn model(size: f64, by_gram: bool) -> Triangular<Faer<f64>> {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let mut draw = |count: usize| -> Vec<f64> {
        let entry = |_| random.random_range(-1.0..1.0);
        (0..count).map(entry).collect()
    };
    let (mut entries, mut loads) = (draw(ROWS * D), draw(ROWS));
    for row in entries.chunks_exact_mut(D) {
        row[D - 1] *= size;
    }
    let backend = Faer::<f64>::sequential();
    let mut rows = backend.zeros(ROWS, D);
    backend.copy_from_row_major(&entries, &mut rows);
    let mut model = Triangular::new(backend, D);
    if by_gram {
        model = model.with_gram();
    }
    model.factor_rows(&mut rows, &mut loads);
    model
}

fn step(model: &mut Triangular<Faer<f64>>) -> Vec<f64> {
    let mut step = vec![f64::NAN; D];
    model
        .step(1e-9, None, &Subspace::whole(D), &mut step)
        .unwrap();
    step
}

#[test]
fn a_factor_of_the_square_is_as_good_where_it_is_taken() {
    // Condition numbers of some 10 and 10³: the square loses twice their digits.
    for (size, digits) in [(1.0, 1e2), (1e-3, 1e8)] {
        let (mut square, mut plain) = (model(size, true), model(size, false));
        let ours = step(&mut square);
        let theirs = step(&mut plain);
        let apart = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs());
        let largest = reduce::norm(&theirs);
        let apart = apart.fold(0.0, f64::max);
        assert!(apart <= 16.0 * digits * f64::EPSILON * largest, "{apart:e}");
        // It is another factor: signs on a Cholesky factor's diagonal are positive.
        assert!((0..D).all(|i| square.rows.entries[i * D + i] > 0.0));
        assert!((square.rows.mean_eigenvalue() / plain.rows.mean_eigenvalue() - 1.0).abs() < 1e-13);
    }
}

#[test]
fn rows_that_are_badly_conditioned_are_factored_themselves() {
    for size in [1e-5, 1e-9, 0.0] {
        let (mut square, mut plain) = (model(size, true), model(size, false));
        assert_eq!(step(&mut square), step(&mut plain));
    }
}
