use super::*;
use crate::definition::{Numbers, loss_of};
use crate::exact::{Big, Draws, big, dot, small};
use crate::real::DoubleDouble;
use std::rc::Rc;

const LOSSES: [ClosedForm; 2] = [ClosedForm::SquaredError, ClosedForm::KullbackLeibler];

/// Logits that change along two directions: z = log f₀ + s v + y w, with v and w centred at f₀.
struct Plane {
    f0: Vec<f64>,
    log_f0: Vec<Big>,
    target: Vec<f64>,
    v: Vec<f64>,
    w: Vec<f64>,
    loss: ClosedForm,
}

/// v − 1 fᵀv.
fn centered(f: &[Big], v: &[f64]) -> Vec<Big> {
    let v: Vec<Big> = v.iter().map(|&v| big(v)).collect();
    let mean = dot(f, &v);
    v.iter().map(|v| v - &mean).collect()
}

impl Plane {
    fn new(f0: &[f64], target: &[f64], v: &[f64], w: &[f64], loss: ClosedForm) -> Self {
        let f: Vec<Big> = f0.iter().map(|&f| big(f)).collect();
        let center = |v: &[f64]| centered(&f, v).iter().map(small).collect();
        let (v, w) = (center(v), center(w));
        Self {
            f0: f0.to_vec(),
            log_f0: f.iter().map(Big::ln).collect(),
            target: target.to_vec(),
            v,
            w,
            loss,
        }
    }

    fn lipschitz(&self) -> Lipschitz {
        let rows = self.f0.iter().zip(&self.target).zip(&self.v);
        let rows = rows.map(|((&f, &target), v)| Row {
            least: f,
            most: f,
            target,
            norm: v.abs(),
        });
        Lipschitz {
            rows: rows.collect(),
            loss: self.loss,
            target_sum: self.target.iter().sum(),
        }
    }

    fn lengths(&self) -> Vec<f64> {
        self.w.iter().map(|w| w.abs()).collect()
    }

    fn logits(&self, s: &Big, y: &Big) -> Vec<Big> {
        let rows = self.log_f0.iter().zip(&self.v).zip(&self.w);
        rows.map(|((log_f, &v), &w)| log_f + s * big(v) + y * big(w))
            .collect()
    }

    fn probabilities(&self, y: f64) -> Vec<Big> {
        let powers: Vec<Big> = self
            .logits(&big(0.0), &big(y))
            .iter()
            .map(Big::exp)
            .collect();
        let total = powers.iter().fold(big(0.0), |sum, p| sum + p);
        powers.iter().map(|p| p / &total).collect()
    }

    /// |∂³L/∂s²∂y| at s = 0, by differences.
    fn third(&self, y: f64) -> f64 {
        let h = big(2.0_f64.powi(-40));
        let value = |s: &Big, y: &Big| loss_of(&self.logits(s, y), &self.target, self.loss);
        let second = |y: &Big| {
            let sides = value(&h, y) + value(&-&h, y);
            (sides - value(&big(0.0), y) * big(2.0)) / (&h * &h)
        };
        let (above, below) = (second(&(big(y) + &h)), second(&(big(y) - &h)));
        small(&((above - below) / (&h + &h))).abs()
    }
}

/// A likely outcome and an unlikely one, and a move that turns them round. The likely one's row is
/// next to zero at f₀ and longer than the other one at the end: all of it is drift.
fn turned_round(loss: ClosedForm) -> (Plane, f64) {
    let (rare, v) = (1e-6, [0.0, 1.0]);
    (
        Plane::new(&[1.0 - rare, rare], &[0.9995, 0.0005], &v, &v, loss),
        7.0,
    )
}

/// The third derivative is 89% of the bound, most of the rest being the bound of e⁷. Without the drift
/// of v the bound would be a fifth too small.
#[test]
fn the_bound_of_the_squared_loss_is_nearly_reached() {
    let (plane, r) = turned_round(ClosedForm::SquaredError);
    let bound = plane.lipschitz().within(r, &plane.lengths());
    let third = plane.third(r).max(plane.third(-r));
    assert!(third <= bound && third >= 0.88 * bound, "{third} {bound}");
}

/// A move along which one outcome becomes the likely one, and a direction that only another one
/// feels: w of that one is all drift. Without it the bound would be ninety times too small.
#[test]
fn the_bound_of_the_divergence_is_nearly_reached() {
    let f0 = [0.998, 0.001, 0.001];
    for total in [1.0, 2.0] {
        let b = [0.5 * total, 0.25 * total, 0.25 * total];
        let kl = ClosedForm::KullbackLeibler;
        let plane = Plane::new(&f0, &b, &[0.0, 0.0, 1.0], &[0.0, 1.0, 0.0], kl);
        let r = 5.4;
        let bound = plane.lipschitz().within(r, &plane.lengths());
        let third = plane.third(r).max(plane.third(-r));
        assert!(third <= bound && third >= 0.6 * bound, "{third} {bound}");
    }
}

/// At the point itself there is one term that counts where one outcome is rare.
#[test]
fn without_a_move_it_is_the_third_derivative() {
    let v = [0.0, 0.0, 1.0];
    for loss in LOSSES {
        for b in [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]] {
            let plane = Plane::new(&[0.5, 0.5 - 1e-5, 1e-5], &b, &v, &v, loss);
            let (bound, third) = (
                plane.lipschitz().within(0.0, &plane.lengths()),
                plane.third(0.0),
            );
            assert!(third <= bound && third >= 0.99 * bound, "{third} {bound}");
        }
    }
}

fn drawn(draws: &mut Draws, loss: ClosedForm) -> (Plane, f64) {
    let m = 2 + (draws.between(0.0, 4.0) as usize);
    let mut simplex = |spread: f64| -> Vec<f64> {
        let weights: Vec<f64> = draws.vector(m).iter().map(|z| (spread * z).exp()).collect();
        let total: f64 = weights.iter().sum();
        weights.iter().map(|w| w / total).collect()
    };
    let (f0, b) = (simplex(5.0), simplex(4.0));
    let (v, w) = (draws.vector(m), draws.vector(m));
    (
        Plane::new(&f0, &b, &v, &w, loss),
        draws.of_any_size(3.0).abs(),
    )
}

#[test]
fn no_third_derivative_exceeds_the_bound() {
    let mut draws = Draws::new(1);
    for case in 0..30 {
        let (plane, r) = drawn(&mut draws, LOSSES[case % 2]);
        let bound = plane.lipschitz().within(r, &plane.lengths());
        for part in [-1.0, 1.0] {
            // f₀ sums to 1 but for rounding.
            let third = plane.third(part * r);
            assert!(
                third <= bound * (1.0 + 1e-12),
                "{case} {part}: {third} {bound}"
            );
        }
    }
}

/// f, v and w themselves, anywhere in the region.
#[test]
fn the_region_holds_what_moves_lead_to() {
    let mut draws = Draws::new(2);
    for case in 0..60 {
        let (plane, r) = drawn(&mut draws, LOSSES[0]);
        let region = plane.lipschitz().region(r, &plane.lengths());
        let slack = big(1.0 + 1e-12);
        for part in [-1.0, -0.5, 0.2, 1.0] {
            let f = plane.probabilities(part * r);
            let (v, w) = (centered(&f, &plane.v), centered(&f, &plane.w));
            for (i, term) in region.iter().enumerate() {
                assert!(big(term.least) <= &f[i] * &slack, "{case} {i}");
                assert!(f[i] <= big(term.most) * &slack, "{case} {i}");
                assert!(small(&v[i]).abs() <= term.v * (1.0 + 1e-12), "{case} {i}");
                assert!(small(&w[i]).abs() <= term.w * (1.0 + 1e-12), "{case} {i}");
            }
        }
    }
}

/// Each bound by itself is reached, or nearly, when two outcomes are turned round.
#[test]
fn the_region_is_no_larger_than_it_must_be() {
    let (plane, r) = turned_round(LOSSES[0]);
    let region = plane.lipschitz().region(r, &plane.lengths());
    let (there, back) = (plane.probabilities(r), plane.probabilities(-r));
    let [likely, rare] = &region[..] else {
        unreachable!()
    };
    // The bound of e⁷ is up to e^{7/128} too large.
    let near = |bound: f64, exact: &Big| (bound / small(exact) - 1.0).abs() < 0.06;
    assert!(near(likely.least, &there[0]) && near(rare.most, &there[1]));
    assert!(near(rare.least, &back[1]) && likely.most == 1.0);
    let v = centered(&there, &plane.v);
    assert!(near(likely.v, &-&v[0]) && near(likely.w, &-&v[0]));
    // By as much as the drift of both outcomes.
    let drift = 2.0 * small(&there[1]);
    assert!(rare.v <= 1.0 + drift && rare.w <= 1.0 + drift);
}

/// The largest |k f − b| over the range of f.
#[test]
fn the_largest_residual_is_at_an_end() {
    let mut draws = Draws::new(3);
    for _ in 0..200 {
        let (first, second) = (draws.between(0.0, 1.0), draws.between(0.0, 1.0));
        let term = Term {
            target: draws.between(0.0, 1.0),
            least: first.min(second),
            most: first.max(second),
            v: 0.0,
            w: 0.0,
        };
        for factor in [1.0, 2.0, 4.0] {
            let size = |f: f64| (factor * f - term.target).abs();
            let exact = size(term.least).max(size(term.most));
            let bound = term.largest(factor);
            assert!(
                bound >= exact && bound <= exact + 8.0 * f64::EPSILON,
                "{term:?}"
            );
        }
    }
}

/// What the region's ranges start from: enclosures of f, cut to [0, 1].
#[test]
fn probabilities_start_from_their_enclosures() {
    let numbers = Numbers::drawn((2, 5, 4), ClosedForm::KullbackLeibler, 1);
    let instance = numbers.instance();
    let x = [0.3, -0.4].map(DoubleDouble::from).to_vec();
    let mut point = Point::new(&instance, &[], x, None::<&Rc<_>>);
    let f: Vec<f64> = point.probabilities.iter().map(|f| f.middle.hi).collect();
    point.probabilities[0] = point.probabilities[0].widened(0.01);
    point.probabilities[1] = point.probabilities[1].widened(2.0);
    let norms = [0.1, 0.2, 0.3, 0.4];
    let lipschitz = Lipschitz::new(&instance, &point, &norms);
    let [wide, any, ..] = &lipschitz.rows[..] else {
        unreachable!()
    };
    assert!(
        (wide.least - (f[0] - 0.01)).abs() < 1e-15 && (wide.most - (f[0] + 0.01)).abs() < 1e-15
    );
    assert_eq!((any.least, any.most), (0.0, 1.0));
    for (i, row) in lipschitz.rows.iter().enumerate() {
        assert_eq!((row.target, row.norm), (numbers.target[i], norms[i]));
    }
    assert!(lipschitz.target_sum >= 1.0 - 1e-15 && lipschitz.target_sum < 1.0 + 1e-14);
}
