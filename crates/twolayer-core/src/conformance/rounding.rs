//! How far rounding may take a sum of products.

use crate::backend::LinearBackend;
use crate::scalar::Scalar;

/// γ_k = k u / (1 − k u).
pub(super) fn gamma<B: LinearBackend>(k: usize) -> f64 {
    let ku = k as f64 * B::Scalar::UNIT_ROUNDOFF.to_f64();
    ku / (1.0 - ku)
}

/// Asserts that `got` is the sum of `terms` to the rounding of any order of additions. Four more
/// roundings are allowed for what happens to a term before it is added, and as many again for the
/// reference.
pub(super) fn close<B: LinearBackend>(
    got: B::Scalar,
    terms: impl Iterator<Item = f64>,
    case: impl Fn() -> String,
) {
    let (mut expected, mut size, mut count) = (0.0, 0.0, 0);
    for term in terms {
        expected += term;
        size += term.abs();
        count += 1;
    }
    let (error, bound) = (
        (got.to_f64() - expected).abs(),
        2.0 * gamma::<B>(count + 4) * size,
    );
    // Not `error > bound`, which a NaN would pass.
    assert!(
        error <= bound,
        "{}: {got} is {error:e} off {expected}, beyond {bound:e}",
        case()
    );
}
