//! TᵀKT at a point, with a bound on everything that rounding does to it.

use crate::directed as up;
use crate::enclosure::Enclosure;
use crate::instance::Instance;
use crate::point::Point;
use crate::real::{DoubleDouble, Real};

/// K: H = C̄ᵀ diag(β) C̄ + Cᵀ diag(w²) C, as rows and weights in one number format, bordered by the
/// normals of the p units that are held on their kinks (N = d + p rows and columns).
///
/// The error of an entry of C is at most γₖ aᵢ αₗ, with aᵢ and αₗ the norms of a row of A2 and of a
/// column of A1 over the active units (Cauchy–Schwarz). All later errors keep this shape, so one
/// number a row and one a column bound them all.
pub(crate) struct HessianRows<R> {
    outcomes: usize,
    inputs: usize,
    /// The normals (p×d) of the units that are held.
    normals: Vec<R>,
    normals_norm: f64,
    /// C (m×d) and fᵀC (d).
    jacobian: Vec<R>,
    mean: Vec<R>,
    /// β and w² (m), and bounds on their errors.
    weights: Vec<Weight<R>>,
    penalties: Vec<Weight<R>>,
    /// αₗ (d).
    column_norms: Vec<f64>,
    /// The norm of the rows' bounds: ‖C v‖ ≤ this times Σ αₗ |vₗ|, and to spare.
    rows_norm: f64,
    /// For each row, the error of T's image of it over τ, uncentred and centred.
    row_errors: Vec<[f64; 2]>,
}

struct Weight<R> {
    value: R,
    error: f64,
}

impl<R: Real> Weight<R> {
    fn new(exact: &Enclosure) -> Self {
        let value = R::of(exact.middle);
        Self {
            value,
            error: up::add(exact.radius, up::mul(2.0 * R::ROUNDOFF, exact.magnitude())),
        }
    }

    fn size(&self) -> f64 {
        self.value.to_f64().abs().next_up()
    }
}

/// What T makes of K.
pub(crate) struct Scaled<R> {
    /// The lower triangle of TᵀKT as it was computed (N×N).
    pub(crate) product: Vec<R>,
    /// D: the signs on its diagonal.
    pub(crate) signs: Vec<f64>,
    /// δ ≥ ‖TᵀKT − D‖₂.
    pub(crate) defect: f64,
    /// ρᵢ ≥ ‖row i of C̄ T‖₂ (m).
    pub(crate) row_norms: Vec<f64>,
    /// A bound of ‖C T‖₂.
    pub(crate) image_norm: f64,
}

/// TᵀKT as it was computed.
struct Product<R> {
    /// The lower triangle (N×N).
    entries: Vec<R>,
    /// A bound of the norm of its error.
    error: f64,
    row_norms: Vec<f64>,
    image_norm: f64,
}

/// Norms below this are taken to be this: no product of two of them underflows, so that the
/// relative bounds hold.
const FLOOR: f64 = 1e-140;

impl<R: Real> HessianRows<R> {
    /// Forms C: 2mkd operations.
    pub(crate) fn new(instance: &Instance, held: &[usize], point: &Point) -> Self {
        let (d, m) = (instance.inputs, instance.outcomes);
        let cell = &point.cell;
        let k = cell.active.len();
        let mut jacobian = vec![R::ZERO; m * d];
        let a1: Vec<R> = cell.a1.iter().map(|&a| R::from_f64(a)).collect();
        for (i, row) in jacobian.chunks_mut(d).enumerate() {
            for (&a, normal) in cell.a2[i * k..(i + 1) * k].iter().zip(a1.chunks(d)) {
                axpy(R::from_f64(a), normal, row);
            }
        }
        let row_norm = |i: usize| up::norm(cell.a2[i * k..(i + 1) * k].iter().copied()).max(FLOOR);
        let column_norm = |l: usize| {
            let square: f64 = cell.a1.chunks(d).map(|row| row[l] * row[l]).sum();
            up::sqrt(up::inflate(square, k)).max(FLOOR)
        };
        let row_norms: Vec<f64> = (0..m).map(row_norm).collect();

        let f: Vec<Weight<R>> = point.probabilities.iter().map(Weight::new).collect();
        let mut mean = vec![R::ZERO; d];
        for (f, row) in f.iter().zip(jacobian.chunks(d)) {
            axpy(f.value, row, &mut mean);
        }
        // ā ≥ Σ f a, and what the errors of f alone do to the mean.
        let weighted = |term: &dyn Fn(&Weight<R>) -> f64| {
            up::sum(f.iter().zip(&row_norms).map(|(f, &a)| up::mul(term(f), a))).max(FLOOR)
        };
        let mean_norm = weighted(&|f| up::add(f.size(), f.error));
        let mean_error = weighted(&|f| f.error);
        let gamma = up::gamma(k + d + 8, R::ROUNDOFF);
        let gamma_mean = up::gamma(k + m + d + 8, R::ROUNDOFF);
        let errors = |&a: &f64| {
            let own = up::mul(gamma, up::add(a, mean_norm));
            let shared = up::add(up::mul(gamma_mean, mean_norm), up::mul(2.0, mean_error));
            [own, up::add(own, shared)]
        };
        let normals: Vec<f64> = held
            .iter()
            .flat_map(|&unit| instance.normal(unit))
            .copied()
            .collect();
        Self {
            outcomes: m,
            inputs: d,
            normals_norm: up::norm(normals.iter().copied()).max(FLOOR),
            normals: normals.into_iter().map(R::from_f64).collect(),
            rows_norm: up::mul(1.01, up::norm(row_norms.iter().copied())),
            jacobian,
            mean,
            weights: point.row_weights.iter().map(Weight::new).collect(),
            penalties: instance.squared_weights.iter().map(Weight::new).collect(),
            column_norms: (0..d).map(column_norm).collect(),
            row_errors: row_norms.iter().map(errors).collect(),
        }
    }

    /// N = d + p.
    pub(crate) fn order(&self) -> usize {
        self.inputs + self.normals.len() / self.inputs
    }

    /// TᵀKT for the N×N matrix T, exactly as it is stored, and how near it is to a diagonal of signs.
    pub(crate) fn scaled(&self, t: &[R]) -> Scaled<R> {
        let n = self.order();
        let product = self.product(t);
        let entries = &product.entries;
        let sign = |j: usize| {
            if entries[j * n + j].to_f64() < 0.0 {
                -1.0
            } else {
                1.0
            }
        };
        let signs: Vec<f64> = (0..n).map(sign).collect();
        let distance = distance(entries, &signs);
        Scaled {
            product: product.entries,
            signs,
            defect: up::add(distance, product.error),
            row_norms: product.row_norms,
            image_norm: product.image_norm,
        }
    }

    /// 3mdN operations.
    fn product(&self, t: &[R]) -> Product<R> {
        let n = self.order();
        let (t, multipliers) = t.split_at(self.inputs * n);
        let tau = self.column_sums(t);
        let mut mean = vec![R::ZERO; n];
        image(&self.mean, t, &mut mean);

        let mut entries = vec![R::ZERO; n * n];
        let mut row_norms = Vec::with_capacity(self.outcomes);
        let mut bounds = Bounds::default();
        let mut row = vec![R::ZERO; n];
        for (i, jacobian) in self.jacobian.chunks(self.inputs).enumerate() {
            image(jacobian, t, &mut row);
            let [uncentered, centered] = self.row_errors[i].map(|error| up::mul(error, tau));
            if let Some(weight) = self.penalties.get(i) {
                add_square(weight.value, &row, &mut entries);
                bounds.add(weight, norm(&row), uncentered);
            }
            for (entry, &mean) in row.iter_mut().zip(&mean) {
                *entry = *entry - mean;
            }
            let weight = &self.weights[i];
            let length = norm(&row);
            add_square(weight.value, &row, &mut entries);
            bounds.add(weight, length, centered);
            row_norms.push(up::add(length, centered));
        }
        let border = self.add_border(t, multipliers, &mut row, &mut entries);
        let gamma = up::gamma(2 * (self.outcomes + n) + 8, R::ROUNDOFF);
        let gram = up::mul(gamma, bounds.absolute);
        let underflow = up::mul(n as f64 * up::TINY, bounds.lengths);
        Product {
            entries,
            error: up::sum([gram, bounds.perturbation, underflow, border].into_iter()),
            row_norms,
            image_norm: up::mul(self.rows_norm, tau),
        }
    }

    /// Adds QᵀU + UᵀQ for Q = A1\[P\] T_x and U = T_μ, and bounds the error: of Q, γ_d ‖A1\[P\]‖ ‖T_x‖,
    /// and of the sum, γ₂ₚ₊₂ 2 ‖Q‖ ‖U‖ and what it adds to the rounding of the Gram matrix.
    fn add_border(&self, t: &[R], multipliers: &[R], row: &mut [R], product: &mut [R]) -> f64 {
        let n = row.len();
        let mut error = 0.0;
        let size = up::mul(self.normals_norm, norm(t).max(FLOOR));
        let gamma = up::gamma(self.inputs + 2 * self.outcomes + 2 * n + 8, R::ROUNDOFF);
        for (normal, u) in self.normals.chunks(self.inputs).zip(multipliers.chunks(n)) {
            image(normal, t, row);
            for j in 0..n {
                let (q, u_j) = (row[j], u[j]);
                let entries = &mut product[j * n..j * n + j + 1];
                axpy(q, &u[..=j], entries);
                axpy(u_j, &row[..=j], entries);
            }
            // Both the error of Q, at most γ·size, and the roundings, at most γ·‖Q‖ ≤ γ·2·size.
            let scale = up::mul(up::mul(8.0, gamma), up::mul(size, norm(u).max(FLOOR)));
            let lengths = up::mul(up::add(1.0, size), up::add(1.0, norm(u)));
            let underflow = up::mul(n as f64 * up::TINY, lengths);
            error = up::add(error, up::add(scale, underflow));
        }
        error
    }

    /// ‖row i of C̄‖₂, from above (m).
    pub(crate) fn row_lengths(&self) -> Vec<f64> {
        let columns = up::norm(self.column_norms.iter().copied());
        let length = |(row, errors): (&[R], &[f64; 2])| {
            let centered = row
                .iter()
                .zip(&self.mean)
                .map(|(&c, &mean)| (c - mean).to_f64());
            up::add(up::norm(centered), up::mul(errors[1], columns))
        };
        self.jacobian
            .chunks(self.inputs)
            .zip(&self.row_errors)
            .map(length)
            .collect()
    }

    /// TᵀF by way of C T, for a point of the same cell (N): C̄ᵀq loses nothing where T is large and
    /// C̄ T is not. As Σ q = 0 for the loss, any one vector may be taken off the rows of C.
    pub(crate) fn residual(&self, t: &[R], point: &Point) -> Residual {
        let n = self.order();
        let (t, multipliers) = t.split_at(self.inputs * n);
        let tau = self.column_sums(t);
        let mut mean = vec![R::ZERO; n];
        image(&self.mean, t, &mut mean);
        let mut sums = vec![DoubleDouble::ZERO; n];
        let mut error = 0.0;
        let mut absolute = 0.0;
        let mut row = vec![R::ZERO; n];
        let mut add = |row: &[R], factor: Enclosure, row_error: f64| {
            for (sum, entry) in sums.iter_mut().zip(row) {
                *sum = *sum + factor.middle * entry.widen();
            }
            let (length, size) = (norm(row), factor.magnitude());
            let of_factor = up::mul(factor.radius, up::add(length, row_error));
            error = up::add(error, up::add(of_factor, up::mul(size, row_error)));
            absolute = up::add(absolute, up::mul(size, length));
        };
        let slopes = point.row_gradients.iter().zip(&self.row_errors);
        for (i, (jacobian, (q, errors))) in
            self.jacobian.chunks(self.inputs).zip(slopes).enumerate()
        {
            image(jacobian, t, &mut row);
            // Of the image of this row; centering adds one rounding of the difference.
            let row_error = up::mul(errors[0], tau);
            if let Some(&slope) = point.penalty_gradients.get(i) {
                add(&row, slope, row_error);
            }
            for (entry, &mean) in row.iter_mut().zip(&mean) {
                *entry = *entry - mean;
            }
            add(&row, *q, row_error);
        }
        let of_normal = up::mul(
            up::gamma(self.inputs + 2, R::ROUNDOFF),
            up::mul(self.normals_norm, norm(t).max(FLOOR)),
        );
        let held = point.x[self.inputs..]
            .iter()
            .zip(&point.gradient[self.inputs..]);
        let normals = self.normals.chunks(self.inputs).zip(multipliers.chunks(n));
        for ((normal, u), (&multiplier, &distance)) in normals.zip(held) {
            image(normal, t, &mut row);
            add(&row, multiplier.into(), of_normal);
            add(u, distance, 0.0);
        }
        let gamma = up::gamma(2 * (self.outcomes + n) + 8, DoubleDouble::ROUNDOFF);
        let rounding = up::mul(gamma, absolute);
        Residual {
            middle: sums,
            error: up::sum([error, rounding, n as f64 * up::TINY].into_iter()),
        }
    }

    /// τ: the norm over the columns j of Σₗ αₗ |Tₗⱼ|.
    fn column_sums(&self, t: &[R]) -> f64 {
        let n = self.order();
        let mut absolute = vec![0.0; n];
        for (row, &alpha) in t.chunks(n).zip(&self.column_norms) {
            for (sum, &t) in absolute.iter_mut().zip(row) {
                *sum += alpha * t.to_f64().abs();
            }
        }
        up::norm(absolute.iter().map(|&sum| up::inflate(sum, n).max(FLOOR)))
    }
}

/// ‖S − D‖_F, from above, for the lower triangle of S and the diagonal of D.
fn distance<R: Real>(triangle: &[R], diagonal: &[f64]) -> f64 {
    let n = diagonal.len();
    let mut square = 0.0;
    for j in 0..n {
        for l in 0..=j {
            let expected = if l == j { diagonal[j] } else { 0.0 };
            let gap = (triangle[j * n + l] - R::from_f64(expected)).to_f64();
            square += if l == j { gap * gap } else { 2.0 * gap * gap };
        }
    }
    up::sqrt(up::inflate(square, n * n))
}

/// A vector, and a bound on the length of its error.
pub(crate) struct Residual {
    pub(crate) middle: Vec<DoubleDouble>,
    pub(crate) error: f64,
}

impl Residual {
    /// ‖·‖₂, from above.
    pub(crate) fn norm(&self) -> f64 {
        up::add(up::norm(self.middle.iter().map(|y| y.hi)), self.error)
    }
}

/// Sums over the rows that bound the error of the Gram matrix.
#[derive(Default)]
struct Bounds {
    /// Σ |β| ‖p‖².
    absolute: f64,
    /// Σ ‖β pᵀp − β̂ p̂ᵀp̂‖₂.
    perturbation: f64,
    /// Σ (1 + ‖p‖)².
    lengths: f64,
}

impl Bounds {
    /// A row of the computed norm `length` whose true value is off by at most `error`.
    fn add<R: Real>(&mut self, weight: &Weight<R>, length: f64, error: f64) {
        let (size, longest) = (weight.size(), up::add(length, error));
        let one_more = up::add(1.0, longest);
        self.absolute = up::add(self.absolute, up::mul(size, up::mul(length, length)));
        let of_row = up::mul(size, up::mul(error, up::add(length, longest)));
        let of_weight = up::mul(weight.error, up::mul(longest, longest));
        self.perturbation = up::add(self.perturbation, up::add(of_row, of_weight));
        self.lengths = up::add(self.lengths, up::mul(one_more, one_more));
    }
}

fn axpy<R: Real>(a: R, x: &[R], y: &mut [R]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = *y + a * x;
    }
}

/// image = Tᵀ row.
fn image<R: Real>(row: &[R], t: &[R], image: &mut [R]) {
    image.fill(R::ZERO);
    for (&c, t) in row.iter().zip(t.chunks(image.len())) {
        axpy(c, t, image);
    }
}

/// Adds weight·row rowᵀ to a lower triangle.
fn add_square<R: Real>(weight: R, row: &[R], product: &mut [R]) {
    let d = row.len();
    for (j, &entry) in row.iter().enumerate() {
        let scaled = weight * entry;
        axpy(scaled, &row[..=j], &mut product[j * d..j * d + j + 1]);
    }
}

fn norm<R: Real>(row: &[R]) -> f64 {
    up::norm(row.iter().map(|entry| entry.to_f64()))
}

#[cfg(test)]
mod tests;
