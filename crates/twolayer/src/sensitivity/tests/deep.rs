//! Networks of any depth, against central differences of whole solves.

use super::made::Numbers;
use super::polished::polished;
use crate::sensitivity::{Change, Gradients, Sensitivity};
use crate::{
    ActivationName, Bounds, DeepInversion, DeepNetwork, KullbackLeibler, Loss, Nearness, Solution,
    Solver, SquaredError, Target,
};
use twolayer_core::{Scalar, reduce};
use twolayer_faer::{Faer, faer::Mat};

/// Differences are taken over twice so much of a change.
const STEP: f64 = 4e-6;
/// What differences may be off by, as for two layers; third derivatives grow with the depth.
const ROOTS: f64 = 256.0;

/// What a problem is made of, or a change of it.
#[derive(Debug, Clone)]
struct Made {
    layers: Vec<Mat<f64>>,
    biases: Vec<Vec<f64>>,
    b: Vec<f64>,
    near: Vec<f64>,
    lower: Vec<f64>,
    upper: Vec<f64>,
    radius: f64,
}

#[derive(Debug, Clone)]
struct Kind {
    activations: Vec<ActivationName>,
    loss: &'static dyn Loss<f64>,
    is_bounded: bool,
    is_in_ball: bool,
}

impl Made {
    fn new(widths: &[usize], numbers: &mut Numbers) -> Self {
        let (d, m) = (widths[0], widths[widths.len() - 1]);
        let pairs = || widths.windows(2);
        let mut positive = |length| -> Vec<f64> {
            let values = numbers.vector(length, 1.0);
            values.iter().map(|v| v.abs() + 0.01).collect()
        };
        let (b, lower, upper) = (positive(m), positive(d), positive(d));
        let total: f64 = b.iter().sum();
        Self {
            layers: pairs()
                .map(|pair| numbers.matrix(pair[1], pair[0], 1.0 / (pair[0] as f64).sqrt()))
                .collect(),
            biases: pairs().map(|pair| numbers.vector(pair[1], 0.4)).collect(),
            b: b.iter().map(|b| b / total).collect(),
            near: numbers.vector(d, 1.0),
            lower: lower.iter().map(|v| -v).collect(),
            upper,
            radius: 0.5 + numbers.next().abs(),
        }
    }

    fn moved(&self, change: &Self, step: f64) -> Self {
        let add = |v: &[f64], dv: &[f64]| -> Vec<f64> {
            v.iter().zip(dv).map(|(v, dv)| v + step * dv).collect()
        };
        let matrices = self.layers.iter().zip(&change.layers);
        Self {
            layers: matrices
                .map(|(a, da)| {
                    Mat::from_fn(a.nrows(), a.ncols(), |i, j| a[(i, j)] + step * da[(i, j)])
                })
                .collect(),
            biases: (0..self.biases.len())
                .map(|layer| add(&self.biases[layer], &change.biases[layer]))
                .collect(),
            b: add(&self.b, &change.b),
            near: add(&self.near, &change.near),
            lower: add(&self.lower, &change.lower),
            upper: add(&self.upper, &change.upper),
            radius: self.radius + step * change.radius,
        }
    }

    fn with<R>(&self, kind: &Kind, work: impl FnOnce(&DeepInversion<'_, Faer<f64>>) -> R) -> R {
        let backend = Faer::<f64>::sequential();
        let network = DeepNetwork::named(backend, self.layers.clone(), &kind.activations);
        let network = network.unwrap().with_biases(self.biases.clone()).unwrap();
        let target = Target::new(self.b.clone()).unwrap();
        let nearness = Nearness::new(self.near.clone(), 0.03).unwrap();
        let bounds = Bounds::new(self.lower.clone(), self.upper.clone()).unwrap();
        let mut problem = DeepInversion::new(&network, &target).unwrap();
        problem = problem
            .with_loss(kind.loss)
            .with_nearness(&nearness)
            .unwrap();
        if kind.is_bounded {
            problem = problem.with_bounds(&bounds).unwrap();
        }
        if kind.is_in_ball {
            problem = problem.with_radius(self.radius).unwrap();
        }
        work(&problem)
    }

    fn solve(&self, kind: &Kind, start: &[f64], warm: bool) -> Solution<f64> {
        let solver = Solver::new().with_warm_start(warm);
        self.with(kind, |problem| {
            let mut start = start.to_vec();
            twolayer_core::Objective::confine(problem, &[], &mut start);
            solver.solve(problem, &start).unwrap()
        })
    }

    /// What gradients say of this change, and the sum of the sizes of its terms.
    fn along(&self, gradients: &Gradients<f64>) -> (f64, f64) {
        let mut terms = Vec::new();
        let mut pair = |gradient: &[f64], change: &[f64]| {
            assert_eq!(gradient.len(), change.len());
            terms.extend(gradient.iter().zip(change).map(|(g, c)| g * c));
        };
        pair(gradients.target.as_ref().unwrap(), &self.b);
        pair(gradients.reference.as_ref().unwrap(), &self.near);
        assert_eq!(gradients.layers.len(), self.layers.len());
        for (number, (a, c)) in self.layers.iter().zip(&self.biases).enumerate() {
            let layer = &gradients.layers[number];
            let mut values = vec![0.0; a.nrows() * a.ncols()];
            layer.write_weights(&mut values);
            let entries = (0..values.len()).map(|at| a[(at / a.ncols(), at % a.ncols())]);
            pair(&values, &entries.collect::<Vec<_>>());
            pair(&layer.bias, c);
        }
        for (gradient, change) in [
            (&gradients.lower, &self.lower),
            (&gradients.upper, &self.upper),
        ] {
            if let Some(gradient) = gradient {
                pair(gradient, change);
            }
        }
        if let Some(radius) = gradients.radius {
            pair(&[radius], &[self.radius]);
        }
        let size = terms.iter().map(|term| term.abs()).sum();
        (terms.iter().sum(), size)
    }

    fn as_change(&self, kind: &Kind) -> Change<'_, Faer<f64>> {
        let mut change = Change::new()
            .with_target(&self.b)
            .with_reference(&self.near);
        for (layer, (a, c)) in self.layers.iter().zip(&self.biases).enumerate() {
            change = change.with_weights(layer, a).with_bias(layer, c);
        }
        if kind.is_bounded {
            change = change.with_lower(&self.lower).with_upper(&self.upper);
        }
        if kind.is_in_ball {
            change = change.with_radius(self.radius);
        }
        change
    }
}

fn drawn(seed: u64) -> (Kind, Made, Made, Vec<f64>) {
    let mut numbers = Numbers::new(seed);
    let mut widths = vec![1 + numbers.below(4)];
    for _ in 0..1 + numbers.below(3) {
        widths.push(2 + numbers.below(5));
    }
    widths.push(2 + numbers.below(4));
    let names = [
        ActivationName::Relu,
        ActivationName::Tanh,
        ActivationName::Relu,
        ActivationName::Gelu,
        ActivationName::HardTanh,
    ];
    let losses: [&'static dyn Loss<f64>; 2] = [&SquaredError, &KullbackLeibler];
    let hidden = widths.len() - 2;
    let kind = Kind {
        activations: (0..hidden).map(|_| names[numbers.below(5)]).collect(),
        loss: losses[numbers.below(2)],
        is_bounded: numbers.below(3) == 0,
        is_in_ball: numbers.below(3) == 0,
    };
    let made = Made::new(&widths, &mut numbers);
    let mut change = Made::new(&widths, &mut numbers);
    change.b.iter_mut().for_each(|b| *b -= 0.2);
    change.radius -= 1.0;
    (kind, made, change, numbers.vector(widths[0], 1.0))
}

#[test]
fn derivatives_are_the_limits_of_differences() {
    let (mut compared, mut deep_pins, mut curved_pins, mut others) = (0, 0, 0, 0);
    for seed in 0..1500 {
        let (kind, made, change, start) = drawn(seed);
        let solution = made.solve(&kind, &start, true);
        let told = made.with(&kind, |problem| {
            let sensitivity = Sensitivity::new(problem, &solution).ok()?;
            let dx = sensitivity.jvp(&change.as_change(&kind)).unwrap();
            let v: Vec<f64> = (0..dx.len()).map(|j| (2.0 + j as f64).cos()).collect();
            let (along, size) = change.along(&sensitivity.vjp(&v).unwrap());
            let (off, error) = (along - reduce::dot(&v, &dx), sensitivity.relative_error());
            let error_here = error * size + 64.0 * f64::UNIT_ROUNDOFF;
            assert!(
                off.abs() <= error_here,
                "{seed}: {along:e} is off by {off:e}"
            );
            Some((dx, error))
        });
        let Some((dx, error)) = told else { continue };
        let mut ends = Vec::new();
        for step in [STEP, -STEP] {
            let moved = made.moved(&change, step);
            let pairs = solution.x.iter().zip(&dx);
            let start: Vec<f64> = pairs.map(|(x, dx)| x + step * dx).collect();
            let end = moved.solve(&kind, &start, false);
            let mut held = [end.pinned.clone(), solution.pinned.clone()];
            held.iter_mut().for_each(|held| held.sort_unstable());
            // Kinks that bend may meet the sphere in several places, each a minimum.
            let apart = start.iter().zip(&end.x).map(|(start, x)| start - x);
            let is_near = reduce::norm(&apart.collect::<Vec<_>>()) <= STEP.sqrt();
            if held[0] == held[1] && is_near && end.status.is_converged() {
                ends.push(moved.with(&kind, |problem| polished(problem, &end)));
            }
        }
        let [ahead, behind] = &ends[..] else {
            others += 1;
            continue;
        };
        let off: Vec<f64> = (0..dx.len())
            .map(|j| (ahead[j] - behind[j]) / (2.0 * STEP) - dx[j])
            .collect();
        let condition = 1.0 + error / (16.0 * f64::UNIT_ROUNDOFF);
        let size = reduce::norm(&dx) + reduce::norm(&solution.x);
        let unit = f64::UNIT_ROUNDOFF.sqrt() * condition * size;
        let off = reduce::norm(&off) / unit;
        assert!(off <= ROOTS, "{seed}: {off}");
        compared += 1;
        let first = made.biases[0].len() * 2;
        let kinks = made.with(&kind, |problem| twolayer_core::Kinked::first_bound(problem));
        let deep = solution
            .pinned
            .iter()
            .any(|&kink| kink >= first && kink < kinks);
        deep_pins += usize::from(deep);
        let bends = kind
            .activations
            .iter()
            .any(|name| matches!(name, ActivationName::Tanh | ActivationName::Gelu));
        curved_pins += usize::from(deep && bends);
    }
    assert!(
        compared > 1000 && others * 100 < compared,
        "{compared} {others}"
    );
    assert!(
        deep_pins > 20 && curved_pins > 5,
        "{deep_pins} {curved_pins}"
    );
}
