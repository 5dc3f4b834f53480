//! Which bounds an answer lies on.

use twolayer::{Bounds, Scalar};

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
    x: &[T],
    (pinned, multipliers): (&[usize], &[T]),
) -> Vec<AtBound> {
    let on = (0..bounds.count()).filter(|&number| x[bounds.entry(number)] == bounds.value(number));
    let held = |number: usize| {
        let place = pinned.iter().position(|&kink| kink == first + number);
        place.map_or(0.0, |place| multipliers[place].to_f64())
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
