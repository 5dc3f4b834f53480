use super::*;

/// Error and length, against the gradient by differences.
pub(super) fn check_residual<R: Real>(
    point: &Point,
    rows: &HessianRows<R>,
    t: &[R],
    gradient: &[Big],
) {
    let n = gradient.len();
    let residual = rows.residual(t, point);
    let (error, exact) = residual_error(&residual, t, gradient);
    assert!(
        error <= residual.error + 1e-35,
        "{error:e} {:e}",
        residual.error
    );
    assert!(residual.error < 1e6 * R::ROUNDOFF, "{:e}", residual.error);
    let length = small(&exact_norm(&exact));
    assert!(
        residual.norm() >= length
            && residual.norm() <= length * (1.0 + 1e-9) + 2.0 * residual.error
    );
    assert_eq!(residual.middle.len(), n);
}

/// The length of the error, and TᵀF.
fn residual_error<R: Real>(residual: &Residual, t: &[R], gradient: &[Big]) -> (f64, Vec<Big>) {
    let t = matrix(t, gradient.len());
    let column = |j: usize| t.iter().map(|row| row[j].clone()).collect::<Vec<_>>();
    let exact: Vec<Big> = (0..gradient.len())
        .map(|j| dot(gradient, &column(j)))
        .collect();
    let error: Vec<Big> = residual
        .middle
        .iter()
        .zip(&exact)
        .map(|(&y, e)| wide(y) - e)
        .collect();
    (small(&exact_norm(&error)), exact)
}

/// q, w²u, μ and h anywhere in their enclosures, C as it cancels, and sums that lose their terms.
#[test]
fn errors_of_the_residual_are_covered_one_by_one() {
    let numbers = Numbers::drawn((2, 4, 4), ClosedForm::KullbackLeibler, 5);
    let instance = numbers.instance();
    let held = [2];
    for moved in 0..3 {
        let mut point = at(&instance, &held, &[0.5, 0.2]);
        let n = 3;
        let of: &mut [Enclosure] = match moved {
            0 => &mut point.row_gradients,
            1 => &mut point.penalty_gradients,
            _ => &mut point.gradient[2..],
        };
        let exact_part: Vec<Enclosure> = of.to_vec();
        for entry in of.iter_mut() {
            *entry = entry.widened(1e-6);
        }
        let rows = HessianRows::<DoubleDouble>::new(&instance, &held, &point);
        let mut draws = Draws::new(6);
        let t = drawn::<DoubleDouble>(&mut draws, n);
        let residual = rows.residual(&t, &point);
        // What one of them does to TᵀF where it is at the end of its enclosure.
        let exact = Exact::new(&instance, &point.cell.active, &held);
        let t = matrix(&t, n);
        let image = |row: &[Big]| {
            let columns = (0..n).map(|j| {
                let column: Vec<Big> = t.iter().map(|row| row[j].clone()).collect();
                dot(row, &column[..row.len()])
            });
            exact_norm(&columns.collect::<Vec<_>>())
        };
        let rows = match moved {
            0 => exact.centered(&choice(&point.probabilities, 0.0)),
            1 => exact.c.clone(),
            _ => vec![[big(0.0), big(0.0), big(1.0)].to_vec()],
        };
        let needed = rows.iter().fold(big(0.0), |sum, row| sum + image(row)) * big(1e-6);
        let needed = small(&needed);
        assert!(
            residual.error >= needed && residual.error <= needed * 1.001,
            "{moved}"
        );
        assert_eq!(exact_part.len(), if moved == 2 { 1 } else { 4 });
    }
}

#[test]
fn the_residual_covers_the_rounding_of_c() {
    let mut draws = Draws::new(7);
    let mut tightest: f64 = 0.0;
    for _ in 0..200 {
        let (a, b) = (draws.between(1.0, 2.0), draws.between(1.0, 2.0));
        let row = [b, -a * (1.0 + 1e-9)];
        let mut numbers = one_unknown(&[a, b], &[row[0], row[1], 0.0, 0.0], &[]);
        numbers.target = vec![0.25, 0.75];
        let instance = numbers.instance();
        let point = at(&instance, &[], &[0.0]);
        let rows = HessianRows::<f64>::new(&instance, &[], &point);
        let c = Exact::new(&instance, &[0, 1], &[]).c;
        let slopes = choice(&point.row_gradients, 0.0);
        let gradient = [&c[0][0] * &slopes[0] + &c[1][0] * &slopes[1]];
        let residual = rows.residual(&[1e9], &point);
        let (error, _) = residual_error(&residual, &[1e9], &gradient);
        assert!(error <= residual.error, "{error:e} {:e}", residual.error);
        tightest = tightest.max(error / residual.error);
    }
    assert!(tightest > 0.01, "{tightest}");
}

/// A normal of a thousand million that T takes to nothing, times its multiplier.
#[test]
fn the_residual_covers_the_rounding_of_the_normals() {
    let mut draws = Draws::new(8);
    let mut tightest: f64 = 0.0;
    for _ in 0..100 {
        let mut numbers = Numbers::drawn((2, 2, 3), ClosedForm::SquaredError, 1);
        let (a, b) = (1e9 * draws.between(1.0, 2.0), 1e9 * draws.between(1.0, 2.0));
        numbers.a1 = vec![1.0, 1.0, a, b];
        let instance = numbers.instance();
        let held = [1];
        let point = at(&instance, &held, &[0.3, 0.4]);
        let rows = HessianRows::<f64>::new(&instance, &held, &point);
        let t = [b * 1e-9, 0.0, 0.0, -a * 1e-9, 0.0, 0.0, 0.0, 0.0, 0.0];
        let x: Vec<Big> = point.x.iter().map(|&x| wide(x)).collect();
        let active = point.cell.active.clone();
        let definition = Definition {
            instance: &instance,
            active,
            held: held.to_vec(),
        };
        let residual = rows.residual(&t, &point);
        let (error, _) = residual_error(&residual, &t, &definition.gradient(&x));
        assert!(error <= residual.error, "{error:e} {:e}", residual.error);
        tightest = tightest.max(error / residual.error);
    }
    assert!(tightest > 0.01, "{tightest:e}");
}

/// Thousands of slopes, each half a unit in the last place of the second word, that are lost in the
/// sum.
#[test]
fn the_residual_covers_the_rounding_of_its_sum() {
    let m = 4000;
    let instance = one_unknown(&[1.0], &vec![1.0; m], &vec![1.0; m]).instance();
    let mut point = at(&instance, &[], &[0.0]);
    let lost = 2.0_f64.powi(-107);
    let first = DoubleDouble {
        hi: 1.0,
        lo: 2.0_f64.powi(-54),
    };
    point.row_gradients = vec![Enclosure::ZERO; m];
    point.penalty_gradients = vec![lost.into(); m];
    point.penalty_gradients[0] = first.into();
    let rows = HessianRows::<DoubleDouble>::new(&instance, &[], &point);
    let one = DoubleDouble::from(1.0);
    let residual = rows.residual(&[one], &point);
    let all = (m - 1) as f64 * lost;
    let gradient = [wide(first) + big(all)];
    let (error, exact) = residual_error(&residual, &[one], &gradient);
    assert!(error > 0.99 * all, "{error:e}");
    let enclosure = Enclosure::from(residual.middle[0]).widened(residual.error);
    assert_encloses(enclosure, &exact[0], 100.0 * all);
}

#[test]
fn the_length_of_a_residual_has_its_error_on_top() {
    let residual = Residual {
        middle: vec![DoubleDouble::from(-3.0), 4.0.into()],
        error: 0.5,
    };
    assert!(residual.norm() >= 5.5 && residual.norm() < 5.5 + 1e-14);
}
