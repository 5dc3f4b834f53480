//! Everything at one point that its gradient and its curvature need, enclosed.

use crate::directed as up;
use crate::enclosure::Enclosure;
use crate::instance::{Cell, Instance};
use crate::real::DoubleDouble;
use std::rc::Rc;
use twolayer::ClosedForm;

/// The network and the loss at x, with some units held on their kinks: they count as off, and
/// aᵢᵀx + cᵢ = 0 is a constraint with a multiplier μᵢ.
pub(crate) struct Point {
    /// (x, μ) (N = d + p).
    pub(crate) x: Vec<DoubleDouble>,
    /// h = A1 x + c1 (n).
    pub(crate) hidden: Vec<Enclosure>,
    pub(crate) cell: Rc<Cell>,
    /// f (m).
    pub(crate) probabilities: Vec<Enclosure>,
    /// β (m).
    pub(crate) row_weights: Vec<Enclosure>,
    /// q: the loss's gradient in the logits (m), and that of the regulariser, w²∘u, where there is
    /// one.
    pub(crate) row_gradients: Vec<Enclosure>,
    pub(crate) penalty_gradients: Vec<Enclosure>,
    /// The gradient of the Lagrangian L + μᵀ(A1 x + c1)\[P\] in (x, μ) (N).
    pub(crate) gradient: Vec<Enclosure>,
    /// vᵢ: the slope of L in φ(hᵢ), for each unit that is held (p).
    pub(crate) jumps: Vec<Enclosure>,
    /// t with log f = t − log Σeᵗ (m), and that logarithm's argument.
    shifted_logits: Vec<Enclosure>,
    total: Enclosure,
    /// ½‖W u‖².
    penalty: Enclosure,
    /// μᵀh\[P\].
    constraints: Enclosure,
}

impl Point {
    /// Runs the network forward and backward: 4(n + m) k double-double operations. The cell is
    /// that of the midpoints of h; whether x lies in it for certain is for the caller to ask.
    pub(crate) fn new(
        instance: &Instance,
        held: &[usize],
        x: Vec<DoubleDouble>,
        near: Option<&Rc<Cell>>,
    ) -> Self {
        let d = instance.inputs;
        let at: Vec<Enclosure> = x.iter().map(|&x| x.into()).collect();
        let (at, multipliers) = at.split_at(d);
        let hidden: Vec<Enclosure> = (0..instance.hidden)
            .map(|i| Enclosure::dot(instance.normal(i), at) + instance.bias1[i].into())
            .collect();
        let active: Vec<usize> = (0..instance.hidden)
            .filter(|&unit| hidden[unit].middle.hi > 0.0 && !held.contains(&unit))
            .collect();
        let cell = match near {
            Some(cell) if cell.active == active => Rc::clone(cell),
            _ => Rc::new(Cell::new(instance, active)),
        };
        let on: Vec<Enclosure> = cell.active.iter().map(|&unit| hidden[unit]).collect();
        let units = on.len();
        let products: Vec<Enclosure> = (0..instance.outcomes)
            .map(|i| Enclosure::dot(&cell.a2[i * units..(i + 1) * units], &on))
            .collect();
        let logits = products.iter().zip(&instance.bias2);
        let logits: Vec<Enclosure> = logits.map(|(&u, &c)| u + c.into()).collect();
        let largest = logits
            .iter()
            .fold(f64::NEG_INFINITY, |most, z| most.max(z.middle.hi));
        let shifted_logits: Vec<_> = logits.iter().map(|&z| z - largest.into()).collect();
        let powers: Vec<Enclosure> = shifted_logits.iter().map(|t| t.exp()).collect();
        let total = Enclosure::sum(powers.iter().copied());
        let probabilities: Vec<_> = powers.iter().map(|p| p.over(total)).collect();

        let (row_gradients, row_weights) = derivatives(instance, &probabilities);
        let penalty_gradients: Vec<Enclosure> = instance
            .squared_weights
            .iter()
            .zip(&products)
            .map(|(&omega, &u)| omega * u)
            .collect();
        let penalty = penalty_gradients.iter().zip(&products);
        let penalty = Enclosure::sum(penalty.map(|(&p, &u)| (p * u).scaled(0.5)));
        let mut row_gradient = row_gradients.clone();
        for (q, &p) in row_gradient.iter_mut().zip(&penalty_gradients) {
            *q = *q + p;
        }
        let backward = Enclosure::transposed_product(&cell.a2, units.max(1), &row_gradient);
        let mut gradient = Enclosure::transposed_product(&cell.a1, d, &backward[..units]);
        let mut jumps = Vec::with_capacity(held.len());
        for (&unit, &multiplier) in held.iter().zip(multipliers) {
            for (sum, &a) in gradient.iter_mut().zip(instance.normal(unit)) {
                *sum = *sum + multiplier * a.into();
            }
            let column: Vec<f64> = instance
                .a2
                .iter()
                .skip(unit)
                .step_by(instance.hidden)
                .copied()
                .collect();
            jumps.push(Enclosure::dot(&column, &row_gradient));
        }
        gradient.extend(held.iter().map(|&unit| hidden[unit]));
        // 𝓛 − L.
        let constraints = held
            .iter()
            .zip(multipliers)
            .map(|(&unit, &mu)| mu * hidden[unit]);
        let constraints = Enclosure::sum(constraints);
        Self {
            x,
            hidden,
            cell,
            probabilities,
            row_weights,
            row_gradients,
            penalty_gradients,
            gradient,
            jumps,
            constraints,
            shifted_logits,
            total,
            penalty,
        }
    }

    /// The Lagrangian at (x, μ), regulariser included; where no unit is held, the loss.
    pub(crate) fn value(&self, instance: &Instance) -> Enclosure {
        let pairs = || self.probabilities.iter().zip(&instance.target);
        let loss = match instance.loss {
            ClosedForm::SquaredError => Enclosure::sum(pairs().map(|(&f, &b)| {
                let r = f - b.into();
                r * r
            })),
            ClosedForm::KullbackLeibler => {
                let log_total = self.total.ln();
                Enclosure::sum(pairs().zip(&self.shifted_logits).map(|((&f, &b), &t)| {
                    if b == 0.0 {
                        return f;
                    }
                    let log_ratio = Enclosure::ln_of(b) - (t - log_total);
                    log_ratio * b.into() - b.into() + f
                }))
            }
        };
        loss + self.penalty + self.constraints
    }

    pub(crate) fn is_finite(&self) -> bool {
        self.gradient.iter().all(|g| g.magnitude().is_finite())
    }

    /// The distance to another point, from above.
    pub(crate) fn distance_from(&self, other: &[f64]) -> f64 {
        let gap = |(&x, &y): (&DoubleDouble, &f64)| (x - y.into()).hi;
        up::norm(self.x.iter().zip(other).map(gap))
    }
}

/// The loss's gradient in the logits and its row weights β (see `twolayer_core::Loss`).
fn derivatives(instance: &Instance, f: &[Enclosure]) -> (Vec<Enclosure>, Vec<Enclosure>) {
    let b = &instance.target;
    match instance.loss {
        ClosedForm::SquaredError => {
            let residual: Vec<_> = f.iter().zip(b).map(|(&f, &b)| f - b.into()).collect();
            let sigma = Enclosure::sum(f.iter().zip(&residual).map(|(&f, &r)| f * r));
            let pairs = || f.iter().zip(&residual);
            (
                pairs()
                    .map(|(&f, &r)| (f * (r - sigma)).scaled(2.0))
                    .collect(),
                pairs()
                    .map(|(&f, &r)| (f * (f + r - sigma)).scaled(2.0))
                    .collect(),
            )
        }
        ClosedForm::KullbackLeibler => {
            let total = Enclosure::sum(b.iter().map(|&b| b.into()));
            let pairs = f.iter().zip(b);
            (
                pairs.map(|(&f, &b)| f * total - b.into()).collect(),
                f.iter().map(|&f| f * total).collect(),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::{Definition, Numbers, gradient, hessian, loss_of};
    use crate::exact::{Big, Draws, assert_encloses, big, small, wide};

    /// Of both losses, with units held and without, with a regulariser and without.
    fn cases() -> Vec<(Numbers, Vec<usize>)> {
        let mut cases = Vec::new();
        for (seed, loss) in [ClosedForm::SquaredError, ClosedForm::KullbackLeibler]
            .into_iter()
            .enumerate()
        {
            for held in [vec![], vec![1, 4]] {
                let mut numbers = Numbers::drawn((3, 6, 5), loss, seed as u64);
                cases.push((numbers.clone(), held.clone()));
                numbers.weights.clear();
                // An outcome that the target excludes, and a sum that is not one to the last bit.
                numbers.target[2] = 0.0;
                let total: f64 = numbers.target.iter().sum();
                numbers
                    .target
                    .iter_mut()
                    .for_each(|b| *b /= total * (1.0 + 1e-9));
                cases.push((numbers, held));
            }
        }
        cases
    }

    fn at(held: usize, seed: u64) -> Vec<DoubleDouble> {
        let mut draws = Draws::new(seed);
        (0..3 + held).map(|_| draws.double_double(0.5)).collect()
    }

    #[test]
    fn everything_is_enclosed_and_narrow() {
        for (numbers, held) in cases() {
            let instance = numbers.instance();
            let x = at(held.len(), 1);
            let point = Point::new(&instance, &held, x.clone(), None);
            let x: Vec<Big> = x.into_iter().map(wide).collect();
            let active: Vec<usize> = (0..instance.hidden)
                .filter(|&i| point.hidden[i].middle.hi > 0.0 && !held.contains(&i))
                .collect();
            assert_eq!(point.cell.active, active);
            let definition = Definition {
                instance: &instance,
                active,
                held,
            };
            for (unit, &hidden) in point.hidden.iter().enumerate() {
                assert_encloses(hidden, &definition.hidden(unit, &x[..3]), 1e-28);
            }
            assert_encloses(point.value(&instance), &definition.value(&x), 1e-26);
            for (&entry, exact) in point.gradient.iter().zip(&definition.gradient(&x)) {
                assert_encloses(entry, exact, 1e-26);
            }
            assert!(point.is_finite());
            check_logits(&instance, &point, &definition, &x[..3]);
        }
    }

    /// f, the slopes and the row weights, against differences in the logits.
    fn check_logits(instance: &Instance, point: &Point, definition: &Definition, x: &[Big]) {
        let logits = definition.logits(x);
        let loss = |z: &[Big]| loss_of(z, &instance.target, instance.loss);
        let powers: Vec<Big> = logits.iter().map(Big::exp).collect();
        let total = powers.iter().fold(big(0.0), |sum, p| sum + p);
        let f: Vec<Big> = powers.iter().map(|p| p / &total).collect();
        for (&enclosed, f) in point.probabilities.iter().zip(&f) {
            assert_encloses(enclosed, f, 1e-27);
        }
        let mut slopes = gradient(loss, &logits);
        for (&q, exact) in point.row_gradients.iter().zip(&slopes) {
            assert_encloses(q, exact, 1e-26);
        }
        // B = (I − 1fᵀ)ᵀ diag(β) (I − 1fᵀ).
        for (i, row) in hessian(loss, &logits).iter().enumerate() {
            for (j, exact) in row.iter().enumerate() {
                let of = |k: usize, l: usize| big(f64::from(u8::from(k == l))) - &f[l];
                let terms = point.row_weights.iter().enumerate();
                let entry = terms.fold(big(0.0), |sum, (k, beta)| {
                    sum + of(k, i) * wide(beta.middle) * of(k, j)
                });
                assert!(small(&(entry - exact)).abs() < 1e-26, "{i} {j}");
            }
            assert!(point.row_weights[i].radius < 1e-26);
        }
        let products = definition.products(x);
        for (i, &slope) in point.penalty_gradients.iter().enumerate() {
            let exact = wide(instance.squared_weights[i].middle) * &products[i];
            assert_encloses(slope, &exact, 1e-27);
            slopes[i] += exact;
        }
        for (&jump, &unit) in point.jumps.iter().zip(&definition.held) {
            let column = instance.a2.iter().skip(unit).step_by(instance.hidden);
            let exact = column
                .zip(&slopes)
                .fold(big(0.0), |sum, (&a, q)| sum + big(a) * q);
            assert_encloses(jump, &exact, 1e-26);
        }
        assert_eq!(point.jumps.len(), definition.held.len());
    }

    /// Shifted by the largest logit, no exponential overflows.
    #[test]
    fn large_logits_are_no_trouble() {
        let mut numbers = Numbers::drawn((2, 4, 3), ClosedForm::KullbackLeibler, 3);
        numbers.bias2 = vec![500.0, 499.0, 480.0];
        let instance = numbers.instance();
        let x = vec![0.2.into(), 0.1.into()];
        let point = Point::new(&instance, &[], x, None);
        let total: f64 = point.probabilities.iter().map(|f| f.middle.hi).sum();
        assert!((total - 1.0).abs() < 1e-14 && point.is_finite());
        assert!(point.value(&instance).radius < 1e-25);
        let x = vec![1e200.into(), 0.1.into()];
        assert!(!Point::new(&instance, &[], x, None).is_finite());
    }

    #[test]
    fn a_cell_is_shared_with_the_point_before_where_it_is_the_same() {
        let instance = Numbers::drawn((2, 6, 3), ClosedForm::SquaredError, 4).instance();
        let of = |x: [f64; 2], near| Point::new(&instance, &[], x.map(Into::into).to_vec(), near);
        let first = of([0.3, 0.2], None);
        let near = of([0.3 + 1e-9, 0.2], Some(&first.cell));
        let far = of([-0.9, -0.7], Some(&first.cell));
        assert!(Rc::ptr_eq(&first.cell, &near.cell));
        assert!(!Rc::ptr_eq(&first.cell, &far.cell) && far.cell.active != first.cell.active);
    }

    #[test]
    fn distances_are_bounded_from_above() {
        let instance = Numbers::drawn((2, 3, 3), ClosedForm::SquaredError, 5).instance();
        let x = DoubleDouble { hi: 1.0, lo: 1e-17 };
        let point = Point::new(&instance, &[], vec![x, 2.0.into()], None);
        let distance = point.distance_from(&[1.0, 2.0]);
        assert!((1e-17..1.01e-17).contains(&distance), "{distance:e}");
        let distance = point.distance_from(&[4.0, -2.0]);
        assert!((5.0..5.0 + 1e-14).contains(&distance));
    }
}
