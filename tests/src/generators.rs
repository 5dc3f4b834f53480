//! Random small problems for property tests, many of them degenerate, with the definition of the
//! objective in plain loops of doubles: a source that shares no line with the crates under test.

use crate::problems::rounded;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestCaseResult, TestRunner};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use twolayer::{Error, LinearBackend, Regularizer, Scalar, Target, TwoLayer};

/// What is out of the ordinary about a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blemish {
    /// Nothing.
    None,
    /// Two units are the same, and two outcomes are.
    Duplicates,
    /// A unit without weights, and an outcome without.
    ZeroRows,
    /// A1 = 0: the output does not depend on x.
    ZeroFirstLayer,
    /// A2 = 0: the output does not depend on x.
    ZeroSecondLayer,
    /// A unit that is always off.
    DeadUnit,
    /// Every unit is off.
    AllDead,
    /// No biases, as in the paper.
    Unbiased,
}

/// Which distribution is the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetKind {
    /// The network's own output elsewhere.
    Reachable,
    /// One that has nothing to do with the network.
    Unrelated,
    /// All outcomes alike.
    Uniform,
    /// One outcome for certain.
    OneHot,
}

/// Which distance of the output from the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distance {
    /// ‖f − b‖².
    Squared,
    /// Σ b (log b − log f).
    KullbackLeibler,
}

/// A problem with a point and a direction. Matrices lie row after row, and every number is one of
/// f32, so that both precisions see the same problem.
#[derive(Debug, Clone)]
pub struct Case {
    /// d.
    pub d: usize,
    /// n.
    pub n: usize,
    /// m.
    pub m: usize,
    /// What is special about it.
    pub blemish: Blemish,
    /// A1 (n×d).
    pub a1: Vec<f64>,
    /// c1 (n).
    pub bias1: Vec<f64>,
    /// A2 (m×n).
    pub a2: Vec<f64>,
    /// c2 (m).
    pub bias2: Vec<f64>,
    /// b (m).
    pub target: Vec<f64>,
    /// w (m); zeros where there is no regulariser.
    pub weights: Vec<f64>,
    /// x (d).
    pub x: Vec<f64>,
    /// A direction (d).
    pub direction: Vec<f64>,
}

/// Every shape down to 1, every blemish, every kind of target.
pub fn cases() -> impl Strategy<Value = Case> {
    let blemish = prop_oneof![
        4 => Just(Blemish::None),
        1 => Just(Blemish::Duplicates),
        1 => Just(Blemish::ZeroRows),
        1 => Just(Blemish::ZeroFirstLayer),
        1 => Just(Blemish::ZeroSecondLayer),
        1 => Just(Blemish::DeadUnit),
        1 => Just(Blemish::AllDead),
        1 => Just(Blemish::Unbiased),
    ];
    let target = prop_oneof![
        Just(TargetKind::Reachable),
        Just(TargetKind::Unrelated),
        Just(TargetKind::Uniform),
        Just(TargetKind::OneHot),
    ];
    let weight = prop_oneof![Just(0.0), 0.0..2.0_f64];
    let shape = (1_usize..=6, 1_usize..=9, 1_usize..=11);
    (shape, blemish, target, weight, any::<u64>()).prop_map(
        |(shape, blemish, target, weight, seed)| Case::new(shape, blemish, target, weight, seed),
    )
}

/// Runs `property` on generated cases: the same ones every time, unless the environment says
/// otherwise by proptest's own `PROPTEST_CASES` and `PROPTEST_RNG_SEED`.
///
/// # Panics
/// With the smallest case found for which the property fails.
#[track_caller]
pub fn for_all_cases(property: impl Fn(&Case) -> TestCaseResult) {
    for_all(&cases(), 96, |case| property(&case));
}

/// The same for any strategy, with a number of cases of its own.
///
/// # Panics
/// With the smallest value found for which the property fails.
#[track_caller]
pub fn for_all<S: Strategy>(
    strategy: &S,
    count: u32,
    property: impl Fn(S::Value) -> TestCaseResult,
) {
    let mut config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = count;
    }
    if std::env::var_os("PROPTEST_RNG_SEED").is_none() {
        config.rng_seed = RngSeed::Fixed(2308);
    }
    if let Err(failure) = TestRunner::new(config).run(strategy, property) {
        panic!("{failure}");
    }
}

impl Case {
    /// The case of a seed.
    pub fn new(
        (d, n, m): (usize, usize, usize),
        blemish: Blemish,
        target: TargetKind,
        weight: f64,
        seed: u64,
    ) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut normal = |count: usize, scale: f64| -> Vec<f64> {
            let number = |_| single(scale * random.sample::<f64, _>(StandardNormal));
            (0..count).map(number).collect()
        };
        let bias = if blemish == Blemish::Unbiased {
            0.0
        } else {
            0.5
        };
        let mut case = Self {
            d,
            n,
            m,
            blemish,
            a1: normal(n * d, (1.0 / d as f64).sqrt()),
            bias1: normal(n, bias),
            a2: normal(m * n, (9.0 / n as f64).sqrt()),
            bias2: normal(m, bias),
            target: Vec::new(),
            weights: normal(m, weight),
            x: normal(d, 1.0),
            direction: normal(d, 1.0),
        };
        case.spoil();
        let (elsewhere, spread) = (normal(d, 1.0), normal(m, 1.0));
        let b = match target {
            TargetKind::Reachable => case.probabilities(&elsewhere),
            TargetKind::Unrelated => softmax(&spread),
            TargetKind::Uniform => vec![1.0 / m as f64; m],
            TargetKind::OneHot => (0..m)
                .map(|j| f64::from(u8::from(j == seed as usize % m)))
                .collect(),
        };
        case.target = b.into_iter().map(single).collect();
        case
    }

    fn spoil(&mut self) {
        let Self { d, n, m, .. } = *self;
        match self.blemish {
            Blemish::None | Blemish::Unbiased => {}
            Blemish::Duplicates => {
                self.a1.copy_within(..d, (n - 1) * d);
                self.bias1[n - 1] = self.bias1[0];
                self.a2.copy_within(..n, (m - 1) * n);
                self.bias2[m - 1] = self.bias2[0];
            }
            Blemish::ZeroRows => {
                self.a1[..d].fill(0.0);
                self.bias1[0] = 0.0;
                self.a2[..n].fill(0.0);
            }
            Blemish::ZeroFirstLayer => self.a1.fill(0.0),
            Blemish::ZeroSecondLayer => self.a2.fill(0.0),
            Blemish::DeadUnit => self.bias1[n / 2] = -1e3,
            Blemish::AllDead => self.bias1.fill(-1e3),
        }
    }

    /// The same with the first `features` features about `size` beside their spread of about 1: x and the
    /// kinks are moved alike, but for the rounding of c1, and b is left as it is.
    pub fn uncentred(mut self, size: f64, features: usize) -> Self {
        for (j, x) in self.x.iter_mut().enumerate().take(features) {
            let mean = single(size * (1.0 + 0.1 * j as f64));
            *x = single(*x + mean);
            for (row, c) in self.a1.chunks(self.d).zip(&mut self.bias1) {
                *c = single(*c - row[j] * mean);
            }
        }
        self
    }

    /// The same with the bias of the first `outcomes` so low that they never come, and with none of b.
    pub fn masked(mut self, bias: f64, outcomes: usize) -> Self {
        self.bias2[..outcomes].fill(bias);
        self.target[..outcomes].fill(0.0);
        let total: f64 = self.target.iter().sum();
        let rest = self.target[outcomes..].iter_mut();
        for b in rest {
            *b = match total > 0.0 {
                true => single(*b / total),
                false => single(1.0 / (self.m - outcomes) as f64),
            };
        }
        self
    }

    /// The same with A2 so many times as large.
    pub fn with_logits_times(mut self, factor: f64) -> Self {
        self.a2.iter_mut().for_each(|a| *a = single(*a * factor));
        self
    }

    /// The network on a backend.
    ///
    /// # Errors
    /// As [`TwoLayer::new`].
    pub fn network<B: LinearBackend>(&self, backend: &B) -> Result<TwoLayer<B>, Error> {
        let (mut a1, mut a2) = (backend.zeros(self.n, self.d), backend.zeros(self.m, self.n));
        backend.copy_from_row_major(&rounded(&self.a1), &mut a1);
        backend.copy_from_row_major(&rounded(&self.a2), &mut a2);
        TwoLayer::new(backend.clone(), a1, a2)?
            .with_biases(rounded(&self.bias1), rounded(&self.bias2))
    }

    /// b.
    ///
    /// # Errors
    /// As [`Target::new`].
    pub fn target<T: Scalar>(&self) -> Result<Target<T>, Error> {
        Target::new(rounded(&self.target))
    }

    /// w.
    ///
    /// # Errors
    /// As [`Regularizer::new`].
    pub fn regularizer<T: Scalar>(&self) -> Result<Regularizer<T>, Error> {
        Regularizer::new(rounded(&self.weights))
    }

    /// h = A1 x + c1 (n).
    pub fn hidden(&self, x: &[f64]) -> Vec<f64> {
        affine(&self.a1, x, &self.bias1)
    }

    /// u = A2 relu(h) (m).
    pub fn products(&self, x: &[f64]) -> Vec<f64> {
        let hidden: Vec<f64> = self.hidden(x).iter().map(|h| h.max(0.0)).collect();
        affine(&self.a2, &hidden, &vec![0.0; self.m])
    }

    /// f = softmax(u + c2) (m).
    pub fn probabilities(&self, x: &[f64]) -> Vec<f64> {
        softmax(&self.logits(x))
    }

    fn logits(&self, x: &[f64]) -> Vec<f64> {
        let products = self.products(x);
        products
            .iter()
            .zip(&self.bias2)
            .map(|(u, c)| u + c)
            .collect()
    }

    /// The objective, as it is defined.
    pub fn value(&self, distance: Distance, x: &[f64]) -> f64 {
        let logits = self.logits(x);
        let (f, b) = (softmax(&logits), &self.target);
        let loss: f64 = match distance {
            Distance::Squared => f.iter().zip(b).map(|(f, b)| (f - b).powi(2)).sum(),
            Distance::KullbackLeibler => {
                let largest = logits.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
                let log_sum = logits.iter().map(|z| (z - largest).exp()).sum::<f64>().ln();
                let term = |(z, b): (&f64, &f64)| match *b {
                    0.0 => 0.0,
                    b => b * (b.ln() - ((z - largest) - log_sum)),
                };
                logits.iter().zip(b).map(term).sum()
            }
        };
        let products = self.products(x);
        let penalty: f64 = products
            .iter()
            .zip(&self.weights)
            .map(|(u, w)| (w * u).powi(2))
            .sum();
        loss + 0.5 * penalty
    }

    /// Its gradient (d), by the chain rule from the output back to x.
    pub fn gradient(&self, distance: Distance, x: &[f64]) -> Vec<f64> {
        let (f, b) = (self.probabilities(x), &self.target);
        // Through the softmax: ∂f_j/∂z_i = f_j (1[i = j] − f_i).
        let by_output: Vec<f64> = match distance {
            Distance::Squared => f.iter().zip(b).map(|(f, b)| 2.0 * (f - b)).collect(),
            Distance::KullbackLeibler => vec![0.0; self.m],
        };
        let total: f64 = b.iter().sum();
        let mean: f64 = f.iter().zip(&by_output).map(|(f, g)| f * g).sum();
        let products = self.products(x);
        let by_logit: Vec<f64> = (0..self.m)
            .map(|i| {
                let through = match distance {
                    Distance::Squared => f[i] * (by_output[i] - mean),
                    Distance::KullbackLeibler => f[i] * total - b[i],
                };
                through + self.weights[i].powi(2) * products[i]
            })
            .collect();
        let hidden = self.hidden(x);
        let mut gradient = vec![0.0; self.d];
        for (unit, row) in self.a1.chunks(self.d).enumerate() {
            if hidden[unit] > 0.0 {
                let by_unit: f64 = (0..self.m)
                    .map(|i| by_logit[i] * self.a2[i * self.n + unit])
                    .sum();
                for (g, a) in gradient.iter_mut().zip(row) {
                    *g += by_unit * a;
                }
            }
        }
        gradient
    }

    /// ‖ |A2| (|A1| |x| + |c1|) + |c2| ‖_∞: rounding perturbs a logit by at most a small multiple
    /// of the unit roundoff times this.
    pub fn logit_size(&self) -> f64 {
        let absolute = |v: &[f64]| v.iter().map(|v| v.abs()).collect::<Vec<_>>();
        let hidden = affine(
            &absolute(&self.a1),
            &absolute(&self.x),
            &absolute(&self.bias1),
        );
        // A unit that is off adds nothing, however far off it is.
        let on: Vec<f64> = hidden
            .iter()
            .zip(self.hidden(&self.x))
            .map(|(&size, h)| if h > 0.0 { size } else { 0.0 })
            .collect();
        affine(&absolute(&self.a2), &on, &absolute(&self.bias2))
            .into_iter()
            .fold(0.0, f64::max)
    }

    /// ‖ |A2| diag(s) |A1| ‖_F ≥ ‖C‖₂, s the active units.
    pub fn jacobian_size(&self) -> f64 {
        self.absolute_jacobian().map(|c| c * c).sum::<f64>().sqrt()
    }

    /// The largest entry of |A2| diag(s) |A1|: no logit moves faster along an axis.
    pub fn steepest(&self) -> f64 {
        self.absolute_jacobian().fold(0.0, f64::max)
    }

    fn absolute_jacobian(&self) -> impl Iterator<Item = f64> {
        let hidden = self.hidden(&self.x);
        (0..self.m * self.d).map(move |index| {
            let (i, j) = (index / self.d, index % self.d);
            (0..self.n)
                .filter(|&unit| hidden[unit] > 0.0)
                .map(|unit| (self.a2[i * self.n + unit] * self.a1[unit * self.d + j]).abs())
                .sum()
        })
    }

    /// Whether every unit has the same state all over the box of this half-width around x, in both
    /// precisions: h may change by the width and by the rounding of f32.
    pub fn is_inside_cell(&self, width: f64) -> bool {
        self.a1
            .chunks(self.d)
            .zip(&self.bias1)
            .zip(self.hidden(&self.x))
            .all(|((row, c), h)| {
                let reach: f64 = row.iter().map(|a| a.abs() * width).sum();
                let size: f64 = row.iter().zip(&self.x).map(|(a, x)| (a * x).abs()).sum();
                let rounding = f64::from(f32::EPSILON) * (self.d + 1) as f64 * (size + c.abs());
                // A unit without weights and bias stays at zero.
                h.abs() > reach + rounding || reach + rounding == 0.0
            })
    }
}

/// The nearest number of f32.
fn single(value: f64) -> f64 {
    f64::from(value as f32)
}

fn affine(a: &[f64], x: &[f64], bias: &[f64]) -> Vec<f64> {
    a.chunks(x.len())
        .zip(bias)
        .map(|(row, c)| row.iter().zip(x).map(|(a, x)| a * x).sum::<f64>() + c)
        .collect()
}

fn softmax(logits: &[f64]) -> Vec<f64> {
    let largest = logits.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
    let powers: Vec<f64> = logits.iter().map(|z| (z - largest).exp()).collect();
    let total: f64 = powers.iter().sum();
    powers.iter().map(|p| p / total).collect()
}
