//! One seed, one result, on any number of threads.

use twolayer::{DenseHessian, RowFactor, Silent, Solver};
use twolayer::{HessianApprox, Inversion, LinearBackend, Objective, RowWeights};
use twolayer_faer::{Faer, FaerScalar};
use twolayer_tests::problems::{Planted, rounded};

/// Large enough for every kernel to share its work out.
fn bits<T: FaerScalar>(threads: usize) -> Vec<Vec<T>> {
    let planted = Planted::new((96, 600, 2600), true, 3);
    let network = planted.network(&Faer::<T>::with_threads(threads)).unwrap();
    let target = planted.target(&network).unwrap();
    let problem = Inversion::new(&network, &target).unwrap();
    let start = rounded::<T>(&planted.start);
    let mut at = problem.new_evaluation();
    problem.evaluate(&start, &[], &mut at);
    problem.differentiate(&mut at);
    let mut dense = DenseHessian::new(&problem, RowWeights::Exact);
    dense.build(&problem, &at);
    let solver = Solver::new().with_max_iterations(4);
    let mut sampled = solver.default_hessian(&problem);
    let mut full = RowFactor::new(&problem, RowWeights::Secant);
    let sampled = solver
        .solve_with(&problem, &mut sampled, &start, &mut Silent)
        .unwrap();
    let full = solver
        .solve_with(&problem, &mut full, &start, &mut Silent)
        .unwrap();
    vec![dense.matrix().to_vec(), sampled.x, full.x]
}

/// Products of shapes that divide into nothing.
fn products<T: FaerScalar>(threads: usize) -> Vec<Vec<T>> {
    let backend = Faer::<T>::with_threads(threads);
    let mut workspace = Default::default();
    let mut results = Vec::new();
    for (m, n, d) in [
        (2001, 333, 97),
        (4100, 78, 151),
        (301, 901, 257),
        (20_011, 41, 31),
    ] {
        let matrix = |nrows, ncols| {
            let mut a = backend.zeros(nrows, ncols);
            backend.copy_from_row_major(&entries(nrows * ncols), &mut a);
            a
        };
        let (a, b, mut product) = (matrix(m, n), matrix(n, d), backend.zeros(m, d));
        let all: Vec<usize> = (0..n).collect();
        for inner in [&all[..], &all[1..]] {
            backend.mul_inner(&a, inner, &b, &mut product, &mut workspace);
            let mut values = entries(m * d);
            backend.copy_to_row_major(&product, &mut values);
            results.push(values);
        }
        let mut gram = backend.zeros(d, d);
        backend.gram_lower(&product, &entries(m), &mut gram, &mut workspace);
        // Above the diagonal it is unspecified.
        let mut values = entries(d * d);
        backend.copy_to_row_major(&gram, &mut values);
        let lower = (0..d).flat_map(|i| values[i * d..=i * d + i].to_vec());
        results.push(lower.collect());
        let (mut y, mut x) = (entries(m), entries(n));
        backend.mul_vec(&a, &entries(n), &mut y);
        backend.mul_vec_transposed(&a, &entries(m), &mut x);
        results.extend([y, x]);
    }
    results
}

fn entries<T: FaerScalar>(count: usize) -> Vec<T> {
    let entry = |index: usize| ((index * index % 7919) as f64 / 7919.0).sin() - 0.4;
    rounded(&(0..count).map(entry).collect::<Vec<_>>())
}

/// The factorisations share their work out from 2²⁶ multiply-adds on only.
fn factors<T: FaerScalar>(threads: usize) -> Vec<Vec<T>> {
    let backend = Faer::<T>::with_threads(threads);
    let mut workspace = Default::default();
    let (rows, columns) = (4200, 150);
    let mut a = backend.zeros(rows, columns);
    backend.copy_from_row_major(&entries(rows * columns), &mut a);
    let count = 8;
    let mut products = entries(count * columns);
    backend.mul_vecs_transposed(&a, count, &entries(count * rows), &mut products);
    let (mut rhs, mut r) = (entries(rows), entries(columns * columns));
    backend.qr_reduce(&mut a, &mut rhs, &mut r, &mut workspace);
    rhs.truncate(columns);

    let order = 800;
    let mut symmetric = backend.zeros(order, order);
    let mut values = entries(order * order);
    for i in 0..order {
        values[i * order + i] += T::of(order as f64);
    }
    backend.copy_from_row_major(&values, &mut symmetric);
    let factor = backend.cholesky(&symmetric, &mut workspace).unwrap();
    let mut solution = entries(order);
    backend.cholesky_solve(&factor, &mut solution, &mut workspace);
    vec![r, rhs, solution, products]
}

fn any_number_of_threads_gives_the_same_bits<T: FaerScalar>() {
    let one = [bits::<T>(1), products::<T>(1), factors::<T>(1)];
    for threads in [2, 3, 7] {
        let other = [bits(threads), products(threads), factors(threads)];
        for (group, (one, other)) in one.iter().zip(&other).enumerate() {
            for (index, (one, other)) in one.iter().zip(other).enumerate() {
                assert!(
                    one == other,
                    "{threads} threads: result {index} of group {group}"
                );
            }
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits_f64() {
    any_number_of_threads_gives_the_same_bits::<f64>();
}

#[test]
fn any_number_of_threads_gives_the_same_bits_f32() {
    any_number_of_threads_gives_the_same_bits::<f32>();
}
