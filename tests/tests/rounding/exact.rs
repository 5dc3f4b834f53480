//! The objective and its gradient to sixty digits, in plain loops from their definitions.

use dashu_float::{FBig, round::mode::HalfEven};
use twolayer::{Scalar, Target};
use twolayer_tests::generators::Case;

type Big = FBig<HalfEven, 2>;
const BITS: usize = 200;

/// What the misfit of the output is measured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// ‖f − b‖².
    Squared,
    /// Σ b log(b/f) − b + f.
    Divergence,
    /// ½ Σ (t − t̄)², t = log f − log b.
    LogRatios,
}

/// A problem, every number of which is exact.
pub(crate) struct Exact {
    a1: Vec<Vec<Big>>,
    bias1: Vec<Big>,
    a2: Vec<Vec<Big>>,
    /// `None` for minus infinity.
    bias2: Vec<Option<Big>>,
    b: Vec<Big>,
    log_b: Vec<Option<Big>>,
    /// What is taken for the logarithm of b = 0.
    log_of_nothing: Option<Big>,
    squared_weights: Vec<Big>,
}

/// What the network puts out with some units on.
pub(crate) struct Outputs {
    pub(crate) on: Vec<bool>,
    /// A2 φ(h).
    products: Vec<Big>,
    /// Zero where it is below 10⁻⁸⁰⁰.
    f: Vec<Big>,
    log_f: Vec<Option<Big>>,
}

fn big(value: f64) -> Big {
    Big::try_from(value).unwrap().with_precision(BITS).value()
}

fn vector<T: Scalar>(values: &[T]) -> Vec<Big> {
    values.iter().map(|v| big(Scalar::to_f64(*v))).collect()
}

fn sum(values: impl Iterator<Item = Big>) -> Big {
    values.fold(big(0.0), |sum, v| sum + v)
}

fn dot(a: &[Big], b: &[Big]) -> Big {
    sum(a.iter().zip(b).map(|(a, b)| a * b))
}

impl Exact {
    /// A case with a target, as the precision of that sees it.
    pub(crate) fn new<T: Scalar>(case: &Case, target: &Target<T>) -> Self {
        let rows = |values: &[f64], length: usize| -> Vec<Vec<Big>> {
            values.chunks(length).map(vector).collect()
        };
        let finite = |c: &f64| c.is_finite().then(|| big(*c));
        let b = vector(target.probabilities());
        let nothing = (target.excluded() > 0).then(|| target.log_of_nothing().to_f64());
        Self {
            a1: rows(&case.a1, case.d),
            bias1: vector(&case.bias1),
            a2: rows(&case.a2, case.n),
            bias2: case.bias2.iter().map(finite).collect(),
            log_b: b.iter().map(|b| (*b > big(0.0)).then(|| b.ln())).collect(),
            b,
            log_of_nothing: nothing.map(big),
            squared_weights: case.weights.iter().map(|&w| big(w) * big(w)).collect(),
        }
    }

    /// The outputs at x (d), and once more with the units that are `on` where that is another set of
    /// them: one nearer to its kink than rounding tells.
    pub(crate) fn at<T: Scalar>(&self, x: &[T], on: &[bool]) -> (Outputs, Option<Outputs>) {
        let x = vector(x);
        let rows = self.a1.iter().zip(&self.bias1);
        let hidden: Vec<Big> = rows.map(|(row, c)| dot(row, &x) + c).collect();
        let exact = hidden.iter().map(|h| *h > big(0.0)).collect();
        let exact = self.outputs(&hidden, exact);
        let other = (exact.on != on).then(|| self.outputs(&hidden, on.to_vec()));
        (exact, other)
    }

    fn outputs(&self, hidden: &[Big], on: Vec<bool>) -> Outputs {
        let active = hidden.iter().zip(&on);
        let active: Vec<Big> = active
            .map(|(h, &on)| if on { h.clone() } else { big(0.0) })
            .collect();
        let products: Vec<Big> = self.a2.iter().map(|row| dot(row, &active)).collect();
        let z = products.iter().zip(&self.bias2);
        let z: Vec<Option<Big>> = z.map(|(u, c)| c.as_ref().map(|c| u + c)).collect();
        let most = z.iter().flatten().max().unwrap().clone();
        let least = big(-2000.0);
        let power = |z: &Option<Big>| match z {
            Some(z) if z - &most > least => (z - &most).exp(),
            _ => big(0.0),
        };
        let powers: Vec<Big> = z.iter().map(power).collect();
        let total = sum(powers.iter().cloned());
        let log_total = total.ln();
        let log_f = z.iter().map(|z| z.as_ref().map(|z| z - &most - &log_total));
        Outputs {
            on,
            products,
            f: powers.iter().map(|p| p / &total).collect(),
            log_f: log_f.collect(),
        }
    }

    /// t − t̄ of the outcomes with b > 0, and of the others as far as it counts.
    fn log_ratios(&self, at: &Outputs) -> Vec<Big> {
        let t = |i: usize| {
            let log_b = self.log_b[i].as_ref()?;
            Some(at.log_f[i].as_ref().unwrap() - log_b)
        };
        let mean = sum((0..self.b.len()).filter_map(t)) / big(self.support());
        let residual = |i: usize| match t(i) {
            Some(t) => t - &mean,
            None => {
                let floor = self.log_of_nothing.as_ref().unwrap();
                let above = at.log_f[i].as_ref().map(|log_f| log_f - floor - &mean);
                above.filter(|above| *above > big(0.0)).unwrap_or(big(0.0))
            }
        };
        (0..self.b.len()).map(residual).collect()
    }

    fn support(&self) -> f64 {
        self.log_b.iter().flatten().count() as f64
    }

    pub(crate) fn value(&self, at: &Outputs, misfit: Misfit) -> f64 {
        let (f, b) = (&at.f, &self.b);
        let m = b.len();
        let loss = match misfit {
            Misfit::Squared => sum((0..m).map(|i| (&f[i] - &b[i]) * (&f[i] - &b[i]))),
            Misfit::Divergence => sum((0..m).map(|i| match &self.log_b[i] {
                Some(log_b) => &b[i] * (log_b - at.log_f[i].as_ref().unwrap()) - &b[i] + &f[i],
                None => f[i].clone(),
            })),
            Misfit::LogRatios => {
                let residuals = self.log_ratios(at);
                dot(&residuals, &residuals) * big(0.5)
            }
        };
        let penalty = self.squared_weights.iter().zip(&at.products);
        let penalty = sum(penalty.map(|(w, u)| w * u * u * big(0.5)));
        (loss + penalty).to_f64().value()
    }

    /// The gradient (d) inside the cell of the outputs.
    pub(crate) fn gradient(&self, at: &Outputs, misfit: Misfit) -> Vec<f64> {
        let (f, b) = (&at.f, &self.b);
        let m = b.len();
        let mut by_logit: Vec<Big> = match misfit {
            Misfit::Squared => {
                let mean = sum((0..m).map(|i| &f[i] * (&f[i] - &b[i])));
                let slope = |i: usize| big(2.0) * &f[i] * (&f[i] - &b[i] - &mean);
                (0..m).map(slope).collect()
            }
            Misfit::Divergence => {
                let total = sum(b.iter().cloned());
                (0..m).map(|i| &f[i] * &total - &b[i]).collect()
            }
            Misfit::LogRatios => {
                let residuals = self.log_ratios(at);
                // The mean moves with the outcomes that it is the mean of.
                let shift = sum(residuals.iter().cloned()) / big(self.support());
                let slope = |i: usize| match self.log_b[i] {
                    Some(_) => &residuals[i] - &shift,
                    None => residuals[i].clone(),
                };
                (0..m).map(slope).collect()
            }
        };
        let penalty = self.squared_weights.iter().zip(&at.products);
        for (slope, (w, u)) in by_logit.iter_mut().zip(penalty) {
            *slope += w * u;
        }
        let mut gradient = vec![big(0.0); self.a1[0].len()];
        for (unit, row) in self.a1.iter().enumerate().filter(|(unit, _)| at.on[*unit]) {
            let by_unit = sum((0..m).map(|i| &by_logit[i] * &self.a2[i][unit]));
            for (g, a) in gradient.iter_mut().zip(row) {
                *g += &by_unit * a;
            }
        }
        gradient.iter().map(|g| g.to_f64().value()).collect()
    }
}
