//! What solves say that end at their rounding errors.

use twolayer::{
    Inversion, KullbackLeibler, LinearBackend, Loss, Scalar, Solution, Solver, SquaredError,
    Target, TwoLayer,
};
use twolayer_faer::Faer;
use twolayer_tests::generators::{Blemish, Case, TargetKind};
use twolayer_tests::problems::rounded;

fn case(shape: (usize, usize, usize), target: TargetKind, seed: u64) -> Case {
    Case::new(shape, Blemish::None, target, 0.0, seed)
}

/// Towards the output at the case's x, from `start`, by one loss or the other.
fn go_back<T: Scalar>(case: &Case, start: &[f64], seed: u64) -> (Solution<T>, f64)
where
    Faer<T>: LinearBackend<Scalar = T> + Default,
{
    let b = case.probabilities(&case.x);
    let network = case.network(&Faer::<T>::default()).unwrap();
    let loss: &dyn Loss<T> = match seed % 2 {
        0 => &SquaredError,
        _ => &KullbackLeibler,
    };
    let solution = solve(&network, rounded(&b), loss, start);
    let x: Vec<f64> = solution.x.iter().map(|&v| Scalar::to_f64(v)).collect();
    let apart = case.probabilities(&x).into_iter().zip(&b);
    let apart = apart.map(|(f, b)| (f - b).abs()).fold(0.0, f64::max);
    (solution, apart)
}

fn solve<B: LinearBackend>(
    network: &TwoLayer<B>,
    b: Vec<B::Scalar>,
    loss: &dyn Loss<B::Scalar>,
    start: &[f64],
) -> Solution<B::Scalar> {
    let target = Target::new(b).unwrap();
    let problem = Inversion::new(network, &target).unwrap();
    Solver::new()
        .solve(&problem.with_loss(loss), &rounded(start))
        .unwrap()
}

/// Features of which one or all have a mean of many times their spread: an answer that is right to the
/// digits that x has is said to be right, and one that is said to be is.
fn uncentred<T: Scalar>(sizes: &[f64])
where
    Faer<T>: LinearBackend<Scalar = T> + Default,
{
    for &size in sizes {
        for seed in 0..24 {
            let features = if seed % 4 < 2 { 1 } else { 5 };
            let case = case((5, 20, 12), TargetKind::Uniform, seed).uncentred(size, features);
            let near = case.x.iter().zip(&case.direction);
            let start: Vec<f64> = near.map(|(x, v)| x + 0.3 * v).collect();
            let (solution, apart) = go_back::<T>(&case, &start, seed);
            let status = solution.status;
            assert!(status.is_converged(), "{size:e}, {seed}: {status:?}");
            let right = 100.0 * T::UNIT_ROUNDOFF.to_f64() * size;
            assert!(
                !status.is_met() || apart <= right,
                "{size:e}, {seed}: {apart:e}"
            );
            assert!(
                status.is_met() || apart > right,
                "{size:e}, {seed}: {status:?}, {apart:e}"
            );
        }
    }
}

#[test]
fn features_that_are_not_centred_are_found() {
    uncentred::<f64>(&[10.0, 200.0, 1e4, 1e6]);
    uncentred::<f32>(&[10.0, 200.0]);
}

/// An outcome that a bias masks says nothing of the others.
fn masked<T: Scalar>(masks: &[f64], right: f64)
where
    Faer<T>: LinearBackend<Scalar = T> + Default,
{
    for &mask in masks {
        for seed in 0..16 {
            let count = 1 + 4 * (seed as usize % 2);
            let case = case((4, 24, 14), TargetKind::Uniform, seed).masked(mask, count);
            let near = case.x.iter().zip(&case.direction);
            let start: Vec<f64> = near.map(|(x, v)| x + 0.3 * v).collect();
            let (solution, apart) = go_back::<T>(&case, &start, seed);
            let status = solution.status;
            assert!(status.is_converged(), "{mask:e}, {seed}: {status:?}");
            assert!(
                !status.is_met() || apart <= right,
                "{mask:e}, {seed}: {apart:e}"
            );
        }
    }
}

#[test]
fn what_is_met_beside_masked_outcomes_is_met() {
    let least = f64::from(f32::MIN);
    masked::<f64>(&[-1e4, -1e9, -1e30, least, f64::NEG_INFINITY], 1e-13);
    masked::<f32>(&[-1e4, -1e9, -1e30, least, f64::NEG_INFINITY], 1e-4);
}

/// b is the first outcome, and the last has the same row of A2 and a lower bias. Both keep their ratio,
/// p : 1 − p, and the squared loss is nowhere below 2(1 − p)²; it comes near as x grows, where gradients
/// are nothing but rounding errors, and those of logits lead further down.
#[test]
fn no_loss_is_lower_than_it_can_be() {
    for seed in 0..200 {
        let mut case = case((4, 11, 3), TargetKind::Uniform, seed);
        let row = case.a2[..case.n].to_vec();
        case.a2[2 * case.n..].copy_from_slice(&row);
        case.bias2 = vec![0.1268, 0.0996, -0.0317];
        let network = case.network(&Faer::<f64>::default()).unwrap();
        let start: Vec<f64> = case.x.iter().map(|x| 4.0 * x).collect();
        let solution = solve(&network, vec![1.0, 0.0, 0.0], &SquaredError, &start);
        let p = 1.0 / (1.0 + (case.bias2[2] - case.bias2[0]).exp());
        let least = 2.0 * (1.0 - p).powi(2);
        // The biases are rounded to the digits of logits that have the size of x.
        let size = solution.x.iter().fold(1.0_f64, |most, x| most.max(x.abs()));
        let least = least * (1.0 - 1e-14 * size.min(1e8));
        assert!(
            solution.loss >= least,
            "{seed}: {:e} < {least:e}",
            solution.loss
        );
    }
}
