//! Arithmetic on nonnegative bounds that never rounds to the unsafe side.
//!
//! Every operation of IEEE 754 is rounded to nearest, so the number above a computed one is at
//! least the exact result, underflow included. NaN and infinity pass through; every comparison
//! that a proof rests on is written so that NaN refuses.

/// 2⁻⁵³, the unit roundoff of `f64`.
pub(crate) const UNIT: f64 = f64::EPSILON / 2.0;

/// More than any sum of underflow errors that occurs here, and less than anything that matters.
pub(crate) const TINY: f64 = 1e-305;

/// An upper bound of a + b.
pub(crate) fn add(a: f64, b: f64) -> f64 {
    (a + b).next_up()
}

/// An upper bound of a − b.
pub(crate) fn sub(a: f64, b: f64) -> f64 {
    (a - b).next_up()
}

/// A lower bound of a − b.
pub(crate) fn sub_down(a: f64, b: f64) -> f64 {
    (a - b).next_down()
}

/// An upper bound of a·b.
pub(crate) fn mul(a: f64, b: f64) -> f64 {
    (a * b).next_up()
}

/// A lower bound of a·b.
pub(crate) fn mul_down(a: f64, b: f64) -> f64 {
    (a * b).next_down()
}

/// An upper bound of a/b, b > 0.
pub(crate) fn div(a: f64, b: f64) -> f64 {
    (a / b).next_up()
}

/// A lower bound of a/b, b > 0.
pub(crate) fn div_down(a: f64, b: f64) -> f64 {
    (a / b).next_down()
}

/// An upper bound of √a.
pub(crate) fn sqrt(a: f64) -> f64 {
    a.sqrt().next_up()
}

/// An upper bound of a sum of nonnegative numbers.
pub(crate) fn sum(terms: impl Iterator<Item = f64>) -> f64 {
    terms.fold(0.0, add)
}

/// An upper bound of eˣ, x ≥ 0: eʸ ≤ 1 + y + y² for y ≤ 1, with x = 2ᵏ y.
pub(crate) fn exp(x: f64) -> f64 {
    if x > 700.0 {
        return f64::INFINITY;
    }
    let mut y = x;
    let mut squarings = 0;
    while y > 1.0 / 64.0 {
        y /= 2.0;
        squarings += 1;
    }
    let mut power = add(1.0, add(y, mul(y, y)));
    for _ in 0..squarings {
        power = mul(power, power);
    }
    power
}

/// γₙ = n u/(1 − n u), the relative error of n operations of relative error u each.
pub(crate) fn gamma(operations: usize, roundoff: f64) -> f64 {
    let product = mul(operations as f64, roundoff);
    div(product, sub_down(1.0, product))
}

/// An upper bound of a sum of `terms` nonnegative numbers that was accumulated without care, each
/// term with at most four roundings of its own.
pub(crate) fn inflate(value: f64, terms: usize) -> f64 {
    add(mul(value, add(1.0, gamma(terms + 8, 2.0 * UNIT))), TINY)
}

/// An upper bound of the Euclidean norm.
pub(crate) fn norm(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let terms = values.len();
    sqrt(inflate(values.map(|v| v * v).sum(), terms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_bounded_from_above_and_closely() {
        for x in [0.0_f64, 1e-20, 0.01, 0.5, 1.0, 20.0, 600.0] {
            // log(1 + y + y²) ≤ y + y²/2, and y ≤ 1/64.
            let most = (x * (1.0 + 1.0 / 128.0)).exp() * (1.0 + 1e-12);
            assert!(exp(x) >= x.exp() && exp(x) <= most, "{x}");
        }
        assert!(exp(f64::INFINITY).is_infinite() && exp(f64::NAN).is_nan());
    }

    #[test]
    fn nothing_rounds_down() {
        assert!(add(1.0, UNIT) > 1.0 && mul(f64::MIN_POSITIVE, f64::MIN_POSITIVE) > 0.0);
        assert!(sub(1.0, 1.0) > 0.0 && sub_down(1.0, 1.0) < 0.0);
        assert!(norm([3.0, 4.0].into_iter()) >= 5.0);
    }
}
