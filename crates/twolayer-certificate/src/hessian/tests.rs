mod residual;

use super::*;
use crate::definition::{Definition, Numbers};
use crate::exact::{
    Big, Draws, absolute, assert_encloses, big, dot, norm as exact_norm, small, wide,
};
use residual::check_residual;
use twolayer::ClosedForm;

type Matrix = Vec<Vec<Big>>;

fn zeros(rows: usize, columns: usize) -> Matrix {
    vec![vec![big(0.0); columns]; rows]
}

/// AᵀB for A and B given row after row.
fn transposed_product(a: &Matrix, b: &Matrix) -> Matrix {
    let mut product = zeros(a[0].len(), b[0].len());
    for (a, b) in a.iter().zip(b) {
        for (row, a) in product.iter_mut().zip(a) {
            for (entry, b) in row.iter_mut().zip(b) {
                *entry += a * b;
            }
        }
    }
    product
}

fn matrix<R: Real>(t: &[R], n: usize) -> Matrix {
    t.chunks(n)
        .map(|row| row.iter().map(|t| wide(t.widen())).collect())
        .collect()
}

/// ‖E‖₂ of a symmetric E from below, by the power method.
fn spectral(error: &Matrix) -> f64 {
    let largest = error.iter().flatten().map(absolute).max().unwrap();
    if largest == big(0.0) {
        return 0.0;
    }
    let scaled: Vec<Vec<f64>> = error
        .iter()
        .map(|row| row.iter().map(|e| small(&(e / &largest))).collect())
        .collect();
    let mut v: Vec<f64> = (0..error.len()).map(|j| 1.0 + 0.3 * j as f64).collect();
    let mut length = 0.0;
    for _ in 0..100 {
        let before = v.iter().map(|v| v * v).sum::<f64>().sqrt();
        let image = scaled
            .iter()
            .map(|row| row.iter().zip(&v).map(|(e, v)| e * v).sum());
        v = image.collect();
        length = v.iter().map(|v| v * v).sum::<f64>().sqrt() / before;
    }
    length * small(&largest)
}

/// K of given f, β and w², C being exact.
struct Exact {
    c: Matrix,
    normals: Matrix,
}

impl Exact {
    fn new(instance: &Instance, active: &[usize], held: &[usize]) -> Self {
        let mut c = zeros(instance.outcomes, instance.inputs);
        for (row, a2) in c.iter_mut().zip(instance.a2.chunks(instance.hidden)) {
            for &unit in active {
                for (entry, &a1) in row.iter_mut().zip(instance.normal(unit)) {
                    *entry += big(a2[unit]) * big(a1);
                }
            }
        }
        let normal = |&unit: &usize| instance.normal(unit).iter().map(|&a| big(a)).collect();
        Self {
            c,
            normals: held.iter().map(normal).collect(),
        }
    }

    fn centered(&self, f: &[Big]) -> Matrix {
        let columns = transposed_product(&f.iter().map(|f| vec![f.clone()]).collect(), &self.c);
        let center = |row: &Vec<Big>| {
            row.iter()
                .zip(&columns[0])
                .map(|(c, mean)| c - mean)
                .collect()
        };
        self.c.iter().map(center).collect()
    }

    fn k(&self, f: &[Big], weights: &[Big], penalties: &[Big]) -> Matrix {
        let d = self.c[0].len();
        let mut k = zeros(d + self.normals.len(), d + self.normals.len());
        let mut add = |rows: &Matrix, weights: &[Big]| {
            for (row, weight) in rows.iter().zip(weights) {
                for j in 0..d {
                    for l in 0..d {
                        k[j][l] += weight * &row[j] * &row[l];
                    }
                }
            }
        };
        add(&self.centered(f), weights);
        add(&self.c, penalties);
        for (p, normal) in self.normals.iter().enumerate() {
            for (j, a) in normal.iter().enumerate() {
                k[j][d + p] = a.clone();
                k[d + p][j] = a.clone();
            }
        }
        k
    }
}

/// ‖computed − TᵀKT‖₂.
fn truth<R: Real>(product: &Product<R>, t: &[R], k: &Matrix) -> f64 {
    let n = k.len();
    let t = matrix(t, n);
    let exact = transposed_product(&transposed_product(k, &t), &t);
    let mut error = zeros(n, n);
    for j in 0..n {
        for l in 0..=j {
            error[j][l] = wide(product.entries[j * n + l].widen()) - &exact[j][l];
            error[l][j] = error[j][l].clone();
        }
    }
    spectral(&error)
}

/// Enclosures' middles, shifted by `part` of their radii.
fn choice(of: &[Enclosure], part: f64) -> Vec<Big> {
    of.iter()
        .map(|e| wide(e.middle) + big(e.radius) * big(part))
        .collect()
}

fn at(instance: &Instance, held: &[usize], x: &[f64]) -> Point {
    let multipliers = (0..held.len()).map(|p| 0.1 + 0.2 * p as f64);
    let x = x.iter().copied().chain(multipliers).map(Into::into);
    Point::new(instance, held, x.collect(), None)
}

/// Entries of all sizes up to 8.
fn drawn<R: Real>(draws: &mut Draws, n: usize) -> Vec<R> {
    (0..n * n)
        .map(|_| R::of(draws.double_double(3.0)))
        .collect()
}

/// K by second differences of the Lagrangian, for both losses, with units held and without.
fn everything_is_covered<R: Real>() {
    let mut draws = Draws::new(1);
    for loss in [ClosedForm::SquaredError, ClosedForm::KullbackLeibler] {
        for (held, weighted) in [(vec![], true), (vec![2, 0], true), (vec![1], false)] {
            let mut numbers = Numbers::drawn((3, 7, 5), loss, 1);
            if !weighted {
                numbers.weights.clear();
            }
            let instance = numbers.instance();
            let point = at(&instance, &held, &[0.4, -0.3, 0.7]);
            let rows = HessianRows::<R>::new(&instance, &held, &point);
            let n = 3 + held.len();
            assert_eq!(rows.order(), n);
            let x: Vec<Big> = point.x.iter().map(|&x| wide(x)).collect();
            let active = point.cell.active.clone();
            let definition = Definition {
                instance: &instance,
                active,
                held: held.clone(),
            };
            let k = definition.hessian(&x);
            let t = drawn::<R>(&mut draws, n);
            let product = rows.product(&t);
            // The differences are good to 1e-30 only.
            let error = truth(&product, &t, &k);
            assert!(
                error <= product.error + 1e-27,
                "{error:e} {:e}",
                product.error
            );
            // A hundred operations or so on numbers that T makes a thousand times larger.
            assert!(product.error < 1e7 * R::ROUNDOFF, "{:e}", product.error);
            check_norms(&instance, &point, &rows, &product, &t);
            check_residual(&point, &rows, &t, &definition.gradient(&x));
        }
    }
}

/// ρ, the lengths of the rows of C̄, and ‖C T‖.
fn check_norms<R: Real>(
    instance: &Instance,
    point: &Point,
    rows: &HessianRows<R>,
    product: &Product<R>,
    t: &[R],
) {
    let exact = Exact::new(instance, &point.cell.active, &[]);
    let centered = exact.centered(&choice(&point.probabilities, 0.0));
    let d = instance.inputs;
    let t = matrix(&t[..d * rows.order()], rows.order());
    let of = |row: &Vec<Big>| {
        exact_norm(&transposed_product(&vec![row.clone()], &vec![vec![big(1.0)]]).concat())
    };
    let image = |row: &Vec<Big>| {
        let columns = (0..t[0].len()).map(|j| {
            let column: Vec<Big> = t.iter().map(|row| row[j].clone()).collect();
            dot(row, &column)
        });
        columns.collect::<Vec<_>>()
    };
    let slack = 1.0 + 1e3 * R::ROUNDOFF.max(f64::EPSILON);
    for (i, (row, bound)) in centered.iter().zip(rows.row_lengths()).enumerate() {
        let exact = of(row);
        assert!(
            big(bound) >= exact && big(bound) <= exact * big(slack),
            "{i}"
        );
        let exact = exact_norm(&image(row));
        let bound = product.row_norms[i];
        assert!(
            big(bound) >= exact && big(bound) <= exact * big(slack * slack),
            "{i}"
        );
    }
    let all: Vec<Big> = exact.c.iter().flat_map(image).collect();
    // ‖C T‖_F, which τ and the norms of the rows bound by Cauchy–Schwarz.
    assert!(big(product.image_norm) >= exact_norm(&all));
}

#[test]
fn everything_is_covered_in_both_formats() {
    everything_is_covered::<f64>();
    everything_is_covered::<DoubleDouble>();
}

/// One unknown, m outcomes, all units on: C = A2 A1, from any A1 (n×1) and A2 (m×n).
fn one_unknown(a1: &[f64], a2: &[f64], weights: &[f64]) -> Numbers {
    let (n, m) = (a1.len(), a2.len() / a1.len());
    Numbers {
        a1: a1.to_vec(),
        bias1: vec![1.0; n],
        a2: a2.to_vec(),
        bias2: vec![0.0; m],
        target: vec![1.0 / m as f64; m],
        weights: weights.to_vec(),
        loss: ClosedForm::SquaredError,
        radius: None,
    }
}

/// A point whose f, β and w² are what a test says they are.
fn given(instance: &Instance, f: &[f64], weights: &[f64]) -> Point {
    let mut point = at(instance, &[], &[0.0]);
    point.probabilities = f.iter().map(|&f| f.into()).collect();
    point.row_weights = weights.iter().map(|&beta| beta.into()).collect();
    point
}

/// C is a difference of two products that are a thousand million times larger: its rounding is
/// nearly all of the error, and the bound of its rows nearly all of the bound.
#[test]
fn the_rounding_of_c_is_covered_where_it_cancels() {
    let mut draws = Draws::new(2);
    let mut tightest: f64 = 0.0;
    for _ in 0..200 {
        let (a, b) = (draws.between(1.0, 2.0), draws.between(1.0, 2.0));
        let row = [b, -a * (1.0 + 1e-9)];
        let numbers = one_unknown(&[a, b], &[row[0], row[1], 0.0, 0.0], &[1.0, 1.0]);
        let instance = numbers.instance();
        for (weights, penalized) in [([1.0, 1.0], false), ([0.0, 0.0], true)] {
            let point = given(&instance, &[0.5, 0.5], &weights);
            let mut rows = HessianRows::<f64>::new(&instance, &[], &point);
            if !penalized {
                rows.penalties.clear();
            }
            let omega = if penalized { big(1.0) } else { big(0.0) };
            let exact = Exact::new(&instance, &[0, 1], &[]);
            let f = choice(&point.probabilities, 0.0);
            let k = exact.k(
                &f,
                &choice(&point.row_weights, 0.0),
                &[omega.clone(), omega],
            );
            let t = [1e9];
            let product = rows.product(&t);
            let error = truth(&product, &t, &k);
            assert!(error <= product.error, "{error:e} {:e}", product.error);
            tightest = tightest.max(error / product.error);
            // The same for the lengths of the rows, with and without T.
            let length = exact.centered(&f)[0][0].clone();
            assert!(big(rows.row_lengths()[0]) >= absolute(&length));
            assert!(big(product.row_norms[0]) >= absolute(&length) * big(1e9));
        }
    }
    assert!(tightest > 0.02, "{tightest}");
}

/// Products that differ from what they round to, and a C of zero: its bound is all there is.
#[test]
fn a_row_that_vanishes_by_rounding_has_a_length() {
    let (x, y) = (1.0 + 3.0 * f64::EPSILON, 1.0 + 5.0 * f64::EPSILON);
    let instance = one_unknown(&[y, x * y], &[x, -1.0, 0.0, 0.0], &[]).instance();
    let point = given(&instance, &[0.5, 0.5], &[1.0, 1.0]);
    let rows = HessianRows::<f64>::new(&instance, &[], &point);
    let exact = Exact::new(&instance, &[0, 1], &[]).centered(&choice(&point.probabilities, 0.0));
    assert!(rows.jacobian[0] == 0.0 && exact[0][0] != big(0.0));
    assert!(big(rows.row_lengths()[0]) >= absolute(&exact[0][0]));
    assert!(big(rows.product(&[1.0]).row_norms[0]) >= absolute(&exact[0][0]));
}

/// f, β and w² anywhere in their enclosures. Each error by itself is a part of the bound that no
/// other part would cover.
#[test]
fn errors_of_the_weights_are_covered_one_by_one() {
    let instance = one_unknown(&[1.0], &[1.0, 2.0, 4.0], &[1.0, 0.5, 2.0]).instance();
    let exact = Exact::new(&instance, &[0], &[]);
    let (f, beta, omega) = ([0.5, 0.25, 0.25], [2.0, -1.0, -3.0], [1.0, 0.25, 4.0]);
    for moved in 0..3 {
        let mut changed = instance.squared_weights.clone();
        let mut point = given(&instance, &f, &beta);
        let of: &mut Vec<Enclosure> = match moved {
            0 => &mut point.probabilities,
            1 => &mut point.row_weights,
            _ => &mut changed,
        };
        for entry in of.iter_mut() {
            *entry = entry.widened(1e-6);
        }
        let mut rows = HessianRows::<f64>::new(&instance, &[], &point);
        rows.penalties = changed.iter().map(Weight::new).collect();
        let product = rows.product(&[1.0]);
        let mut worst: f64 = 0.0;
        for part in [-1.0, 1.0] {
            let f = choice(&point.probabilities, part);
            let k = exact.k(
                &f,
                &choice(&point.row_weights, part),
                &choice(&changed, part),
            );
            worst = worst.max(truth(&product, &[1.0], &k));
            for (row, bound) in exact.centered(&f).iter().zip(rows.row_lengths()) {
                assert!(big(bound) >= absolute(&row[0]), "{moved}");
            }
        }
        // The mean's error is counted twice, to and fro, and with a power to spare.
        let least = if moved == 0 { 0.1 } else { 0.5 };
        assert!(
            worst <= product.error && worst >= least * product.error,
            "{moved}: {worst:e}"
        );
        assert_eq!(
            omega.map(big).to_vec(),
            choice(&instance.squared_weights, 0.0)
        );
    }
}

/// A thousand terms that are lost one by one in the sum of the squares.
#[test]
fn the_rounding_of_the_sum_is_covered() {
    let m = 1000;
    let mut weights = vec![2.0_f64.powi(-27); m];
    weights[0] = 1.0;
    let instance = one_unknown(&[1.0], &vec![1.0; m], &weights).instance();
    let mut f = vec![0.0; m];
    f[0] = 1.0;
    let point = given(&instance, &f, &vec![0.0; m]);
    let rows = HessianRows::<f64>::new(&instance, &[], &point);
    let product = rows.product(&[1.0]);
    let omega = choice(&instance.squared_weights, 0.0);
    let exact = omega.iter().fold(big(0.0), |sum, w| sum + w);
    let error = small(&absolute(&(exact - big(product.entries[0]))));
    // Each is a quarter of the roundoff.
    assert!(error >= 0.49 * (m - 1) as f64 * up::UNIT, "{error:e}");
    assert!(
        error <= product.error && product.error < 20.0 * error,
        "{error:e} {:e}",
        product.error
    );
}

/// A normal of a thousand million that T takes to one.
#[test]
fn the_rounding_of_the_border_is_covered_where_it_cancels() {
    let mut draws = Draws::new(3);
    let mut tightest: f64 = 0.0;
    for _ in 0..200 {
        let mut numbers = Numbers::drawn((2, 2, 3), ClosedForm::SquaredError, 1);
        let (a, b) = (1e9 * draws.between(1.0, 2.0), 1e9 * draws.between(1.0, 2.0));
        numbers.a1 = vec![1.0, 1.0, a, b];
        let instance = numbers.instance();
        let held = [1];
        let point = at(&instance, &held, &[0.3, 0.4]);
        let rows = HessianRows::<f64>::new(&instance, &held, &point);
        let scale = draws.between(1.0, 2.0) * 1e-9;
        let t = [b * scale, 0.3, 0.0, -a * scale, 0.1, 0.0, 0.7, 0.2, 1.3];
        let product = rows.product(&t);
        let exact = Exact::new(&instance, &point.cell.active, &held);
        let k = exact.k(
            &choice(&point.probabilities, 0.0),
            &choice(&point.row_weights, 0.0),
            &choice(&instance.squared_weights, 0.0),
        );
        let error = truth(&product, &t, &k);
        assert!(error <= product.error, "{error:e} {:e}", product.error);
        tightest = tightest.max(error / product.error);
    }
    assert!(tightest > 1e-3, "{tightest:e}");
}

/// D has the signs of the diagonal, and δ is the distance of the computed product from it with the
/// error on top.
#[test]
fn the_defect_is_the_distance_to_the_signs() {
    let numbers = Numbers::drawn((2, 5, 4), ClosedForm::SquaredError, 2);
    let instance = numbers.instance();
    let held = [1];
    let point = at(&instance, &held, &[0.3, 0.4]);
    let rows = HessianRows::<DoubleDouble>::new(&instance, &held, &point);
    let mut draws = Draws::new(4);
    let mut negative = 0;
    for _ in 0..20 {
        let t = drawn::<DoubleDouble>(&mut draws, 3);
        let (scaled, product) = (rows.scaled(&t), rows.product(&t));
        let mut square = 0.0;
        for (j, sign) in scaled.signs.iter().enumerate() {
            let diagonal = product.entries[j * 3 + j].hi;
            assert_eq!(*sign, diagonal.signum());
            square += (diagonal - sign).powi(2);
            square += (0..j)
                .map(|l| 2.0 * product.entries[j * 3 + l].hi.powi(2))
                .sum::<f64>();
            negative += usize::from(*sign < 0.0);
        }
        let expected = square.sqrt() + product.error;
        assert!(
            scaled.defect >= expected * (1.0 - 1e-15),
            "{} {expected}",
            scaled.defect
        );
        assert!(
            scaled.defect <= expected * (1.0 + 1e-13),
            "{} {expected}",
            scaled.defect
        );
        assert_eq!(scaled.row_norms, product.row_norms);
        assert_eq!(scaled.image_norm, product.image_norm);
    }
    assert!(negative > 5);
}

/// One entry of one, and thousands that are lost beside its square.
#[test]
fn the_distance_to_the_signs_covers_what_its_sum_loses() {
    for n in [1, 2, 64] {
        let mut triangle = vec![2.0_f64.powi(-27); n * n];
        triangle[0] = 0.0;
        (1..n).for_each(|j| triangle[j * n + j] = 1.0);
        let mut signs = vec![1.0; n];
        let off = n * (n - 1) / 2;
        let exact = big(1.0) + big(2.0_f64.powi(-53)) * big(off as f64);
        let bound = distance(&triangle, &signs);
        assert!(big(bound) * big(bound) >= exact, "{n} {bound}");
        assert!(
            bound < 1.0 + 4.0 * (n * n + 16) as f64 * up::UNIT,
            "{n} {bound}"
        );
        // The other sign is two away.
        signs[n - 1] = -1.0;
        let far = if n == 1 { 1.0 } else { 5.0_f64.sqrt() };
        assert!((distance(&triangle, &signs) - far).abs() < 1e-11);
    }
}

/// One unit on: ‖row of A2‖ ‖column of A1‖ is the size of the entry, and the bounds are reached.
#[test]
fn the_image_is_bounded_by_no_more_than_rows_and_columns_say() {
    let instance = one_unknown(&[2.0], &[3.0, 4.0], &[]).instance();
    let point = given(&instance, &[0.5, 0.5], &[1.0, 1.0]);
    let rows = HessianRows::<f64>::new(&instance, &[], &point);
    let norm = rows.product(&[0.5]).image_norm;
    assert!((5.0..5.0 * 1.02).contains(&norm), "{norm}");
}

/// Columns and rows whose squares underflow count as of the floor.
#[test]
fn tiny_rows_have_bounds_that_do_not_vanish() {
    let instance = one_unknown(&[1e-170], &[1e-170, 0.0], &[]).instance();
    let point = given(&instance, &[0.5, 0.5], &[1.0, 1.0]);
    let rows = HessianRows::<f64>::new(&instance, &[], &point);
    assert!(rows.column_norms[0] >= FLOOR && rows.row_errors[0][1] > 0.0);
}
