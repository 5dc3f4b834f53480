//! A backend of one's own, in plain vectors: what has to be there, and the suite that holds it.

use std::convert::Infallible;
use twolayer_core::{LinearBackend, NotPositiveDefinite, conformance};

/// Matrices are vectors of rows.
#[derive(Debug, Clone)]
struct Plain;

type Matrix = (usize, Vec<Vec<f32>>);

fn dot(a: &[f32], b: &[f32]) -> f64 {
    let products = a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b));
    products.sum()
}

impl LinearBackend for Plain {
    type Scalar = f32;
    type Matrix = Matrix;
    type Cholesky = Vec<Vec<f64>>;
    type Workspace = ();
    type Single = Self;

    fn name(&self) -> &'static str {
        "plain"
    }

    fn single(&self) -> Self {
        Self
    }

    fn nrows(&self, (_, rows): &Matrix) -> usize {
        rows.len()
    }

    fn ncols(&self, (columns, _): &Matrix) -> usize {
        *columns
    }

    fn zeros(&self, nrows: usize, ncols: usize) -> Matrix {
        (ncols, vec![vec![0.0; ncols]; nrows])
    }

    fn copy_block_from_row_major(
        &self,
        values: &[f32],
        (row, column): (usize, usize),
        width: usize,
        (_, rows): &mut Matrix,
    ) {
        for (row, values) in rows[row..].iter_mut().zip(values.chunks(width.max(1))) {
            row[column..column + width].copy_from_slice(values);
        }
    }

    fn copy_to_row_major(&self, (_, rows): &Matrix, values: &mut [f32]) {
        for (value, entry) in values.iter_mut().zip(rows.iter().flatten()) {
            *value = *entry;
        }
    }

    fn mul_vec(&self, (_, rows): &Matrix, x: &[f32], y: &mut [f32]) {
        for (y, row) in y.iter_mut().zip(rows) {
            *y = dot(row, x) as f32;
        }
    }

    fn mul_vec_transposed(&self, (columns, rows): &Matrix, y: &[f32], x: &mut [f32]) {
        for (j, x) in (0..*columns).zip(x) {
            let column: Vec<f32> = rows.iter().map(|row| row[j]).collect();
            *x = dot(&column, y) as f32;
        }
    }

    fn cholesky(
        &self,
        (q, rows): &Matrix,
        (): &mut (),
    ) -> Result<Self::Cholesky, NotPositiveDefinite> {
        let mut lower: Self::Cholesky = Vec::new();
        for (i, row) in rows.iter().enumerate() {
            let mut new = vec![0.0; *q];
            for j in 0..=i {
                let other = lower.get(j).unwrap_or(&new);
                let known: f64 = (0..j).map(|k| new[k] * other[k]).sum();
                let left = f64::from(row[j]) - known;
                match j < i {
                    true => new[j] = left / lower[j][j],
                    // A pivot that f32 does not tell from nothing.
                    false if left > f64::from(f32::EPSILON) * f64::from(row[j]) => {
                        new[j] = left.sqrt();
                    }
                    false => return Err(NotPositiveDefinite),
                }
            }
            lower.push(new);
        }
        Ok(lower)
    }

    fn cholesky_solve(&self, lower: &Self::Cholesky, rhs: &mut [f32], (): &mut ()) {
        let q = lower.len();
        for rhs in rhs.chunks_mut(q.max(1)) {
            let mut x: Vec<f64> = rhs.iter().map(|&v| f64::from(v)).collect();
            for i in 0..q {
                let known: f64 = (0..i).map(|j| lower[i][j] * x[j]).sum();
                x[i] = (x[i] - known) / lower[i][i];
            }
            for i in (0..q).rev() {
                let known: f64 = (i + 1..q).map(|j| lower[j][i] * x[j]).sum();
                x[i] = (x[i] - known) / lower[i][i];
            }
            rhs.iter_mut().zip(x).for_each(|(rhs, x)| *rhs = x as f32);
        }
    }

    fn cholesky_lower(&self, lower: &Self::Cholesky, (_, rows): &mut Matrix) {
        for (row, lower) in rows.iter_mut().zip(lower) {
            for (entry, &lower) in row.iter_mut().zip(lower) {
                *entry = lower as f32;
            }
        }
    }

    /// By Givens' rotations, each of which makes an entry below the diagonal zero.
    fn qr_reduce(&self, (q, rows): &mut Matrix, rhs: &mut [f32], r: &mut [f32], (): &mut ()) {
        let wide = |v: &f32| f64::from(*v);
        let mut a: Vec<Vec<f64>> = (rows.iter().zip(&*rhs))
            .map(|(row, b)| row.iter().chain([b]).map(wide).collect())
            .collect();
        for j in 0..*q {
            for i in j + 1..a.len() {
                let length = a[j][j].hypot(a[i][j]);
                if a[i][j] == 0.0 {
                    continue;
                }
                let (cosine, sine) = (a[j][j] / length, a[i][j] / length);
                let (above, below) = a.split_at_mut(i);
                let entries = above[j].iter_mut().zip(&mut below[0]);
                for (above, below) in entries.skip(j) {
                    let (old, other) = (*above, *below);
                    *above = cosine * old + sine * other;
                    *below = cosine * other - sine * old;
                }
                below[0][j] = 0.0;
            }
        }
        r.fill(0.0);
        for (i, row) in a.iter().enumerate() {
            rhs[i] = row[*q] as f32;
            for (j, entry) in row[..*q].iter().enumerate().filter(|_| i < *q) {
                r[i * *q + j] = *entry as f32;
            }
        }
    }
}

fn main() -> Result<(), Infallible> {
    // Weyl's sequence, spread by its squares: any numbers in [−1, 1) do.
    let mut count = 0_u32;
    let mut random = || {
        count += 1;
        2.0 * (f64::from(count) * f64::from(count) * 0.618_033_988_749_895).fract() - 1.0
    };
    conformance::check(&Plain, &|m, n| Plain.zeros(m, n), &mut random);
    println!("{} keeps every promise", Plain.name());
    Ok(())
}
