//! The problem rounded to single precision, beside the problem itself: a model of the Hessian in
//! mixed precision is built from it.

use crate::args::LossName;
use crate::bands::for_each_band;
use crate::dispatch::Library;
use crate::error::Error;
use crate::terms::loss;
use std::path::Path;
use twolayer::{
    Error as CoreError, LinearBackend, Nearness, Problems, Regularizer, Scalar, Target, TwoLayer,
};

/// A rounded copy of the network, of the regulariser and of the nearness.
pub(crate) struct Rounded<B: LinearBackend> {
    network: TwoLayer<B>,
    regularizer: Option<Regularizer<B::Scalar>>,
    nearness: Option<Nearness<B::Scalar>>,
    loss: LossName,
}

impl<B: LinearBackend> Rounded<B> {
    /// Rounds a network. An entry beyond the range of single precision is an error.
    pub(crate) fn new<D: Library<Single = B>>(
        path: &Path,
        network: &TwoLayer<D>,
        regularizer: Option<&Regularizer<D::Scalar>>,
        nearness: Option<&Nearness<D::Scalar>>,
        loss: LossName,
    ) -> Result<Self, Error> {
        let (double, single) = (network.backend(), network.backend().single());
        let copy = |a| {
            let (nrows, ncols) = (double.nrows(a), double.ncols(a));
            let mut copy = single.zeros(nrows, ncols);
            for_each_band(double, a, |first, values| {
                single.copy_block_from_row_major(&rounded(values), (first, 0), ncols, &mut copy);
            });
            copy
        };
        let (a1, a2) = (copy(network.a1()), copy(network.a2()));
        let (bias1, bias2) = (rounded(network.bias1()), rounded(network.bias2()));
        let network = TwoLayer::new(single, a1, a2)
            .and_then(|network| network.with_biases(bias1, bias2))
            .map_err(in_single_precision(path))?;
        let regularizer = regularizer.map(|r| Regularizer::new(rounded(r.weights())));
        let nearness = nearness.map(|near| {
            let scales = near.curvatures().iter().map(|c| c.to_f64().sqrt());
            Nearness::with_scales(
                rounded(near.reference()),
                B::Scalar::of(1.0),
                scales.map(B::Scalar::of).collect(),
            )
        });
        Ok(Self {
            network,
            regularizer: regularizer.transpose().map_err(in_single_precision(path))?,
            nearness: nearness.transpose().map_err(in_single_precision(path))?,
            loss,
        })
    }

    /// The same on at most so many threads.
    pub(crate) fn with_threads(&self, threads: usize) -> Self {
        Self {
            network: self.network.with_threads(threads),
            regularizer: self.regularizer.clone(),
            nearness: self.nearness.clone(),
            loss: self.loss,
        }
    }

    /// What all targets share.
    pub(crate) fn problems(&self) -> Result<Problems<'_, B>, CoreError> {
        let problems = Problems::new(&self.network).with_loss(loss(self.loss));
        let problems = match &self.regularizer {
            Some(regularizer) => problems.with_regularizer(regularizer)?,
            None => problems,
        };
        match &self.nearness {
            Some(nearness) => problems.with_nearness(nearness),
            None => Ok(problems),
        }
    }
}

/// A target in single precision. Its sum is set right first: rounded, one that was as far from 1 as
/// may be could be further.
pub(crate) fn target<T: Scalar, L: Scalar>(target: &Target<T>) -> Result<Target<L>, CoreError> {
    let sum = target.sum();
    let scaled = target.probabilities().iter().map(|&p| p / sum);
    Target::new(scaled.map(|p| L::of(p.to_f64())).collect())
}

/// Says which file cannot be rounded.
pub(crate) fn in_single_precision(path: &Path) -> impl FnOnce(CoreError) -> Error {
    let path = path.to_path_buf();
    move |source| Error::Rounded { path, source }
}

fn rounded<T: Scalar, L: Scalar>(values: &[T]) -> Vec<L> {
    values.iter().map(|&v| L::of(v.to_f64())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_at_the_end_of_the_tolerance_is_one_in_single_precision_too() {
        // 0.1 is larger in single precision, ten times by 1.5e-8 in all.
        let mut b = vec![0.1; 10];
        b[9] += 1e-5 - 1e-12;
        let narrow = b.iter().map(|&p| p as f32).collect();
        assert!(Target::new(narrow).is_err());
        let wide = Target::new(b).unwrap();
        assert!(target::<f64, f32>(&wide).is_ok());
    }
}
