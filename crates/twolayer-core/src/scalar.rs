//! The two floating point types that the whole workspace is generic over.

use num_traits::{Float, FloatConst, NumAssign};
use std::fmt::{Debug, Display, LowerExp};

/// `f32` or `f64`.
///
/// Arithmetic comes from [`num_traits::Float`]; what is added here is what the algorithms of this
/// workspace need beyond it.
pub trait Scalar:
    Float + FloatConst + NumAssign + Default + Debug + Display + LowerExp + Send + Sync + 'static
{
    /// Unit roundoff u = ½ · (distance from 1 to the next number), the largest relative error of
    /// one rounding.
    const UNIT_ROUNDOFF: Self;

    /// `"f32"` or `"f64"`.
    const NAME: &'static str;

    /// The nearest number of this type (infinite where `value` is out of range).
    fn of(value: f64) -> Self;

    /// The same number in double precision, exactly.
    fn to_f64(self) -> f64;
}

impl Scalar for f32 {
    const UNIT_ROUNDOFF: Self = f32::EPSILON / 2.0;
    const NAME: &'static str = "f32";

    #[inline]
    fn of(value: f64) -> Self {
        value as f32
    }

    #[inline]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
}

impl Scalar for f64 {
    const UNIT_ROUNDOFF: Self = f64::EPSILON / 2.0;
    const NAME: &'static str = "f64";

    #[inline]
    fn of(value: f64) -> Self {
        value
    }

    #[inline]
    fn to_f64(self) -> f64 {
        self
    }
}
