//! The bounds of a call: `--lower` and `--upper`, else those of the problem.

use crate::args::{BoundArgs, Limit};
use crate::array::read_points;
use crate::error::{Error, in_file};
use crate::problem_file::Problem;
use std::path::Path;
use twolayer::{Bounds, LinearBackend, Scalar, Solution};

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
                check_length(path, name, &array.shape, d)?;
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

/// Checks that there is a bound for each entry of x, or one for all.
pub(crate) fn check_length(
    path: &Path,
    name: &str,
    shape: &[usize],
    d: usize,
) -> Result<(), Error> {
    match shape {
        [length] if *length == d || *length == 1 => Ok(()),
        _ => {
            let shape: Vec<u64> = shape.iter().map(|&length| length as u64).collect();
            let found = format!("{name} has shape {}", crate::array::show_shape(&shape));
            Err(Error::content(
                path,
                found,
                &format!("({d},) or one number"),
            ))
        }
    }
}

/// Where an answer lies on a bound.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AtBound {
    pub(crate) entry: usize,
    pub(crate) side: &'static str,
    /// The rate at which the objective would fall beyond it.
    pub(crate) multiplier: f64,
}

/// The entries of an answer that lie on a bound; kinks from number `first` on are bounds.
pub(crate) fn at_bounds<T: Scalar>(
    bounds: &Bounds<T>,
    first: usize,
    solution: &Solution<T>,
) -> Vec<AtBound> {
    let on = (0..bounds.count())
        .filter(|&number| solution.x[bounds.entry(number)] == bounds.value(number));
    let held = |number: usize| {
        let mut pinned = solution.pinned.iter();
        let place = pinned.position(|&kink| kink == first + number);
        place.map_or(0.0, |place| solution.multipliers[place].to_f64())
    };
    let mut all: Vec<_> = on
        .map(|number| AtBound {
            entry: bounds.entry(number),
            side: match (bounds.is_fixed(number), bounds.is_upper(number)) {
                (true, _) => "both",
                (_, true) => "upper",
                _ => "lower",
            },
            multiplier: held(number),
        })
        .collect();
    all.sort_by_key(|at| at.entry);
    all
}
