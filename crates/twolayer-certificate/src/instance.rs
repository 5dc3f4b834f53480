//! The problem's numbers in double precision, and the cell that a point lies in.

use crate::enclosure::Enclosure;
use crate::refusal::Refusal;
use twolayer::{ClosedForm, Inversion, LinearBackend, Objective, Scalar, reduce};

/// An [`Inversion`], row after row. Every number of an `f32` problem is an `f64`.
pub(crate) struct Instance {
    pub(crate) inputs: usize,
    pub(crate) hidden: usize,
    pub(crate) outcomes: usize,
    /// A1 (n×d), c1 (n), A2 (m×n), c2 (m).
    pub(crate) a1: Vec<f64>,
    pub(crate) bias1: Vec<f64>,
    pub(crate) a2: Vec<f64>,
    pub(crate) bias2: Vec<f64>,
    /// b (m).
    pub(crate) target: Vec<f64>,
    pub(crate) loss: ClosedForm,
    /// w² (m); empty where there is no regulariser.
    pub(crate) squared_weights: Vec<Enclosure>,
    pub(crate) radius: Option<f64>,
    /// Units whose kink changes nothing: an input row or an output column of zeros.
    inert: Vec<bool>,
}

/// The same numbers in double precision.
pub(crate) fn wide<T: Scalar>(values: &[T]) -> Vec<f64> {
    values.iter().map(|&value| Scalar::to_f64(value)).collect()
}

impl Instance {
    /// # Errors
    /// A loss whose derivatives are not known here.
    pub(crate) fn new<B: LinearBackend>(problem: &Inversion<'_, B>) -> Result<Self, Refusal> {
        let loss = problem.loss();
        let Some(closed_form) = loss.closed_form() else {
            return Err(Refusal::UnknownLoss { name: loss.name() });
        };
        let network = problem.network();
        let (d, n, m) = (network.inputs(), network.hidden_units(), network.outcomes());
        let row_major = |matrix: &B::Matrix, entries: usize| {
            let mut values = vec![B::Scalar::of(0.0); entries];
            network.backend().copy_to_row_major(matrix, &mut values);
            wide(&values)
        };
        let (a1, a2) = (
            row_major(network.a1(), n * d),
            row_major(network.a2(), m * n),
        );
        let mut inert: Vec<bool> = a1.chunks(d).map(|r| r.iter().all(|&a| a == 0.0)).collect();
        for (unit, inert) in inert.iter_mut().enumerate() {
            *inert |= a2.iter().skip(unit).step_by(n).all(|&a| a == 0.0);
        }
        let square = |w: &B::Scalar| Enclosure::from(w.to_f64()) * w.to_f64().into();
        Ok(Self {
            inputs: d,
            hidden: n,
            outcomes: m,
            bias1: wide(network.bias1()),
            bias2: wide(network.bias2()),
            target: wide(problem.target().probabilities()),
            loss: closed_form,
            squared_weights: problem
                .regularizer()
                .map_or_else(Vec::new, |r| r.weights().iter().map(square).collect()),
            radius: problem.radius().map(Scalar::to_f64),
            a1,
            a2,
            inert,
        })
    }

    /// Row i of A1.
    pub(crate) fn normal(&self, unit: usize) -> &[f64] {
        &self.a1[unit * self.inputs..(unit + 1) * self.inputs]
    }

    /// The units on whose kink x (d) lies to rounding: |h| ≤ tolerance·(‖row of A1‖ ‖x‖ + |c|).
    pub(crate) fn kinks_near(&self, x: &[f64], tolerance: f64) -> Vec<usize> {
        let length = reduce::norm(x);
        let near = |&unit: &usize| {
            let (normal, bias) = (self.normal(unit), self.bias1[unit]);
            let size = reduce::norm(normal) * length + bias.abs();
            (reduce::dot(normal, x) + bias).abs() <= tolerance * size
        };
        self.kinks().filter(near).collect()
    }

    /// The units whose state matters.
    pub(crate) fn kinks(&self) -> impl Iterator<Item = usize> {
        (0..self.hidden).filter(|&unit| !self.inert[unit])
    }
}

/// The rows of A1 and the columns of A2 of the units that are on.
pub(crate) struct Cell {
    pub(crate) active: Vec<usize>,
    /// k×d.
    pub(crate) a1: Vec<f64>,
    /// m×k.
    pub(crate) a2: Vec<f64>,
}

impl Cell {
    pub(crate) fn new(instance: &Instance, active: Vec<usize>) -> Self {
        let rows = active.iter().flat_map(|&unit| instance.normal(unit));
        let a1 = rows.copied().collect();
        let mut a2 = Vec::with_capacity(instance.outcomes * active.len());
        for row in instance.a2.chunks(instance.hidden) {
            a2.extend(active.iter().map(|&unit| row[unit]));
        }
        Self { active, a1, a2 }
    }
}
