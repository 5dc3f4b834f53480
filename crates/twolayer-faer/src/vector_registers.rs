//! The state that faer's kernels leave the vector registers in.

/// Clears the upper halves of the vector registers, which nothing here keeps anything in.
///
/// faer's matrix products (private-gemm-x86 0.1) leave them in use. Instructions of the older set, SSE,
/// which Rust compiles all else to unless it is told more of the processor, then have to keep them: on
/// one with AVX-512 a product of columns and a vector took four times as long, for as long as the
/// thread lived. Called after all that faer multiplied, and where a thread that it may have borrowed
/// begins work of another kind.
#[inline]
pub(crate) fn clear_upper_halves() {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    if let Some(avx) = pulp::core_arch::x86::Avx::try_new() {
        avx._mm256_zeroupper();
    }
}
