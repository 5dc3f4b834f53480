use super::*;
use crate::definition::Numbers;
use crate::exact::Draws;
use crate::point::Point;
use crate::real::DoubleDouble;
use twolayer::ClosedForm;

/// A symmetric matrix, row after row.
fn symmetric(n: usize, entry: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    (0..n * n)
        .map(|at| entry((at / n).max(at % n), (at / n).min(at % n)))
        .collect()
}

/// E S Eᵀ.
fn congruent(e: &[f64], s: &[f64], n: usize) -> Vec<f64> {
    let product = |i: usize, j: usize| {
        (0..n * n)
            .map(|at| e[i * n + at / n] * s[at] * e[j * n + at % n])
            .sum()
    };
    (0..n * n).map(|at| product(at / n, at % n)).collect()
}

#[track_caller]
fn is_diagonal_of_signs(matrix: &[f64], n: usize, tolerance: f64) {
    for (at, entry) in matrix.iter().enumerate() {
        let expected = f64::from(u8::from(at / n == at % n));
        assert!(
            (entry.abs() - expected).abs() < tolerance,
            "{at} of {n}: {entry}"
        );
    }
}

#[test]
fn an_indefinite_matrix_becomes_a_diagonal_of_signs() {
    // Zeros on the diagonal ask for 2×2 pivots.
    let entry = |i: usize, j: usize| {
        if i == j && i > 3 {
            0.0
        } else {
            ((i * j + i + j) as f64).sin()
        }
    };
    let s = symmetric(7, entry);
    is_diagonal_of_signs(&congruent(&inverse_root(s.clone(), 7), &s, 7), 7, 1e-12);
}

#[test]
fn matrices_of_all_orders_and_signs_become_one() {
    for n in 1..9 {
        for seed in 0..20 {
            let mut draws = Draws::new(seed);
            let entries = draws.vector(n * n);
            // Without a diagonal, with one, and definite.
            for shift in [f64::NAN, 0.0, 3.0 * n as f64, -3.0 * n as f64] {
                if n % 2 == 1 && shift.is_nan() {
                    // Of odd order it may be next to singular.
                    continue;
                }
                let s = symmetric(n, |i, j| match (i == j, shift.is_nan()) {
                    (true, true) => 0.0,
                    (true, false) => entries[i * n + j] + shift,
                    _ => entries[i * n + j],
                });
                let result = congruent(&inverse_root(s.clone(), n), &s, n);
                is_diagonal_of_signs(&result, n, 1e-8);
            }
        }
    }
}

/// An elimination that takes the small pivots would lose everything.
#[test]
fn small_pivots_wait() {
    for s in [
        vec![1e-20, 1.0, 1.0, 0.0],
        vec![1e-20, 1.0, 1.0, 1e-20],
        vec![0.5, 1.0, 1.0, 0.5],
        vec![1e-9, 1e-5, 1e-5, 1.0],
    ] {
        is_diagonal_of_signs(&congruent(&inverse_root(s.clone(), 2), &s, 2), 2, 1e-7);
    }
    let tiny = symmetric(3, |i, j| {
        [[1e-18, 0.0, 0.0], [1.0, 1e-18, 0.0], [0.3, 0.2, 2.0]][i][j]
    });
    is_diagonal_of_signs(
        &congruent(&inverse_root(tiny.clone(), 3), &tiny, 3),
        3,
        1e-12,
    );
}

/// vvᵀ has one eigenvalue that is not zero: the others count as of the size of its rounding.
#[test]
fn a_singular_matrix_is_scaled_to_its_rounding() {
    let v = [0.3, -0.7, 0.9];
    let s = symmetric(3, |i, j| v[i] * v[j]);
    let e = inverse_root(s.clone(), 3);
    let result = congruent(&e, &s, 3);
    assert!((result[0] - 1.0).abs() < 1e-12);
    // E grows to the root of what a pivot counts as, and no further.
    let least = 4.0 * 3.0 * f64::EPSILON * 0.81;
    let largest = e.iter().fold(0.0, |most: f64, e| most.max(e.abs()));
    assert!(
        (0.9..2.0).contains(&(largest * least.sqrt())),
        "{largest:e}"
    );
    assert!(inverse_root(vec![0.0; 4], 2).iter().all(|e| e.is_finite()));
}

#[test]
fn steps_of_the_elimination_do_what_they_say() {
    let n = 3;
    let mut s: Vec<f64> = symmetric(n, |i, j| (10 * j + i) as f64);
    let mut e: Vec<f64> = (0..9).map(f64::from).collect();
    let (before, rows) = (s.clone(), e.clone());
    swap(&mut s, &mut e, n, 0, 2);
    let moved = [2, 1, 0];
    for i in 0..n {
        for j in 0..n {
            assert_eq!(s[i * n + j], before[moved[i] * n + moved[j]]);
            assert_eq!(e[i * n + j], rows[moved[i] * n + j]);
        }
    }
    let mut e = rows;
    subtract(&mut e, n, 2, 1, 2.0);
    assert_eq!(e, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 0.0, -1.0, -2.0]);
    scale_row(&mut e, n, 1, -4.0, 1.0);
    scale_row(&mut e, n, 0, 0.01, 0.25);
    assert_eq!(e, [0.0, 2.0, 4.0, 1.5, 2.0, 2.5, 0.0, -1.0, -2.0]);
    let product = multiply::<f64>(&[1.0, 2.0, 0.0, 3.0], &[5.0, 0.0, 7.0, 11.0], 2);
    assert_eq!(product, [19.0, 22.0, 21.0, 33.0]);
}

/// Sizes from 1e-12 to 1e12 on the diagonal: balanced first, they are one.
#[test]
fn a_correction_balances_and_only_reads_the_lower_triangle() {
    let n = 3;
    let size = [1e6, 1.0, 1e-6];
    let full = symmetric(n, |i, j| {
        size[i]
            * size[j]
            * if i == j {
                2.0 - j as f64 * 2.0
            } else {
                0.4 + 0.1 * i as f64
            }
    });
    let mut lower = full.clone();
    (lower[1], lower[2], lower[5]) = (f64::NAN, f64::NAN, f64::NAN);
    let k = correction::<f64>(&lower, n).unwrap();
    let transposed: Vec<f64> = (0..9).map(|at| k[at % n * n + at / n]).collect();
    is_diagonal_of_signs(&congruent(&transposed, &full, n), n, 1e-12);
    for bad in [f64::NAN, f64::INFINITY] {
        assert!(correction::<f64>(&[bad], 1).is_none());
        assert!(correction::<f64>(&[1.0, 0.0, bad, 1.0], 2).is_none());
    }
}

/// A network whose Hessian has a condition of about `condition`: its inputs differ in scale, along
/// directions that are no axes.
fn graded(condition: f64) -> Numbers {
    let mut numbers = Numbers::drawn((3, 8, 6), ClosedForm::KullbackLeibler, 1);
    let small = condition.sqrt().recip();
    for row in numbers.a1.chunks_mut(3) {
        let (p, q, r) = (row[0], row[1] * small.sqrt(), row[2] * small);
        (row[0], row[1], row[2]) = (p + q, p - q + r, p + 2.0 * q - r);
    }
    numbers.bias1 = vec![3.0; 8];
    numbers
}

fn scale_of<R: Real>(condition: f64, start: Option<Vec<R>>) -> Scaling<R> {
    let instance = graded(condition).instance();
    let x = vec![0.1.into(), (-0.1).into(), 0.05.into()];
    let point = Point::new(&instance, &[], x, None);
    scale(&HessianRows::<R>::new(&instance, &[], &point), start)
}

#[test]
fn a_scaling_is_found_as_far_as_the_arithmetic_reaches() {
    for condition in [1.0, 1e6, 1e10] {
        let scaling = scale_of::<f64>(condition, None);
        assert!(
            scaling.scaled.defect <= SMALL_DEFECT,
            "{condition:e} {:e}",
            scaling.scaled.defect
        );
    }
    for condition in [1.0, 1e12, 1e20] {
        let scaling = scale_of::<DoubleDouble>(condition, None);
        assert!(
            scaling.scaled.defect <= SMALL_DEFECT,
            "{condition:e} {:e}",
            scaling.scaled.defect
        );
    }
    assert!(scale_of::<f64>(1e36, None).scaled.defect >= 1.0);
}

#[test]
fn a_good_start_stays_and_a_bad_one_is_improved() {
    let first = scale_of::<DoubleDouble>(1e12, None);
    let again = scale_of(1e12, Some(first.t.clone()));
    assert_eq!(first.t, again.t);
    assert_eq!(first.scaled.defect, again.scaled.defect);
    let off = first
        .t
        .iter()
        .map(|&t| t * DoubleDouble::from(1.3))
        .collect();
    let improved = scale_of(1e12, Some(off));
    assert!(improved.scaled.defect <= SMALL_DEFECT);
    let hopeless = vec![DoubleDouble::from(f64::NAN); 9];
    assert!(!scale_of(1e12, Some(hopeless)).scaled.defect.is_finite());
}
