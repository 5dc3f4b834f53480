//! Where the x of a problem may lie: in a ball, within bounds.

use twolayer_core::{Bounds, Error, Scalar, retract};

/// # Errors
/// A radius that is not a positive number.
pub(crate) fn check_radius<T: Scalar>(radius: T) -> Result<(), Error> {
    if radius.is_finite() && radius > T::zero() {
        return Ok(());
    }
    Err(Error::Parameter {
        name: "radius",
        value: radius.to_f64(),
        requirement: "finite and greater than 0",
    })
}

/// # Errors
/// Bounds within which no x lies in the ball.
pub(crate) fn check<T: Scalar>(bounds: Option<&Bounds<T>>, radius: Option<T>) -> Result<(), Error> {
    if let (Some(bounds), Some(radius)) = (bounds, radius)
        && bounds.least_norm() > radius
    {
        return Err(Error::BoundsOutsideBall {
            norm: bounds.least_norm().to_f64(),
            radius: radius.to_f64(),
        });
    }
    Ok(())
}

/// Moves x into the domain, and onto the bounds among the kinks `pinned`, the `first` of which is given.
pub(crate) fn confine<T: Scalar>(
    bounds: Option<&Bounds<T>>,
    radius: Option<T>,
    first: usize,
    pinned: &[usize],
    x: &mut [T],
) {
    match (bounds, radius) {
        (Some(bounds), radius) => {
            let pinned = pinned.iter().filter_map(|kink| kink.checked_sub(first));
            bounds.confine(pinned, radius, x);
        }
        (None, Some(radius)) => retract(radius, x),
        (None, None) => {}
    }
}
