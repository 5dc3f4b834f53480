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
//! use twolayer::{Inversion, Solver, Target, TwoLayer};
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
//! [`Problems::solve_batch`] solves the problems of many targets of one network, each thread one of its
//! own, to the bits of single solves. A [`Campaign`] does the same for an [`Owner`] who reads targets one
//! by one, keeps the state of solves under way, or wants to see and stop it; [`Crew`] shares any work
//! out in that way.
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
//! # Notation
//!
//! | symbol | here | shape | meaning |
//! |---|---|---|---|
//! | A1, A2 | `a1`, `a2` | n×d, m×n | the layers |
//! | c1, c2 | `bias1`, `bias2` | n, m | the biases |
//! | x | `x`, `point` | d | the unknown |
//! | h, s | `hidden`, `pattern` | n | A1 x + c1, and 1\[h > 0\] |
//! | z, f | `logits`, `probabilities` | m | A2 φ(h) + c2, softmax(z) |
//! | b | `target` | m | the distribution to reach |
//! | C | `jacobian` | m×d | A2 diag(s) A1 = ∂z/∂x inside a cell of constant s |
//! | β | `row_weights` | m | curvature of the loss, row by row |
//! | ω = w² | `uncentered_weights` | m | curvature of the regulariser |
//!
//! # The centred form
//!
//! A softmax ignores a shift of all logits, so the Hessian of every loss of it has the form
//! C̄ᵀ diag(β) C̄ with C̄ = C − 1 (cᵀC), Σc = 1. For ‖f − b‖² it has c = f and
//! β = 2 f∘(2f − b − fᵀ(f − b)), which is the paper's diagonal plus rank two, rearranged. A model
//! that is positive semi-definite is then had row by row: max(β, 0), or 2 f∘f. See [`Loss`] and
//! [`Curvature`].
//!
//! # Deeper networks
//!
//! A [`DeepNetwork`] has any number of dense layers with any [`Activation`] between them, and its
//! [`DeepInversion`] is solved by the same solver with the same models. [`AnyNetwork`] is either kind, for a
//! program that reads one.
//!
//! # Derivatives
//!
//! [`Sensitivity`] has the derivatives of an answer in b, the weights and all else that a problem is made of, and
//! says where there are none.
//!
//! # Other problems
//!
//! The solver is [`approx_newton`]: it knows neither network nor library, and minimises any
//! objective with the traits of [`twolayer_core`]. A proof that a minimum is near an answer is the
//! crate `twolayer-certificate`.

mod any;
mod chain;
mod deep;
mod inversion;
mod loss;
mod many;
mod models;
mod nearest;
mod nearness;
mod network;
mod number_format;
pub mod paper;
mod regularizer;
mod rounding;
mod row_space;
mod sensitivity;
mod starts;
mod target;
pub mod theory;

pub use any::{AnyInversion, AnyNetwork, AnyPass, AnyPoint, AnyScratch, NetworkRef};
pub use approx_newton::{
    self, Adaptive, ByWeight, ConjugateGradient, DenseHessian, Importance, Leverage, LimitPoint,
    MixedPrecision, Observer, PhaseSeconds, RowFactor, Run, Scores, Silent, Sketched, Snapshot,
    Solution, Solver, Stage, Status, Tolerances, TraceEntry, Uniform, WeightedRows,
};
pub use deep::{DeepInversion, DeepNetwork, DeepPoint, DeepScratch};
pub use inversion::{Inversion, InversionPoint};
pub use loss::{AtLeast, ClosedForm, KullbackLeibler, LogRatio, Loss, SquaredError};
pub use many::{
    Answer, Bad, BatchResult, Campaign, CampaignSizes, Crew, Done, Earlier, Further, MANY, Model,
    Origin, Owner, Problems, Progress, Round, Seat, Solved, UnderWay,
};
pub use models::ModelKind;
pub use nearest::{Goal, Nearest, NearestAnswer, NearestStatus};
pub use nearness::Nearness;
pub use network::{ForwardPass, HiddenScratch, ProductScratch, TwoLayer};
pub use number_format::NumberFormat;
pub use regularizer::Regularizer;
pub use rounding::LogitErrors;
pub use sensitivity::{
    Change, Gradients, Held, InversionRef, LayerGradient, NoDerivative, Sensitivity,
};
pub use starts::TOGETHER;
pub use target::{SIMPLEX_TOLERANCE, Target};
pub use twolayer_core::{
    self, Activation, ActivationName, Bounds, Curvature, Error, Evaluation, HessianApprox, Kinked,
    Ladder, LinearBackend, Norms, Objective, Relu, RowNorms, RowStructured, RowWeights, Scalar,
    Softmax, UnknownActivation, reduce,
};
