//! The ends of the Hessian's spectrum, and distances.

use twolayer::{
    Curvature, Inversion, LinearBackend, Objective, ProductScratch, RowStructured, RowWeights,
    Scalar, reduce,
};

/// The least and the largest eigenvalue of the exact Hessian at x (d), in double precision.
pub(super) fn extreme_eigenvalues<B: LinearBackend>(
    problem: &Inversion<'_, B>,
    x: &[B::Scalar],
) -> [f64; 2] {
    let mut at = problem.new_evaluation();
    problem.evaluate(x, &[], &mut at);
    let d = x.len();
    let mut curvature = Curvature::new(problem.rows());
    problem.curvature(&at, RowWeights::Exact, &mut curvature);
    let mut scratch = ProductScratch::default();
    let mut columns = vec![vec![B::Scalar::of(0.0); d]; d];
    for (j, column) in columns.iter_mut().enumerate() {
        let mut unit = vec![B::Scalar::of(0.0); d];
        unit[j] = B::Scalar::of(1.0);
        problem.hessian_vec(&at, &curvature, &unit, &mut scratch, column);
    }
    let matrix = twolayer_faer::faer::Mat::from_fn(d, d, |i, j| {
        0.5 * (columns[j][i].to_f64() + columns[i][j].to_f64())
    });
    // In increasing order; NaN where the matrix has entries that are not finite.
    let values = matrix.self_adjoint_eigenvalues(twolayer_faer::faer::Side::Lower);
    values.map_or([f64::NAN; 2], |values| [values[0], values[d - 1]])
}

/// Whether the exact Hessian at x (d) is positive definite above rounding: eigenvalues of a d×d matrix
/// carry errors of about d roundoffs of the largest.
pub(super) fn is_definite<B: LinearBackend>(problem: &Inversion<'_, B>, x: &[B::Scalar]) -> bool {
    strong_convexity(problem, x) > 0.0
}

/// l: the least eigenvalue of the exact Hessian at x (d); 0 where it is not positive above rounding.
pub(super) fn strong_convexity<B: LinearBackend>(
    problem: &Inversion<'_, B>,
    x: &[B::Scalar],
) -> f64 {
    let [least, largest] = extreme_eigenvalues(problem, x);
    let roundoff = B::Scalar::UNIT_ROUNDOFF.to_f64();
    if least > 2.0 * x.len() as f64 * roundoff * largest {
        least
    } else {
        0.0
    }
}

/// ‖x − y‖ in double precision.
pub(super) fn distance<T: Scalar>(x: &[T], y: &[f64]) -> f64 {
    let squares = x.iter().zip(y).map(|(&x, y)| (x.to_f64() - y).powi(2));
    squares.sum::<f64>().sqrt()
}

/// ‖x‖ in double precision.
pub(super) fn length(x: &[f64]) -> f64 {
    reduce::norm(x)
}

#[cfg(test)]
mod tests {
    use super::super::problems::{Problem, away};
    use super::*;
    use twolayer::paper::iterate;
    use twolayer::theory::{Recorder, examine};
    use twolayer::{DenseHessian, Silent, Solver, Status};
    use twolayer_tests::problems::Planted;

    #[test]
    fn near_a_planted_input_the_iteration_finds_it_and_the_eigenvalues_are_those_of_the_theory() {
        let planted = Planted::new((6, 24, 40), true, 4);
        let problem = Problem::<f64>::reachable(&planted).unwrap();
        let objective = problem.objective().unwrap();
        let x = &planted.solution;
        let size = length(x);
        let start = away(x, 0.1 * problem.kink_distance(x) / size, 7);
        let mut model = DenseHessian::new(&objective, RowWeights::Exact);
        let settings = Solver::new().with_max_iterations(50);
        let last = iterate(&settings, &objective, &mut model, &start, &mut Silent).unwrap();
        assert!(last.status.is_converged());
        // The gradient's rounding, u‖C‖² of f, over l: a condition number of 1e5.
        assert!(distance(&last.x, x) < 1e-10 * size);
        assert!(last.trace.iter().all(|iterate| iterate.flips == 0));
        let theory = examine(&objective, &objective, &mut model, &Recorder::new(x), x);
        let [least, largest] = extreme_eigenvalues(&objective, x);
        let gap = (least - theory.strong_convexity).abs();
        assert!(gap <= 100.0 * f64::EPSILON * largest, "{least} {theory:?}");
        assert_eq!(strong_convexity(&objective, x), least);
    }

    #[test]
    fn where_every_unit_is_off_nothing_is_definite() {
        let planted = Planted::new((3, 8, 12), false, 1);
        let problem = Problem::<f64>::reachable(&planted).unwrap();
        let objective = problem.objective().unwrap();
        // Without biases all units are on their kinks at 0, and count as off.
        let zero = [0.0; 3];
        assert_eq!(extreme_eigenvalues(&objective, &zero), [0.0, 0.0]);
        assert!(!is_definite(&objective, &zero));
        let mut model = DenseHessian::new(&objective, RowWeights::Exact);
        let settings = Solver::new().with_max_iterations(5);
        let end = iterate(&settings, &objective, &mut model, &zero, &mut Silent).unwrap();
        assert_eq!((end.iterations, end.status), (0, Status::Indefinite));
    }
}
