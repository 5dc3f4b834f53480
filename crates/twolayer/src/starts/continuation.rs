//! Starts from a network whose ReLUs are smooth: without kinks, a descent does not stop at one.

use crate::network::TwoLayer;
use crate::target::Target;
use num_traits::{Float, One, Zero};
use twolayer_core::{Activation, LinearBackend, Scalar, Softplus, Starts, reduce};

/// Descents on ½ Σ (tᵢ − t̄)², t = A2 φ(A1 x + c1) + c2 − log b, with a softplus for φ whose width
/// falls from descent to descent: at first it is as wide as half of all |h| = |A1 x + c1|, so that
/// every unit has a slope, in the end nearly a ReLU.
///
/// The minimiser of one width is the start of the next. Levenberg–Marquardt by the normal equations
/// (the start need not be exact): 2mkd + md² + d³/3 flops an iteration, k units that are not off.
pub(crate) struct Continuation<'p, B: LinearBackend> {
    network: &'p TwoLayer<B>,
    /// c2 − log b (m).
    constant: Vec<B::Scalar>,
    x0: Vec<B::Scalar>,
}

/// Widths of softplus over the median of |h|, descent after descent.
const WIDTHS: [f64; 3] = [1.0, 0.1, 0.01];
/// A descent ends where an iteration gains less than this part of the value,
const LITTLE_GAIN: f64 = 0.05;
/// and after so many iterations.
const LONGEST_DESCENT: usize = 40;
/// Damping of the first iteration, in units of the mean eigenvalue of JᵀJ; its limits.
const INITIAL_DAMPING: f64 = 1e-3;
const MOST_DAMPING: f64 = 1e12;

impl<'p, B: LinearBackend> Continuation<'p, B> {
    /// `None` where an outcome has no logarithm to match.
    pub(crate) fn new(network: &'p TwoLayer<B>, target: &Target<B::Scalar>) -> Option<Self> {
        if target.support() < target.outcomes() {
            return None;
        }
        let pairs = network.bias2().iter().zip(target.log_probabilities());
        Some(Self {
            network,
            constant: pairs.map(|(&c, &log_b)| c - log_b).collect(),
            x0: vec![B::Scalar::zero(); network.inputs()],
        })
    }
}

impl<B: LinearBackend> Starts<B::Scalar> for Continuation<'_, B> {
    fn begin(&mut self, x: &[B::Scalar]) {
        self.x0.copy_from_slice(x);
    }

    /// It stops at no kink.
    fn is_always_worth_it(&self) -> bool {
        true
    }

    fn advance(&mut self, _: usize, x: &mut [B::Scalar]) {
        x.copy_from_slice(&self.x0);
        let mut descent = Descent::new(self.network, &self.constant);
        let size = descent.median_distance(x);
        for width in WIDTHS {
            descent.activation.width = B::Scalar::of(width) * size;
            if !(descent.activation.width > B::Scalar::zero() && descent.minimize(x)) {
                break;
            }
        }
        self.x0.copy_from_slice(x);
    }

    fn state(&self) -> Vec<B::Scalar> {
        self.x0.clone()
    }

    fn restore(&mut self, state: &[B::Scalar]) -> bool {
        let fits = state.len() == self.x0.len();
        if fits {
            self.x0.copy_from_slice(state);
        }
        fits
    }
}

/// The buffers of a descent at one width.
struct Descent<'a, B: LinearBackend> {
    network: &'a TwoLayer<B>,
    constant: &'a [B::Scalar],
    activation: Softplus<B::Scalar>,
    /// h, φ(h) and φ'(h) (n).
    hidden: Vec<B::Scalar>,
    activations: Vec<B::Scalar>,
    slopes: Vec<B::Scalar>,
    /// The units that are not off, and their entries of one of these.
    on: Vec<usize>,
    entries: Vec<B::Scalar>,
    /// t − t̄ at the point, at the trial, and what the model says of the trial (m).
    residual: Vec<B::Scalar>,
    trial: Vec<B::Scalar>,
    foreseen: Vec<B::Scalar>,
    ones: Vec<B::Scalar>,
    /// d each.
    gradient: Vec<B::Scalar>,
    step: Vec<B::Scalar>,
    point: Vec<B::Scalar>,
    /// J = (I − 11ᵀ/m) A2 diag(φ') A1 (m×d), and zeros of its shape.
    jacobian: B::Matrix,
    zeros: B::Matrix,
    /// JᵀJ (d×d), its diagonal, and the matrix with damping.
    gram: B::Matrix,
    diagonal: Vec<B::Scalar>,
    entries_of_gram: Vec<B::Scalar>,
    damped: B::Matrix,
    workspace: B::Workspace,
}

impl<'a, B: LinearBackend> Descent<'a, B> {
    fn new(network: &'a TwoLayer<B>, constant: &'a [B::Scalar]) -> Self {
        let backend = network.backend();
        let (d, n, m) = (network.inputs(), network.hidden_units(), network.outcomes());
        let zeros = |length| vec![B::Scalar::zero(); length];
        Self {
            network,
            constant,
            activation: Softplus {
                width: B::Scalar::one(),
            },
            hidden: zeros(n),
            activations: zeros(n),
            slopes: zeros(n),
            on: Vec::with_capacity(n),
            entries: Vec::with_capacity(n),
            residual: zeros(m),
            trial: zeros(m),
            foreseen: zeros(m),
            ones: vec![B::Scalar::one(); m],
            gradient: zeros(d),
            step: zeros(d),
            point: zeros(d),
            jacobian: backend.zeros(m, d),
            zeros: backend.zeros(m, d),
            gram: backend.zeros(d, d),
            diagonal: Vec::with_capacity(d),
            entries_of_gram: zeros(d * d),
            damped: backend.zeros(d, d),
            workspace: B::Workspace::default(),
        }
    }

    /// Half of all |h| are below it.
    fn median_distance(&mut self, x: &[B::Scalar]) -> B::Scalar {
        self.set_hidden(x);
        for h in &mut self.hidden {
            *h = h.abs();
        }
        let middle = self.hidden.len() / 2;
        let order =
            |a: &B::Scalar, b: &B::Scalar| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal);
        *self.hidden.select_nth_unstable_by(middle, order).1
    }

    fn set_hidden(&mut self, x: &[B::Scalar]) {
        let (backend, a1) = (self.network.backend(), self.network.a1());
        backend.mul_vec(a1, x, &mut self.hidden);
        reduce::axpy(B::Scalar::one(), self.network.bias1(), &mut self.hidden);
    }

    /// Descends from x until an iteration gains little. Returns false where the arithmetic is no
    /// good there.
    fn minimize(&mut self, x: &mut [B::Scalar]) -> bool {
        self.set_residual(x);
        std::mem::swap(&mut self.residual, &mut self.trial);
        let mut value = reduce::dot(&self.residual, &self.residual);
        let mut damping = None;
        for _ in 0..LONGEST_DESCENT {
            let scale = self.linearize();
            let least = B::Scalar::min_positive_value() / B::Scalar::UNIT_ROUNDOFF;
            let most = B::Scalar::max_value() / B::Scalar::of(MOST_DAMPING);
            // NaN compares false.
            let is_usable = scale >= least && scale <= most;
            if !(is_usable && value.is_finite()) {
                return false;
            }
            let damping = damping.get_or_insert(B::Scalar::of(INITIAL_DAMPING) * scale);
            *damping = damping.max(B::Scalar::UNIT_ROUNDOFF * scale);
            let Some(lower) = self.decrease(x, value, scale, damping) else {
                return true;
            };
            let is_little = lower > B::Scalar::of(1.0 - LITTLE_GAIN) * value;
            value = lower;
            if is_little {
                return true;
            }
        }
        true
    }

    /// trial ← t − t̄ at x.
    fn set_residual(&mut self, x: &[B::Scalar]) {
        self.set_hidden(x);
        let units = self.activations.iter_mut().zip(&mut self.slopes);
        for ((a, slope), &h) in units.zip(&self.hidden) {
            *a = self.activation.value(h);
            *slope = self.activation.slope(h);
        }
        self.on.clear();
        let slopes = self.slopes.iter().enumerate();
        let on = slopes.filter(|(_, slope)| **slope > B::Scalar::UNIT_ROUNDOFF);
        self.on.extend(on.map(|(unit, _)| unit));
        gather(&self.on, &self.activations, &mut self.entries);
        let (backend, a2) = (self.network.backend(), self.network.a2());
        backend.mul_vec_columns(a2, &self.on, &self.entries, &mut self.trial);
        reduce::axpy(B::Scalar::one(), self.constant, &mut self.trial);
        let mean = reduce::sum(&self.trial) / B::Scalar::of(self.trial.len() as f64);
        for t in &mut self.trial {
            *t -= mean;
        }
    }

    /// J, JᵀJ and the gradient at the point whose residual was set last. Returns the mean eigenvalue
    /// of JᵀJ.
    fn linearize(&mut self) -> B::Scalar {
        gather(&self.on, &self.slopes, &mut self.entries);
        let (network, backend) = (self.network, self.network.backend());
        backend.copy(&self.zeros, &mut self.jacobian);
        backend.add_inner(
            network.a2(),
            &self.on,
            &self.entries,
            network.a1(),
            &mut self.jacobian,
            &mut self.workspace,
        );
        let rows = B::Scalar::of(self.ones.len() as f64);
        backend.mul_vec_transposed(&self.jacobian, &self.ones, &mut self.step);
        for mean in &mut self.step {
            *mean /= rows;
        }
        backend.center_and_scale_rows(&self.ones, &self.step, &self.ones, &mut self.jacobian);
        backend.mul_vec_transposed(&self.jacobian, &self.residual, &mut self.gradient);
        backend.gram_lower(
            &self.jacobian,
            &self.ones,
            &mut self.gram,
            &mut self.workspace,
        );
        backend.copy_to_row_major(&self.gram, &mut self.entries_of_gram);
        let d = self.gradient.len();
        let diagonal = self.entries_of_gram.iter().step_by(d + 1);
        self.diagonal.clear();
        self.diagonal.extend(diagonal);
        let trace = reduce::sum_of(d, |i| self.diagonal[i].to_f64());
        B::Scalar::of(trace / d as f64)
    }

    /// Moves x by a damped step that lowers the value, which it returns; `None` where none does.
    fn decrease(
        &mut self,
        x: &mut [B::Scalar],
        value: B::Scalar,
        scale: B::Scalar,
        damping: &mut B::Scalar,
    ) -> Option<B::Scalar> {
        let backend = self.network.backend();
        let d = x.len();
        while *damping <= B::Scalar::of(MOST_DAMPING) * scale {
            let entries = self.entries_of_gram.iter_mut().step_by(d + 1);
            for (entry, &diagonal) in entries.zip(&self.diagonal) {
                *entry = diagonal + *damping;
            }
            backend.copy_from_row_major(&self.entries_of_gram, &mut self.damped);
            let Ok(factor) = backend.cholesky(&self.damped, &mut self.workspace) else {
                *damping =
                    (B::Scalar::of(10.0) * *damping).max(B::Scalar::UNIT_ROUNDOFF.sqrt() * scale);
                continue;
            };
            self.step.copy_from_slice(&self.gradient);
            backend.cholesky_solve(&factor, &mut self.step, &mut self.workspace);
            self.point.copy_from_slice(x);
            reduce::axpy(-B::Scalar::one(), &self.step, &mut self.point);
            backend.mul_vec(&self.jacobian, &self.step, &mut self.foreseen);
            for (foreseen, &t) in self.foreseen.iter_mut().zip(&self.residual) {
                *foreseen = t - *foreseen;
            }
            let point = std::mem::take(&mut self.point);
            self.set_residual(&point);
            self.point = point;
            let lower = reduce::dot(&self.trial, &self.trial);
            let gain = (value - lower) / (value - reduce::dot(&self.foreseen, &self.foreseen));
            // NaN compares false.
            if lower < value && gain > B::Scalar::of(1e-4) {
                x.copy_from_slice(&self.point);
                std::mem::swap(&mut self.residual, &mut self.trial);
                *damping *= B::Scalar::of(match gain.to_f64() {
                    gain if gain > 0.75 => 0.1,
                    gain if gain > 0.25 => 1.0,
                    _ => 4.0,
                });
                return Some(lower);
            }
            if reduce::norm(&self.step) <= B::Scalar::UNIT_ROUNDOFF * reduce::norm(x) {
                return None;
            }
            *damping *= B::Scalar::of(4.0);
        }
        None
    }
}

/// The entries of some units.
fn gather<T: Scalar>(units: &[usize], of_all: &[T], entries: &mut Vec<T>) {
    entries.clear();
    entries.extend(units.iter().map(|&unit| of_all[unit]));
}
