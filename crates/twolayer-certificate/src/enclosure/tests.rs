use super::*;
use crate::exact::{Big, Draws, absolute, assert_encloses, big, encloses, small, wide};

/// Points, narrow intervals and wide ones, some of which hold zero.
fn drawn(count: usize, octaves: f64) -> Vec<Enclosure> {
    let mut draws = Draws::new(1);
    (0..count)
        .map(|case| {
            let middle = draws.double_double(octaves);
            let part = [0.0, 1e-31, 1e-20, 1e-3, 0.5, 2.0][case % 6];
            Enclosure::from(middle).widened(part * middle.hi.abs())
        })
        .collect()
}

/// Both ends and the middle.
fn choices(of: Enclosure) -> [Big; 3] {
    let (middle, radius) = (wide(of.middle), big(of.radius));
    [&middle - &radius, middle.clone(), &middle + radius]
}

/// Holds `exact` of all choices of both, and is `slack` times as wide as they need, but for the
/// rounding of double-double numbers of size `size`.
#[track_caller]
fn check(
    result: Enclosure,
    (a, b): (Enclosure, Enclosure),
    exact: impl Fn(&Big, &Big) -> Big,
    slack: f64,
    size: f64,
) {
    let middle = wide(result.middle);
    let mut needed = big(0.0);
    for x in choices(a) {
        for y in choices(b) {
            let exact = exact(&x, &y);
            assert!(encloses(result, &exact), "{a:?} {b:?} {result:?}");
            needed = needed.max(absolute(&(&middle - exact)));
        }
    }
    let rounding = big(40.0 * DoubleDouble::ROUNDOFF * size + 3.0 * up::TINY);
    assert!(
        big(result.radius) <= needed * big(slack) + rounding,
        "{a:?} {b:?} {result:?}"
    );
}

#[test]
fn sums_differences_and_products_enclose_every_choice() {
    let of = drawn(600, 30.0);
    for (&a, &b) in of.iter().zip(of.iter().skip(7)) {
        let size = a.magnitude() + b.magnitude();
        check(a + b, (a, b), |x, y| x + y, 1.0 + 1e-12, size);
        check(a - b, (a, b), |x, y| x - y, 1.0 + 1e-12, size);
        // |a|·rad b + |b̄|·rad a, where an end of one and the middle of the other are as far.
        check(
            a * b,
            (a, b),
            |x, y| x * y,
            1.0 + 1e-12,
            a.magnitude() * b.magnitude(),
        );
        check(-a, (a, b), |x, _| -x, 1.0, 0.0);
        check(
            a.scaled(-0.25),
            (a, b),
            |x, _| x * big(-0.25),
            1.0 + 1e-15,
            0.0,
        );
    }
}

#[test]
fn every_operation_adds_its_rounding() {
    let mut draws = Draws::new(2);
    for _ in 0..500 {
        let (a, b) = (draws.double_double(20.0), draws.double_double(20.0));
        let (x, y): (Enclosure, Enclosure) = (a.into(), b.into());
        assert!(encloses(x + y, &(wide(a) + wide(b))));
        assert!(encloses(x * y, &(wide(a) * wide(b))));
        assert!(encloses(x.over(y), &(wide(a) / wide(b))));
    }
    // What underflows is covered by an absolute term.
    let tiny = Enclosure::from(3e-200);
    assert!(encloses(tiny * tiny, &(big(3e-200) * big(3e-200))));
    assert!(encloses(
        tiny.scaled(2.0_f64.powi(-600)),
        &(big(3e-200) * big(2.0_f64.powi(-600)))
    ));
    assert!((tiny * tiny).radius < 1e-304);
}

#[test]
fn quotients_enclose_every_choice() {
    let of = drawn(600, 30.0);
    for (&a, &b) in of.iter().zip(of.iter().skip(5)) {
        let quotient = a.over(b);
        let least = b.mignitude();
        if least <= 0.0 {
            // It holds zero.
            assert!(
                quotient.radius.is_infinite() && encloses(b, &big(0.0)),
                "{b:?}"
            );
            continue;
        }
        // |a/b − q| ≤ |a − qb|/|b|: the numerator is wide, the divisor small, but not at once.
        let slack = 1.0 + 1e-12 + 2.0 * b.radius / least;
        check(quotient, (a, b), |x, y| x / y, slack, a.magnitude() / least);
    }
    for divisor in [
        Enclosure::ZERO,
        Enclosure::from(1.0).widened(1.0),
        Enclosure::EVERYTHING,
    ] {
        assert!(Enclosure::from(1.0).over(divisor).magnitude().is_infinite());
    }
}

#[test]
fn the_ends_are_outside_of_every_choice_and_near() {
    for a in drawn(600, 30.0) {
        let [first, _, last] = choices(a);
        let room = big(4.0 * f64::EPSILON * (a.middle.hi.abs() + a.radius));
        let (most, least) = (big(a.upper()), big(a.lower()));
        assert!(most >= last && most <= &last + &room, "{a:?}");
        assert!(least <= first && least >= &first - &room, "{a:?}");
        let (p, q) = (absolute(&first), absolute(&last));
        let (far, near) = if p > q { (p, q) } else { (q, p) };
        let (magnitude, mignitude) = (big(a.magnitude()), big(a.mignitude()));
        assert!(magnitude >= far && magnitude <= far + &room, "{a:?}");
        // Negative where zero is within.
        let near = if first <= big(0.0) && last >= big(0.0) {
            -near
        } else {
            near
        };
        assert!(mignitude <= near && mignitude >= near - &room, "{a:?}");
    }
}

#[test]
fn the_logarithm_of_two_is_enclosed_as_closely_as_said() {
    assert_encloses(LN_2, &big(2.0).ln(), 1.01e-33);
}

/// e^{x ± r} − eˣ, and what Horner's scheme adds for an x whose powers alternate.
fn width(x: f64, radius: f64) -> f64 {
    x.exp() * (radius.exp_m1() * 1.1 + 1e-26)
}

#[test]
fn exponentials_enclose_every_choice() {
    let mut draws = Draws::new(3);
    let ends = [-599.9, -600.1, -1e-20, 0.0, 1.0, 39.99, 0.3465, 0.3466];
    let drawn: Vec<f64> = (0..150).map(|_| draws.between(-620.0, 40.0)).collect();
    for x in ends.into_iter().chain(drawn) {
        for radius in [0.0, 1e-25, 1e-6, 1e-3] {
            let argument = Enclosure::from(x).widened(radius);
            let result = argument.exp();
            for choice in choices(argument) {
                assert!(encloses(result, &choice.exp()), "{x} {radius}");
            }
            let most = if x < -600.0 + radius {
                1.1e-260
            } else {
                width(x, radius)
            };
            assert!(result.radius <= most, "{x} {radius} {result:?}");
        }
    }
}

#[test]
fn an_exponential_out_of_range_is_anything_or_next_to_nothing() {
    for x in [40.01, 1e4, f64::INFINITY, f64::NAN] {
        assert!(Enclosure::from(x).exp().radius.is_infinite(), "{x}");
    }
    for x in [-600.1, -701.0, -1e4] {
        let result = Enclosure::from(x).exp();
        assert!(result.lower() < 0.0 && result.upper() >= 1e-260 && result.upper() < 2e-260);
    }
    // So wide that the reduced argument is beyond the series, or the ends beyond the range.
    for (x, radius) in [(0.0, 0.5), (-300.0, 0.3), (-650.0, 60.0), (39.9, 0.2)] {
        let wide = Enclosure::from(x).widened(radius);
        assert!(wide.exp().radius.is_infinite(), "{x}");
    }
    // Just within: eight times 0.0499 to either side.
    let wide = Enclosure::from(0.0).widened(0.399);
    assert!(encloses(wide.exp(), &big(0.399).exp()) && encloses(wide.exp(), &big(-0.399).exp()));
}

#[test]
fn logarithms_enclose_every_choice() {
    let mut draws = Draws::new(4);
    let ends = [0.5, 1.0, std::f64::consts::E, 1e6];
    let drawn: Vec<f64> = (0..100)
        .map(|_| draws.of_any_size(20.0).abs().max(0.5))
        .collect();
    for x in ends.into_iter().chain(drawn) {
        for part in [0.0, 1e-26, 1e-9, 1e-2, 0.2] {
            let argument = Enclosure::from(x).widened(part * x);
            let result = argument.ln();
            for choice in choices(argument) {
                assert!(encloses(result, &choice.ln()), "{x} {part}");
            }
            // s + s²/2 + s³, and the error of the rough logarithm cubed.
            let most = part * (1.0 + 0.5 * part + part * part) * 1.01 + 1e-26;
            assert!(result.radius <= most, "{x} {part} {result:?}");
        }
    }
    let wide = Enclosure::from(1.0).widened(0.26);
    assert!(wide.ln().radius.is_infinite());
}

#[test]
fn logarithms_of_all_sizes_are_narrow() {
    for x in [5e-324, 1e-300, 0.1, 1.0, 3.0, 1e300] {
        assert_encloses(
            Enclosure::ln_of(x),
            &big(x).ln(),
            1e-28 * (1.0 + x.ln().abs()),
        );
    }
}

#[test]
fn inner_products_enclose_every_choice_of_their_values() {
    let mut draws = Draws::new(5);
    for terms in [1, 2, 5, 40] {
        for part in [0.0, 1e-28, 1e-6] {
            let a = draws.vector(terms);
            let values: Vec<Enclosure> = (0..terms)
                .map(|_| {
                    let value = draws.double_double(8.0);
                    Enclosure::from(value).widened(part * value.hi.abs())
                })
                .collect();
            let result = Enclosure::dot(&a, &values);
            // The ends: every value at the end that its coefficient's sign asks for.
            let mut ends = [big(0.0), big(0.0)];
            let mut size = 0.0;
            for (&a, &value) in a.iter().zip(&values) {
                let [first, _, last] = choices(value);
                let (low, high) = if a < 0.0 {
                    (last, first)
                } else {
                    (first, last)
                };
                ends[0] = &ends[0] + big(a) * low;
                ends[1] = &ends[1] + big(a) * high;
                size += (a * value.middle.hi).abs();
            }
            let needed = small(&(&ends[1] - &ends[0])) / 2.0;
            let rounding = 1.1 * (terms + 4) as f64 * DoubleDouble::ROUNDOFF * size;
            let most = needed * (1.0 + 1e-12) + rounding + 3.0 * up::TINY;
            assert_encloses(result, &ends[0], most);
            assert_encloses(result, &ends[1], most);
            // The same as a matrix with one column, and doubled in two.
            let column = Enclosure::transposed_product(&a, 1, &values);
            assert_encloses(column[0], &ends[1], most);
            let doubled: Vec<f64> = a.iter().flat_map(|&a| [a, 2.0 * a]).collect();
            let columns = Enclosure::transposed_product(&doubled, 2, &values);
            assert_encloses(columns[0], &ends[0], most);
            assert_encloses(columns[1], &(&ends[0] * big(2.0)), 2.0 * most);
        }
    }
}

/// 1 + 2⁻¹⁰⁸ − 1: what two words cannot hold is in the radius.
#[test]
fn an_inner_product_covers_what_cancels() {
    let small_part = 2.0_f64.powi(-108);
    let values = [1.0.into(), small_part.into(), 1.0.into()];
    let result = Enclosure::dot(&[1.0, 1.0, -1.0], &values);
    assert_encloses(result, &big(small_part), 20.0 * DoubleDouble::ROUNDOFF);
    let sum = Enclosure::sum([1.0, small_part, -1.0].into_iter().map(Into::into));
    assert_encloses(sum, &big(small_part), 20.0 * DoubleDouble::ROUNDOFF);
}

#[test]
fn what_overflows_encloses_everything() {
    let huge = Enclosure::from(1e200);
    for overflown in [huge * huge, Enclosure::from(1.7e308) + 1.7e308.into()] {
        let width = overflown.magnitude();
        assert!(width.is_infinite() || width.is_nan(), "{overflown:?}");
    }
}
