//! The least divergence within bounds, cell by cell and face by face, by nothing of the library.
//!
//! In a cell of constant pattern the Kullback–Leibler divergence, with other convex terms or without, is a convex
//! function of x. Its minimum over
//! the cell within the bounds lies inside one of the faces, and is that of the whole affine space of the face:
//! all faces are tried, by Newton's method, and the least value at a feasible point is the minimum.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use twolayer_tests::cells::{Cells, Plane, add, dot, outside};

/// A network of a few units with a target and bounds.
#[derive(Debug, Clone)]
pub(crate) struct Small {
    pub(crate) d: usize,
    pub(crate) n: usize,
    pub(crate) m: usize,
    pub(crate) a1: Vec<f64>,
    pub(crate) c1: Vec<f64>,
    pub(crate) a2: Vec<f64>,
    pub(crate) c2: Vec<f64>,
    pub(crate) b: Vec<f64>,
    /// w of the regulariser, the same for all outcomes; 0 is none.
    pub(crate) weight: f64,
    /// μ, for a distance from x_ref = 0.1; 0 is none.
    pub(crate) near: f64,
    pub(crate) lower: Vec<f64>,
    pub(crate) upper: Vec<f64>,
}

/// Every entry of x_ref.
pub(crate) const REFERENCE: f64 = 0.1;
impl Small {
    /// Every fifth entry or so is fixed.
    pub(crate) fn random(seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let d = random.random_range(1..=3);
        let n = random.random_range(1..=4);
        let m = random.random_range(2..=5);
        let mut numbers = |count: usize, size: f64| -> Vec<f64> {
            (0..count)
                .map(|_| random.random_range(-size..size))
                .collect()
        };
        let (a1, c1) = (numbers(n * d, 1.5), numbers(n, 1.0));
        let (a2, c2) = (numbers(m * n, 2.0), numbers(m, 0.5));
        let weights: Vec<f64> = numbers(m, 2.0).into_iter().map(f64::exp).collect();
        let total: f64 = weights.iter().sum();
        let (centers, widths) = (numbers(d, 1.5), numbers(d, 1.0));
        let widths: Vec<f64> = widths
            .iter()
            .map(|w| if *w < -0.6 { 0.0 } else { w.abs() })
            .collect();
        let ends = |sign: f64| -> Vec<f64> {
            let pairs = centers.iter().zip(&widths);
            pairs.map(|(center, width)| center + sign * width).collect()
        };
        Self {
            d,
            n,
            m,
            a1,
            c1,
            a2,
            c2,
            b: weights.iter().map(|w| w / total).collect(),
            weight: 0.0,
            near: 0.0,
            lower: ends(-1.0),
            upper: ends(1.0),
        }
    }

    pub(crate) fn cells(&self) -> Cells<'_> {
        Cells {
            a1: &self.a1,
            c1: &self.c1,
            lower: &self.lower,
            upper: &self.upper,
        }
    }

    /// The objective at x, with the units of a pattern on whatever the sign of h.
    pub(crate) fn value(&self, pattern: u32, x: &[f64]) -> f64 {
        self.differentiate(pattern, x).0
    }

    /// Value, gradient and Hessian (d×d) of the objective in a cell.
    fn differentiate(&self, pattern: u32, x: &[f64]) -> (f64, Vec<f64>, Vec<f64>) {
        let (d, h) = (self.d, self.cells().hidden(x));
        let on = |i: &usize| pattern >> i & 1 == 1;
        let mut c = vec![0.0; self.m * d];
        let mut z = self.c2.clone();
        for k in 0..self.m {
            for i in (0..self.n).filter(on) {
                let weight = self.a2[k * self.n + i];
                z[k] += weight * h[i];
                for j in 0..d {
                    c[k * d + j] += weight * self.a1[i * d + j];
                }
            }
        }
        let most = z.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
        let sum: f64 = z.iter().map(|z| (z - most).exp()).sum();
        let f: Vec<f64> = z.iter().map(|z| (z - most).exp() / sum).collect();
        let square = self.weight * self.weight;
        let u: Vec<f64> = z.iter().zip(&self.c2).map(|(z, c)| z - c).collect();
        let penalty = 0.5 * square * dot(&u, &u);
        let logs = z.iter().map(|z| z - most - sum.ln());
        let value: f64 = self
            .b
            .iter()
            .zip(logs)
            .map(|(b, log)| b * (b.ln() - log))
            .sum();
        let mut gradient = vec![0.0; d];
        let mut mean = vec![0.0; d];
        for k in 0..self.m {
            for j in 0..d {
                gradient[j] += c[k * d + j] * (f[k] - self.b[k] + square * u[k]);
                mean[j] += c[k * d + j] * f[k];
            }
        }
        let mut hessian = vec![0.0; d * d];
        let mut distance = 0.0;
        for (j, x) in x.iter().enumerate() {
            distance += 0.5 * self.near * (x - REFERENCE).powi(2);
            gradient[j] += self.near * (x - REFERENCE);
            hessian[j * d + j] += self.near;
        }
        for k in 0..self.m {
            for i in 0..d {
                for j in 0..d {
                    let of_loss = f[k] * (c[k * d + i] - mean[i]) * (c[k * d + j] - mean[j]);
                    hessian[i * d + j] += of_loss + square * c[k * d + i] * c[k * d + j];
                }
            }
        }
        (value + penalty + distance, gradient, hessian)
    }

    /// The least divergence in one cell within the bounds; `None` where no x is there.
    pub(crate) fn least_in_cell(&self, pattern: u32) -> Option<f64> {
        let planes = self.cells().planes(pattern);
        let mut least: Option<f64> = None;
        for chosen in 0_u32..1 << planes.len() {
            if chosen.count_ones() as usize > self.d {
                continue;
            }
            let face = planes.iter().enumerate();
            let face: Vec<&Plane> = face
                .filter(|(index, _)| chosen >> index & 1 == 1)
                .map(|(_, plane)| plane)
                .collect();
            let Some(x) = self.minimize_on(pattern, &face) else {
                continue;
            };
            if planes.iter().all(|plane| plane.holds(&x, 1e-9)) {
                let value = self.value(pattern, &x);
                least = Some(least.map_or(value, |least: f64| least.min(value)));
            }
        }
        least
    }

    /// The least divergence within the bounds.
    pub(crate) fn least(&self) -> f64 {
        self.least_of(self.cells().patterns())
    }

    /// The least divergence in the cells that x lies in or on the edge of.
    pub(crate) fn least_around(&self, x: &[f64]) -> f64 {
        self.least_of(self.cells().patterns_around(x))
    }

    fn least_of(&self, patterns: impl Iterator<Item = u32>) -> f64 {
        let cells = patterns.filter_map(|pattern| self.least_in_cell(pattern));
        cells.fold(f64::INFINITY, f64::min)
    }

    /// Newton's method on an affine space; `None` where its planes have no one point in common, or it does
    /// not come to rest: then a face of the face has the minimum.
    fn minimize_on(&self, pattern: u32, face: &[&Plane]) -> Option<Vec<f64>> {
        let d = self.d;
        // Gram–Schmidt: an orthonormal basis of the normals, and the point nearest to zero.
        let (mut basis, mut x) = (Vec::<Vec<f64>>::new(), vec![0.0; d]);
        for plane in face {
            let (mut normal, length) = outside(&basis, &plane.normal);
            if length < 1e-7 {
                return None;
            }
            normal.iter_mut().for_each(|v| *v /= length);
            let missing = plane.level - dot(&plane.normal, &x);
            add(missing / dot(&plane.normal, &normal), &normal, &mut x);
            basis.push(normal);
        }
        let mut free = Vec::<Vec<f64>>::new();
        for j in 0..d {
            let mut axis = vec![0.0; d];
            axis[j] = 1.0;
            let (mut axis, length) = outside(&[&basis[..], &free[..]].concat(), &axis);
            if length > 1e-6 {
                axis.iter_mut().for_each(|v| *v /= length);
                free.push(axis);
            }
        }
        if free.is_empty() {
            return Some(x);
        }
        for _ in 0..200 {
            let (value, gradient, hessian) = self.differentiate(pattern, &x);
            let slope: Vec<f64> = free.iter().map(|q| dot(q, &gradient)).collect();
            let q = free.len();
            let mut matrix = vec![0.0; q * q];
            for (i, u) in free.iter().enumerate() {
                for (j, v) in free.iter().enumerate() {
                    let product: f64 = (0..d).map(|k| u[k] * dot(&hessian[k * d..][..d], v)).sum();
                    matrix[i * q + j] = product;
                }
                matrix[i * q + i] += 1e-11;
            }
            let step = solve(&mut matrix, slope.clone());
            if dot(&slope, &slope).sqrt() < 1e-13 {
                return Some(x);
            }
            let mut part = 1.0;
            loop {
                let mut next = x.clone();
                for (s, u) in step.iter().zip(&free) {
                    add(-part * s, u, &mut next);
                }
                if self.value(pattern, &next) < value {
                    x = next;
                    break;
                }
                part *= 0.5;
                if part < 1e-12 {
                    return Some(x);
                }
            }
            if dot(&x, &x) > 1e12 {
                return None;
            }
        }
        None
    }
}

/// Gaussian elimination with pivots.
fn solve(matrix: &mut [f64], mut rhs: Vec<f64>) -> Vec<f64> {
    let q = rhs.len();
    for k in 0..q {
        let pivot = (k..q)
            .max_by(|&i, &j| matrix[i * q + k].abs().total_cmp(&matrix[j * q + k].abs()))
            .unwrap_or(k);
        for j in 0..q {
            matrix.swap(k * q + j, pivot * q + j);
        }
        rhs.swap(k, pivot);
        for i in k + 1..q {
            let factor = matrix[i * q + k] / matrix[k * q + k];
            for j in k..q {
                matrix[i * q + j] -= factor * matrix[k * q + j];
            }
            rhs[i] -= factor * rhs[k];
        }
    }
    for k in (0..q).rev() {
        let known: f64 = (k + 1..q).map(|j| matrix[k * q + j] * rhs[j]).sum();
        rhs[k] = (rhs[k] - known) / matrix[k * q + k];
    }
    rhs
}
