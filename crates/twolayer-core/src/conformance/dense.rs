//! Matrices of doubles, for what is expected.

/// A matrix of doubles, row after row.
#[derive(Clone)]
pub(super) struct Dense {
    pub(super) nrows: usize,
    pub(super) ncols: usize,
    pub(super) values: Vec<f64>,
}

impl Dense {
    pub(super) fn from_fn(
        nrows: usize,
        ncols: usize,
        mut entry: impl FnMut(usize, usize) -> f64,
    ) -> Self {
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

    pub(super) fn at(&self, i: usize, j: usize) -> f64 {
        self.values[i * self.ncols + j]
    }

    pub(super) fn column_norm(&self, j: usize) -> f64 {
        (0..self.nrows)
            .map(|i| self.at(i, j).powi(2))
            .sum::<f64>()
            .sqrt()
    }
}

pub(super) fn positions(nrows: usize, ncols: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..nrows).flat_map(move |i| (0..ncols).map(move |j| (i, j)))
}

/// NaN in all columns but the chosen ones.
pub(super) fn spoil_columns(dense: &mut Dense, chosen: &[usize]) {
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
