//! The paper's own algorithm, to be read beside it.
//!
//! arXiv 2308.08358, with A1 and A2 given, b a distribution and W = diag(w):
//!
//! ```text
//! L_reg(x) = ‖softmax(A2 ReLU(A1 x)) − b‖² + ½ ‖W A2 ReLU(A1 x)‖²
//! H(x)     = Cᵀ (B + W²) C                    B the Hessian of the loss in the logits
//! H̃(x)     = Cᵀ D̃ C,  D̃ a sample of rows       (1 − ε₀) H ⪯ H̃ ⪯ (1 + ε₀) H, ε₀ = 0.1      (Lemma 70)
//! x_{t+1}  = x_t − H̃(x_t)⁻¹ ∇L_reg(x_t)         ‖x_{t+1} − x*‖ ≤ 0.4 ‖x_t − x*‖               (Theorem 72)
//! ```
//!
//! where ∇²L_reg ⪰ l I, the Hessian is M-Lipschitz, the pattern of the ReLUs stays, and M ‖x_0 − x*‖ ≤ 0.1 l:
//! [`examine`](crate::theory::examine) says which of these held. It is here to be studied; a
//! [`Solver`](crate::Solver) goes on where an assumption fails.

use crate::inversion::Inversion;
use num_traits::Float;
use twolayer_core::{
    Error, Evaluation, HessianApprox, LinearBackend, Objective, Scalar, Subspace, reduce,
};

/// x_t.
#[derive(Debug, Clone, PartialEq)]
pub struct Iterate<T> {
    /// x_t (d).
    pub x: Vec<T>,
    /// L_reg(x_t).
    pub loss: T,
    /// ReLUs that switched on the way from x_{t−1}.
    pub flips: usize,
}

/// x_0, x_1, … and how the iteration ended.
pub type Iterates<T> = (Vec<Iterate<T>>, End);

/// How an iteration ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The last step was below u^⅔ ‖x‖, u the roundoff.
    Settled,
    /// H̃ was not positive definite.
    Indefinite,
    /// Something overflowed.
    NonFinite,
    /// So many steps were taken.
    Limit,
}

/// x_{t+1} = x_t − H̃(x_t)⁻¹ ∇L_reg(x_t) from `x0` (d), at most T = `most` times, with the model H̃ of `hessian`:
/// x_0, and every iterate that followed. Nothing damps the step, nothing looks whether the loss falls.
///
/// # Errors
/// An x0 of the wrong length, with an entry that is NaN or infinite, or at which the objective overflows.
pub fn iterate<'a, B: LinearBackend>(
    problem: &Inversion<'a, B>,
    hessian: &mut impl HessianApprox<Inversion<'a, B>>,
    x0: &[B::Scalar],
    most: usize,
) -> Result<Iterates<B::Scalar>, Error> {
    Error::check_length("x0", x0.len(), problem.dimension())?;
    Error::check_finite("x0", x0)?;
    hessian.begin_solve();
    let d = x0.len();
    let whole = Subspace::whole(d);
    let zero = B::Scalar::of(0.0);
    let mut step = vec![zero; d];
    let (mut at, mut before) = (problem.new_evaluation(), problem.new_evaluation());
    problem.evaluate(x0, &[], &mut at);
    if !at.value().is_finite() {
        return Err(Error::Overflow {
            quantity: "objective",
            at: "x0",
        });
    }
    let iterate = |at: &<Inversion<'a, B> as Objective>::Evaluation, flips| Iterate {
        x: at.point().to_vec(),
        loss: at.value(),
        flips,
    };
    let mut iterates = vec![iterate(&at, 0)];
    let mut end = End::Limit;
    while iterates.len() <= most {
        problem.differentiate(&mut at);
        hessian.build(problem, &at);
        let built = hessian.step(problem, &at, zero, None, &whole, &mut step);
        if built.is_err() {
            return Ok((iterates, End::Indefinite));
        }
        let mut x = at.point().to_vec();
        reduce::axpy(B::Scalar::of(1.0), &step, &mut x);
        std::mem::swap(&mut at, &mut before);
        problem.evaluate(&x, &[], &mut at);
        if !at.value().is_finite() {
            return Ok((iterates, End::NonFinite));
        }
        iterates.push(iterate(&at, at.flips_from(&before)));
        // Where C is badly conditioned steps stay well above roundoff for ever.
        let relative = (reduce::norm(&step) / reduce::norm(&x)).to_f64();
        let roundoff = B::Scalar::UNIT_ROUNDOFF.to_f64();
        end = if relative <= roundoff.powf(2.0 / 3.0) {
            End::Settled
        } else {
            End::Limit
        };
        if relative <= 4.0 * roundoff {
            break;
        }
    }
    Ok((iterates, end))
}
