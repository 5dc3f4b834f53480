//! Targets that a network has put out which computes in fewer digits.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use half::{bf16, f16};
use twolayer::{
    ActivationName, DeepInversion, Evaluation, Inversion, KullbackLeibler, LinearBackend, Loss,
    NumberFormat, Objective, Solution, Solver, SquaredError, Status, Target, TwoLayer,
};
use twolayer_faer::Faer;
use twolayer_nalgebra::Nalgebra;
use twolayer_ndarray::Ndarray;
use twolayer_tests::deep::PlantedDeep;
use twolayer_tests::problems::Planted;

use ActivationName::{Gelu, LeakyRelu, Relu, Silu, Softplus, Tanh};

const FORMATS: [NumberFormat; 3] = [
    NumberFormat::Single,
    NumberFormat::Half,
    NumberFormat::BFloat16,
];

/// A number as the format has it.
fn stored(format: NumberFormat, value: f32) -> f32 {
    match format {
        NumberFormat::Half => f16::from_f32(value).to_f32(),
        NumberFormat::BFloat16 => bf16::from_f32(value).to_f32(),
        _ => value,
    }
}

/// A W v + c as such a network computes it: everything that is stored is in the format, sums are in f32.
fn layer(format: NumberFormat, w: &[f64], v: &[f32], c: &[f64]) -> Vec<f32> {
    let narrow = |value: f64| stored(format, value as f32);
    let row = |(row, c): (&[f64], &f64)| {
        let products = row.iter().zip(v).map(|(&w, v)| narrow(w) * v);
        stored(format, products.sum::<f32>() + narrow(*c))
    };
    w.chunks_exact(v.len()).zip(c).map(row).collect()
}

/// softmax of the logits (m) as such a network computes it.
fn softmax(format: NumberFormat, z: &[f32]) -> Vec<f64> {
    let largest = z.iter().copied().fold(f32::MIN, f32::max);
    let e: Vec<f32> = z.iter().map(|z| (z - largest).exp()).collect();
    let sum: f32 = e.iter().sum();
    e.iter().map(|e| stored(format, e / sum).into()).collect()
}

/// The output at x* of the planted network in the format.
fn put_out(planted: &Planted, format: NumberFormat) -> Vec<f64> {
    let [a1, c1, a2, c2] = planted.weights();
    let x = all_stored(format, &planted.solution);
    let mut a = layer(format, a1, &x, c1);
    a.iter_mut().for_each(|a| *a = a.max(0.0));
    softmax(format, &layer(format, a2, &a, c2))
}

fn all_stored(format: NumberFormat, values: &[f64]) -> Vec<f32> {
    let narrow = values.iter().map(|&v| stored(format, v as f32));
    narrow.collect()
}

const LOSSES: [&dyn Loss<f64>; 2] = [&SquaredError, &KullbackLeibler];

const SHAPES: [(usize, usize, usize); 4] = [(3, 10, 25), (6, 24, 90), (12, 48, 300), (20, 60, 30)];

/// The value and its uncertainty at a point.
fn at<B: LinearBackend<Scalar = f64>>(problem: &Inversion<'_, B>, x: &[f64]) -> [f64; 2] {
    let mut at = problem.new_evaluation();
    problem.evaluate(x, &[], &mut at);
    [at.value(), problem.uncertainty_at(&at)]
}

/// The x that b is from has a loss that the uncertainty explains, which is of the loss's size: within a factor of a
/// hundred in what f is off by, for nine of ten.
#[test]
fn what_a_network_in_fewer_digits_makes_of_x_is_within_its_uncertainty() {
    for format in FORMATS {
        let mut shares = Vec::new();
        for (number, &shape) in SHAPES.iter().cycle().take(40).enumerate() {
            let planted = Planted::new(shape, true, 100 + number as u64);
            let network = planted.network(&Faer::<f64>::default()).unwrap();
            let target = Target::stored_as(put_out(&planted, format), format).unwrap();
            assert_eq!(target.format(), Some(format));
            for loss in LOSSES {
                let problem = Inversion::new(&network, &target).unwrap().with_loss(loss);
                let [value, uncertainty] = at(&problem, &planted.solution);
                assert!(problem.uncertainty() < uncertainty);
                shares.push((value / uncertainty).sqrt());
            }
        }
        shares.sort_by(f64::total_cmp);
        let seen = |part: usize| 1.0 / shares[(shares.len() - 1) * part / 10];
        println!(
            "{}: √(uncertainty/loss) {:.1} at least, {:.1} in the median, {:.1} for nine of ten",
            format.name(),
            seen(10),
            seen(5),
            seen(1)
        );
        assert!(shares[shares.len() - 1] <= 1.0, "{format:?} {shares:?}");
        assert!(shares[shares.len() / 10] > 0.01, "{format:?} {shares:?}");
    }
}

fn solve<B: LinearBackend<Scalar = f64>>(
    planted: &Planted,
    network: &TwoLayer<B>,
    target: &Target<f64>,
    loss: &dyn Loss<f64>,
) -> (Solution<f64>, f64) {
    let problem = Inversion::new(network, target).unwrap().with_loss(loss);
    let solution = Solver::new().solve(&problem, &planted.start).unwrap();
    let [_, uncertainty] = at(&problem, &solution.x);
    (solution, uncertainty)
}

/// Descents that a solve began.
fn descents(solution: &Solution<f64>) -> usize {
    solution.trace.last().map_or(0, |entry| entry.restart)
}

fn are_met_as_far_as_they_tell<B: LinearBackend<Scalar = f64>>(backend: &B) {
    for (number, shape) in SHAPES.into_iter().enumerate() {
        let planted = Planted::new(shape, true, number as u64);
        let network = planted.network(backend).unwrap();
        let exact = planted.target(&network).unwrap();
        for loss in LOSSES {
            let (plain, none) = solve(&planted, &network, &exact, loss);
            assert_eq!((plain.status, none), (Status::PerfectFit, 0.0));
            for format in FORMATS {
                let b = put_out(&planted, format);
                let target = Target::stored_as(b, format).unwrap();
                let (solution, uncertainty) = solve(&planted, &network, &target, loss);
                let case = format!("{shape:?} {} {format:?}", loss.name());
                assert_eq!(solution.status, Status::MeetsTarget, "{case}");
                assert!(solution.loss <= uncertainty, "{case}");
                // No other way is tried to come nearer to what rounding has done to b.
                assert!(descents(&solution) <= descents(&plain), "{case}");
                // Nor is it gone on for the last thirtieth of the loss.
                let (most, taken) = (plain.iterations + 4, solution.iterations);
                assert!(
                    format != NumberFormat::Single || taken <= most,
                    "{case} {taken} {most}"
                );
                // x is the best fit, but for the last thirtieth of the loss, or as near to b as that is stored.
                let problem = Inversion::new(&network, &target).unwrap().with_loss(loss);
                let [planted_value, _] = at(&problem, &planted.solution);
                let enough = problem.uncertainty().max(planted_value);
                assert!(
                    solution.loss <= enough,
                    "{case} {:e} {enough:e}",
                    solution.loss
                );
            }
        }
    }
}

#[test]
fn faer() {
    are_met_as_far_as_they_tell(&Faer::<f64>::default());
}

#[test]
fn nalgebra() {
    are_met_as_far_as_they_tell(&Nalgebra::<f64>::default());
}

#[test]
fn ndarray() {
    are_met_as_far_as_they_tell(&Ndarray::<f64>::default());
}

/// In single precision a b of single precision is met to rounding, and one in fewer digits as far as it is known.
#[test]
fn solves_in_single_precision() {
    for (number, shape) in SHAPES.into_iter().enumerate() {
        let planted = Planted::new(shape, true, number as u64);
        let network = planted.network(&Faer::<f32>::default()).unwrap();
        for format in FORMATS {
            let b = put_out(&planted, format);
            let b: Vec<f32> = b.iter().map(|&p| p as f32).collect();
            let target = Target::stored_as(b, format).unwrap();
            let problem = Inversion::new(&network, &target).unwrap();
            let start: Vec<f32> = planted.start.iter().map(|&x| x as f32).collect();
            let solution = Solver::new().solve(&problem, &start).unwrap();
            assert!(
                solution.status.is_met(),
                "{shape:?} {format:?} {}",
                solution.status
            );
            let is_narrower = format != NumberFormat::Single;
            assert_eq!(problem.uncertainty() > 0.0, is_narrower);
        }
    }
}

/// The same for more layers and other activations.
#[test]
fn deeper_networks() {
    let shapes: [(&[usize], &[ActivationName]); 4] = [
        (&[8, 32, 60], &[Tanh]),
        (&[8, 32, 32, 60], &[Silu, Softplus]),
        (&[8, 32, 32, 60], &[Relu, Relu]),
        (&[8, 32, 24, 60], &[LeakyRelu(0.1), Gelu]),
    ];
    for (number, (widths, activations)) in shapes.into_iter().enumerate() {
        let planted = PlantedDeep::new(widths, activations, number as u64);
        let network = planted.network(&Faer::<f64>::default()).unwrap();
        for format in FORMATS {
            let (weights, biases) = planted.layers();
            let mut v = all_stored(format, &planted.solution);
            for (number, (w, c)) in weights.iter().zip(biases).enumerate() {
                v = layer(format, w, &v, c);
                if let Some(activation) = activations.get(number) {
                    let activation = activation.make::<f32>();
                    v.iter_mut()
                        .for_each(|v| *v = stored(format, activation.value(*v)));
                }
            }
            let target = Target::stored_as(softmax(format, &v), format).unwrap();
            for loss in LOSSES {
                let problem = DeepInversion::new(&network, &target).unwrap();
                let problem = problem.with_loss(loss);
                let at = |x: &[f64]| {
                    let mut at = problem.new_evaluation();
                    problem.evaluate(x, &[], &mut at);
                    [at.value(), problem.uncertainty_at(&at)]
                };
                let case = format!("{activations:?} {format:?} {}", loss.name());
                let [value, uncertainty] = at(&planted.solution);
                assert!(
                    value <= uncertainty && problem.uncertainty() < uncertainty,
                    "{case}"
                );
                assert!(
                    value >= 1e-4 * uncertainty,
                    "{case} {value:e} {uncertainty:e}"
                );
                let solution = Solver::new().solve(&problem, &planted.start).unwrap();
                assert_eq!(solution.status, Status::MeetsTarget, "{case}");
                assert!(solution.loss <= at(&solution.x)[1], "{case}");
            }
        }
    }
}

/// That b is rounded makes none of a target that the network cannot put out.
#[test]
fn a_target_out_of_reach_is_not_met() {
    for format in FORMATS {
        let planted = Planted::new((6, 24, 90), true, 5);
        let network = planted.network(&Faer::<f64>::default()).unwrap();
        let b = &planted.unrelated;
        let b: Vec<f64> = b.iter().map(|&p| stored(format, p as f32).into()).collect();
        let target = Target::stored_as(b, format).unwrap();
        for loss in LOSSES {
            let (solution, uncertainty) = solve(&planted, &network, &target, loss);
            assert!(solution.loss > uncertainty && !solution.status.is_met());
        }
    }
}

/// With a regulariser the objective is zero for no b.
#[test]
fn a_regulariser_leaves_no_uncertainty() {
    let planted = Planted::new((6, 24, 90), true, 6);
    let network = planted.network(&Faer::<f64>::default()).unwrap();
    let b = put_out(&planted, NumberFormat::Single);
    let target = Target::stored_as(b, NumberFormat::Single).unwrap();
    let regularizer = twolayer::Regularizer::new(vec![1e-3; 90]).unwrap();
    let problem = Inversion::new(&network, &target).unwrap();
    let problem = problem.with_regularizer(&regularizer).unwrap();
    assert_eq!(problem.uncertainty(), 0.0);
    assert_eq!(at(&problem, &planted.solution)[1], 0.0);
}
