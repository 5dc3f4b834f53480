//! Sums and maxima over slices, in one place.
//!
//! Everything that is reduced over the m outcomes goes through here, so that a backend whose rows
//! of A2 lie on several machines has one seam to fill. Sums are accumulated in double precision in
//! eight lanes: the lanes let the compiler vectorise, and an `f32` sum over 200,000 outcomes keeps
//! its last digits.

use crate::scalar::Scalar;

const LANES: usize = 8;

/// Σ termᵢ for `i` in `0..length`, accumulated in double precision.
#[inline]
pub fn sum_of(length: usize, term: impl Fn(usize) -> f64) -> f64 {
    let mut lanes = [0.0; LANES];
    let whole = length - length % LANES;
    for start in (0..whole).step_by(LANES) {
        for (lane, total) in lanes.iter_mut().enumerate() {
            *total += term(start + lane);
        }
    }
    let tail: f64 = (whole..length).map(&term).sum();
    lanes.iter().sum::<f64>() + tail
}

/// What [`sum_of`] of terms of one sign is off by, as a part of the sum: at most u for each term, and
/// hardly more than 3u √(length/192 + 4), for the u of double precision (docs/rounding.md).
pub fn relative_error(length: usize) -> f64 {
    let (length, lanes) = (length as f64, LANES as f64);
    let likely = 3.0 * (length / (3.0 * lanes * lanes) + 4.0).sqrt();
    f64::UNIT_ROUNDOFF * f64::min(length, likely)
}

/// Several sums at once, of terms that share their work.
#[inline]
pub fn sums_of<const N: usize>(length: usize, terms: impl Fn(usize) -> [f64; N]) -> [f64; N] {
    let mut lanes = [[0.0; N]; LANES];
    for i in 0..length {
        for (total, term) in lanes[i % LANES].iter_mut().zip(terms(i)) {
            *total += term;
        }
    }
    std::array::from_fn(|which| lanes.iter().map(|lane| lane[which]).sum())
}

/// Σ vᵢ.
#[inline]
pub fn sum<T: Scalar>(v: &[T]) -> T {
    T::of(sum_of(v.len(), |i| v[i].to_f64()))
}

/// uᵀv. Both slices have the same length.
#[inline]
pub fn dot<T: Scalar>(u: &[T], v: &[T]) -> T {
    debug_assert_eq!(u.len(), v.len());
    let v = &v[..u.len()];
    T::of(sum_of(u.len(), |i| u[i].to_f64() * v[i].to_f64()))
}

/// The largest entry, −∞ for an empty slice. NaN entries are passed over.
#[inline]
pub fn max<T: Scalar>(v: &[T]) -> T {
    v.iter()
        .fold(T::neg_infinity(), |largest, &value| largest.max(value))
}

/// ‖v‖₂, without overflow or underflow of the squares.
#[inline]
pub fn norm<T: Scalar>(v: &[T]) -> T {
    let square = sum_of(v.len(), |i| v[i].to_f64() * v[i].to_f64());
    // Squares of f32 always fit an f64, and those of most f64; scale only where they do not.
    if square.is_finite() && square > f64::MIN_POSITIVE / f64::EPSILON {
        return T::of(square.sqrt());
    }
    let largest = v.iter().fold(0.0, |a: f64, &b| a.max(b.to_f64().abs()));
    if largest == 0.0 || !largest.is_finite() {
        // A NaN is passed over by `max`; it must not leave as a zero.
        return T::of(if square.is_nan() { square } else { largest });
    }
    T::of(largest * sum_of(v.len(), |i| (v[i].to_f64() / largest).powi(2)).sqrt())
}

/// y ← y + α x. Both slices have the same length.
#[inline]
pub fn axpy<T: Scalar>(alpha: T, x: &[T], y: &mut [T]) {
    debug_assert_eq!(x.len(), y.len());
    for (target, &value) in y.iter_mut().zip(x) {
        *target += alpha * value;
    }
}

/// Whether every entry is a finite number.
#[inline]
pub fn all_finite<T: Scalar>(v: &[T]) -> bool {
    v.iter().all(|value| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "too long to interpret")]
    fn sums_of_single_precision_keep_their_digits() {
        let many = vec![0.1_f32; 200_000];
        let exact = f64::from(0.1_f32) * 200_000.0;
        assert_eq!(sum(&many), exact as f32);
    }

    #[test]
    fn the_norm_survives_squares_that_leave_the_range() {
        assert!((norm(&[3e200_f64, 4e200]) / 5e200 - 1.0).abs() < 1e-15);
        assert!((norm(&[3e-200_f64, 4e-200]) / 5e-200 - 1.0).abs() < 1e-15);
        assert_eq!(norm::<f64>(&[]), 0.0);
        assert!(norm(&[f64::NAN, 1.0]).is_nan());
        assert_eq!(norm(&[f64::INFINITY, 1.0]), f64::INFINITY);
    }

    #[test]
    fn tails_that_do_not_fill_a_lane_count() {
        for length in 0..20 {
            let ones = vec![1.0_f64; length];
            assert_eq!(sum(&ones), length as f64);
            assert_eq!(dot(&ones, &ones), length as f64);
            let both = sums_of(length, |i| [1.0, i as f64]);
            let expected = length * length.saturating_sub(1) / 2;
            assert_eq!(both, [length as f64, expected as f64]);
        }
    }
}
