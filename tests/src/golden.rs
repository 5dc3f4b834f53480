//! The golden vectors: small problems with loss, gradient and Hessian from 60-digit arithmetic, by
//! differentiating the definition and not any formula of this workspace.

use crate::problems::rounded;
use serde::Deserialize;
use std::path::Path;
use twolayer::{Error, LinearBackend, Scalar, Target, TwoLayer};

/// One golden problem. Field names are those of the files.
#[derive(Debug, Clone, Deserialize)]
#[allow(non_snake_case, missing_docs)]
pub struct Golden {
    pub name: String,
    pub n: usize,
    pub d: usize,
    pub m: usize,
    pub A1: Vec<Vec<f64>>,
    pub c1: Vec<f64>,
    pub A2: Vec<Vec<f64>>,
    pub c2: Vec<f64>,
    pub b: Vec<f64>,
    pub w: Vec<f64>,
    pub x: Vec<f64>,
    pub active: Vec<bool>,
    pub logits: Vec<f64>,
    pub log_softmax: Vec<f64>,
    pub squared: Expected,
    pub kl: Expected,
    pub regulariser: Expected,
}

/// A term's value, gradient (d) and Hessian (d×d).
#[derive(Debug, Clone, Deserialize)]
#[allow(missing_docs)]
pub struct Expected {
    pub value: f64,
    pub gradient: Vec<f64>,
    pub hessian: Vec<Vec<f64>>,
}

impl Golden {
    /// All of them.
    ///
    /// # Errors
    /// A file that cannot be read or parsed.
    pub fn all() -> Result<Vec<Self>, Box<dyn std::error::Error>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
        let mut paths: Vec<_> = std::fs::read_dir(folder)?
            .map(|e| Ok(e?.path()))
            .collect::<std::io::Result<_>>()?;
        paths.sort();
        paths
            .iter()
            .map(|path| Ok(serde_json::from_slice(&std::fs::read(path)?)?))
            .collect()
    }

    /// The problem's network on a backend.
    ///
    /// # Errors
    /// As [`TwoLayer::new`].
    pub fn network<B: LinearBackend>(&self, backend: B) -> Result<TwoLayer<B>, Error> {
        let a1 = matrix(&backend, self.n, self.d, &self.A1);
        let a2 = matrix(&backend, self.m, self.n, &self.A2);
        TwoLayer::new(backend, a1, a2)?.with_biases(rounded(&self.c1), rounded(&self.c2))
    }

    /// The problem's target.
    ///
    /// # Errors
    /// As [`Target::new`].
    pub fn target<T: Scalar>(&self) -> Result<Target<T>, Error> {
        Target::new(rounded(&self.b))
    }

    /// ‖ |A2| (|A1| |x| + |c1|) + |c2| ‖_∞: rounding the data and the products perturbs each logit
    /// by at most a small multiple of unit roundoff times this.
    pub fn logit_magnitude(&self) -> f64 {
        let absolute = |rows: &[Vec<f64>], v: &[f64], bias: &[f64]| -> Vec<f64> {
            let product =
                |row: &Vec<f64>| row.iter().zip(v).map(|(a, b)| (a * b).abs()).sum::<f64>();
            rows.iter()
                .zip(bias)
                .map(|(row, c)| product(row) + c.abs())
                .collect()
        };
        let hidden = absolute(&self.A1, &self.x, &self.c1);
        absolute(&self.A2, &hidden, &self.c2)
            .into_iter()
            .fold(0.0, f64::max)
    }

    /// ‖ |A2| diag(s) |A1| ‖_F ≥ ‖C‖₂, s the active units.
    pub fn jacobian_magnitude(&self) -> f64 {
        let mut square = 0.0;
        for row in &self.A2 {
            for j in 0..self.d {
                let entry: f64 = (0..self.n)
                    .filter(|&i| self.active[i])
                    .map(|i| (row[i] * self.A1[i][j]).abs())
                    .sum();
                square += entry * entry;
            }
        }
        square.sqrt()
    }
}

/// A matrix of the backend from rows of doubles.
pub fn matrix<B: LinearBackend>(
    backend: &B,
    nrows: usize,
    ncols: usize,
    rows: &[Vec<f64>],
) -> B::Matrix {
    let mut a = backend.zeros(nrows, ncols);
    backend.copy_from_row_major(&rounded(&rows.concat()), &mut a);
    a
}
