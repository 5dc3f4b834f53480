//! The bounds of a call: `--lower` and `--upper`, else those of the problem.

use crate::args::{BoundArgs, Limit};
use crate::array::{check_per_input, read_points};
use crate::error::{Error, in_file};
use crate::problem_file::Problem;
use std::path::Path;
use twolayer::{Bounds, LinearBackend, Scalar};

/// The bounds on x in the precision of the solve; `None` where no entry has one.
pub(crate) fn bounds<B: LinearBackend>(
    args: &BoundArgs,
    path: &Path,
    problem: &Problem<B>,
) -> Result<Option<Bounds<B::Scalar>>, Error> {
    let d = problem.network.by_ref().inputs();
    let none = <B::Scalar as num_traits::Float>::infinity();
    let side = |limit: &Option<Limit>, own: &Option<Vec<B::Scalar>>, name, none| {
        let given = match limit {
            None => own.clone().unwrap_or_else(|| vec![none]),
            Some(Limit::Number(number)) => vec![B::Scalar::of(*number)],
            Some(Limit::File(path)) => {
                let array = read_points(path, name, problem.types, true)?;
                check_per_input(path, name, &array.shape, d)?;
                array.values
            }
        };
        // One number is for all entries.
        Ok::<_, Error>(match given[..] {
            [one] => vec![one; d],
            _ => given,
        })
    };
    let lower = side(&args.lower, &problem.lower, "lower", -none)?;
    let upper = side(&args.upper, &problem.upper, "upper", none)?;
    let bounds = Bounds::new(lower, upper).map_err(in_file(path, None))?;
    Ok((bounds.count() > 0).then_some(bounds))
}
