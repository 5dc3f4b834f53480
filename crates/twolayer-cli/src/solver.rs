//! The settings that are said on the command line, as the solver has them.

use crate::args::InvertArgs;
use twolayer::{Scalar, Solver, Tolerances};

/// The settings of the solves.
pub(crate) fn solver<T: Scalar>(args: &InvertArgs) -> Solver<T> {
    let solver = Solver::new()
        .with_seed(args.seed)
        .with_starts(args.starts)
        .with_threads(args.threads())
        .with_warm_start(!args.no_warm_start);
    // Checked where it was read.
    let decrement = args.tolerance.map(T::of);
    let tolerances = decrement.and_then(|part| Tolerances::default().with_decrement(part).ok());
    let solver = match tolerances {
        Some(tolerances) => solver.with_tolerances(tolerances),
        None => solver,
    };
    let solver = match args.max_iterations {
        Some(limit) => solver.with_max_iterations(limit),
        None => solver,
    };
    match args.time_limit {
        Some(limit) => solver.with_time_limit(limit),
        None => solver,
    }
}
