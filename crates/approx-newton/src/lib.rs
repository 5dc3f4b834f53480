//! Which input of a trained two-layer network has this output? An approximate Newton method for
//!
//! ```text
//! minimise over x, ‖x‖ ≤ R:   loss(softmax(A2 φ(A1 x + c1) + c2), b) + ½‖W A2 φ(A1 x + c1)‖²
//! ```
//!
//! with φ = ReLU and squared or Kullback–Leibler loss (arXiv 2308.08358, "Convergence of Two-Layer
//! Regression with Nonlinear Units"). Take a backend crate for the linear algebra library that you
//! use, build a `TwoLayer` and a `Target` with it, and hand their `Inversion` to [`Solver::solve`]:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use approx_newton::Solver;
//! use twolayer_faer::twolayer_core::{Inversion, Target, TwoLayer};
//! use twolayer_faer::{Faer, faer::Mat};
//!
//! // A network of 8 inputs, 24 units and 40 outcomes, and its output at some input.
//! let a1 = Mat::from_fn(24, 8, |i, j| ((7 * i + 3 * j) as f64).sin());
//! let a2 = Mat::from_fn(40, 24, |i, j| ((5 * i + 11 * j) as f64).cos());
//! let network = TwoLayer::new(Faer::default(), a1, a2)?;
//! let b = network.probabilities(&[0.5, -0.2, 0.1, 0.9, -0.4, 0.3, 0.7, -0.6])?;
//!
//! let target = Target::new(b)?;
//! let problem = Inversion::new(&network, &target)?;
//! let solution = Solver::new().solve(&problem, &[0.1; 8])?;
//! assert!(solution.status.is_converged() && solution.loss < 1e-20);
//! # Ok(())
//! # }
//! ```
//!
//! # Many targets
//!
//! [`Solver::solve_batch`] solves the problems of many targets of one network, each thread one of its
//! own, to the bits of single solves; [`Crew`] shares any work out in that way.
//!
//! # The method
//!
//! * **Steps.** The Hessian is C̄ᵀ diag(β) C̄ plus the regulariser's, C the Jacobian of the logits
//!   in the present cell of active units. A model with β ≥ 0 is factored by QR ([`RowFactor`]):
//!   trained networks have Jacobians with condition numbers of 10⁸, and a normal equation would
//!   see the square. Damping adapts to how well the model predicts.
//! * **Kinks.** Along a step the objective is followed across the kinks of the ReLUs. Where it is
//!   lowest *on* a kink, that unit is pinned there, and later steps stay in the null space of the
//!   pinned normals; a pinned unit is released when the multipliers say that the objective falls
//!   to one of its sides. Every move lowers the objective.
//! * **Warm start.** Far from the solution a softmax is saturated, and its loss says nothing.
//!   log f − log b does: it is piecewise linear in x. So the variance of the log-ratios is
//!   minimised first (a piecewise *quadratic* function, whose minimum along a step, over all the
//!   kinks on it, is found exactly): on few outcomes, by one descent; then on as many as determine
//!   the others, where a Douglas–Rachford splitting of the two layers, which has no local minima,
//!   proposes other starts. The loss that was asked for then takes over at the lowest point.
//! * **Rows.** On all outcomes the default model draws some rows of C, and more where steps show
//!   that they were too few ([`Adaptive`]); leverage scores, sketches and conjugate gradients are
//!   there for comparison and research.
//! * **Saddles.** Before a solve ends it looks for negative curvature, and goes on along it.
//!
//! # What comes back
//!
//! A [`Solution`] always says how it ended ([`Status`]) and what every iteration did
//! ([`TraceEntry`]); an `Err` is for what cannot be computed at all. [`Run`] drives the same solve
//! step by step, an [`Observer`] watches and may stop it. A converged solve is a local minimum to
//! the precision, not a proof of a global one; [`Status::PerfectFit`] says that the loss is zero to
//! rounding, and then it is one.
//!
//! # New problems and models
//!
//! The solver knows neither network nor library: it minimises any
//! [`Kinked`](twolayer_core::Kinked) objective (one without kinks has an empty implementation)
//! with any [`HessianApprox`](twolayer_core::HessianApprox).

mod active_set;
mod ball;
mod batch;
pub mod certificate;
mod crew;
mod crossings;
mod damping;
mod descent;
mod hessian;
mod kink_model;
mod kinked_step;
mod observer;
mod run;
mod search;
mod snapshot;
mod solution;
mod solver;
mod spectrum;
mod starts;
mod termination;
pub mod theory;
mod warm_start;

pub use batch::BatchResult;
pub use certificate::{Certificate, Certifier, Refusal, Verdict};
pub use crew::{Crew, Seat};
pub use hessian::{
    Adaptive, ByWeight, ConjugateGradient, DenseHessian, Importance, Leverage, MixedPrecision,
    RowFactor, Scores, Sketched, Uniform, WeightedRows,
};
pub use observer::{Observer, Silent};
pub use run::Run;
pub use snapshot::Snapshot;
pub use solution::{PhaseSeconds, Solution, Stage, TraceEntry};
pub use solver::Solver;
pub use starts::{Cloud, Further, Neighbours, Solved};
pub use termination::{LimitPoint, Status, Tolerances};
pub use twolayer_core;
