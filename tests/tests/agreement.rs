//! The backends against each other: the same problem gives the same status and, to what its
//! condition makes of rounding, the same x.

use nalgebra::DMatrix;
use twolayer::{
    Inversion, KullbackLeibler, LinearBackend, Loss, Objective, Regularizer, RowStructured, Scalar,
    SquaredError, Target, TwoLayer, reduce,
};
use twolayer::{Solution, Solver, Status};
use twolayer_faer::Faer;
use twolayer_nalgebra::{Nalgebra, nalgebra};
use twolayer_ndarray::{
    Ndarray, NdarrayScalar,
    ndarray::{Array2, ShapeBuilder},
};
use twolayer_tests::problems::{Planted, rounded};

/// What is asked of a planted problem.
struct Case {
    planted: Planted,
    reachable: bool,
    weight: f64,
}

impl Case {
    fn all() -> Vec<Case> {
        let case = |shape, seed, reachable, weight| Case {
            planted: Planted::new(shape, true, seed),
            reachable,
            weight,
        };
        vec![
            case((8, 32, 64), 1, true, 0.0),
            case((16, 64, 128), 2, true, 0.0),
            case((16, 64, 128), 3, true, 1e-2),
            case((8, 32, 64), 4, false, 1e-1),
            case((6, 24, 40), 5, false, 1.0),
        ]
    }

    fn solve_in<T: Scalar, B: LinearBackend<Scalar = T>>(
        &self,
        network: &TwoLayer<B>,
        loss: &dyn Loss<T>,
    ) -> Solution<T> {
        let target = if self.reachable {
            self.planted.target(network).unwrap()
        } else {
            Target::new(rounded(&self.planted.unrelated)).unwrap()
        };
        let regularizer = Regularizer::uniform(T::of(self.weight), network.outcomes()).unwrap();
        let mut problem = Inversion::new(network, &target).unwrap().with_loss(loss);
        if self.weight > 0.0 {
            problem = problem.with_regularizer(&regularizer).unwrap();
        }
        Solver::new()
            .solve(&problem, &rounded(&self.planted.start))
            .unwrap()
    }

    fn solve<B: LinearBackend>(
        &self,
        backend: &B,
        loss: &dyn Loss<B::Scalar>,
    ) -> Solution<B::Scalar> {
        self.solve_in(&self.planted.network(backend).unwrap(), loss)
    }
}

/// The largest and the smallest singular value of diag(f) C̄ at the planted solution.
fn singular_values(planted: &Planted) -> (f64, f64) {
    let network = planted.network(&Nalgebra::<f64>::default()).unwrap();
    let target = planted.target(&network).unwrap();
    let problem = Inversion::new(&network, &target).unwrap();
    let mut at = problem.new_evaluation();
    problem.evaluate(&planted.solution, &[], &mut at);
    let mut c = DMatrix::zeros(network.outcomes(), network.inputs());
    problem.jacobian(&at, &mut c, &mut Default::default());
    let f = DMatrix::from_column_slice(network.outcomes(), 1, target.probabilities());
    let center = f.transpose() * &c;
    let weighted = DMatrix::from_fn(c.nrows(), c.ncols(), |i, j| f[i] * (c[(i, j)] - center[j]));
    let values = weighted.singular_values();
    (values.max(), values.min())
}

/// A perfect fit stops at ‖f − b‖ of some hundred roundoffs (logits of size 30, sums of n terms),
/// and ‖f − b‖ ≈ ‖diag(f) C̄ (x − x*)‖.
#[test]
fn reachable_targets_give_the_same_x() {
    fn check<T: NdarrayScalar + twolayer_nalgebra::NalgebraScalar>(loss: &dyn Loss<T>) {
        for case in Case::all()
            .iter()
            .filter(|c| c.reachable && c.weight == 0.0)
        {
            let (largest, smallest) = singular_values(&case.planted);
            let bound = 1e3 * <T as Scalar>::UNIT_ROUNDOFF.to_f64() / smallest;
            assert!(largest / smallest < 1e4, "the case is badly conditioned");
            let solutions = [
                case.solve(&Faer::<T>::default(), loss),
                case.solve(&Nalgebra::<T>::default(), loss),
                case.solve(&Ndarray::<T>::default(), loss),
            ];
            for solution in &solutions {
                assert_eq!(solution.status, Status::PerfectFit);
                let error: Vec<T> = rounded::<T>(&case.planted.solution)
                    .iter()
                    .zip(&solution.x)
                    .map(|(&p, &x)| p - x)
                    .collect();
                let error = reduce::norm(&error).to_f64();
                assert!(error <= bound, "{}: {error:e} > {bound:e}", loss.name());
            }
        }
    }
    check::<f64>(&SquaredError);
    check::<f64>(&KullbackLeibler);
    check::<f32>(&SquaredError);
    check::<f32>(&KullbackLeibler);
}

/// The same status, the same pinned kinks, and the same loss. Near a minimum of value L the loss
/// is flat: there it is known to a few hundred roundoffs of the terms that make it, f, b and L.
fn assert_same(one: &Solution<f64>, other: &Solution<f64>, what: &str) {
    assert_eq!(one.status, other.status, "{what}");
    assert_eq!(one.pinned, other.pinned, "{what}");
    let roundoff = 1e3 * f64::UNIT_ROUNDOFF;
    let difference = (one.loss - other.loss).abs();
    assert!(
        difference <= roundoff * (one.loss + roundoff),
        "{what}: {:e} and {:e}",
        one.loss,
        other.loss
    );
}

/// With kinks and negative curvature on the way, and minima that are no perfect fits.
#[test]
fn every_problem_ends_in_the_same_way() {
    for (index, case) in Case::all().iter().enumerate() {
        for loss in [&SquaredError as &dyn Loss<f64>, &KullbackLeibler] {
            let faer = case.solve(&Faer::default(), loss);
            let nalgebra = case.solve(&Nalgebra::default(), loss);
            let ndarray = case.solve(&Ndarray::default(), loss);
            let what = format!("case {index}, {}", loss.name());
            assert_same(&faer, &nalgebra, &format!("{what}, nalgebra"));
            assert_same(&faer, &ndarray, &format!("{what}, ndarray"));
        }
    }
}

/// An array's layout changes the order of sums, and nothing else.
#[test]
fn row_and_column_major_arrays_give_the_same_answer() {
    let column_major = |a: &Array2<f64>| {
        let mut copy = Array2::zeros(a.dim().f());
        copy.assign(a);
        copy
    };
    for (index, case) in Case::all().iter().enumerate() {
        let rows = case.planted.network(&Ndarray::<f64>::default()).unwrap();
        let (a1, a2) = (column_major(rows.a1()), column_major(rows.a2()));
        let columns = TwoLayer::new(Ndarray::default(), a1, a2)
            .unwrap()
            .with_biases(rows.bias1().to_vec(), rows.bias2().to_vec())
            .unwrap();
        assert_same(
            &case.solve_in(&rows, &SquaredError),
            &case.solve_in(&columns, &SquaredError),
            &format!("case {index}"),
        );
    }
}
