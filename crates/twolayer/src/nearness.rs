//! ½ μ ‖D(x − x_ref)‖²: how far x is from a given point.

use twolayer_core::{Error, Scalar, reduce};

/// ½ μ ‖D(x − x_ref)‖², D = diag(d₁, …): gradient μ D²(x − x_ref), Hessian μ D².
///
/// Many x may have the same output; with this term the minimum is near the one that is nearest to x_ref,
/// the more so the smaller μ is: the misfit that it leaves falls like μ².
#[derive(Debug, Clone, PartialEq)]
pub struct Nearness<T> {
    reference: Vec<T>,
    /// μ dⱼ².
    curvatures: Vec<T>,
}

impl<T: Scalar> Nearness<T> {
    /// μ = `weight`, x_ref = `reference`, D = I.
    ///
    /// # Errors
    /// A weight that is not a number of at least 0, an entry that is NaN or infinite.
    pub fn new(reference: Vec<T>, weight: T) -> Result<Self, Error> {
        let ones = vec![T::one(); reference.len()];
        Self::with_scales(reference, weight, ones)
    }

    /// The same with D = diag(`scales`); an entry of 0 counts no distance.
    ///
    /// # Errors
    /// Besides those of [`new`](Nearness::new): another number of scales, one that is negative, NaN or
    /// infinite, or whose square times μ overflows.
    pub fn with_scales(reference: Vec<T>, weight: T, scales: Vec<T>) -> Result<Self, Error> {
        Error::check_finite("x_ref", &reference)?;
        Error::check_length("near_scales", scales.len(), reference.len())?;
        Error::check_finite("near_scales", &scales)?;
        let parameter = |name, value: T, requirement| Error::Parameter {
            name,
            value: value.to_f64(),
            requirement,
        };
        if !(weight.is_finite() && weight >= T::zero()) {
            let requirement = "finite and at least 0";
            return Err(parameter("near_weight", weight, requirement));
        }
        if let Some(&scale) = scales.iter().find(|scale| **scale < T::zero()) {
            return Err(parameter("an entry of near_scales", scale, "at least 0"));
        }
        let curvatures: Vec<T> = scales.iter().map(|&s| weight * s * s).collect();
        if !reduce::all_finite(&curvatures) {
            return Err(Error::Overflow {
                quantity: "square of near_scales times near_weight",
                at: "some entry",
            });
        }
        Ok(Self {
            reference,
            curvatures,
        })
    }

    /// x_ref (d).
    pub fn reference(&self) -> &[T] {
        &self.reference
    }

    /// μ D², the diagonal of the Hessian (d).
    pub fn curvatures(&self) -> &[T] {
        &self.curvatures
    }

    /// ½ μ ‖D(x − x_ref)‖².
    pub fn value(&self, x: &[T]) -> T {
        let term = |j: usize| {
            let apart = x[j].to_f64() - self.reference[j].to_f64();
            self.curvatures[j].to_f64() * apart.powi(2)
        };
        T::of(0.5 * reduce::sum_of(x.len(), term))
    }

    /// μ D²(x − x_ref) (d).
    pub fn write_gradient(&self, x: &[T], gradient: &mut [T]) {
        let terms = self.curvatures.iter().zip(x).zip(&self.reference);
        for (g, ((&curvature, &x), &reference)) in gradient.iter_mut().zip(terms) {
            *g = curvature * (x - reference);
        }
    }

    /// What rounding makes of the value: x − x_ref, its square, μ dⱼ² and the product are rounded, and so are
    /// the sum and its half.
    pub(crate) fn rounding_error(&self, value: T) -> T {
        let of_sum = T::of(reduce::relative_error(self.reference.len()));
        (T::of(6.0) * T::UNIT_ROUNDOFF + of_sum) * value
    }

    /// What rounding makes of the gradient, by its norm: four roundoffs of each entry.
    pub(crate) fn gradient_rounding_error(&self, gradient: &[T]) -> T {
        T::of(4.0) * T::UNIT_ROUNDOFF * reduce::norm(gradient)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradient_is_the_slope_of_the_value() {
        let near = Nearness::with_scales(vec![1.0, -2.0, 0.5], 0.25, vec![2.0, 1.0, 0.0]).unwrap();
        let x = [3.0, 1.0, 9.0];
        // ½·¼·(4·4 + 9).
        assert_eq!(near.value(&x), 3.125);
        let mut gradient = [7.0; 3];
        near.write_gradient(&x, &mut gradient);
        assert_eq!(gradient, [2.0, 0.75, 0.0]);
        assert_eq!(near.curvatures(), [1.0, 0.25, 0.0]);
        for j in 0..3 {
            let at = |step: f64| {
                let mut x = x;
                x[j] += step;
                near.value(&x)
            };
            // Of a quadratic function without error, in these numbers.
            assert_eq!((at(0.5) - at(-0.5)).to_bits(), gradient[j].to_bits());
        }
    }

    #[test]
    fn what_is_no_term_is_refused_and_named() {
        let said = |reference: f64, weight: f64, scale: f64| {
            let made = Nearness::with_scales(vec![reference], weight, vec![scale]);
            made.unwrap_err().to_string()
        };
        assert!(said(f64::NAN, 1.0, 1.0).contains("x_ref[0]"));
        assert!(
            said(0.0, -1.0, 1.0).contains("near_weight is -1; it must be finite and at least 0")
        );
        assert!(said(0.0, f64::INFINITY, 1.0).contains("near_weight"));
        assert!(said(0.0, 1.0, -0.5).contains("near_scales is -0.5"));
        assert!(said(0.0, 1.0, f64::NAN).contains("near_scales[0]"));
        assert!(said(0.0, 1e200, 1e100).contains("near_scales times near_weight"));
        let short = Nearness::with_scales(vec![0.0, 1.0], 1.0, vec![1.0]).unwrap_err();
        assert!(short.to_string().contains("near_scales has shape (1,)"));
        assert!(Nearness::new(vec![0.0], 0.0).is_ok());
    }
}
