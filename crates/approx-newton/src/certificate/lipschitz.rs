//! How fast the scaled Hessian can change near a point.

use super::directed as up;
use super::instance::Instance;
use super::point::Point;
use twolayer_core::ClosedForm;

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
pub(super) struct Lipschitz {
    rows: Vec<Row>,
    loss: ClosedForm,
    target_sum: f64,
}

impl Lipschitz {
    pub(super) fn new(instance: &Instance, point: &Point, row_norms: &[f64]) -> Self {
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

    /// ω(r): a Lipschitz constant of the scaled Hessian TᵀH(x + T y)T over ‖y‖ ≤ r.
    ///
    /// With f(y) ∝ f₀ eᶻ, |ζᵢ| ≤ ρᵢ r and Σ f₀ ζ = 0: the normaliser lies in [1, Σ f₀ e^{ρ r}], so
    /// that f₀ e^{−ρ r}/N ≤ f(y) ≤ f₀ e^{ρ r}. The rows centred at f(y) are those centred at f₀ less
    /// one common vector of length at most Σ |f(y) − f₀| ρ. What is then bounded, for a unit
    /// vector p and v its centred image, is
    ///
    /// squared: 2 Σ f v³ (4f − b − σ) − 6 (Σ f v²) Σ f v (2f − b);   kl: Σb Σ f v³.
    pub(super) fn within(&self, r: f64) -> f64 {
        let growth: Vec<f64> = self
            .rows
            .iter()
            .map(|row| up::exp(up::mul(row.norm, r)))
            .collect();
        let normalizer = up::sum(
            self.rows
                .iter()
                .zip(&growth)
                .map(|(row, &g)| up::mul(row.most, g)),
        );
        let range = |row: &Row, growth: f64| {
            let most = up::mul(row.most, growth).min(1.0);
            let least = up::div_down(row.least, up::mul(growth, normalizer)).max(0.0);
            (least, most)
        };
        let ranges: Vec<_> = self
            .rows
            .iter()
            .zip(&growth)
            .map(|(row, &g)| range(row, g))
            .collect();
        let drift = up::sum(self.rows.iter().zip(&ranges).map(|(row, &(least, most))| {
            let change = up::sub(most, row.least).max(up::sub(row.most, least));
            up::mul(change, row.norm)
        }));
        let terms = || {
            self.rows
                .iter()
                .zip(&ranges)
                .map(|(row, &(least, most))| (row.target, least, most, up::add(row.norm, drift)))
        };
        // Σ f v^k times a weight.
        let cubes = |weight: &dyn Fn(f64, f64, f64) -> f64| {
            up::sum(terms().map(|(b, least, most, norm)| {
                let cube = up::mul(norm, up::mul(norm, norm));
                up::mul(up::mul(most, cube), weight(b, least, most))
            }))
        };
        match self.loss {
            ClosedForm::KullbackLeibler => up::mul(self.target_sum, cubes(&|_, _, _| 1.0)),
            ClosedForm::SquaredError => {
                let residual = |b, least, most| largest(1.0, b, least, most);
                let sigma = up::sum(terms().map(|(b, l, m, _)| up::mul(m, residual(b, l, m))));
                let first = cubes(&|b, l, m| up::add(largest(4.0, b, l, m), sigma));
                let variance =
                    up::sum(terms().map(|(_, _, m, norm)| up::mul(m, up::mul(norm, norm))));
                let slope = up::sum(
                    terms().map(|(b, l, m, norm)| up::mul(up::mul(m, norm), largest(2.0, b, l, m))),
                );
                up::add(up::mul(2.0, first), up::mul(6.0, up::mul(variance, slope)))
            }
        }
    }
}

/// The largest |factor·f − b| over the range of f.
fn largest(factor: f64, b: f64, least: f64, most: f64) -> f64 {
    let above = up::sub(up::mul(factor, most), b);
    let below = up::sub(b, up::mul_down(factor, least));
    above.max(below).max(0.0)
}
