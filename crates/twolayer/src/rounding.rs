//! How far rounding takes the logits, and what follows from them. The proofs are in `docs/rounding.md`.

use crate::network::{ForwardPass, HiddenScratch, TwoLayer};
use crate::number_format::NumberFormat;
use twolayer_core::{LinearBackend, Norms, RowNorms, Scalar, reduce};

/// λ: an error of many roundings is taken to be at most so many times the square root of the sum of
/// their squared bounds. Where they are independent and uniform it is more with a probability of
/// 2 exp(−3λ²/2) = 3·10⁻⁶.
pub(crate) const CONFIDENCE: f64 = 3.0;

/// Bounds on what rounding has done to the logits z = A2 φ(h) + c2 of one forward pass, h = A1 x + c1.
///
/// With u the unit roundoff, the error of a sum s of k products tⱼ that are added one after the
/// other, in an order that has nothing to do with their values, is taken to be at most
///
/// ```text
/// λ u √((1 − 1/k) q² + (k + 1)(2s² + q²)/6),    q² = Σ tⱼ²,  λ = 3
/// ```
///
/// (the square root of the mean, over all orders, of the squares of all that is rounded), and q by the
/// [`Norms`] of the factors. Errors of h are carried through A2 as independent ones.
#[derive(Debug)]
pub struct LogitErrors<'a, T> {
    pass: &'a ForwardPass<T>,
    /// Of A2.
    rows: &'a RowNorms,
    /// Of the errors of h in units of λu, over the units that are on, or may be.
    of_hidden: Norms,
    /// φ(h), and how many of them a logit adds up.
    activations: Factor,
    terms: usize,
    /// max z.
    largest: f64,
    roundings: Roundings,
    /// What errors are cut off at: u^⅜. Logits with fewer than three eighths of their digits left would
    /// call anything a perfect fit.
    most: f64,
}

impl<'a, T: Scalar> LogitErrors<'a, T> {
    /// Of a `pass` through `network` at `x` (d).
    pub fn new<B: LinearBackend<Scalar = T>>(
        network: &'a TwoLayer<B>,
        x: &[T],
        pass: &'a ForwardPass<T>,
    ) -> Self {
        Self::through(network, pass, Inputs::exact(x))
    }

    /// Of a network that computes in `format`, where this `pass` is taken for exact.
    pub(crate) fn in_format<B: LinearBackend<Scalar = T>>(
        network: &'a TwoLayer<B>,
        x: &[T],
        pass: &'a ForwardPass<T>,
        format: NumberFormat,
    ) -> Self {
        Self::through(network, pass, Inputs::in_format(x, format))
    }

    fn through<B: LinearBackend<Scalar = T>>(
        network: &'a TwoLayer<B>,
        pass: &'a ForwardPass<T>,
        inputs: Inputs,
    ) -> Self {
        let roundings = inputs.roundings;
        let of_hidden = |unit: usize| {
            let h = pass.hidden[unit].to_f64();
            let product = h - network.bias1()[unit].to_f64();
            let error = inputs.error_of_unit(&network.a1_norms().get(unit), product, h);
            // One that is off by more than its error is off, and adds nothing.
            match h > -roundings.scaled(error) {
                true => error,
                false => 0.0,
            }
        };
        let activation = |index: usize| pass.hidden[pass.active[index]].to_f64();
        let behind = Inputs {
            errors: Norms::of(pass.hidden.len(), of_hidden),
            factor: Factor::of(pass.active.len(), activation),
            terms: pass.active.len(),
            roundings,
        };
        Self::behind(behind, network.a2_norms(), pass)
    }

    /// Of the logits of a `pass` whose last layer has these `inputs`, and a matrix with these `rows`.
    pub(crate) fn behind(inputs: Inputs, rows: &'a RowNorms, pass: &'a ForwardPass<T>) -> Self {
        Self {
            of_hidden: inputs.errors,
            activations: inputs.factor,
            terms: inputs.terms,
            rows,
            largest: reduce::max(&pass.logits).to_f64(),
            most: inputs.roundings.coarsest().powf(0.375),
            roundings: inputs.roundings,
            pass,
        }
    }

    /// Of (A2 φ(h))ᵢ. At most about a part of u^⅜ of it.
    pub fn of_product(&self, outcome: usize) -> f64 {
        let size = self.pass.products[outcome].to_f64().abs();
        let error = self
            .roundings
            .scaled(self.square_of_product(outcome).sqrt());
        error.min((1.0 + size) * self.most)
    }

    /// Of zᵢ − max z and of its exponential, as a part of that. At most u^⅜.
    pub fn of(&self, outcome: usize) -> f64 {
        /// What the exponential is off by, in units of u.
        const OF_EXP: f64 = 2.0;
        let z = self.pass.logits[outcome].to_f64();
        let below = z - self.largest;
        let of_bias = square_of_bias(self.pass.products[outcome].to_f64(), z);
        let squares = self.square_of_product(outcome)
            + of_bias
            + self.roundings.of_storing(z * z)
            + below * below
            + OF_EXP * OF_EXP;
        self.roundings.scaled(squares.sqrt()).min(self.most)
    }

    /// Of log fᵢ, the errors of the logits taken as independent: √((1 − 2fᵢ)εᵢ² + Σ fⱼ²εⱼ²), of which
    /// `common` is the second square.
    pub(crate) fn of_log_output(&self, outcome: usize, common: f64) -> f64 {
        let f = self.pass.probabilities[outcome].to_f64();
        ((1.0 - 2.0 * f) * self.of(outcome).powi(2) + common)
            .max(0.0)
            .sqrt()
    }

    /// ε̄ = Σ fᵢεᵢ.
    pub(crate) fn mean(&self) -> f64 {
        let f = &self.pass.probabilities;
        reduce::sum_of(f.len(), |i| f[i].to_f64() * self.of(i))
    }

    /// Σ fᵢ²εᵢ².
    pub(crate) fn common(&self) -> f64 {
        let f = &self.pass.probabilities;
        reduce::sum_of(f.len(), |i| (f[i].to_f64() * self.of(i)).powi(2))
    }

    /// The square of the error of (A2 φ(h))ᵢ in units of λu.
    fn square_of_product(&self, outcome: usize) -> f64 {
        let row = self.rows.get(outcome);
        let product = self.pass.products[outcome].to_f64();
        let terms = self.activations.squares(&row, product);
        let carried = row.weighted(&self.of_hidden);
        square_of_sum(self.terms, product * product, terms)
            + self.roundings.of_storing(terms)
            + carried * carried
    }
}

/// What the error of the gradient Cᵀu = A1ᵀ S A2ᵀ u (d) of a pass is at most, in the 2-norm, where each
/// entry of u (m) is known up to its bound, the errors of different entries taken as independent: a pass
/// over the active columns of A2.
pub(crate) fn of_gradient<B: LinearBackend>(
    network: &TwoLayer<B>,
    pass: &ForwardPass<B::Scalar>,
    row_gradient: &[B::Scalar],
    bounds: &[B::Scalar],
    scratch: &mut HiddenScratch<B::Scalar>,
    gradient: &[B::Scalar],
) -> B::Scalar {
    let normals = network.a1_norms();
    let length = |index: usize| normals.get(pass.active[index]).two;
    let lengths = Norms::of(pass.active.len(), length);
    let [carried, terms] = reduce::sums_of(row_gradient.len(), |i| {
        // ‖row i of C‖, had its terms random signs.
        let steepness = network.a2_norms().get(i).weighted(&lengths);
        let term = row_gradient[i].to_f64() * steepness;
        [(bounds[i].to_f64() * steepness).powi(2), term * term]
    });
    let pulled_back = network.pull_back(&pass.active, row_gradient, scratch);
    let sums = reduce::sum_of(pulled_back.len(), |index| {
        (pulled_back[index].to_f64() * length(index)).powi(2)
    });
    let of_pulled_back = square_of_sum(row_gradient.len(), sums, terms);
    let norm = reduce::norm(gradient).to_f64();
    let of_gradient = square_of_sum(network.hidden_units(), norm * norm, sums);
    let roundings = Roundings::of_precision::<B::Scalar>();
    B::Scalar::of(carried.sqrt() + roundings.scaled((of_pulled_back + of_gradient).sqrt()))
}

/// How a network computes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Roundings {
    /// u, that of sums.
    of_sums: f64,
    /// The square of the part of itself by which a number is off where it is stored, in units of that; 0 where
    /// numbers are stored in the precision of sums.
    stored: f64,
}

impl Roundings {
    fn of_precision<T: Scalar>() -> Self {
        Self {
            of_sums: T::UNIT_ROUNDOFF.to_f64(),
            stored: 0.0,
        }
    }

    /// Weights, x, h and z are rounded to the format, sums of products accumulated in single precision.
    fn of_format(format: NumberFormat) -> Self {
        let of_sums = NumberFormat::Single.unit_roundoff();
        let stored = (format.unit_roundoff() / of_sums).powi(2);
        Self { of_sums, stored }
    }

    /// The square of the error of numbers with these `squares` where they are stored.
    pub(crate) fn of_storing(self, squares: f64) -> f64 {
        match self.stored == 0.0 {
            // Whatever overflows.
            true => 0.0,
            false => self.stored * squares,
        }
    }

    /// The largest u.
    fn coarsest(self) -> f64 {
        self.of_sums * self.stored.max(1.0).sqrt()
    }

    /// λu times an error in units of that.
    pub(crate) fn scaled(self, error: f64) -> f64 {
        CONFIDENCE * self.of_sums * error
    }
}

/// What a layer is given: the numbers, their errors in units of λu, and how many are not zero.
#[derive(Debug)]
pub(crate) struct Inputs {
    pub(crate) factor: Factor,
    pub(crate) errors: Norms,
    pub(crate) terms: usize,
    pub(crate) roundings: Roundings,
}

impl Inputs {
    /// x itself, which is exact.
    pub(crate) fn exact<T: Scalar>(x: &[T]) -> Self {
        Self {
            factor: Factor::of(x.len(), |j| x[j].to_f64()),
            errors: Norms::default(),
            terms: x.len(),
            roundings: Roundings::of_precision::<T>(),
        }
    }

    /// x as a network has it that computes in a format.
    pub(crate) fn in_format<T: Scalar>(x: &[T], format: NumberFormat) -> Self {
        let roundings = Roundings::of_format(format);
        let stored = roundings.stored.sqrt();
        Self {
            errors: Norms::of(x.len(), |j| stored * x[j].to_f64()),
            roundings,
            ..Self::exact(x)
        }
    }

    /// The error of h = `product` + c in units of λu, the product that of a `row` with these inputs.
    pub(crate) fn error_of_unit(&self, row: &Norms, product: f64, h: f64) -> f64 {
        let terms = self.factor.squares(row, product);
        let carried = row.weighted(&self.errors);
        let squares = square_of_sum(self.terms, product * product, terms) + carried * carried;
        let of_storing = self.roundings.of_storing(terms + h * h);
        (squares + square_of_bias(product, h) + of_storing).sqrt()
    }
}

/// One side of sums of products, of which the other side and the sum are known as a norm and a number.
#[derive(Debug)]
pub(crate) struct Factor {
    norms: Norms,
    /// Without the entry that is largest in size.
    rest: Norms,
}

impl Factor {
    pub(crate) fn of(length: usize, entry: impl Fn(usize) -> f64) -> Self {
        let norms = Norms::of(length, &entry);
        let largest = (0..length).find(|&j| entry(j).abs() == norms.largest);
        let rest = |j: usize| if Some(j) == largest { 0.0 } else { entry(j) };
        Self {
            rest: Norms::of(length, rest),
            norms,
        }
    }

    /// A bound on the sum of squared products with a `row`, the sum of which is known. Where one product
    /// is larger than the others together it is not far from the sum, which tells it better than the
    /// row's largest entry does.
    fn squares(&self, row: &Norms, sum: f64) -> f64 {
        let largest = sum.abs() + row.two * self.rest.two;
        let (rest, all) = (row.weighted(&self.rest), row.weighted(&self.norms));
        (largest * largest + rest * rest).min(all * all)
    }
}

/// (1 − 1/k) q² + (k + 1)(2s² + q²)/6 for a sum s of k terms, the sum of whose squares is q². It is linear
/// in `s2` = s² and `q2` = q², and so serves the sums over several s and q at once.
fn square_of_sum(k: usize, s2: f64, q2: f64) -> f64 {
    if k == 0 {
        return 0.0;
    }
    let k = k as f64;
    (1.0 - 1.0 / k) * q2 + (k + 1.0) * (2.0 * s2 + q2) / 6.0
}

/// The same of the addition of a bias that makes `sum` of a product.
fn square_of_bias(product: f64, sum: f64) -> f64 {
    match product == 0.0 {
        true => 0.0,
        false => sum * sum,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mean over all orders, in plain loops.
    #[test]
    fn the_square_of_a_sums_error_is_the_mean_over_all_orders() {
        let terms = [3.0, -1.0, 0.5, 2.0, -4.0];
        for k in 1..=terms.len() {
            let (mut total, mut count) = (0.0, 0.0);
            for_each_order(&mut terms[..k].to_vec(), 0, &mut |order: &[f64]| {
                // Each product is rounded, and each sum of two or more.
                let mut partial = 0.0;
                for (j, term) in order.iter().enumerate() {
                    partial += term;
                    total += term * term;
                    total += if j > 0 { partial * partial } else { 0.0 };
                }
                count += 1.0;
            });
            let s: f64 = terms[..k].iter().sum();
            let q2: f64 = terms[..k].iter().map(|t| t * t).sum();
            let expected: f64 = total / count;
            assert!((square_of_sum(k, s * s, q2) / expected - 1.0).abs() < 1e-14);
        }
        assert_eq!(square_of_sum(0, 0.0, 0.0), 0.0);
    }

    fn for_each_order(terms: &mut Vec<f64>, first: usize, visit: &mut dyn FnMut(&[f64])) {
        if first == terms.len() {
            return visit(terms);
        }
        for other in first..terms.len() {
            terms.swap(first, other);
            for_each_order(terms, first + 1, visit);
            terms.swap(first, other);
        }
    }
}
