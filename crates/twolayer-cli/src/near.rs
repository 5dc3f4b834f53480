//! The term for how far x is from a point: `--near` and `--near-weight`, else those of the problem.

use crate::args::NearArgs;
use crate::array::{check_per_input, read_points};
use crate::error::{Error, in_file};
use crate::problem_file::Problem;
use std::path::Path;
use twolayer::{LinearBackend, Nearness, Scalar};

/// The term in the precision of the solve; `None` where there is no x_ref, or its weight is 0.
pub(crate) fn nearness<B: LinearBackend>(
    args: &NearArgs,
    path: &Path,
    problem: &Problem<B>,
) -> Result<Option<Nearness<B::Scalar>>, Error> {
    let d = problem.network.by_ref().inputs();
    let reference = match &args.near {
        Some(path) => {
            let array = read_points(path, "x_ref", problem.types, true)?;
            check_per_input(path, "x_ref", &array.shape, d)?;
            Some(array.values)
        }
        None => problem.reference.clone(),
    };
    let own = problem.near_weight.as_ref().map(|weight| weight[0]);
    let weight = args.near_weight.map(B::Scalar::of).or(own);
    let (reference, weight) = match (reference, weight) {
        (Some(reference), Some(weight)) => (reference, weight),
        (None, None) => return Ok(None),
        (Some(_), None) => return Err(Error::NearWithoutWeight),
        (None, Some(_)) => return Err(Error::NearWithoutPoint),
    };
    let spread = |given: Vec<B::Scalar>| match given[..] {
        [one] => vec![one; d],
        _ => given,
    };
    let scales = problem.near_scales.clone();
    let scales = scales.unwrap_or_else(|| vec![B::Scalar::of(1.0)]);
    let nearness = Nearness::with_scales(spread(reference), weight, spread(scales));
    let nearness = nearness.map_err(in_file(path, None))?;
    let counts = nearness.curvatures().iter().any(|c| c.to_f64() > 0.0);
    Ok(counts.then_some(nearness))
}
