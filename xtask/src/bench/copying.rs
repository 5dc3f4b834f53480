//! A copy as fast as memory allows, for the bench of the kernels too.

use std::hint::black_box;
use std::thread;

/// Numbers that are copied: 256 MB, which no cache holds.
pub(crate) const LENGTH: usize = 32 << 20;

/// Copies with a thread for each core.
pub(crate) fn copy_on_all_cores(source: &[f64], target: &mut [f64]) {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let part = source.len().div_ceil(cores);
    thread::scope(|scope| {
        for (target, source) in target.chunks_mut(part).zip(source.chunks(part)) {
            scope.spawn(move || target.copy_from_slice(black_box(source)));
        }
    });
}
