//! Systems with a triangular matrix.

use crate::reduce;
use crate::scalar::Scalar;

/// Solves R x = b or, `transposed`, Rᵀ x = b in place, R upper triangular (q×q, row after row).
pub fn solve_upper<T: Scalar>(r: &[T], x: &mut [T], transposed: bool) {
    let q = x.len();
    if transposed {
        for i in 0..q {
            x[i] /= r[i * q + i];
            let (head, tail) = x.split_at_mut(i + 1);
            reduce::axpy(-head[i], &r[i * q + i + 1..(i + 1) * q], tail);
        }
    } else {
        for i in (0..q).rev() {
            let known = reduce::dot(&r[i * q + i + 1..(i + 1) * q], &x[i + 1..]);
            x[i] = (x[i] - known) / r[i * q + i];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triangular_solves_undo_the_products() {
        let r = [2.0_f64, 1.0, -1.0, 0.0, 4.0, 3.0, 0.0, 0.0, -5.0];
        let mut x = [2.0 + 2.0 - 3.0, 8.0 + 9.0, -15.0];
        solve_upper(&r, &mut x, false);
        assert_eq!(x, [1.0, 2.0, 3.0]);
        let mut x = [2.0, 1.0 + 8.0, -1.0 + 6.0 - 15.0];
        solve_upper(&r, &mut x, true);
        assert_eq!(x, [1.0, 2.0, 3.0]);
    }
}
