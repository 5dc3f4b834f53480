//! Approximations of the Hessian, one a file.

mod adaptive;
mod carried_rows;
mod conjugate_gradient;
mod dense;
mod factor;
mod importance;
mod kept_jacobian;
mod leverage;
mod mixed_precision;
mod negative_curvature;
mod row_curvature;
mod row_factor;
mod row_sample;
mod row_sketch;
mod sketched;
mod triangular;
mod wide;

pub use adaptive::Adaptive;
pub use conjugate_gradient::ConjugateGradient;
pub use dense::DenseHessian;
pub use importance::{ByWeight, Importance, Uniform, WeightedRows};
pub use leverage::{Leverage, Scores};
pub use mixed_precision::MixedPrecision;
pub use row_factor::RowFactor;
pub use sketched::Sketched;
