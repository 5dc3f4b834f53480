//! The terms of an objective, as the options and the problem have them.

use crate::args::{LossName, ProblemArgs, Weight};
use crate::error::{Error, in_file};
use crate::problem_file::Problem;
use twolayer::{KullbackLeibler, LinearBackend, Loss, Regularizer, Scalar, SquaredError};

/// The loss by its name.
pub(crate) fn loss<T: Scalar>(name: LossName) -> &'static dyn Loss<T> {
    match name {
        LossName::Squared => &SquaredError,
        LossName::Kl => &KullbackLeibler,
    }
}

/// The radius in the precision of the solve.
pub(crate) fn radius<T: Scalar>(radius: Option<f64>) -> Result<Option<T>, Error> {
    let taken = radius.map(|radius| (radius, T::of(radius)));
    match taken {
        Some((radius, taken)) if taken == T::zero() || taken.is_infinite() => {
            Err(Error::Radius { radius })
        }
        _ => Ok(taken.map(|(_, taken)| taken)),
    }
}

/// The regulariser that was asked for: the option, else the problem's w, else none. A weight of 0 is
/// none too: the solver's warm start can do more without.
pub(crate) fn regularizer<B: LinearBackend>(
    args: &ProblemArgs,
    problem: &Problem<B>,
) -> Result<Option<Regularizer<B::Scalar>>, Error> {
    let weights = match args.regularizer {
        Some(Weight::Auto) => return Ok(Regularizer::automatic()),
        Some(Weight::Uniform(0.0)) => None,
        Some(Weight::Uniform(weight)) => Some(vec![
            B::Scalar::of(weight);
            problem.network.by_ref().outcomes()
        ]),
        None => problem.weights.clone(),
    };
    weights
        .map(Regularizer::new)
        .transpose()
        .map_err(in_file(&args.path, None))
}
