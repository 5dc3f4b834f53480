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
    use crate::exact::{Big, Draws, big, norm as exact_norm};

    /// Pairs of all sizes; sums cancel, products and quotients underflow.
    fn pairs() -> impl Iterator<Item = (f64, f64)> {
        let ends = [0.0, 5e-324, 3e-308, UNIT, 1.0 / 3.0, 1.0, 1.0 + UNIT, 3.0];
        let ends = ends.map(|a| ends.map(|b| (a, b)));
        let mut draws = Draws::new(1);
        let drawn: Vec<_> = (0..2000)
            .map(|case| {
                let octaves = [1.0, 60.0, 500.0][case % 3];
                let a = draws.of_any_size(octaves).abs();
                let near = a * (1.0 + draws.between(-1e-12, 1e-12));
                let b = draws.of_any_size(octaves).abs();
                (a, if case % 7 == 0 { near } else { b })
            })
            .collect();
        ends.into_iter().flatten().chain(drawn)
    }

    /// An upper bound that is at most two units in the last place above.
    #[track_caller]
    fn above(bound: f64, exact: &Big) {
        let closest = bound.next_down().next_down();
        assert!(
            big(bound) >= *exact && big(closest) <= *exact,
            "{bound:e} {exact}"
        );
    }

    #[track_caller]
    fn below(bound: f64, exact: &Big) {
        above(-bound, &-exact);
    }

    #[test]
    fn every_operation_rounds_to_the_safe_side_by_little() {
        for (a, b) in pairs() {
            let (x, y) = (big(a), big(b));
            above(add(a, b), &(&x + &y));
            above(sub(a, b), &(&x - &y));
            below(sub_down(a, b), &(&x - &y));
            above(mul(a, b), &(&x * &y));
            below(mul_down(a, b), &(&x * &y));
            if b > 0.0 && (a / b).is_finite() {
                above(div(a, b), &(&x / &y));
                below(div_down(a, b), &(&x / &y));
            }
            let root = sqrt(a);
            let closest = root.next_down().next_down().max(0.0);
            assert!(
                big(root) * big(root) >= x && big(closest) * big(closest) <= x,
                "{a:e}"
            );
        }
    }

    /// Every term is lost by itself: 1 + u rounds to 1.
    #[test]
    fn sums_are_bounded_though_each_term_is_lost() {
        for terms in [1, 2, 40, 1000] {
            let lost = || std::iter::once(1.0).chain(std::iter::repeat_n(UNIT, terms - 1));
            let exact = big(1.0) + big((terms - 1) as f64) * big(UNIT);
            let careless: f64 = lost().sum();
            assert_eq!(careless, 1.0);
            let most = &exact + big(terms as f64 * 4.0 * UNIT);
            for bound in [sum(lost()), inflate(careless, terms)] {
                // inflate has room for eight roundings more, and twice the roundoff.
                let room = big(64.0 * UNIT);
                assert!(big(bound) >= exact && big(bound) <= &most + room, "{terms}");
            }
        }
        // Nothing is left of a sum that underflows.
        assert!(inflate(0.0, 1) >= TINY && inflate(0.0, 1) < 1.01 * TINY);
        assert_eq!(sum(std::iter::empty()), 0.0);
    }

    /// Four roundings of each term, and the sum's own.
    #[test]
    fn careless_terms_are_covered_too() {
        let down = (1.0 - UNIT).powi(4);
        let exact =
            big(1.0) / (big(1.0 - UNIT) * big(1.0 - UNIT) * big(1.0 - UNIT) * big(1.0 - UNIT));
        assert!(big(inflate(down, 1)) >= big(down) * exact);
    }

    #[test]
    fn gamma_is_its_definition_rounded_up() {
        for operations in [1, 3, 1000, 1_000_000] {
            for roundoff in [UNIT, 16.0 * UNIT * UNIT] {
                let product = big(operations as f64) * big(roundoff);
                let exact = &product / (big(1.0) - &product);
                let bound = gamma(operations, roundoff);
                let close = &exact * (big(1.0) + big(8.0 * UNIT));
                assert!(big(bound) >= exact && big(bound) <= close, "{operations}");
            }
        }
    }

    #[test]
    fn norms_are_bounded_though_their_squares_round_down_or_vanish() {
        let mut draws = Draws::new(2);
        for length in [1, 2, 7, 300] {
            for _ in 0..50 {
                let v = draws.vector(length);
                let exact = exact_norm(&v.iter().map(|&v| big(v)).collect::<Vec<_>>());
                let bound = norm(v.into_iter());
                let close = &exact * big(1.0 + 2.0 * (length + 16) as f64 * UNIT);
                assert!(big(bound) >= exact && big(bound) <= close, "{length}");
            }
        }
        assert!(norm([1e-170, 1e-170].into_iter()) >= 1.5e-170);
        assert_eq!(norm([1e200].into_iter()), f64::INFINITY);
    }

    #[test]
    fn the_exponential_is_bounded_from_above_and_closely() {
        let mut draws = Draws::new(3);
        let ends = [0.0, 1e-20, 1.0 / 64.0, 1.0, 600.0, 700.0];
        let drawn: Vec<f64> = (0..200).map(|_| draws.of_any_size(9.0).abs()).collect();
        for x in ends.into_iter().chain(drawn) {
            let exact = big(x).exp();
            // log(1 + y + y²) ≤ y + y²/2, and y ≤ 1/64; each of ten squarings doubles an error.
            let most = big(x * (1.0 + 1.0 / 128.0)).exp() * big(1.0 + 1e-12);
            assert!(big(exp(x)) >= exact && big(exp(x)) <= most, "{x}");
        }
        assert!(exp(700.1).is_infinite() && exp(f64::INFINITY).is_infinite());
        assert!(exp(f64::NAN).is_nan());
    }

    /// What is not a number stays none, so that the comparison that it comes to refuses.
    #[test]
    fn what_is_not_a_number_is_no_bound() {
        let nan = f64::NAN;
        for bound in [
            add(nan, 1.0),
            mul(0.0, f64::INFINITY),
            div(nan, 1.0),
            sqrt(-1.0),
        ] {
            assert!(bound.is_nan());
        }
        assert!(norm([nan].into_iter()).is_nan() && inflate(nan, 1).is_nan());
    }
}
