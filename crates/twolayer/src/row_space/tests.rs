//! Against products with A1 itself.

use super::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use twolayer_faer::Faer;

const D: usize = 23;
const N: usize = 7;

fn draw(random: &mut ChaCha8Rng, count: usize) -> Vec<f64> {
    (0..count).map(|_| random.random_range(-1.0..1.0)).collect()
}

/// Rows whose parts beyond the first row are `spread` times smaller.
fn network(random: &mut ChaCha8Rng, spread: f64) -> TwoLayer<Faer<f64>> {
    let backend = Faer::<f64>::sequential();
    let mut entries = draw(random, N * D);
    let (first, others) = entries.split_at_mut(D);
    for row in others.chunks_exact_mut(D) {
        for (entry, &of_first) in row.iter_mut().zip(&*first) {
            *entry = of_first + *entry / spread;
        }
    }
    let (mut a1, mut a2) = (backend.zeros(N, D), backend.zeros(5, N));
    backend.copy_from_row_major(&entries, &mut a1);
    backend.copy_from_row_major(&draw(random, 5 * N), &mut a2);
    TwoLayer::new(backend, a1, a2).unwrap()
}

fn products(network: &TwoLayer<Faer<f64>>, x: &[f64]) -> Vec<f64> {
    let mut products = vec![0.0; N];
    network.backend().mul_vec(network.a1(), x, &mut products);
    products
}

#[test]
fn outputs_and_lengths_are_kept() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    for spread in [1.0, 1e2, 1e5] {
        let whole = network(&mut random, spread);
        let space = RowSpace::of(&whole).unwrap();
        let (x0, y) = (draw(&mut random, D), draw(&mut random, N));
        let y0 = space.coordinates(&whole, &x0);
        let x = space.point(&whole, &x0, &y0, &y);
        // Sums of D and N products of numbers below 2.
        let roundings = 64.0 * f64::EPSILON;
        for (x, y) in [(&x0, &y0), (&x, &y)] {
            let (ours, theirs) = (products(space.network(), y), products(&whole, x));
            for (ours, theirs) in ours.iter().zip(&theirs) {
                let size = reduce::norm(x) + reduce::norm(&x0);
                assert!((ours - theirs).abs() <= roundings * size, "{ours} {theirs}");
            }
        }
        // The move is as long as in coordinates, up to the condition number of A1 A1ᵀ, and there and back.
        let length = |to: &[f64], from: &[f64]| {
            let square: f64 = to.iter().zip(from).map(|(a, b)| (a - b).powi(2)).sum();
            square.sqrt()
        };
        let ratio = length(&x, &x0) / length(&y, &y0);
        assert!((ratio - 1.0).abs() <= roundings * spread.powi(2), "{ratio}");
        let back = space.coordinates(&whole, &x);
        assert!(length(&back, &y) <= roundings * spread.powi(2) * reduce::norm(&y));
    }
}

#[test]
fn what_no_unit_sees_stays() {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let whole = network(&mut random, 1.0);
    let space = RowSpace::of(&whole).unwrap();
    let (x0, y) = (draw(&mut random, D), draw(&mut random, N));
    let y0 = space.coordinates(&whole, &x0);
    let x = space.point(&whole, &x0, &y0, &y);
    // A vector that A1 maps to zero, by a projection of its own.
    let mut unseen = draw(&mut random, D);
    let origin = vec![0.0; D];
    let seen = space.coordinates(&whole, &unseen);
    let seen = space.point(&whole, &origin, &[0.0; N], &seen);
    reduce::axpy(-1.0, &seen, &mut unseen);
    assert!(reduce::norm(&products(&whole, &unseen)) < 1e-13);
    assert!(reduce::norm(&unseen) > 0.1);
    let along = reduce::dot(&unseen, &x) - reduce::dot(&unseen, &x0);
    assert!(along.abs() < 1e-13, "{along:e}");
    assert_eq!(space.point(&whole, &x0, &y0, &y0), x0);
}

#[test]
fn rows_that_are_not_clearly_independent_have_no_coordinates() {
    let mut random = ChaCha8Rng::seed_from_u64(3);
    for spread in [1e8, f64::INFINITY] {
        assert!(RowSpace::of(&network(&mut random, spread)).is_none());
    }
    // A network with as many units as inputs has nothing to gain.
    let backend = Faer::<f64>::sequential();
    let (mut a1, mut a2) = (backend.zeros(3, 3), backend.zeros(2, 3));
    backend.copy_from_row_major(&draw(&mut random, 9), &mut a1);
    backend.copy_from_row_major(&draw(&mut random, 6), &mut a2);
    assert!(RowSpace::of(&TwoLayer::new(backend, a1, a2).unwrap()).is_none());
}
