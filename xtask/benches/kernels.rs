//! The backends' kernels in f64, on matrices as large as those of the problems L and XL, half of
//! the units active. `cargo xtask bench kernels` runs it and sets NumPy beside it.

#[path = "../src/bench/copying.rs"]
mod copying;

use copying::{LENGTH, copy_on_all_cores};
use criterion::{BatchSize, BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use criterion::{criterion_group, criterion_main};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use std::hint::black_box;
use std::time::Duration;
use twolayer::LinearBackend;
use twolayer_faer::Faer;
use twolayer_nalgebra::Nalgebra;
use twolayer_ndarray::Ndarray;

/// Name, d, n, m.
const SHAPES: [(&str, usize, usize, usize); 2] =
    [("L", 256, 1024, 16384), ("XL", 384, 1536, 30522)];

fn matrix<B: LinearBackend<Scalar = f64>>(backend: &B, rows: usize, columns: usize) -> B::Matrix {
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let values: Vec<f64> = (0..rows * columns)
        .map(|_| random.sample(StandardNormal))
        .collect();
    let mut filled = backend.zeros(rows, columns);
    backend.copy_from_row_major(&values, &mut filled);
    filled
}

fn kernels<B: LinearBackend<Scalar = f64>>(criterion: &mut Criterion, backend: &B) {
    for (name, d, n, m) in SHAPES {
        let (a1, a2) = (matrix(backend, n, d), matrix(backend, m, n));
        // Every other unit, as far apart as active ones may be.
        let active: Vec<usize> = (0..n).step_by(2).collect();
        let k = active.len();
        let sample = 8 * d;
        let mut jacobian = backend.zeros(m, d);
        let mut workspace = B::Workspace::default();
        // Made here too, for a run of one kernel alone.
        backend.mul_inner(&a2, &active, &a1, &mut jacobian, &mut workspace);
        let weights = vec![0.5; m];
        let mut gram = backend.zeros(d, d);
        backend.gram_lower(&jacobian, &weights, &mut gram, &mut workspace);
        let mut measure = |kernel: &str, work: Throughput, run: &mut dyn FnMut()| {
            let mut group = group(criterion, &format!("{kernel} {name}"), work);
            group.bench_function(backend.name(), |bencher| bencher.iter(&mut *run));
        };
        let flops = |count: usize| Throughput::Elements(count as u64);
        let bytes = |numbers: usize| Throughput::Bytes(8 * numbers as u64);
        measure("product", flops(2 * m * k * d), &mut || {
            backend.mul_inner(&a2, &active, &a1, &mut jacobian, &mut workspace);
        });
        measure("gram", flops(m * d * d), &mut || {
            backend.gram_lower(&jacobian, &weights, &mut gram, &mut workspace);
        });
        measure("cholesky", flops(d * d * d / 3), &mut || {
            let factor = black_box(backend.cholesky(&gram, &mut workspace));
            assert!(
                factor.is_ok(),
                "a Gram matrix of full rank is positive definite"
            );
        });
        let (x, mut z) = (vec![0.5; k], vec![0.0; m]);
        measure("A2 x", bytes(m * k), &mut || {
            backend.mul_vec_columns(&a2, &active, &x, &mut z);
        });
        let (y, mut x) = (vec![0.5; m], vec![0.0; k]);
        measure("A2' y", bytes(m * k), &mut || {
            backend.mul_vec_transposed_columns(&a2, &active, &y, &mut x);
        });

        // It destroys its matrix, which is made anew outside the clock.
        let rows = matrix(backend, sample, d);
        let (mut r, mut rhs) = (vec![0.0; d * d], vec![0.5; sample]);
        let work = flops(2 * d * d * (sample - d / 3));
        let mut group = group(criterion, &format!("qr {name}"), work);
        group.bench_function(backend.name(), |bencher| {
            bencher.iter_batched(
                || rows.clone(),
                |mut rows| backend.qr_reduce(&mut rows, &mut rhs, &mut r, &mut workspace),
                BatchSize::PerIteration,
            );
        });
        group.finish();
    }
}

/// Ten samples in some seconds: the largest kernels take a good part of one.
fn group<'c>(
    criterion: &'c mut Criterion,
    name: &str,
    work: Throughput,
) -> BenchmarkGroup<'c, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.throughput(work).sample_size(10);
    group.warm_up_time(Duration::from_secs(1));
    group.measurement_time(Duration::from_secs(3));
    group
}

/// Bytes read and written by copying 256 MB, on one thread and on one for each core.
fn copy(criterion: &mut Criterion) {
    let source = vec![1.0; LENGTH];
    let mut target = vec![0.0; LENGTH];
    let bytes = Throughput::Bytes(16 * LENGTH as u64);
    let mut group = group(criterion, "copy 256MB", bytes);
    group.bench_function("1 thread", |bencher| {
        bencher.iter(|| target.copy_from_slice(black_box(&source)));
    });
    group.bench_function("all cores", |bencher| {
        bencher.iter(|| copy_on_all_cores(&source, &mut target));
    });
    group.finish();
}

fn all(criterion: &mut Criterion) {
    copy(criterion);
    kernels(criterion, &Faer::<f64>::default());
    kernels(criterion, &Nalgebra::<f64>::default());
    kernels(criterion, &Ndarray::<f64>::default());
}

criterion_group!(benches, all);
criterion_main!(benches);
