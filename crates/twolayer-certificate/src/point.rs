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
