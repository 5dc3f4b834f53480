//! The seams between a linear algebra library, an objective and a solver; no library, no problem.
//!
//! * [`LinearBackend`]: the dense kernels that the algorithms need of a library;
//! * [`Activation`]: the nonlinearities of hidden units, and [`Softmax`] for the output;
//! * [`Objective`], with its [`Evaluation`] and its [`Kinked`] and [`RowStructured`] sides: what a solver
//!   sees of a problem, and [`Ladder`]: easier ones to begin with;
//! * [`RowMap`] and [`RowLoss`], which make an objective with a few methods ([`Composite`]);
//! * [`HessianApprox`]: what a solver asks of a model of the Hessian.
//!
//! Beside them what several crates need: [`Scalar`], [`Error`], [`Bounds`], sums ([`reduce`]), passes over columns
//! ([`columns`]), the null space of pinned normals ([`Subspace`]), triangular systems ([`solve_upper`]), small spectra
//! ([`spectrum`]).

mod activation;
mod backend;
mod bounds;
pub mod columns;
mod composite;
#[cfg(feature = "conformance")]
pub mod conformance;
mod curvature;
mod error;
mod hessian;
mod ladder;
mod loss;
mod map;
mod norms;
mod objective;
pub mod reduce;
mod scalar;
mod softmax;
pub mod spectrum;
mod subspace;
mod triangle;

pub use activation::{
    Activation, ActivationName, Gelu, GeluTanh, HardTanh, Identity, Kink, LeakyRelu, Relu, Sigmoid,
    Silu, Softplus, Tanh, UnknownActivation,
};
pub use backend::{LinearBackend, NotPositiveDefinite};
pub use bounds::{Bounds, retract};
pub use composite::{Composite, CompositePoint};
pub use curvature::{Curvature, RowWeights};
pub use error::Error;
pub use hessian::{HessianApprox, StepOutcome};
pub use ladder::{Ladder, Restarts, RungMaker, Starts, TargetOf, TellTarget, WarmStart, WhenRungs};
pub use loss::{LeastSquares, RowLoss, WithSquares};
pub use map::{Entry, LinearMap, MapOf, RowMap};
pub use norms::{Norms, RowNorms};
pub use objective::{
    Crossing, Evaluation, Kinked, Met, Objective, RayMinimum, RowCombination, RowStructured,
};
pub use scalar::Scalar;
pub use softmax::Softmax;
pub use subspace::Subspace;
pub use triangle::solve_upper;
