//! The nearest x with a given output, cell by cell and face by face, by nothing of the library.
//!
//! In a cell of constant pattern the logits are affine, so the x with the output b are the common points of m − 1
//! hyperplanes, and with two outcomes those with f_c ≥ P a half-space. The nearest of them within a cell and the bounds
//! lies inside one of the faces, and is the nearest point of the whole affine space of the face: all are tried.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use twolayer_tests::cells::{Cells, Plane, add, dot, outside};

/// A network of a few units, the output of some x within the bounds, and a point to be near to.
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
    pub(crate) reference: Vec<f64>,
    pub(crate) scales: Vec<f64>,
    pub(crate) lower: Vec<f64>,
    pub(crate) upper: Vec<f64>,
}

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Wanted {
    Output,
    /// f₀ ≥ P, of two outcomes.
    AtLeast(f64),
}

/// A point may be beyond a face by so much.
const SLACK: f64 = 1e-9;

impl Small {
    /// n units, and fewer constraints than inputs. Every sixth bound or so is fixed at the planted x.
    pub(crate) fn random(seed: u64, n: usize) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let d = random.random_range(2..=4);
        let m = random.random_range(2..=d);
        let mut numbers = |count: usize, size: f64| -> Vec<f64> {
            (0..count)
                .map(|_| random.random_range(-size..size))
                .collect()
        };
        let (a1, c1) = (numbers(n * d, 1.5), numbers(n, 1.0));
        let (a2, c2) = (numbers(m * n, 2.0), numbers(m, 0.5));
        let planted = numbers(d, 1.5);
        let reference = numbers(d, 1.5);
        let scales: Vec<f64> = numbers(d, 0.7).into_iter().map(f64::exp).collect();
        let widths = numbers(2 * d, 1.2);
        let end = |j: usize, width: f64, sign: f64| match width < -1.0 {
            true => planted[j],
            false => planted[j] + sign * width.abs(),
        };
        let mut small = Self {
            d,
            n,
            m,
            a1,
            c1,
            a2,
            c2,
            b: Vec::new(),
            lower: (0..d).map(|j| end(j, widths[j], -1.0)).collect(),
            upper: (0..d).map(|j| end(j, widths[d + j], 1.0)).collect(),
            reference,
            scales,
        };
        small.b = small.output(&planted);
        small
    }

    fn cells(&self) -> Cells<'_> {
        Cells {
            a1: &self.a1,
            c1: &self.c1,
            lower: &self.lower,
            upper: &self.upper,
        }
    }

    pub(crate) fn output(&self, x: &[f64]) -> Vec<f64> {
        let h = self.cells().hidden(x);
        let logit = |k: usize| {
            let terms = h.iter().zip(&self.a2[k * self.n..][..self.n]);
            self.c2[k] + terms.map(|(h, a)| a * h.max(0.0)).sum::<f64>()
        };
        let e: Vec<f64> = (0..self.m).map(|k| logit(k).exp()).collect();
        let total: f64 = e.iter().sum();
        e.iter().map(|e| e / total).collect()
    }

    /// ‖D(x − x_ref)‖.
    pub(crate) fn distance(&self, x: &[f64]) -> f64 {
        let terms = x.iter().zip(&self.reference).zip(&self.scales);
        terms
            .map(|((x, r), s)| (s * (x - r)).powi(2))
            .sum::<f64>()
            .sqrt()
    }

    /// The least distance of an x with what is wanted within the bounds; infinite where there is none.
    pub(crate) fn least(&self, wanted: Wanted) -> f64 {
        self.least_of(self.cells().patterns(), wanted)
    }

    /// The same over the cells that x lies in or on the edge of.
    pub(crate) fn least_around(&self, x: &[f64], wanted: Wanted) -> f64 {
        self.least_of(self.cells().patterns_around(x), wanted)
    }

    fn least_of(&self, patterns: impl Iterator<Item = u32>, wanted: Wanted) -> f64 {
        patterns.fold(f64::INFINITY, |least, pattern| {
            self.least_in_cell(pattern, wanted, least)
        })
    }

    /// The least distance in a cell, or what is the `least` so far.
    fn least_in_cell(&self, pattern: u32, wanted: Wanted, least: f64) -> f64 {
        let mut inside = self.cells().planes(pattern);
        let (logit, slopes) = self.logits(pattern);
        // z_k − z_0 = log b_k − log b_0.
        let differs = |k: usize, by: f64| Plane {
            normal: (0..self.d)
                .map(|j| slopes[k * self.d + j] - slopes[j])
                .collect(),
            level: by - (logit[k] - logit[0]),
        };
        let mut equal = Vec::new();
        match wanted {
            Wanted::Output => {
                let by = |k: usize| (self.b[k] / self.b[0]).ln();
                equal.extend((1..self.m).map(|k| differs(k, by(k))));
            }
            Wanted::AtLeast(p) => inside.push(differs(1, ((1.0 - p) / p).ln())),
        }
        let Some(space) = Space::whole(self).cut_by_all(&equal) else {
            return least;
        };
        self.least_on(&space, &inside, 0, least)
    }

    /// The same on an affine space within all of `inside`, those from `next` on tried as its equalities. A part of a
    /// space is no nearer than the space.
    fn least_on(&self, space: &Space, inside: &[Plane], next: usize, least: f64) -> f64 {
        let x = self.unscaled(&space.point);
        let distance = self.distance(&x);
        if distance >= least {
            return least;
        }
        if inside.iter().all(|plane| plane.holds(&x, SLACK)) {
            return distance;
        }
        if space.basis.len() == self.d {
            return least;
        }
        (next..inside.len()).fold(least, |least, index| {
            match space.cut(&self.scaled(&inside[index])) {
                Some(face) => self.least_on(&face, inside, index + 1, least),
                None => least,
            }
        })
    }

    /// z at x = 0 and its slopes (m×d) in a cell.
    fn logits(&self, pattern: u32) -> (Vec<f64>, Vec<f64>) {
        let (d, mut z) = (self.d, self.c2.clone());
        let mut slopes = vec![0.0; self.m * d];
        for k in 0..self.m {
            for i in (0..self.n).filter(|i| pattern >> i & 1 == 1) {
                let weight = self.a2[k * self.n + i];
                z[k] += weight * self.c1[i];
                for j in 0..d {
                    slopes[k * d + j] += weight * self.a1[i * d + j];
                }
            }
        }
        (z, slopes)
    }

    /// In y = D(x − x_ref).
    fn scaled(&self, plane: &Plane) -> Plane {
        let normal = plane.normal.iter().zip(&self.scales);
        Plane {
            normal: normal.map(|(a, s)| a / s).collect(),
            level: plane.level - dot(&plane.normal, &self.reference),
        }
    }

    fn unscaled(&self, y: &[f64]) -> Vec<f64> {
        let terms = y.iter().zip(&self.scales).zip(&self.reference);
        terms.map(|((y, s), r)| r + y / s).collect()
    }
}

/// An affine space: the normals' orthonormal basis, and the point nearest to zero.
struct Space<'s> {
    small: &'s Small,
    basis: Vec<Vec<f64>>,
    point: Vec<f64>,
}

impl<'s> Space<'s> {
    fn whole(small: &'s Small) -> Self {
        Self {
            small,
            basis: Vec::new(),
            point: vec![0.0; small.d],
        }
    }

    /// `None` where there is no common point.
    fn cut_by_all(self, planes: &[Plane]) -> Option<Self> {
        planes.iter().try_fold(self, |space, plane| {
            let plane = space.small.scaled(plane);
            match space.cut(&plane) {
                Some(less) => Some(less),
                // It depends on the others: all is well if it is met already.
                None => {
                    let missing = plane.level - dot(&plane.normal, &space.point);
                    (missing.abs() < SLACK).then_some(space)
                }
            }
        })
    }

    /// `None` where the plane depends on those before.
    fn cut(&self, plane: &Plane) -> Option<Self> {
        let (mut normal, length) = outside(&self.basis, &plane.normal);
        if length < 1e-9 {
            return None;
        }
        normal.iter_mut().for_each(|v| *v /= length);
        let missing = plane.level - dot(&plane.normal, &self.point);
        let mut point = self.point.clone();
        add(missing / length, &normal, &mut point);
        let mut basis = self.basis.clone();
        basis.push(normal);
        Some(Self {
            small: self.small,
            basis,
            point,
        })
    }
}
