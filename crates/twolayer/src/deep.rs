//! Networks of any depth, with any activations: the same problem, the same solver.
//!
//! For layers h_1 = A_1 x + c_1, a_l = φ_l(h_l), h_{l+1} = A_{l+1} a_l + c_{l+1}, logits z = h_L, every loss L
//! of the softmax of z has, inside a cell of all kinks, the gradient Cᵀu and the Hessian
//!
//! ```text
//! C̄ᵀ diag(β) C̄  +  Σ over hidden layers  J_lᵀ diag(u_l ∘ φ_l''(h_l)) J_l
//! ```
//!
//! with J_l = ∂h_l/∂x, C = J_L, u_l = ∂L/∂a_l, and β and C̄ as in two layers: a sum of diagonal forms, one a
//! node. So every model of the Hessian that works row by row works here, with the rows of J_l as further rows.
//! Piecewise linear activations have φ'' = 0 and kinks instead; those of deeper layers bend
//! ([`Kinked::kinks_bend`](twolayer_core::Kinked::kinks_bend)).
//!
//! A [`TwoLayer`](crate::TwoLayer) is the case of two layers with ReLU, with its fast products and starts.

mod continuation;
mod errors;
mod forward;
mod inversion;
mod kinks;
mod ladder;
mod layer;
mod linearization;
mod network;
mod point;
mod rows;

pub use inversion::DeepInversion;
pub(crate) use layer::checked_norms;
pub use network::DeepNetwork;
pub use point::{DeepPoint, DeepScratch};
