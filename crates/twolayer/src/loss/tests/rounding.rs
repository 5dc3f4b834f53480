//! The bounds on rounding errors: against the formulas of docs/rounding.md in plain loops, and against what a
//! loss and its gradient do where the logits move by their errors.

use super::{LOSSES, cases, pass};
use crate::loss::Loss;
use crate::network::ForwardPass;
use crate::rounding::{Inputs, LogitErrors};
use crate::target::Target;
use twolayer_core::{Norms, RowNorms};

const ROUNDOFF: f64 = f64::EPSILON / 2.0;

/// What the logits of different outcomes are off by, in parts of the size.
const SCALES: [f64; 5] = [1.0, 0.3, 2.0, 0.05, 0.7];

/// Errors of the logits of about this size.
fn errors<'a>(pass: &'a ForwardPass<f64>, rows: &'a RowNorms, size: f64) -> LogitErrors<'a, f64> {
    let inputs = Inputs {
        errors: Norms::of(1, |_| size / (3.0 * ROUNDOFF)),
        ..Inputs::exact::<f64>(&[])
    };
    LogitErrors::behind(inputs, rows, pass)
}

/// Those of the derivatives, targets that are met: to the last digit, and to half a hundredth, and one-hot ones,
/// where the network gives the others something and nothing.
fn targets() -> Vec<(Vec<f64>, Target<f64>)> {
    let mut cases = cases();
    let z = cases[0].0.clone();
    let f = pass(&z).probabilities;
    let close = [1.004, 0.996, 1.003, 0.995, 0.99];
    let close = f.iter().zip(close).map(|(f, part)| f * part);
    for b in [f.clone(), close.collect::<Vec<_>>()] {
        let total: f64 = b.iter().sum();
        let b = b.iter().map(|b| b / total).collect();
        cases.push((z.clone(), Target::new(b).unwrap()));
    }
    let one_hot = Target::new(vec![0.0, 1.0, 0.0, 0.0, 0.0]).unwrap();
    cases.push((z, one_hot.clone()));
    cases.push((vec![-44.0, 0.3, -36.0, -41.0, -37.5], one_hot));
    cases
}

/// What the formulas of docs/rounding.md are made of.
struct Parts {
    f: Vec<f64>,
    b: Vec<f64>,
    total: f64,
    /// ε, the errors of the logits.
    logits: Vec<f64>,
    /// ρ, the errors of log f where those of the logits have any signs.
    outputs: Vec<f64>,
    /// The same where they are independent.
    likely: Vec<f64>,
    /// κ.
    own: f64,
    /// What a sum over the outcomes is off by.
    of_sum: f64,
    /// r − σ.
    centred: Vec<f64>,
    /// t − t̄ and e, 0 where an outcome does not count; and how many b are not zero.
    ratios: Vec<f64>,
    of_ratios: Vec<f64>,
    positive: f64,
}

impl Parts {
    fn new(pass: &ForwardPass<f64>, target: &Target<f64>, errors: &LogitErrors<'_, f64>) -> Self {
        let (f, b) = (pass.probabilities.clone(), target.probabilities().to_vec());
        let logits: Vec<f64> = (0..f.len()).map(|i| errors.of(i)).collect();
        let mean: f64 = f.iter().zip(&logits).map(|(f, e)| f * e).sum();
        let outputs = f
            .iter()
            .zip(&logits)
            .map(|(f, e)| (1.0 - 2.0 * f) * e + mean);
        let likely = (0..f.len()).map(|i| {
            let others = (0..f.len()).filter(|&j| j != i);
            let rest: f64 = others.clone().map(|j| f[j]).sum();
            let squares: f64 = others.map(|j| (f[j] * logits[j]).powi(2)).sum();
            ((rest * logits[i]).powi(2) + squares).sqrt()
        });
        // For few terms, at most one rounding each.
        let of_sum = f.len() as f64 * ROUNDOFF;
        let sigma: f64 = f.iter().zip(&b).map(|(f, b)| f * (f - b)).sum();

        let positive = b.iter().filter(|b| **b > 0.0).count() as f64;
        let nothing = ROUNDOFF / 4.0 / (f.len() as f64 - positive);
        let of_support = f.iter().zip(&b).filter(|(_, b)| **b > 0.0);
        let mean_ratio = of_support.map(|(f, b)| (f / b).ln()).sum::<f64>() / positive;
        let (mut ratios, mut of_ratios) = (vec![0.0; f.len()], vec![0.0; f.len()]);
        for i in 0..f.len() {
            let log_b = if b[i] > 0.0 { b[i].ln() } else { nothing.ln() };
            let ratio = f[i].ln() - log_b - mean_ratio;
            if b[i] > 0.0 || ratio > 0.0 {
                ratios[i] = ratio;
                let sizes = 4.0 * f[i].ln().abs() + 3.0 * log_b.abs() + 2.0 * mean_ratio.abs();
                of_ratios[i] = logits[i] + ROUNDOFF * (sizes + ratio.abs());
            }
        }
        Self {
            outputs: outputs.collect(),
            likely: likely.collect(),
            own: 2.0 * ROUNDOFF + of_sum,
            of_sum,
            centred: f.iter().zip(&b).map(|(f, b)| f - b - sigma).collect(),
            total: b.iter().sum(),
            ratios,
            of_ratios,
            positive,
            logits,
            f,
            b,
        }
    }

    /// The table of *Losses*.
    fn value(&self, loss: &str) -> f64 {
        let sum = |term: &dyn Fn(usize) -> f64| (0..self.f.len()).map(term).sum::<f64>();
        let (f, b) = (&self.f, &self.b);
        let off = |i: usize| (f[i] - b[i]).abs();
        let moved = |i: usize| (self.outputs[i] + self.own).powi(2);
        match loss {
            "squared" => {
                let first = |i: usize| 2.0 * f[i] * self.centred[i].abs() * self.logits[i];
                let own = 2.0 * self.own * sum(&|i| off(i) * (f[i] + off(i)));
                sum(&first) + sum(&|i| f[i] * f[i] * moved(i)) + own
            }
            "kl" => {
                let first = |i: usize| (f[i] * self.total - b[i]).abs() * self.logits[i];
                let own = sum(&|i| self.own * off(i) + self.of_term(i));
                sum(&first) + 0.5 * sum(&|i| f[i] * moved(i)) + own
            }
            _ => {
                let excluded = |i: usize| if b[i] == 0.0 { self.ratios[i] } else { 0.0 };
                let kept = |i: usize| if b[i] > 0.0 { self.of_ratios[i] } else { 0.0 };
                let (shift, of_mean) = (sum(&excluded) / self.positive, sum(&kept) / self.positive);
                sum(&|i| match (b[i] > 0.0, self.ratios[i] > 0.0) {
                    (true, _) => {
                        let slope = (self.ratios[i] - shift).abs();
                        self.of_ratios[i] * (slope + 0.5 * self.of_ratios[i])
                    }
                    (false, true) => {
                        let moved = self.of_ratios[i] + of_mean;
                        self.of_ratios[i] * self.ratios[i] + 0.5 * moved * moved
                    }
                    (false, false) => 0.0,
                })
            }
        }
    }

    /// What a term of the divergence is rounded by.
    fn of_term(&self, i: usize) -> f64 {
        let (f, b) = (self.f[i], self.b[i]);
        if b == 0.0 {
            return 0.0;
        }
        if (f - b).abs() <= 0.01 * b {
            return 3.0 * ROUNDOFF * (f - b).powi(2) / b;
        }
        let logarithms = 2.0 * b.ln().abs() + 3.0 * f.ln().abs() + 3.0 * (b.ln() - f.ln()).abs();
        ROUNDOFF * (b * (2.0 + logarithms) + 2.0 * f)
    }

    /// Of entry i of the gradient, *The gradient* 1.
    fn slope(&self, loss: &str, i: usize) -> f64 {
        let (f, b) = (&self.f, &self.b);
        let all = 0..f.len();
        match loss {
            "squared" => {
                let beta: Vec<f64> = (0..f.len())
                    .map(|j| 2.0 * f[j] * (f[j] + self.centred[j]))
                    .collect();
                let total: f64 = beta.iter().sum();
                let slope = |j: usize| {
                    let own = if i == j { beta[i] } else { 0.0 };
                    own - beta[i] * f[j] - f[i] * beta[j] + f[i] * f[j] * total
                };
                let moved: f64 = all
                    .clone()
                    .map(|j| (slope(j) * self.logits[j]).powi(2))
                    .sum();
                let length: f64 = beta.iter().map(|beta| beta * beta).sum();
                let own = self.own * (beta[i] * beta[i] + f[i] * f[i] * length).sqrt();
                let sizes: f64 = all.map(|j| f[j] * (f[j] - b[j]).abs()).sum();
                let sizes = (2.0 * ROUNDOFF + self.of_sum) * sizes;
                let rounded = (f[i] - b[i]).abs() + 3.0 * self.centred[i].abs();
                moved.sqrt() + own + 2.0 * f[i] * (ROUNDOFF * rounded + sizes)
            }
            "kl" => {
                let most = f[i] * self.total;
                most * (self.likely[i] + self.own) + ROUNDOFF * (most + (most - b[i]).abs())
            }
            _ => {
                let counts = |j: usize| b[j] > 0.0 || self.ratios[j] > 0.0;
                let charged = all.clone().filter(|&j| b[j] == 0.0 && counts(j)).count() as f64;
                // The slope of uᵢ in tⱼ.
                let slope = |j: usize| match (b[i] > 0.0, b[j] > 0.0) {
                    _ if !counts(i) || !counts(j) => 0.0,
                    (true, true) => {
                        f64::from(i == j) - (1.0 - charged / self.positive) / self.positive
                    }
                    (true, false) | (false, true) => -1.0 / self.positive,
                    (false, false) => f64::from(i == j),
                };
                let moved = all.map(|j| (slope(j) * self.of_ratios[j]).powi(2));
                moved.sum::<f64>().sqrt()
            }
        }
    }
}

fn for_each_case(sizes: &[f64], mut check: impl FnMut(&dyn Loss<f64>, &[f64], &Target<f64>, f64)) {
    for loss in LOSSES {
        for (z, target) in targets() {
            for &size in sizes {
                check(loss, &z, &target, size);
            }
        }
    }
}

#[test]
fn bounds_are_those_of_the_page() {
    let rows = RowNorms::of_rows(SCALES.len(), |i| &SCALES[i..=i]);
    // About as large as the roundings behind the logits, and far larger.
    for_each_case(&[1e-15, 1e-10], |loss, z, target, size| {
        let at = pass(z);
        let errors = errors(&at, &rows, size);
        let parts = Parts::new(&at, target, &errors);
        let (told, page) = (
            loss.rounding_error(&at, target, &errors),
            parts.value(loss.name()),
        );
        // t − t̄ and f − b carry roundings of their own where they cancel.
        let close = |told: f64, page: f64, room: f64| (told - page).abs() <= 1e-11 * page + room;
        assert!(
            close(told, page, 1e-30),
            "{} {told:e} {page:e}",
            loss.name()
        );
        let mut bounds = vec![0.0; z.len()];
        loss.logit_gradient_errors(&at, target, &errors, &mut bounds);
        for (i, &told) in bounds.iter().enumerate() {
            let page = parts.slope(loss.name(), i);
            // Squares that cancel where f is near 1 leave √u of themselves.
            let room = 8.0 * ROUNDOFF.sqrt() * at.probabilities[i] * size;
            assert!(
                close(told, page, room),
                "{} {i} {told:e} {page:e}",
                loss.name()
            );
        }
    });
}

/// Logits that are off by their errors, with all signs: no value is further off than its bound, and one is
/// off by half of it. Of an entry of the gradient it is the mean of the squares. Where the softmax is saturated,
/// 1 − f is what the rounding of f has left of it.
#[test]
fn bounds_are_reached_and_not_exceeded() {
    let rows = RowNorms::of_rows(SCALES.len(), |i| &SCALES[i..=i]);
    for_each_case(&[4e-7], |loss, z, target, size| {
        let at = pass(z);
        if at.probabilities.iter().any(|f| *f > 0.99) {
            return;
        }
        let errors = errors(&at, &rows, size);
        let slopes = |pass: &ForwardPass<f64>| {
            let mut gradient = vec![0.0; z.len()];
            loss.logit_gradient(pass, target, &mut gradient);
            gradient
        };
        let (value, gradient) = (loss.value(&at, target), slopes(&at));
        let (mut farthest, mut squares) = (0.0_f64, vec![0.0; z.len()]);
        let patterns = 1 << z.len();
        for signs in 0..patterns {
            let sign = |i: usize| if signs >> i & 1 == 1 { 1.0 } else { -1.0 };
            let moved: Vec<f64> = (0..z.len())
                .map(|i| z[i] + sign(i) * errors.of(i))
                .collect();
            let moved = pass(&moved);
            farthest = farthest.max((loss.value(&moved, target) - value).abs());
            for ((square, new), old) in squares.iter_mut().zip(slopes(&moved)).zip(&gradient) {
                *square += (new - old).powi(2) / f64::from(patterns);
            }
        }
        let bound = loss.rounding_error(&at, target, &errors);
        let name = loss.name();
        assert!(farthest <= bound, "{name} {farthest:e} {bound:e}");
        assert!(farthest >= 0.5 * bound, "{name} {farthest:e} {bound:e}");
        let mut bounds = vec![0.0; z.len()];
        loss.logit_gradient_errors(&at, target, &errors, &mut bounds);
        for (i, (square, bound)) in squares.iter().zip(bounds).enumerate() {
            let seen = square.sqrt();
            assert!(seen <= bound, "{name} {i} {seen:e} {bound:e}");
            assert!(seen >= 0.5 * bound, "{name} {i} {seen:e} {bound:e}");
        }
    });
}
