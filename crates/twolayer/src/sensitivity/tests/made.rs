//! Small random problems of two layers, with all that a problem may have.

use crate::sensitivity::{Change, Gradients};
use crate::{
    Bounds, Inversion, KullbackLeibler, LogRatio, Loss, Nearness, Regularizer, Solution, Solver,
    SquaredError, Target, TwoLayer,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use twolayer_faer::{Faer, faer::Mat};

/// What a problem is made of, or a change of it.
#[derive(Debug, Clone)]
pub(super) struct Made {
    pub(super) a1: Mat<f64>,
    pub(super) c1: Vec<f64>,
    pub(super) a2: Mat<f64>,
    pub(super) c2: Vec<f64>,
    pub(super) b: Vec<f64>,
    pub(super) w: Vec<f64>,
    pub(super) near: Vec<f64>,
    pub(super) curvatures: Vec<f64>,
    pub(super) lower: Vec<f64>,
    pub(super) upper: Vec<f64>,
    pub(super) radius: f64,
}

/// Which terms and constraints a problem has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    pub(super) loss: &'static dyn Loss<f64>,
    pub(super) is_regularized: bool,
    pub(super) is_near: bool,
    pub(super) is_bounded: bool,
    pub(super) is_in_ball: bool,
    /// Whether outcome 0 never comes.
    pub(super) is_masked: bool,
}

pub(super) struct Numbers(ChaCha8Rng);

impl Numbers {
    pub(super) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// About normal: a sum of twelve.
    pub(super) fn next(&mut self) -> f64 {
        (0..12).map(|_| self.0.random::<f64>()).sum::<f64>() - 6.0
    }

    pub(super) fn below(&mut self, count: usize) -> usize {
        self.0.random_range(0..count)
    }

    pub(super) fn vector(&mut self, length: usize, scale: f64) -> Vec<f64> {
        (0..length).map(|_| scale * self.next()).collect()
    }

    pub(super) fn matrix(&mut self, rows: usize, columns: usize, scale: f64) -> Mat<f64> {
        let entries = self.vector(rows * columns, scale);
        Mat::from_fn(rows, columns, |i, j| entries[i * columns + j])
    }
}

impl Kind {
    pub(super) fn new(numbers: &mut Numbers) -> Self {
        let losses: [&'static dyn Loss<f64>; 3] = [&SquaredError, &KullbackLeibler, &LogRatio];
        let is_masked = numbers.below(8) == 0;
        // The logarithm of a b of 0 has no derivative.
        let known = if is_masked { 2 } else { 3 };
        Self {
            is_masked,
            loss: losses[numbers.below(known)],
            is_regularized: numbers.below(3) == 0,
            is_near: numbers.below(2) == 0,
            is_bounded: numbers.below(2) == 0,
            is_in_ball: numbers.below(3) == 0,
        }
    }
}

impl Made {
    /// The same without outcome 0; of a change, one that leaves it out.
    pub(super) fn masked(mut self, kind: Kind, bias: f64) -> Self {
        if kind.is_masked {
            let rest = 1.0 - self.b[0];
            self.b[0] = 0.0;
            self.c2[0] = bias;
            if bias < 0.0 {
                self.b.iter_mut().for_each(|b| *b /= rest);
            }
        }
        self
    }

    /// A problem of d unknowns, n units and m outcomes.
    pub(super) fn new((d, n, m): (usize, usize, usize), numbers: &mut Numbers) -> Self {
        let b: Vec<f64> = numbers.vector(m, 1.0).iter().map(|v| v.exp()).collect();
        let total: f64 = b.iter().sum();
        let size: Vec<f64> = numbers.vector(2 * d, 1.0).iter().map(|v| v.abs()).collect();
        Self {
            a1: numbers.matrix(n, d, 1.0),
            c1: numbers.vector(n, 0.5),
            a2: numbers.matrix(m, n, 1.0),
            c2: numbers.vector(m, 0.5),
            b: b.iter().map(|v| v / total).collect(),
            w: numbers.vector(m, 0.3),
            near: numbers.vector(d, 1.0),
            curvatures: numbers.vector(d, 0.3).iter().map(|v| v.abs()).collect(),
            lower: size[..d].iter().map(|v| -v).collect(),
            upper: size[d..].to_vec(),
            radius: 0.5 + numbers.next().abs(),
        }
    }

    /// A change of all of it.
    pub(super) fn change((d, n, m): (usize, usize, usize), numbers: &mut Numbers) -> Self {
        Self {
            a1: numbers.matrix(n, d, 1.0),
            c1: numbers.vector(n, 1.0),
            a2: numbers.matrix(m, n, 1.0),
            c2: numbers.vector(m, 1.0),
            b: numbers.vector(m, 0.1),
            w: numbers.vector(m, 1.0),
            near: numbers.vector(d, 1.0),
            curvatures: numbers.vector(d, 0.1),
            lower: numbers.vector(d, 1.0),
            upper: numbers.vector(d, 1.0),
            radius: numbers.next(),
        }
    }

    /// A change of one of its parts, by number, or of all where there are fewer; nothing where a problem of this
    /// kind has no such part.
    pub(super) fn only(mut self, part: usize, kind: Kind) -> Option<Self> {
        let has = [
            true,
            true,
            true,
            true,
            true,
            kind.is_regularized,
            kind.is_near,
            kind.is_near,
            kind.is_bounded,
            kind.is_bounded,
            kind.is_in_ball,
        ];
        if !*has.get(part).unwrap_or(&true) {
            return None;
        }
        let still = self.moved(&self, -1.0);
        let Self {
            a1,
            c1,
            a2,
            c2,
            b,
            w,
            near,
            curvatures,
            lower,
            upper,
            radius,
        } = &mut self;
        let vectors = [c1, c2, b, w, near, curvatures, lower, upper];
        let stills = [
            &still.c1,
            &still.c2,
            &still.b,
            &still.w,
            &still.near,
            &still.curvatures,
            &still.lower,
            &still.upper,
        ];
        if part >= has.len() {
            return Some(self);
        }
        for (number, (vector, still)) in (2..).zip(vectors.into_iter().zip(stills)) {
            if part != number {
                vector.clone_from(still);
            }
        }
        if part != 0 {
            *a1 = still.a1;
        }
        if part != 1 {
            *a2 = still.a2;
        }
        if part != 10 {
            *radius = 0.0;
        }
        Some(self)
    }

    /// This problem, `step` along a change.
    pub(super) fn moved(&self, change: &Self, step: f64) -> Self {
        let add = |v: &[f64], dv: &[f64]| v.iter().zip(dv).map(|(v, dv)| v + step * dv).collect();
        let add_matrix = |a: &Mat<f64>, da: &Mat<f64>| {
            Mat::from_fn(a.nrows(), a.ncols(), |i, j| a[(i, j)] + step * da[(i, j)])
        };
        Self {
            a1: add_matrix(&self.a1, &change.a1),
            c1: add(&self.c1, &change.c1),
            a2: add_matrix(&self.a2, &change.a2),
            c2: add(&self.c2, &change.c2),
            b: add(&self.b, &change.b),
            w: add(&self.w, &change.w),
            near: add(&self.near, &change.near),
            curvatures: add(&self.curvatures, &change.curvatures),
            lower: add(&self.lower, &change.lower),
            upper: add(&self.upper, &change.upper),
            radius: self.radius + step * change.radius,
        }
    }

    /// Does some work with the problem.
    pub(super) fn with<R>(
        &self,
        kind: Kind,
        work: impl FnOnce(&Inversion<'_, Faer<f64>>) -> R,
    ) -> R {
        let backend = Faer::<f64>::sequential();
        let network = TwoLayer::new(backend, self.a1.clone(), self.a2.clone()).unwrap();
        let network = network
            .with_biases(self.c1.clone(), self.c2.clone())
            .unwrap();
        let target = Target::new(self.b.clone()).unwrap();
        let regularizer = Regularizer::new(self.w.clone()).unwrap();
        let scales = self.curvatures.iter().map(|c| c.max(0.0).sqrt()).collect();
        let nearness = Nearness::with_scales(self.near.clone(), 1.0, scales).unwrap();
        let bounds = Bounds::new(self.lower.clone(), self.upper.clone()).unwrap();
        let mut problem = Inversion::new(&network, &target)
            .unwrap()
            .with_loss(kind.loss);
        if kind.is_regularized {
            problem = problem.with_regularizer(&regularizer).unwrap();
        }
        if kind.is_near {
            problem = problem.with_nearness(&nearness).unwrap();
        }
        if kind.is_bounded {
            problem = problem.with_bounds(&bounds).unwrap();
        }
        if kind.is_in_ball {
            problem = problem.with_radius(self.radius).unwrap();
        }
        work(&problem)
    }

    pub(super) fn solve(&self, kind: Kind, start: &[f64], warm: bool) -> Solution<f64> {
        let solver = Solver::new().with_warm_start(warm);
        self.with(kind, |problem| {
            let mut start = start.to_vec();
            twolayer_core::Objective::confine(problem, &[], &mut start);
            solver.solve(problem, &start).unwrap()
        })
    }

    /// What gradients say of this change, and the sum of the sizes of its terms.
    pub(super) fn along(&self, gradients: &Gradients<f64>, kind: Kind) -> (f64, f64) {
        let mut terms = Vec::new();
        let mut pair = |gradient: &[f64], change: &[f64]| {
            assert_eq!(gradient.len(), change.len());
            terms.extend(gradient.iter().zip(change).map(|(g, c)| g * c));
        };
        pair(gradients.target.as_ref().unwrap(), &self.b);
        for (number, a) in [&self.a1, &self.a2].into_iter().enumerate() {
            let layer = &gradients.layers[number];
            let mut values = vec![0.0; a.nrows() * a.ncols()];
            layer.write_weights(&mut values);
            let entries = (0..values.len()).map(|at| a[(at / a.ncols(), at % a.ncols())]);
            pair(&values, &entries.collect::<Vec<_>>());
            pair(&layer.bias, [&self.c1, &self.c2][number]);
        }
        let optional = [
            (&gradients.regularizer, &self.w, kind.is_regularized),
            (&gradients.reference, &self.near, kind.is_near),
            (&gradients.curvatures, &self.curvatures, kind.is_near),
            (&gradients.lower, &self.lower, kind.is_bounded),
            (&gradients.upper, &self.upper, kind.is_bounded),
        ];
        for (gradient, change, is_there) in optional {
            assert_eq!(gradient.is_some(), is_there);
            if let Some(gradient) = gradient {
                pair(gradient, change);
            }
        }
        assert_eq!(gradients.radius.is_some(), kind.is_in_ball);
        if let Some(radius) = gradients.radius {
            pair(&[radius], &[self.radius]);
        }
        let size = terms.iter().map(|term| term.abs()).sum();
        (terms.iter().sum(), size)
    }

    /// This change, of what the problem has.
    pub(super) fn as_change(&self, kind: Kind) -> Change<'_, Faer<f64>> {
        let mut change = Change::new()
            .with_target(&self.b)
            .with_weights(0, &self.a1)
            .with_bias(0, &self.c1)
            .with_weights(1, &self.a2)
            .with_bias(1, &self.c2);
        if kind.is_regularized {
            change = change.with_regularizer(&self.w);
        }
        if kind.is_near {
            change = change
                .with_reference(&self.near)
                .with_curvatures(&self.curvatures);
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
