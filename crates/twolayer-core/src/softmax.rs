//! The output of a classifier: logits as a distribution.

use crate::reduce;
use crate::scalar::Scalar;

/// φ(z)ᵢ = exp(zᵢ) / Σⱼ exp(zⱼ), computed from z − max z; Jacobian diag(f) − f fᵀ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Softmax;

impl Softmax {
    /// output = φ(input). Same lengths.
    pub fn apply<T: Scalar>(input: &[T], output: &mut [T]) {
        Self::normalize(input, output);
    }

    /// product = φ'(input) v = f∘(v − fᵀv), given `output` = φ(input). Same lengths.
    pub fn jacobian_product<T: Scalar>(output: &[T], v: &[T], product: &mut [T]) {
        let mean = reduce::dot(output, v);
        for ((p, &f), &v) in product.iter_mut().zip(output).zip(v) {
            *p = f * (v - mean);
        }
    }

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
    fn the_product_is_that_of_a_difference() {
        let (logits, v) = ([0.3_f64, -1.0, 0.8], [1.0, 0.5, -2.0]);
        let at = |t: f64| {
            let moved: Vec<f64> = logits.iter().zip(&v).map(|(z, v)| z + t * v).collect();
            let mut f = [0.0; 3];
            Softmax::apply(&moved, &mut f);
            f
        };
        let (mut product, step) = ([0.0; 3], 1e-5);
        Softmax::jacobian_product(&at(0.0), &v, &mut product);
        let (ahead, behind) = (at(step), at(-step));
        for (product, (ahead, behind)) in product.iter().zip(ahead.iter().zip(behind)) {
            let difference = (ahead - behind) / (2.0 * step);
            // The third derivative times a sixth of the step's square, and its rounding.
            assert!((product - difference).abs() < 1e-9);
        }
    }
}
