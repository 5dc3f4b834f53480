//! How fast the scaled Hessian can change near a point.

use crate::directed as up;
use crate::instance::Instance;
use crate::point::Point;
use twolayer::ClosedForm;

/// One outcome.
struct Row {
    /// Bounds of f at the point.
    least: f64,
    most: f64,
    target: f64,
    /// ρ ≥ the norm of its row of C̄ T.
    norm: f64,
}

/// Bounds the third derivative of y ↦ L(x + T y), inside the cell.
pub(crate) struct Lipschitz {
    rows: Vec<Row>,
    loss: ClosedForm,
    target_sum: f64,
}

impl Lipschitz {
    pub(crate) fn new(instance: &Instance, point: &Point, row_norms: &[f64]) -> Self {
        let rows = point.probabilities.iter().zip(&instance.target);
        Self {
            rows: rows
                .zip(row_norms)
                .map(|((f, &target), &norm)| Row {
                    least: f.lower().max(0.0),
                    most: f.upper().min(1.0),
                    target,
                    norm,
                })
                .collect(),
            loss: instance.loss,
            target_sum: up::sum(instance.target.iter().copied()),
        }
    }

    /// ω(r): a Lipschitz constant of the scaled Hessian as x moves by at most r, where `lengths`
    /// bounds how fast each centred logit then changes (m): ρ, for a move by T y with ‖y‖ ≤ r, or
    /// the norms of the rows of C̄, for one with ‖x − x̄‖ ≤ r.
    ///
    /// What is bounded, for a unit vector p with centred image v and a unit move with centred image
    /// w, is
    ///
    /// squared: 2 Σ f v² w (4f − b − σ) − 2 (Σ f v²) s(w) − 4 (Σ f v w) s(v), s(v) = Σ f v (2f − b);
    /// kl: Σb Σ f v² w.
    pub(crate) fn within(&self, r: f64, lengths: &[f64]) -> f64 {
        let terms = self.region(r, lengths);
        // Σ f times something.
        let mean =
            |of: &dyn Fn(&Term) -> f64| up::sum(terms.iter().map(|t| up::mul(t.most, of(t))));
        let cube = |t: &Term| up::mul(up::mul(t.v, t.v), t.w);
        match self.loss {
            ClosedForm::KullbackLeibler => up::mul(self.target_sum, mean(&cube)),
            ClosedForm::SquaredError => {
                let sigma = mean(&|t| t.largest(1.0));
                let first = mean(&|t| up::mul(cube(t), up::add(t.largest(4.0), sigma)));
                let (vv, vw) = (mean(&|t| up::mul(t.v, t.v)), mean(&|t| up::mul(t.v, t.w)));
                let slope_v = mean(&|t| up::mul(t.v, t.largest(2.0)));
                let slope_w = mean(&|t| up::mul(t.w, t.largest(2.0)));
                let rest = up::add(up::mul(vv, slope_w), up::mul(2.0, up::mul(vw, slope_v)));
                up::mul(2.0, up::add(first, rest))
            }
        }
    }

    /// Bounds of f, |v| and |w| of each outcome over such moves.
    ///
    /// With f ∝ f₀ eᶻ, |ζᵢ| ≤ lengthsᵢ r and Σ f₀ ζ = 0: the normaliser lies in
    /// [1, Σ f₀ e^{lengths r}], which bounds f on both sides. The rows centred at f are those
    /// centred at f₀ less one common vector of length at most Σ |f − f₀| ρ.
    fn region(&self, r: f64, lengths: &[f64]) -> Vec<Term> {
        let growth: Vec<f64> = lengths.iter().map(|&c| up::exp(up::mul(c, r))).collect();
        let normalizer = self.rows.iter().zip(&growth);
        let normalizer = up::sum(normalizer.map(|(row, &g)| up::mul(row.most, g)));
        let range = |(row, &growth): (&Row, &f64)| {
            let most = up::mul(row.most, growth).min(1.0);
            let least = up::div_down(row.least, up::mul(growth, normalizer)).max(0.0);
            (least, most)
        };
        let ranges: Vec<_> = self.rows.iter().zip(&growth).map(range).collect();
        let drift = |length: &dyn Fn(usize) -> f64| {
            let rows = self.rows.iter().zip(&ranges).enumerate();
            up::sum(rows.map(|(i, (row, &(least, most)))| {
                let change = up::sub(most, row.least).max(up::sub(row.most, least));
                up::mul(change, length(i))
            }))
        };
        let drift_v = drift(&|i| self.rows[i].norm);
        let drift_w = drift(&|i| lengths[i]);
        let rows = self.rows.iter().zip(&ranges).zip(lengths);
        rows.map(|((row, &(least, most)), &length)| Term {
            target: row.target,
            least,
            most,
            v: up::add(row.norm, drift_v),
            w: up::add(length, drift_w),
        })
        .collect()
    }
}

/// One outcome within the region: the range of f, b, and bounds of |v| and |w|.
#[derive(Debug)]
struct Term {
    target: f64,
    least: f64,
    most: f64,
    v: f64,
    w: f64,
}

impl Term {
    /// The largest |factor·f − b|.
    fn largest(&self, factor: f64) -> f64 {
        let above = up::sub(up::mul(factor, self.most), self.target);
        let below = up::sub(self.target, up::mul_down(factor, self.least));
        above.max(below).max(0.0)
    }
}

#[cfg(test)]
mod tests;
