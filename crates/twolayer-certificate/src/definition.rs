//! A problem as it is defined, in 240 bits; its derivatives are differences of its value. What the
//! tests of this folder hold formulas against.

use crate::exact::{Big, Draws, absolute, big, dot, wide};
use crate::instance::Instance;
use crate::position::Position;
use crate::real::DoubleDouble;
use twolayer::{
    ClosedForm, Inversion, KullbackLeibler, LinearBackend, Loss, Regularizer, SquaredError, Target,
    TwoLayer,
};
use twolayer_faer::Faer;

/// A problem's numbers, row after row.
#[derive(Debug, Clone)]
pub(crate) struct Numbers {
    /// A1 (n×d), c1 (n), A2 (m×n), c2 (m).
    pub(crate) a1: Vec<f64>,
    pub(crate) bias1: Vec<f64>,
    pub(crate) a2: Vec<f64>,
    pub(crate) bias2: Vec<f64>,
    /// b (m).
    pub(crate) target: Vec<f64>,
    /// w (m), or nothing.
    pub(crate) weights: Vec<f64>,
    pub(crate) loss: ClosedForm,
    pub(crate) radius: Option<f64>,
}

impl Numbers {
    /// Drawn, of a shape (d, n, m), with a regulariser.
    pub(crate) fn drawn((d, n, m): (usize, usize, usize), loss: ClosedForm, seed: u64) -> Self {
        let mut draws = Draws::new(seed);
        let mut b: Vec<f64> = draws.vector(m).iter().map(|z| (2.0 * z).exp()).collect();
        let total: f64 = b.iter().sum();
        b.iter_mut().for_each(|b| *b /= total);
        Self {
            a1: draws.vector(n * d),
            bias1: draws.vector(n),
            a2: draws.vector(m * n),
            bias2: draws.vector(m),
            target: b,
            weights: draws.vector(m),
            loss,
            radius: None,
        }
    }

    /// As a certificate reads them.
    pub(crate) fn instance(&self) -> Instance {
        let (n, m) = (self.bias1.len(), self.bias2.len());
        let backend = Faer::<f64>::sequential();
        let matrix = |values: &[f64], rows| {
            let mut matrix = backend.zeros(rows, values.len() / rows);
            backend.copy_from_row_major(values, &mut matrix);
            matrix
        };
        let (a1, a2) = (matrix(&self.a1, n), matrix(&self.a2, m));
        let network = TwoLayer::new(backend, a1, a2).unwrap();
        let network = network
            .with_biases(self.bias1.clone(), self.bias2.clone())
            .unwrap();
        let target = Target::new(self.target.clone()).unwrap();
        let loss: &dyn Loss<f64> = match self.loss {
            ClosedForm::SquaredError => &SquaredError,
            ClosedForm::KullbackLeibler => &KullbackLeibler,
        };
        let mut problem = Inversion::new(&network, &target).unwrap().with_loss(loss);
        let regularizer = Regularizer::new(self.weights.clone());
        if !self.weights.is_empty() {
            problem = problem
                .with_regularizer(regularizer.as_ref().unwrap())
                .unwrap();
        }
        if let Some(radius) = self.radius {
            problem = problem.with_radius(radius).unwrap();
        }
        Instance::new(&problem).unwrap()
    }
}

/// A problem, and a point of it that Newton's method has come to, held on the kinks of some units
/// by both sides of each, and away from those of all others.
pub(crate) fn arrived(loss: ClosedForm, held: Vec<usize>) -> (Numbers, Position<DoubleDouble>) {
    for seed in 0.. {
        let mut numbers = Numbers::drawn((2, 6, 5), loss, seed);
        numbers.weights.iter_mut().for_each(|w| *w *= 0.3);
        let instance = numbers.instance();
        let position = Position::<DoubleDouble>::new(&instance, &[0.4, -0.3], held.clone());
        let position = position.polish(&instance);
        let arrived = position.scaling.scaled.defect < 1e-3 && position.residual().norm() < 1e-25;
        let free = position.free_kinks(&instance);
        let nearest = free
            .map(|unit| position.point.hidden[unit].middle.hi.abs())
            .fold(1.0, f64::min);
        let holds = position.check_multipliers(&instance, 1e-20).is_ok();
        if arrived && holds && position.steps > 0 && nearest > 1e-2 {
            return (numbers, position);
        }
    }
    unreachable!()
}

/// The loss of logits.
pub(crate) fn loss_of(logits: &[Big], target: &[f64], loss: ClosedForm) -> Big {
    let powers: Vec<Big> = logits.iter().map(Big::exp).collect();
    let total = powers.iter().fold(big(0.0), |sum, p| sum + p);
    let terms = powers.iter().zip(target).map(|(p, &b)| {
        let (f, b) = (p / &total, big(b));
        match loss {
            ClosedForm::SquaredError => (&f - &b) * (&f - &b),
            ClosedForm::KullbackLeibler if b == big(0.0) => f,
            ClosedForm::KullbackLeibler => &b * (&b / &f).ln() - &b + f,
        }
    });
    terms.fold(big(0.0), |sum, term| sum + term)
}

/// The Lagrangian with the states of all units fixed.
pub(crate) struct Definition<'a> {
    pub(crate) instance: &'a Instance,
    pub(crate) active: Vec<usize>,
    pub(crate) held: Vec<usize>,
}

impl Definition<'_> {
    /// h of one unit at x.
    pub(crate) fn hidden(&self, unit: usize, x: &[Big]) -> Big {
        let normal: Vec<Big> = self.instance.normal(unit).iter().map(|&a| big(a)).collect();
        dot(&normal, x) + big(self.instance.bias1[unit])
    }

    /// u = A2 φ(h), with the units of `active` on.
    pub(crate) fn products(&self, x: &[Big]) -> Vec<Big> {
        let hidden: Vec<Big> = self
            .active
            .iter()
            .map(|&unit| self.hidden(unit, x))
            .collect();
        let rows = self.instance.a2.chunks(self.instance.hidden);
        rows.map(|row| {
            let row: Vec<Big> = self.active.iter().map(|&unit| big(row[unit])).collect();
            dot(&row, &hidden)
        })
        .collect()
    }

    pub(crate) fn logits(&self, x: &[Big]) -> Vec<Big> {
        let products = self.products(x).into_iter();
        products
            .zip(&self.instance.bias2)
            .map(|(u, &c)| u + big(c))
            .collect()
    }

    /// At (x, μ).
    pub(crate) fn value(&self, at: &[Big]) -> Big {
        let (x, multipliers) = at.split_at(self.instance.inputs);
        let mut value = loss_of(&self.logits(x), &self.instance.target, self.instance.loss);
        let weights = self.instance.squared_weights.iter();
        for (w, u) in weights.zip(self.products(x)) {
            value += wide(w.middle) * &u * &u * big(0.5);
        }
        for (&unit, mu) in self.held.iter().zip(multipliers) {
            value += mu * self.hidden(unit, x);
        }
        value
    }

    pub(crate) fn gradient(&self, at: &[Big]) -> Vec<Big> {
        gradient(|at| self.value(at), at)
    }

    pub(crate) fn hessian(&self, at: &[Big]) -> Vec<Vec<Big>> {
        hessian(|at| self.value(at), at)
    }

    /// The zero of the gradient that Newton's method leads to from a point next to it.
    pub(crate) fn stationary(&self, at: &[Big]) -> Vec<Big> {
        let mut at = at.to_vec();
        for _ in 0..5 {
            let step = solve(self.hessian(&at), self.gradient(&at));
            at.iter_mut().zip(step).for_each(|(x, p)| *x -= p);
        }
        at
    }
}

/// Gaussian elimination with row pivoting.
fn solve(mut k: Vec<Vec<Big>>, mut rhs: Vec<Big>) -> Vec<Big> {
    let n = rhs.len();
    for j in 0..n {
        let pivot = (j..n).max_by_key(|&i| absolute(&k[i][j])).unwrap();
        k.swap(j, pivot);
        rhs.swap(j, pivot);
        for i in 0..n {
            if i != j {
                let factor = &k[i][j] / &k[j][j];
                let pivot_row = k[j].clone();
                for (entry, other) in k[i].iter_mut().zip(&pivot_row) {
                    *entry -= &factor * other;
                }
                let change = &factor * &rhs[j];
                rhs[i] -= change;
            }
        }
    }
    (0..n).map(|j| &rhs[j] / &k[j][j]).collect()
}

fn shifted(at: &[Big], by: &[(usize, &Big)]) -> Vec<Big> {
    let mut at = at.to_vec();
    for (index, step) in by {
        at[*index] = &at[*index] + *step;
    }
    at
}

/// Central differences, to about 1e-44 of the third derivative.
pub(crate) fn gradient(value: impl Fn(&[Big]) -> Big, at: &[Big]) -> Vec<Big> {
    let step = big(2.0_f64.powi(-72));
    let back = -&step;
    let slope = |j: usize| {
        let rise = value(&shifted(at, &[(j, &step)])) - value(&shifted(at, &[(j, &back)]));
        rise / (&step + &step)
    };
    (0..at.len()).map(slope).collect()
}

/// Central differences, to about 1e-33 of the fourth derivative.
pub(crate) fn hessian(value: impl Fn(&[Big]) -> Big, at: &[Big]) -> Vec<Vec<Big>> {
    let step = big(2.0_f64.powi(-55));
    let back = -&step;
    let entry = |j: usize, l: usize| {
        let mut sum = big(0.0);
        for (first, second, sign) in [
            (&step, &step, 1.0),
            (&step, &back, -1.0),
            (&back, &step, -1.0),
            (&back, &back, 1.0),
        ] {
            sum += value(&shifted(at, &[(j, first), (l, second)])) * big(sign);
        }
        sum / (&step * &step * big(4.0))
    };
    (0..at.len())
        .map(|j| (0..at.len()).map(|l| entry(j, l)).collect())
        .collect()
}
