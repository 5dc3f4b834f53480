//! What has no derivative is refused, and said why.

use super::made::Numbers;
use crate::sensitivity::{Change, Held, NoDerivative, Sensitivity};
use crate::{
    Bounds, ForwardPass, Inversion, KullbackLeibler, LogitErrors, Loss, Nearness, RowWeights,
    Solver, Status, Target, TwoLayer,
};
use twolayer_core::{Error, reduce};
use twolayer_faer::Faer;

fn network((d, n, m): (usize, usize, usize), seed: u64) -> TwoLayer<Faer<f64>> {
    let mut numbers = Numbers::new(seed);
    let (a1, a2) = (numbers.matrix(n, d, 1.0), numbers.matrix(m, n, 0.7));
    let network = TwoLayer::new(Faer::sequential(), a1, a2).unwrap();
    let biases = (numbers.vector(n, 0.5), numbers.vector(m, 0.5));
    network.with_biases(biases.0, biases.1).unwrap()
}

fn refused(told: Result<Sensitivity<'_, Faer<f64>>, NoDerivative>) -> NoDerivative {
    match told {
        Ok(_) => panic!("not refused"),
        Err(why) => why,
    }
}

/// Fewer outcomes than unknowns: a surface of x has the output b. A nearness makes a minimum of one.
#[test]
fn an_answer_that_is_one_of_many_is_refused() {
    let network = network((6, 20, 4), 1);
    let x: Vec<f64> = Numbers::new(2).vector(6, 1.0);
    let target = Target::new(network.probabilities(&x).unwrap()).unwrap();
    let problem = Inversion::new(&network, &target).unwrap();
    let solution = Solver::new().solve(&problem, &[0.1; 6]).unwrap();
    assert_eq!(
        (solution.status, solution.pinned.len()),
        (Status::PerfectFit, 0)
    );
    let why = refused(Sensitivity::new(&problem, &solution));
    assert_eq!(why, NoDerivative::NotStrict { directions: 6 });
    let nearness = Nearness::new(vec![0.1; 6], 1e-3).unwrap();
    let problem = problem.with_nearness(&nearness).unwrap();
    let solution = Solver::new().solve(&problem, &[0.1; 6]).unwrap();
    let sensitivity = Sensitivity::new(&problem, &solution).unwrap();
    assert!(sensitivity.relative_error() < 1e-8 && sensitivity.newton_step() < 1e-6);
}

#[test]
fn what_is_no_minimum_is_refused() {
    let network = network((3, 20, 8), 3);
    let x = [0.4, -0.3, 0.8];
    let target = Target::new(network.probabilities(&x).unwrap()).unwrap();
    let problem = Inversion::new(&network, &target).unwrap();
    let stopped = Solver::new().with_warm_start(false).with_max_iterations(1);
    let solution = stopped.solve(&problem, &[0.1; 3]).unwrap();
    let why = refused(Sensitivity::new(&problem, &solution));
    let status = Status::IterationLimit;
    assert_eq!(why, NoDerivative::NotConverged { status });
    assert!(why.to_string().contains("raise the iteration limit"));
    // Near it, but not near enough; and on it.
    let off = [0.401, -0.3, 0.8];
    let why = refused(Sensitivity::at_minimum(&problem, &off, &[]));
    assert!(
        matches!(why, NoDerivative::Rough { step, .. } if step > 1e-4),
        "{why}"
    );
    assert!(Sensitivity::at_minimum(&problem, &x, &[]).is_ok());
    let why = refused(Sensitivity::at_minimum(&problem, &x[..2], &[]));
    assert!(matches!(
        why,
        NoDerivative::Input(Error::Shape { name: "x", .. })
    ));
    let why = refused(Sensitivity::at_minimum(
        &problem,
        &[0.0, f64::NAN, 0.0],
        &[],
    ));
    assert!(matches!(
        why,
        NoDerivative::Input(Error::NotFinite { name: "x", .. })
    ));
    // Held by what does not hold it.
    for pinned in [&[3][..], &[20], &[usize::MAX]] {
        let why = refused(Sensitivity::at_minimum(&problem, &x, pinned));
        assert!(
            matches!(why, NoDerivative::OfAnotherProblem { .. }),
            "{why}"
        );
    }
}

#[test]
fn a_minimum_at_infinity_is_refused() {
    let network = network((8, 40, 3), 5);
    let target = Target::new(vec![1.0, 0.0, 0.0]).unwrap();
    let problem = Inversion::new(&network, &target).unwrap();
    let solution = Solver::new().solve(&problem, &[0.1; 8]).unwrap();
    assert_eq!(solution.status, Status::MetAtInfinity);
    let why = refused(Sensitivity::new(&problem, &solution));
    assert_eq!(why, NoDerivative::AtInfinity);
}

/// Where the minimum happens to lie on a bound, the sphere or a kink, its multiplier is zero: the answer follows b into
/// the domain, and not out of it.
#[test]
fn corners_are_refused() {
    let network = network((3, 20, 8), 3);
    let x = [0.4, -0.3, 0.8];
    let target = Target::new(network.probabilities(&x).unwrap()).unwrap();
    let bounds = Bounds::new(vec![-1.0; 3], vec![0.4, 1.0, 1.0]).unwrap();
    let problem = Inversion::new(&network, &target).unwrap();
    let bounded = problem.clone().with_bounds(&bounds).unwrap();
    let held = Held::Bound {
        entry: 0,
        is_upper: true,
    };
    // Bounds are numbered entry by entry, the lower one first.
    for pinned in [&[][..], &[21]] {
        let why = refused(Sensitivity::at_minimum(&bounded, &x, pinned));
        assert_eq!(why, NoDerivative::Corner { held });
        assert!(why.to_string().contains("the upper bound of x[0]"), "{why}");
    }
    let in_ball = problem.with_radius(reduce::norm(&x)).unwrap();
    let why = refused(Sensitivity::at_minimum(&in_ball, &x, &[]));
    let held = Held::Sphere;
    assert_eq!(why, NoDerivative::Corner { held });
    // Unit 4 at its kink.
    let h = {
        let mut pass = ForwardPass::new(20, 8);
        network.forward(&x, &[], &mut pass);
        pass.hidden[4]
    };
    let mut bias = network.bias1().to_vec();
    bias[4] -= h;
    let moved = network.clone().with_biases(bias, network.bias2().to_vec());
    let moved = moved.unwrap();
    let target = Target::new(moved.probabilities(&x).unwrap()).unwrap();
    let problem = Inversion::new(&moved, &target).unwrap();
    for pinned in [&[][..], &[4]] {
        let why = refused(Sensitivity::at_minimum(&problem, &x, pinned));
        let held = Held::Kink(4);
        assert_eq!(why, NoDerivative::Corner { held });
    }
}

#[test]
fn a_change_of_what_is_not_there_is_refused() {
    let mut network = network((3, 20, 8), 3);
    let mut bias = network.bias2().to_vec();
    bias[7] = f64::NEG_INFINITY;
    network = network
        .clone()
        .with_biases(network.bias1().to_vec(), bias)
        .unwrap();
    let target = Target::new(network.probabilities(&[0.4, -0.3, 0.8]).unwrap()).unwrap();
    let problem = Inversion::new(&network, &target).unwrap();
    let sensitivity = Sensitivity::at_minimum(&problem, &[0.4, -0.3, 0.8], &[]).unwrap();
    let said = |change: Change<'_, Faer<f64>>| sensitivity.jvp(&change).unwrap_err().to_string();
    let (three, eight) = (vec![0.0; 3], vec![0.5; 8]);
    let absent = "and the problem has nothing that it is a change of";
    assert!(said(Change::new().with_reference(&three)).contains(absent));
    assert!(said(Change::new().with_curvatures(&three)).contains(absent));
    assert!(said(Change::new().with_regularizer(&eight)).contains("dw is given"));
    assert!(said(Change::new().with_lower(&three)).contains("dl is given"));
    assert!(said(Change::new().with_upper(&three)).contains("du is given"));
    assert!(said(Change::new().with_radius(1.0)).contains("dR is given"));
    assert!(said(Change::new().with_bias(2, &three)).contains("behind the last"));
    assert!(said(Change::new().with_bias(0, &three)).contains("dc has shape (3,)"));
    assert!(said(Change::new().with_target(&three)).contains("db has shape (3,)"));
    assert!(said(Change::new().with_target(&eight)).contains("b[7] is 0.5 where c2[7] is -inf"));
    assert!(said(Change::new().with_bias(1, &[f64::NAN; 8])).contains("dc[0] is NaN"));
    let transposed = Numbers::new(1).matrix(3, 20, 1.0);
    let message = said(Change::new().with_weights(0, &transposed));
    assert!(
        message.contains("dA has shape (3, 20); expected (20, 3)"),
        "{message}"
    );
    let mut bad = Numbers::new(1).matrix(20, 3, 1.0);
    bad[(2, 1)] = f64::INFINITY;
    let message = said(Change::new().with_weights(0, &bad));
    assert!(message.contains("dA[2, 1] is inf"), "{message}");
    assert!(sensitivity.vjp(&[1.0]).is_err());
    assert!(sensitivity.vjp(&[1.0, f64::NAN, 0.0]).is_err());
    // No change at all moves nothing.
    assert_eq!(sensitivity.jvp(&Change::new()).unwrap(), [0.0; 3]);
}

/// A loss of one's own that does not tell how it depends on b.
#[derive(Debug)]
struct Untold;

impl Loss<f64> for Untold {
    fn name(&self) -> &'static str {
        "untold"
    }

    fn value(&self, pass: &ForwardPass<f64>, target: &Target<f64>) -> f64 {
        KullbackLeibler.value(pass, target)
    }

    fn logit_gradient(&self, pass: &ForwardPass<f64>, target: &Target<f64>, u: &mut [f64]) {
        KullbackLeibler.logit_gradient(pass, target, u);
    }

    fn curvature(
        &self,
        pass: &ForwardPass<f64>,
        target: &Target<f64>,
        kind: RowWeights,
        center: &mut [f64],
        row_weights: &mut [f64],
    ) {
        KullbackLeibler.curvature(pass, target, kind, center, row_weights);
    }

    fn rounding_error(
        &self,
        pass: &ForwardPass<f64>,
        target: &Target<f64>,
        errors: &LogitErrors<'_, f64>,
    ) -> f64 {
        KullbackLeibler.rounding_error(pass, target, errors)
    }

    fn logit_gradient_errors(
        &self,
        pass: &ForwardPass<f64>,
        target: &Target<f64>,
        errors: &LogitErrors<'_, f64>,
        bounds: &mut [f64],
    ) {
        KullbackLeibler.logit_gradient_errors(pass, target, errors, bounds);
    }
}

#[test]
fn a_loss_need_not_tell_how_it_depends_on_b() {
    let network = network((3, 20, 8), 3);
    let x = [0.4, -0.3, 0.8];
    let target = Target::new(network.probabilities(&x).unwrap()).unwrap();
    let problem = Inversion::new(&network, &target).unwrap();
    let problem = problem.with_loss(&Untold);
    let sensitivity = Sensitivity::at_minimum(&problem, &x, &[]).unwrap();
    assert_eq!(sensitivity.vjp(&[1.0; 3]).unwrap().target, None);
    let why = sensitivity.jvp(&Change::new().with_target(&[0.0; 8]));
    assert_eq!(
        why.unwrap_err(),
        NoDerivative::UnknownLoss { name: "untold" }
    );
    let along = Change::new().with_bias(0, network.bias1());
    let dx = sensitivity.jvp(&along).unwrap();
    let known = problem.with_loss(&KullbackLeibler);
    let same = Sensitivity::at_minimum(&known, &x, &[]).unwrap();
    assert_eq!(dx, same.jvp(&along).unwrap());
}
