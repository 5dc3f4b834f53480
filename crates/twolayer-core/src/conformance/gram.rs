//! Rows that are centred and scaled, and their gram matrices.

use super::dense::{Dense, positions};
use super::rounding::close;
use super::{SHAPES, Suite, narrow};
use crate::backend::LinearBackend;
use crate::scalar::Scalar;

impl<B: LinearBackend> Suite<'_, B> {
    pub(super) fn centering(&mut self) {
        for (m, n) in SHAPES {
            let dense = self.dense(m, n);
            let [shift, scale] = [(); 2].map(|()| self.dense(m, 1).values);
            let center = self.dense(n, 1).values;
            let mut a = self.matrix(&dense);
            let [shifts, centers, scales] = [&shift, &center, &scale].map(|v| narrow(v));
            self.backend
                .center_and_scale_rows(&shifts, &centers, &scales, &mut a);
            let a = self.entries(&a);
            for (i, j) in positions(m, n) {
                let terms = [dense.at(i, j) * scale[i], -shift[i] * center[j] * scale[i]];
                close::<B>(B::Scalar::of(a.at(i, j)), terms.into_iter(), || {
                    format!("center_and_scale_rows {m}x{n}, entry ({i}, {j})")
                });
            }
        }
    }

    pub(super) fn gram_matrices(&mut self) {
        let shapes = [
            (0, 3),
            (3, 0),
            (1, 1),
            (9, 4),
            (4, 9),
            (50, 33),
            (600, 70),
            (4100, 5),
        ];
        for (m, d) in shapes {
            // Weights of either sign, some of them zero.
            let weights: Vec<f64> = self
                .dense(m, 1)
                .values
                .iter()
                .map(|&w| if w < -0.8 { 0.0 } else { w })
                .collect();
            let dense = self.dense(m, d);
            let a = self.matrix(&dense);
            let mut out = self.matrix(&Dense::from_fn(d, d, |_, _| f64::NAN));
            self.backend
                .gram_lower(&a, &narrow(&weights), &mut out, &mut self.workspace);
            let out = self.entries(&out);
            for (i, j) in positions(d, d).filter(|&(i, j)| i >= j) {
                let terms = (0..m).map(|k| dense.at(k, i) * weights[k] * dense.at(k, j));
                close::<B>(B::Scalar::of(out.at(i, j)), terms, || {
                    format!("gram_lower of {m}x{d}, entry ({i}, {j})")
                });
            }
        }
    }
}
