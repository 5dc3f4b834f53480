//! The bounds of a call: `--lower` and `--upper`, else those of the problem.

use crate::args::{BoundArgs, Limit};
use crate::array::{Types, check_per_input, read_points};
use crate::error::{Error, in_file};
use std::path::Path;
use twolayer::{Bounds, Scalar};

/// Those of a problem file, each (d) or one number for all.
#[derive(Debug)]
pub(crate) struct OwnBounds<T> {
    pub(crate) lower: Option<Vec<T>>,
    pub(crate) upper: Option<Vec<T>>,
}

/// The bounds on x (d) in the precision of the solve, where the problem at `path` has its `own`; `None` where no
/// entry has one.
pub(crate) fn bounds<T: Scalar>(
    args: &BoundArgs,
    own: &OwnBounds<T>,
    path: &Path,
    d: usize,
    types: Types,
) -> Result<Option<Bounds<T>>, Error> {
    let none = <T as num_traits::Float>::infinity();
    let side = |limit: &Option<Limit>, own: &Option<Vec<T>>, name, none| {
        let given = match limit {
            None => own.clone().unwrap_or_else(|| vec![none]),
            Some(Limit::Number(number)) => vec![T::of(*number)],
            Some(Limit::File(path)) => {
                let array = read_points(path, name, types, true)?;
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
    let lower = side(&args.lower, &own.lower, "lower", -none)?;
    let upper = side(&args.upper, &own.upper, "upper", none)?;
    let bounds = Bounds::new(lower, upper).map_err(in_file(path, None))?;
    Ok((bounds.count() > 0).then_some(bounds))
}
