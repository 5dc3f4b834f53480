//! An approximate Newton method that goes on past kinks, for any objective with the traits of
//! [`twolayer_core`]; it knows neither network nor linear algebra library.
//!
//! ```text
//! minimise F(x) over x, ‖x‖ ≤ R:   F smooth but for kinks aᵢᵀx + cᵢ = 0,   ∇²F = C̄ᵀ diag(β) C̄ + Cᵀ diag(ω) C in a cell
//! ```
//!
//! * **Steps.** The default model draws some rows of C, and more where steps show that they were too few
//!   ([`Adaptive`]). A model with β ≥ 0 is factored by QR ([`RowFactor`]): the normal equations would see the
//!   square of C's condition. Damping adapts to how well the model predicts. Leverage scores, sketches and
//!   conjugate gradients are there for comparison and research.
//! * **Kinks.** Along a step the objective is followed across its kinks. Where it is lowest *on* one, that is
//!   pinned, and later steps stay in the null space of the pinned normals; it is released when the multipliers
//!   say that the objective falls to one of its sides. Every move lowers the objective.
//! * **Warm start.** An objective may bring easier ones to begin with
//!   ([`Ladder`](twolayer_core::Ladder)): rungs, descended one after the other.
//! * **Saddles.** Before a solve ends it looks for negative curvature, and goes on along it.
//!
//! A [`Solution`] always says how it ended ([`Status`]) and what every iteration did ([`TraceEntry`]); an
//! `Err` is for what cannot be computed at all. [`Run`] drives the same solve step by step, an [`Observer`]
//! watches and may stop it. A converged solve is a local minimum to the precision, not a proof of a global
//! one; [`Status::PerfectFit`] says that the value is zero to rounding, and then it is one.

mod active_set;
mod ball;
mod crossings;
mod damping;
mod descent;
mod hessian;
#[cfg(test)]
mod hinges;
mod kink_model;
mod local_model;
mod moves;
mod observer;
mod position;
mod run;
mod snapshot;
mod solution;
mod solve;
mod solver;
mod step;
mod subgradient;
mod termination;
mod warm_start;

pub use hessian::{
    Adaptive, ByWeight, ConjugateGradient, DenseHessian, Importance, Leverage, MixedPrecision,
    RowFactor, Scores, Sketched, Uniform, WeightedRows,
};
pub use observer::{Observer, Silent};
pub use run::{Run, take_start};
pub use snapshot::Snapshot;
pub use solution::{PhaseSeconds, Solution, Stage, TraceEntry};
pub use solver::Solver;
pub use termination::{LimitPoint, Status, Tolerances};
pub use twolayer_core;
pub use twolayer_core::retract;
pub use warm_start::FIRST_BURST;
