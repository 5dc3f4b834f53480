//! One suite that holds every backend to the promises of [`LinearBackend`].
//!
//! Every kernel is compared with plain loops in double precision, to the error bound of a sum of
//! products in any order: |error| ≤ γ_k |A||B|, γ_k = k u / (1 − k u), k the number of terms. A
//! new backend is right for the solvers when [`check`] passes, which panics with the kernel and
//! the shape where it does not.

mod combinations;
mod several;

use twolayer_core::{LinearBackend, Scalar};

/// Checks every kernel of `backend` on matrices that `zeros(nrows, ncols)` makes, in the layout of
/// the caller's choice. `random` gives numbers in [−1, 1).
///
/// # Panics
/// Where a kernel breaks a promise.
pub fn check<B: LinearBackend>(
    backend: &B,
    zeros: &dyn Fn(usize, usize) -> B::Matrix,
    random: &mut dyn FnMut() -> f64,
) {
    let mut suite = Suite {
        backend,
        zeros,
        random,
        workspace: Default::default(),
    };
    assert!(!backend.name().is_empty());
    suite.copies();
    suite.finds_what_is_not_finite();
    suite.products_with_a_vector();
    suite.products_with_several_vectors();
    suite.products_over_chosen_columns();
    suite.products_over_chosen_inner_indices();
    suite.products_that_are_added();
    suite.combinations_of_rows();
    suite.centering();
    suite.gram_matrices();
    suite.cholesky_solves();
    suite.cholesky_solves_for_several_right_hand_sides();
    suite.cholesky_refuses_what_is_not_positive_definite();
    suite.qr_reproduces_the_matrix();
    suite.qr_solves_ill_conditioned_least_squares();
}

/// A matrix of doubles, row after row.
#[derive(Clone)]
struct Dense {
    nrows: usize,
    ncols: usize,
    values: Vec<f64>,
}

impl Dense {
    fn from_fn(nrows: usize, ncols: usize, mut entry: impl FnMut(usize, usize) -> f64) -> Self {
        let mut values = Vec::with_capacity(nrows * ncols);
        for i in 0..nrows {
            values.extend((0..ncols).map(|j| entry(i, j)));
        }
        Self {
            nrows,
            ncols,
            values,
        }
    }

    fn at(&self, i: usize, j: usize) -> f64 {
        self.values[i * self.ncols + j]
    }

    fn column_norm(&self, j: usize) -> f64 {
        (0..self.nrows)
            .map(|i| self.at(i, j).powi(2))
            .sum::<f64>()
            .sqrt()
    }
}

/// What is checked, and all that it takes. One workspace serves every shape, larger and smaller.
struct Suite<'a, B: LinearBackend> {
    backend: &'a B,
    zeros: &'a dyn Fn(usize, usize) -> B::Matrix,
    random: &'a mut dyn FnMut() -> f64,
    workspace: B::Workspace,
}

/// Shapes with every edge that a kernel may trip over: no rows or columns, one of them, less than
/// a vector register, and large enough for blocks, panels and threads.
const SHAPES: [(usize, usize); 13] = [
    (0, 0),
    (0, 3),
    (3, 0),
    (1, 1),
    (1, 9),
    (9, 1),
    (5, 4),
    (4, 5),
    (33, 65),
    (130, 17),
    (3, 4100),
    (4100, 3),
    (2100, 300),
];

impl<B: LinearBackend> Suite<'_, B> {
    fn copies(&mut self) {
        for (m, n) in SHAPES {
            let fresh = self.backend.zeros(m, n);
            assert_eq!(
                (self.backend.nrows(&fresh), self.backend.ncols(&fresh)),
                (m, n)
            );
            assert!(
                self.entries(&fresh).values.iter().all(|&v| v == 0.0),
                "zeros {m}x{n}"
            );

            let dense = self.dense(m, n);
            let mut a = self.matrix(&dense);
            assert_eq!((self.backend.nrows(&a), self.backend.ncols(&a)), (m, n));
            assert_eq!(
                self.entries(&a).values,
                dense.values,
                "row-major copies of {m}x{n}"
            );
            let other = self.dense(m, n);
            self.backend
                .copy_from_row_major(&narrow(&other.values), &mut a);
            assert_eq!(self.entries(&a).values, other.values, "overwriting {m}x{n}");

            // All but a border of a third of the rows above and a quarter of the columns before, and
            // one column after.
            let (row, column) = (m / 3, n / 4);
            let width = (n - column).saturating_sub(1);
            let block = self.dense(m - row, width);
            let place = (row, column);
            let values = narrow(&block.values);
            self.backend
                .copy_block_from_row_major(&values, place, width, &mut a);
            let within = |i, j| i >= row && (column..column + width).contains(&j);
            let other = Dense::from_fn(m, n, |i, j| match within(i, j) {
                true => block.at(i - row, j - column),
                false => other.at(i, j),
            });
            assert_eq!(self.entries(&a).values, other.values, "a block of {m}x{n}");

            let mut whole = self.matrix(&Dense::from_fn(m, n, |_, _| f64::NAN));
            self.backend.copy(&a, &mut whole);
            assert_eq!(self.entries(&whole).values, other.values, "{m}x{n} copied");

            // Every second row, backwards, and the first once more.
            let mut rows: Vec<usize> = (0..m).step_by(2).rev().collect();
            rows.extend((0..m).take(1));
            let chosen = Dense::from_fn(rows.len(), n, |i, j| other.at(rows[i], j));
            let nans = Dense::from_fn(rows.len(), n, |_, _| f64::NAN);
            let mut copy = self.matrix(&nans);
            self.backend.copy_rows(&a, &rows, &mut copy);
            assert_eq!(self.entries(&copy).values, chosen.values, "rows of {m}x{n}");
        }
    }

    fn finds_what_is_not_finite(&mut self) {
        for (m, n) in SHAPES {
            let dense = self.dense(m, n);
            assert_eq!(self.backend.find_non_finite(&self.matrix(&dense)), None);
            if m * n == 0 {
                continue;
            }
            let places = [
                (0, 0),
                (m - 1, n - 1),
                (m / 2, n / 3),
                (0, n - 1),
                (m - 1, 0),
            ];
            for (place, bad) in places
                .into_iter()
                .zip([f64::NAN, f64::INFINITY].into_iter().cycle())
            {
                let mut spoilt = dense.clone();
                spoilt.values[place.0 * n + place.1] = bad;
                let found = self.backend.find_non_finite(&self.matrix(&spoilt));
                assert_eq!(found, Some(place), "find_non_finite of {bad} in {m}x{n}");
            }
        }
    }

    fn products_with_a_vector(&mut self) {
        for (m, n) in SHAPES {
            let dense = self.dense(m, n);
            let a = self.matrix(&dense);
            let (x, y) = (self.dense(n, 1).values, self.dense(m, 1).values);

            let mut product = nans::<B>(m);
            self.backend.mul_vec(&a, &narrow(&x), &mut product);
            for (i, &got) in product.iter().enumerate() {
                let terms = (0..n).map(|j| dense.at(i, j) * x[j]);
                close::<B>(got, terms, || format!("mul_vec {m}x{n}, entry {i}"));
            }

            let mut product = nans::<B>(n);
            self.backend
                .mul_vec_transposed(&a, &narrow(&y), &mut product);
            for (j, &got) in product.iter().enumerate() {
                let terms = (0..m).map(|i| dense.at(i, j) * y[i]);
                close::<B>(got, terms, || {
                    format!("mul_vec_transposed {m}x{n}, entry {j}")
                });
            }
        }
    }

    fn products_over_chosen_columns(&mut self) {
        for (m, n) in SHAPES {
            for columns in self.subsets(n) {
                let mut dense = self.dense(m, n);
                // What must not be read is poisoned.
                spoil_columns(&mut dense, &columns);
                let a = self.matrix(&dense);
                let k = columns.len();
                let (x, y) = (self.dense(k, 1).values, self.dense(m, 1).values);

                let mut product = nans::<B>(m);
                self.backend
                    .mul_vec_columns(&a, &columns, &narrow(&x), &mut product);
                for (i, &got) in product.iter().enumerate() {
                    let terms = columns.iter().zip(&x).map(|(&j, x)| dense.at(i, j) * x);
                    close::<B>(got, terms, || {
                        format!("mul_vec_columns {m}x{n}, {k} columns, entry {i}")
                    });
                }

                let mut product = nans::<B>(k);
                self.backend
                    .mul_vec_transposed_columns(&a, &columns, &narrow(&y), &mut product);
                for (&j, &got) in columns.iter().zip(&product) {
                    let terms = (0..m).map(|i| dense.at(i, j) * y[i]);
                    close::<B>(got, terms, || {
                        format!("mul_vec_transposed_columns {m}x{n}, {k} columns, column {j}")
                    });
                }
            }
        }
    }

    fn products_over_chosen_inner_indices(&mut self) {
        let shapes = [
            (0, 3, 2),
            (3, 0, 2),
            (3, 2, 0),
            (1, 1, 1),
            (7, 9, 1),
            (1, 9, 7),
            (6, 40, 5),
            (67, 31, 13),
            (2010, 6, 5),
            (4100, 30, 20),
            (5, 4, 3),
        ];
        for (m, n, d) in shapes {
            for inner in self.subsets(n) {
                let (mut left, mut right) = (self.dense(m, n), self.dense(n, d));
                spoil_columns(&mut left, &inner);
                for i in (0..n).filter(|i| !inner.contains(i)) {
                    right.values[i * d..][..d].fill(f64::NAN);
                }
                let (a, b) = (self.matrix(&left), self.matrix(&right));
                let mut out = self.matrix(&Dense::from_fn(m, d, |_, _| f64::NAN));
                self.backend
                    .mul_inner(&a, &inner, &b, &mut out, &mut self.workspace);
                let out = self.entries(&out);
                for (i, j) in positions(m, d) {
                    let terms = inner.iter().map(|&k| left.at(i, k) * right.at(k, j));
                    close::<B>(B::Scalar::of(out.at(i, j)), terms, || {
                        format!(
                            "mul_inner {m}x{n}x{d} over {}, entry ({i}, {j})",
                            inner.len()
                        )
                    });
                }
                // Every third row from the last up, and one of them twice.
                let mut rows: Vec<usize> = (0..m).rev().step_by(3).collect();
                rows.extend(rows.first().copied());
                let mut out = self.matrix(&Dense::from_fn(rows.len(), d, |_, _| f64::NAN));
                self.backend
                    .mul_inner_rows(&a, &rows, &inner, &b, &mut out, &mut self.workspace);
                let out = self.entries(&out);
                for (i, j) in positions(rows.len(), d) {
                    let terms = inner.iter().map(|&k| left.at(rows[i], k) * right.at(k, j));
                    close::<B>(B::Scalar::of(out.at(i, j)), terms, || {
                        format!("mul_inner_rows {m}x{n}x{d}, entry ({i}, {j})")
                    });
                }
            }
        }
    }

    fn centering(&mut self) {
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

    fn gram_matrices(&mut self) {
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

    /// The residual is held to γ_{3n+1} |L||Lᵀ||x|, Theorem 10.4 of Higham's Accuracy and
    /// Stability of Numerical Algorithms, with (|L||Lᵀ|)ᵢⱼ ≤ √(aᵢᵢ aⱼⱼ).
    fn cholesky_solves(&mut self) {
        for n in [0, 1, 2, 5, 33, 100, 210] {
            let factor = self.dense(n, n);
            let a = Dense::from_fn(n, n, |i, j| {
                let dot: f64 = (0..n).map(|k| factor.at(i, k) * factor.at(j, k)).sum();
                B::Scalar::of(dot + if i == j { 0.1 } else { 0.0 }).to_f64()
            });
            // Nothing above the diagonal may be read.
            let lower = Dense::from_fn(n, n, |i, j| if i >= j { a.at(i, j) } else { f64::NAN });
            let b = self.dense(n, 1).values;
            let lower = self.matrix(&lower);
            let outcome = self.backend.cholesky(&lower, &mut self.workspace);
            assert!(
                outcome.is_ok(),
                "cholesky refused a positive definite matrix of order {n}"
            );
            let Ok(cholesky) = outcome else { continue };
            for _ in 0..2 {
                let mut solution = narrow(&b);
                self.backend
                    .cholesky_solve(&cholesky, &mut solution, &mut self.workspace);
                let x: Vec<f64> = solution.iter().map(|x| x.to_f64()).collect();
                for (i, b) in b.iter().enumerate() {
                    let product: f64 = (0..n).map(|j| a.at(i, j) * x[j]).sum();
                    let size: f64 = (0..n)
                        .map(|j| (a.at(i, i) * a.at(j, j)).sqrt() * x[j].abs())
                        .sum();
                    let bound = gamma::<B>(3 * n + 10) * (size + b.abs());
                    let residual = (product - b).abs();
                    assert!(
                        residual <= bound,
                        "cholesky_solve of order {n}: residual {residual:e} beyond {bound:e}"
                    );
                }
            }
        }
    }

    fn cholesky_refuses_what_is_not_positive_definite(&mut self) {
        let indefinite = |n: usize| {
            // The last pivot is the first that is not positive.
            Dense::from_fn(n, n, |i, j| match (i == j, i == n - 1) {
                (true, true) => -0.5,
                (true, false) => 2.0,
                (false, _) => 0.0,
            })
        };
        let identity = Dense::from_fn(40, 40, |i, j| if i == j { 1.0 } else { 0.0 });
        let spoilt = |i: usize, j: usize| {
            let mut spoilt = identity.clone();
            spoilt.values[i * 40 + j] = f64::NAN;
            spoilt
        };
        let cases = [
            ("a negative number", Dense::from_fn(1, 1, |_, _| -1.0)),
            ("zero", Dense::from_fn(1, 1, |_, _| 0.0)),
            ("the zero matrix", Dense::from_fn(5, 5, |_, _| 0.0)),
            (
                "[1 2; 2 1]",
                Dense::from_fn(2, 2, |i, j| if i == j { 1.0 } else { 2.0 }),
            ),
            ("a negative last pivot", indefinite(3)),
            ("a negative last pivot of many", indefinite(150)),
            ("NaN", Dense::from_fn(1, 1, |_, _| f64::NAN)),
            ("NaN on the diagonal", spoilt(20, 20)),
            ("NaN below the diagonal", spoilt(30, 7)),
            ("NaN in the last row", spoilt(39, 0)),
        ];
        for (case, dense) in cases {
            let a = self.matrix(&dense);
            let outcome = self.backend.cholesky(&a, &mut self.workspace);
            assert!(outcome.is_err(), "cholesky accepted {case}");
        }
    }

    fn qr_reproduces_the_matrix(&mut self) {
        let shapes = [
            (0, 0),
            (0, 2),
            (2, 0),
            (1, 1),
            (1, 5),
            (5, 1),
            (4, 4),
            (3, 8),
            (30, 70),
            (70, 70),
            (109, 80),
            (300, 40),
        ];
        for (p, q) in shapes {
            let dense = self.dense(p, q);
            self.reduce(&dense, "random");
            let graded = dense.values.iter().enumerate().map(|(at, v)| {
                B::Scalar::of(v * 10.0_f64.powi(-((at % q.max(1)) as i32 % 12))).to_f64()
            });
            self.reduce(
                &Dense {
                    values: graded.collect(),
                    ..dense.clone()
                },
                "graded",
            );
            self.reduce(&Dense::from_fn(p, q, |_, _| 0.0), "zero");
            // Of no more than three different columns, one of them zero.
            self.reduce(
                &Dense::from_fn(
                    p,
                    q,
                    |i, j| if j % 3 == 1 { 0.0 } else { dense.at(i, j % 3) },
                ),
                "rank-deficient",
            );
        }
    }

    /// RᵀR = AᵀA and Rᵀ(Qᵀb) = Aᵀb, to the backward error of every column.
    fn reduce(&mut self, dense: &Dense, kind: &str) {
        let (p, q) = (dense.nrows, dense.ncols);
        let case = format!("qr_reduce of a {kind} {p}x{q} matrix");
        let b = self.dense(p, 1).values;
        let norm_b = b.iter().map(|b| b * b).sum::<f64>().sqrt();
        let mut a = self.matrix(dense);
        let (mut rhs, mut r) = (narrow::<B::Scalar>(&b), nans::<B>(q * q));
        self.backend
            .qr_reduce(&mut a, &mut rhs, &mut r, &mut self.workspace);

        assert_eq!(
            (self.backend.nrows(&a), self.backend.ncols(&a)),
            (p, q),
            "{case}: shape"
        );
        let r = Dense::from_fn(q, q, |i, j| r[i * q + j].to_f64());
        for (i, j) in positions(q, q).filter(|&(i, j)| i > j || i >= p) {
            assert_eq!(r.at(i, j), 0.0, "{case}: R at ({i}, {j})");
        }
        // Twenty times what is seen; a worst case has p·q in place of p + q.
        let relative = gamma::<B>(20 * (p + q));
        let size = p.min(q);
        for (i, j) in positions(q, q) {
            let product: f64 = (0..size).map(|k| r.at(k, i) * r.at(k, j)).sum();
            let expected: f64 = (0..p).map(|k| dense.at(k, i) * dense.at(k, j)).sum();
            let bound = relative * dense.column_norm(i) * dense.column_norm(j);
            let error = (product - expected).abs();
            assert!(
                error <= bound,
                "{case}: RᵀR off by {error:e} at ({i}, {j}), beyond {bound:e}"
            );
        }
        for j in 0..q {
            let product: f64 = (0..size).map(|k| r.at(k, j) * rhs[k].to_f64()).sum();
            let expected: f64 = (0..p).map(|k| dense.at(k, j) * b[k]).sum();
            let bound = relative * dense.column_norm(j) * norm_b;
            let error = (product - expected).abs();
            assert!(
                error <= bound,
                "{case}: RᵀQᵀb off by {error:e} at {j}, beyond {bound:e}"
            );
        }
    }

    /// To condition · u, where the normal equations would lose condition² · u, and a factorisation
    /// that drops columns as dependent everything.
    fn qr_solves_ill_conditioned_least_squares(&mut self) {
        let single = B::Scalar::UNIT_ROUNDOFF.to_f64() > 1e-10;
        let conditions: &[f64] = if single { &[1e2, 1e4] } else { &[1e6, 1e12] };
        for &condition in conditions {
            for (p, q) in [(12, 12), (109, 80), (2048, 24)] {
                // U diag(σ) Vᵀ with U and V of cosines and σ from 1 to 1/condition.
                let sigma = |k: usize| condition.powf(-(k as f64) / (q - 1) as f64);
                self.least_squares(condition, "graded singular values", p, q, |i, j| {
                    (0..q)
                        .map(|k| cosine(p, i, k) * sigma(k) * cosine(q, j, k))
                        .sum()
                });
                // Pairs of columns that differ by 1/condition of what others differ by.
                self.least_squares(condition, "nearly equal columns", p, q, |i, j| {
                    let twin = if j % 2 == 1 {
                        cosine(p, i, j) / condition
                    } else {
                        0.0
                    };
                    cosine(p, i, j - j % 2) + twin
                });
            }
        }
    }

    fn least_squares(
        &mut self,
        condition: f64,
        kind: &str,
        p: usize,
        q: usize,
        entry: impl Fn(usize, usize) -> f64,
    ) {
        let dense = Dense::from_fn(p, q, |i, j| B::Scalar::of(entry(i, j)).to_f64());
        let expected = self.dense(q, 1).values;
        let b: Vec<f64> = (0..p)
            .map(|i| (0..q).map(|j| dense.at(i, j) * expected[j]).sum::<f64>())
            .collect();
        let mut a = self.matrix(&dense);
        let (mut rhs, mut r) = (narrow::<B::Scalar>(&b), nans::<B>(q * q));
        self.backend
            .qr_reduce(&mut a, &mut rhs, &mut r, &mut self.workspace);

        let mut x = vec![0.0; q];
        for i in (0..q).rev() {
            let known: f64 = (i + 1..q).map(|j| r[i * q + j].to_f64() * x[j]).sum();
            x[i] = (rhs[i].to_f64() - known) / r[i * q + i].to_f64();
        }
        let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|v| v * v).sum::<f64>().sqrt();
        let error = norm(&mut x.iter().zip(&expected).map(|(x, e)| x - e))
            / norm(&mut expected.iter().copied());
        let bound = 50.0 * condition * B::Scalar::UNIT_ROUNDOFF.to_f64();
        assert!(
            error <= bound,
            "qr_reduce {p}x{q}, {kind}, condition {condition:e}: the least-squares solution is \
             off by {error:e}, beyond {bound:e}"
        );
    }

    /// Random entries that are numbers of the backend's precision.
    fn dense(&mut self, nrows: usize, ncols: usize) -> Dense {
        Dense::from_fn(nrows, ncols, |_, _| B::Scalar::of((self.random)()).to_f64())
    }

    fn matrix(&self, dense: &Dense) -> B::Matrix {
        let mut a = (self.zeros)(dense.nrows, dense.ncols);
        self.backend
            .copy_from_row_major(&narrow(&dense.values), &mut a);
        a
    }

    fn entries(&self, a: &B::Matrix) -> Dense {
        let (nrows, ncols) = (self.backend.nrows(a), self.backend.ncols(a));
        let mut values = nans::<B>(nrows * ncols);
        self.backend.copy_to_row_major(a, &mut values);
        Dense {
            nrows,
            ncols,
            values: values.iter().map(|v| v.to_f64()).collect(),
        }
    }

    /// None, all, the first, the last and about half of `0..n`.
    fn subsets(&mut self, n: usize) -> Vec<Vec<usize>> {
        let half = (0..n).filter(|_| (self.random)() < 0.0).collect();
        let mut subsets = vec![vec![], (0..n).collect(), half];
        if n > 1 {
            subsets.extend([vec![0], vec![n - 1]]);
        }
        subsets
    }
}

/// Entry `i` of the `k`-th of `n` orthonormal cosines.
fn cosine(n: usize, i: usize, k: usize) -> f64 {
    let scale = if k == 0 { 1.0 } else { 2.0 };
    let angle = std::f64::consts::PI * (i as f64 + 0.5) * k as f64 / n as f64;
    (scale / n as f64).sqrt() * angle.cos()
}

fn positions(nrows: usize, ncols: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..nrows).flat_map(move |i| (0..ncols).map(move |j| (i, j)))
}

/// NaN in all columns but the chosen ones.
fn spoil_columns(dense: &mut Dense, chosen: &[usize]) {
    let mut spoilt = vec![true; dense.ncols];
    chosen.iter().for_each(|&j| spoilt[j] = false);
    for row in dense.values.chunks_exact_mut(dense.ncols.max(1)) {
        for (entry, &spoilt) in row.iter_mut().zip(&spoilt) {
            if spoilt {
                *entry = f64::NAN;
            }
        }
    }
}

fn narrow<T: Scalar>(values: &[f64]) -> Vec<T> {
    values.iter().map(|&v| T::of(v)).collect()
}

fn nans<B: LinearBackend>(length: usize) -> Vec<B::Scalar> {
    vec![B::Scalar::of(f64::NAN); length]
}

/// γ_k = k u / (1 − k u).
fn gamma<B: LinearBackend>(k: usize) -> f64 {
    let ku = k as f64 * B::Scalar::UNIT_ROUNDOFF.to_f64();
    ku / (1.0 - ku)
}

/// Asserts that `got` is the sum of `terms` to the rounding of any order of additions. Four more
/// roundings are allowed for what happens to a term before it is added, and as many again for the
/// reference.
fn close<B: LinearBackend>(
    got: B::Scalar,
    terms: impl Iterator<Item = f64>,
    case: impl Fn() -> String,
) {
    let (mut expected, mut size, mut count) = (0.0, 0.0, 0);
    for term in terms {
        expected += term;
        size += term.abs();
        count += 1;
    }
    let (error, bound) = (
        (got.to_f64() - expected).abs(),
        2.0 * gamma::<B>(count + 4) * size,
    );
    // Not `error > bound`, which a NaN would pass.
    assert!(
        error <= bound,
        "{}: {got} is {error:e} off {expected}, beyond {bound:e}",
        case()
    );
}
