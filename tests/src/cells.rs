//! The cells of a network of a few hidden units within bounds, for brute force: by nothing of the library.

/// A face of a cell: `normal`ᵀx = `level`, with the cell where the product is no more than that.
#[derive(Debug, Clone)]
pub struct Plane {
    /// a (d).
    pub normal: Vec<f64>,
    /// What aᵀx is at most.
    pub level: f64,
}

impl Plane {
    /// Whether x is on the cell's side, or beyond by no more than `slack`.
    pub fn holds(&self, x: &[f64], slack: f64) -> bool {
        dot(&self.normal, x) <= self.level + slack
    }
}

/// h = A1 x + c1 within l ≤ x ≤ u: a cell is a pattern of units that are on, a bit each.
#[derive(Debug, Clone, Copy)]
pub struct Cells<'a> {
    /// A1 (n×d, row after row).
    pub a1: &'a [f64],
    /// c1 (n).
    pub c1: &'a [f64],
    /// l (d).
    pub lower: &'a [f64],
    /// u (d).
    pub upper: &'a [f64],
}

/// h may be so far off a kink of which a point lies on both sides.
const ON_A_KINK: f64 = 1e-9;

impl Cells<'_> {
    /// All patterns, of cells that are empty too.
    pub fn patterns(&self) -> impl Iterator<Item = u32> {
        0..1 << self.c1.len()
    }

    /// Those of the cells that x lies in or on the edge of.
    pub fn patterns_around(&self, x: &[f64]) -> impl Iterator<Item = u32> {
        let h = self.hidden(x);
        self.patterns().filter(move |pattern| {
            h.iter().enumerate().all(|(i, &h)| match pattern >> i & 1 {
                1 => h >= -ON_A_KINK,
                _ => h <= ON_A_KINK,
            })
        })
    }

    /// h (n) at x.
    pub fn hidden(&self, x: &[f64]) -> Vec<f64> {
        let rows = self.a1.chunks_exact(self.lower.len()).zip(self.c1);
        rows.map(|(row, c)| c + dot(row, x)).collect()
    }

    /// The faces of a cell: the kinks of all units, then the bounds.
    pub fn planes(&self, pattern: u32) -> Vec<Plane> {
        let d = self.lower.len();
        let rows = self.a1.chunks_exact(d).zip(self.c1).enumerate();
        let kinks = rows.map(|(i, (row, c))| {
            let sign = if pattern >> i & 1 == 1 { -1.0 } else { 1.0 };
            Plane {
                normal: row.iter().map(|a| sign * a).collect(),
                level: -sign * c,
            }
        });
        let bounds = (0..d).flat_map(|j| {
            [(-1.0, self.lower[j]), (1.0, self.upper[j])].map(|(sign, bound)| {
                let mut normal = vec![0.0; d];
                normal[j] = sign;
                let level = sign * bound;
                Plane { normal, level }
            })
        });
        kinks.chain(bounds).collect()
    }
}

/// uᵀv.
pub fn dot(u: &[f64], v: &[f64]) -> f64 {
    u.iter().zip(v).map(|(u, v)| u * v).sum()
}

/// v ← v + factor·u.
pub fn add(factor: f64, u: &[f64], v: &mut [f64]) {
    for (v, u) in v.iter_mut().zip(u) {
        *v += factor * u;
    }
}

/// What is left of v outside the span of orthonormal vectors, and its length.
pub fn outside(basis: &[Vec<f64>], v: &[f64]) -> (Vec<f64>, f64) {
    let mut left = v.to_vec();
    // Twice is enough for orthogonality to rounding.
    for _ in 0..2 {
        for q in basis {
            let along = dot(q, &left);
            add(-along, q, &mut left);
        }
    }
    let length = dot(&left, &left).sqrt();
    (left, length)
}
