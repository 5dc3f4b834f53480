//! The two nonlinearities of the network, and a smooth one in the place of ReLU.

use crate::reduce;
use crate::scalar::Scalar;

/// A map R^k → R^k whose Jacobian at every point is symmetric, so that one product serves both
/// the forward and the backward direction.
pub trait Activation<T: Scalar> {
    /// output = φ(input). Same lengths.
    fn apply(&self, input: &[T], output: &mut [T]);

    /// product = φ'(input) v, given `output` = φ(input). Same lengths.
    fn jacobian_product(&self, output: &[T], v: &[T], product: &mut [T]);
}

/// φ(h)ᵢ = max(hᵢ, 0), with derivative 1\[hᵢ > 0\] (0 at the kink).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Relu;

impl<T: Scalar> Activation<T> for Relu {
    fn apply(&self, input: &[T], output: &mut [T]) {
        for (a, &h) in output.iter_mut().zip(input) {
            *a = if h > T::zero() { h } else { T::zero() };
        }
    }

    fn jacobian_product(&self, output: &[T], v: &[T], product: &mut [T]) {
        for ((p, &a), &v) in product.iter_mut().zip(output).zip(v) {
            *p = if a > T::zero() { v } else { T::zero() };
        }
    }
}

/// φ(h)ᵢ = w log(1 + exp(hᵢ/w)), a ReLU without a kink; w > 0 is the `width` of what is smoothed.
/// Derivative 1/(1 + exp(−hᵢ/w)).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Softplus<T> {
    /// w.
    pub width: T,
}

impl<T: Scalar> Activation<T> for Softplus<T> {
    fn apply(&self, input: &[T], output: &mut [T]) {
        for (a, &h) in output.iter_mut().zip(input) {
            // The exponential of what is negative does not overflow.
            let tail = (-h.abs() / self.width).exp().ln_1p();
            *a = h.max(T::zero()) + self.width * tail;
        }
    }

    fn jacobian_product(&self, output: &[T], v: &[T], product: &mut [T]) {
        for ((p, &a), &v) in product.iter_mut().zip(output).zip(v) {
            *p = -(-a / self.width).exp_m1() * v;
        }
    }
}

/// φ(z)ᵢ = exp(zᵢ) / Σⱼ exp(zⱼ), computed from z − max z; Jacobian diag(f) − f fᵀ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Softmax;

impl Softmax {
    /// f = softmax(z), and log f = z − logsumexp(z), exact to rounding where f itself underflows:
    /// one exponential for each entry serves both.
    pub fn with_logarithms<T: Scalar>(
        logits: &[T],
        log_probabilities: &mut [T],
        probabilities: &mut [T],
    ) {
        let (shift, total) = Softmax::normalize(logits, probabilities);
        let log_total = total.ln();
        // Subtracted one after the other: shift + log_total would round log_total away where the
        // logits are large.
        for (l, &z) in log_probabilities.iter_mut().zip(logits) {
            *l = (z - shift) - log_total;
        }
    }

    /// output = softmax(input). Returns max z and Σ exp(z − max z).
    fn normalize<T: Scalar>(input: &[T], output: &mut [T]) -> (T, T) {
        let shift = reduce::max(input);
        for (f, &z) in output.iter_mut().zip(input) {
            *f = (z - shift).exp();
        }
        let total = reduce::sum(output);
        for f in output.iter_mut() {
            *f /= total;
        }
        (shift, total)
    }
}

impl<T: Scalar> Activation<T> for Softmax {
    fn apply(&self, input: &[T], output: &mut [T]) {
        Softmax::normalize(input, output);
    }

    fn jacobian_product(&self, output: &[T], v: &[T], product: &mut [T]) {
        let mean = reduce::dot(output, v);
        for ((p, &f), &v) in product.iter_mut().zip(output).zip(v) {
            *p = f * (v - mean);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_probabilities_outlive_the_probabilities() {
        let logits = [1000.0_f64, 0.0, -1000.0];
        let (mut logs, mut f) = ([0.0; 3], [0.0; 3]);
        Softmax::with_logarithms(&logits, &mut logs, &mut f);
        assert_eq!(logs, [0.0, -1000.0, -2000.0]);
        assert_eq!(f, [1.0, 0.0, 0.0]);
    }

    #[test]
    fn softplus_is_relu_far_from_the_kink_and_smooth_at_it() {
        let softplus = Softplus { width: 0.5_f64 };
        let input = [-1000.0, -5.0, -0.2, 0.0, 0.3, 1000.0];
        let (mut output, mut slopes) = ([0.0; 6], [0.0; 6]);
        softplus.apply(&input, &mut output);
        softplus.jacobian_product(&output, &[1.0; 6], &mut slopes);
        assert_eq!((output[0], slopes[0]), (0.0, 0.0));
        assert_eq!((output[5], slopes[5]), (1000.0, 1.0));
        for i in 1..5 {
            let definition = |h: f64| 0.5 * (1.0 + (h / 0.5).exp()).ln();
            assert!((output[i] - definition(input[i])).abs() < 1e-15);
            let step = 1e-6;
            let difference = definition(input[i] + step) - definition(input[i] - step);
            assert!((slopes[i] - difference / (2.0 * step)).abs() < 1e-9);
        }
    }

    #[test]
    fn relu_is_off_at_its_kink() {
        let mut hidden = [7.0_f32; 4];
        Relu.apply(&[0.0, -0.0, 1e-30, -1.0], &mut hidden);
        assert_eq!(hidden, [0.0, 0.0, 1e-30, 0.0]);
        let mut product = [7.0_f32; 2];
        Relu.jacobian_product(&[0.0, 2.0], &[5.0, 5.0], &mut product);
        assert_eq!(product, [0.0, 5.0]);
    }
}
