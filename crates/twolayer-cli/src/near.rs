//! The term for how far x is from a point: `--near` and `--near-weight`, else those of the problem.

use crate::args::NearArgs;
use crate::array::{Types, check_per_input, read_points};
use crate::error::{Error, in_file};
use std::path::Path;
use twolayer::{Nearness, Scalar};

/// What a problem file says of it.
#[derive(Debug)]
pub(crate) struct OwnNearness<T> {
    /// x_ref and the diagonal of D, (d) or one number for all.
    pub(crate) reference: Option<Vec<T>>,
    pub(crate) scales: Option<Vec<T>>,
    /// μ, a vector of one.
    pub(crate) weight: Option<Vec<T>>,
}

/// The term in the precision of the solve, where the problem at `path` has its `own` and d unknowns; `None` where
/// there is no x_ref, or its weight is 0.
pub(crate) fn nearness<T: Scalar>(
    args: &NearArgs,
    own: &OwnNearness<T>,
    path: &Path,
    d: usize,
    types: Types,
) -> Result<Option<Nearness<T>>, Error> {
    let reference = match &args.near {
        Some(path) => {
            let array = read_points(path, "x_ref", types, true)?;
            check_per_input(path, "x_ref", &array.shape, d)?;
            Some(array.values)
        }
        None => own.reference.clone(),
    };
    let own_weight = own.weight.as_ref().map(|weight| weight[0]);
    let weight = args.near_weight.map(T::of).or(own_weight);
    let (reference, weight) = match (reference, weight) {
        (Some(reference), Some(weight)) => (reference, weight),
        (None, None) => return Ok(None),
        (Some(_), None) => return Err(Error::NearWithoutWeight),
        (None, Some(_)) => return Err(Error::NearWithoutPoint),
    };
    let scales = own.scales.clone();
    let scales = scales.unwrap_or_else(|| vec![T::of(1.0)]);
    let nearness = Nearness::with_scales(per_entry(reference, d), weight, per_entry(scales, d));
    let nearness = nearness.map_err(in_file(path, None))?;
    let counts = nearness.curvatures().iter().any(|&c| c > T::of(0.0));
    Ok(counts.then_some(nearness))
}

/// Of one number for all entries, d of it.
pub(crate) fn per_entry<T: Scalar>(given: Vec<T>, d: usize) -> Vec<T> {
    match given[..] {
        [one] => vec![one; d],
        _ => given,
    }
}
