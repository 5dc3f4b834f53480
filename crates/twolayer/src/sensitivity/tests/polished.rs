//! Answers to the last digit.

use approx_newton::{DenseHessian, Solution};
use num_traits::Zero;
use twolayer_core::{
    Evaluation, HessianApprox, Kinked, RowStructured, RowWeights, Subspace, reduce, retract,
};

/// Newton steps along what holds an answer, on the gradient: values of the objective tell a minimum from its
/// neighbours to the root of a roundoff only. The Hessian is factored by Cholesky, as a matrix.
pub(super) fn polished<O>(problem: &O, solution: &Solution<f64>) -> Vec<f64>
where
    O: RowStructured<Scalar = f64> + Kinked,
{
    let (mut x, pinned) = (solution.x.clone(), &solution.pinned);
    let mut at = problem.new_evaluation();
    let mut hessian = DenseHessian::new(problem, RowWeights::Exact);
    let mut step = vec![f64::zero(); x.len()];
    for _ in 0..4 {
        problem.evaluate(&x, pinned, &mut at);
        problem.differentiate(&mut at);
        let mut subspace = Subspace::whole(x.len());
        let mut distances = Vec::new();
        for &kink in pinned {
            problem.normal(&at, kink, &mut step);
            assert!(subspace.constrain(&step));
            distances.push(-reduce::dot(&step, &x) - problem.offset(&at, kink));
        }
        let radius = problem
            .radius()
            .filter(|radius| reduce::norm(&x) > radius * (1.0 - f64::EPSILON.sqrt()));
        let mut pull = 0.0;
        if let Some(radius) = radius
            && subspace.constrain(&x)
        {
            pull = subspace.multipliers(at.gradient()).pop().unwrap_or(0.0);
            distances.push(0.5 * (radius * radius - reduce::dot(&x, &x)));
        }
        hessian.build(problem, &at);
        let pulled = Some((pull, &x[..]));
        if hessian
            .step(problem, &at, pull, pulled, &subspace, &mut step)
            .is_err()
        {
            return x;
        }
        reduce::axpy(1.0, &step, &mut x);
        reduce::axpy(1.0, &subspace.shortest(&distances), &mut x);
        if let Some(radius) = radius {
            retract(radius, &mut x);
        }
    }
    x
}
