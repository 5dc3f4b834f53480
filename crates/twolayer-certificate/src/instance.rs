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
    /// l and u (d), where there are bounds.
    pub(crate) bounds: Option<[Vec<f64>; 2]>,
    /// Units whose kink changes nothing: an input row or an output column of zeros.
    inert: Vec<bool>,
}

/// The same numbers in double precision.
pub(crate) fn wide<T: Scalar>(values: &[T]) -> Vec<f64> {
    values.iter().map(|&value| Scalar::to_f64(value)).collect()
}

impl Instance {
    /// # Errors
    /// A loss whose derivatives are not known here, a term of nearness, an outcome that is masked.
    pub(crate) fn new<B: LinearBackend>(problem: &Inversion<'_, B>) -> Result<Self, Refusal> {
        let loss = problem.loss();
        let Some(closed_form) = loss.closed_form() else {
            return Err(Refusal::UnknownLoss { name: loss.name() });
        };
        if problem.nearness().is_some() {
            return Err(Refusal::Nearness);
        }
        let network = problem.network();
        if let Some(outcome) = (0..network.outcomes()).find(|&i| network.is_masked(i)) {
            return Err(Refusal::Masked { outcome });
        }
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
            bounds: problem
                .bounds()
                .map(|bounds| [wide(bounds.lower()), wide(bounds.upper())]),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::Numbers;
    use crate::exact::{big, encloses};

    #[test]
    fn every_number_is_read() {
        for loss in [ClosedForm::SquaredError, ClosedForm::KullbackLeibler] {
            let mut numbers = Numbers::drawn((2, 3, 4), loss, 1);
            numbers.radius = Some(2.5);
            let instance = numbers.instance();
            assert_eq!(
                (instance.inputs, instance.hidden, instance.outcomes),
                (2, 3, 4)
            );
            assert_eq!(
                (&instance.a1, &instance.bias1),
                (&numbers.a1, &numbers.bias1)
            );
            assert_eq!(
                (&instance.a2, &instance.bias2),
                (&numbers.a2, &numbers.bias2)
            );
            assert_eq!((&instance.target, instance.loss), (&numbers.target, loss));
            assert_eq!(instance.radius, Some(2.5));
            assert_eq!(instance.normal(1), &numbers.a1[2..4]);
            for (&square, &w) in instance.squared_weights.iter().zip(&numbers.weights) {
                assert!(encloses(square, &(big(w) * big(w))) && square.radius < 1e-29);
            }
            numbers.weights.clear();
            numbers.radius = None;
            let instance = numbers.instance();
            assert!(instance.squared_weights.is_empty() && instance.radius.is_none());
        }
    }

    #[test]
    fn a_cell_has_the_rows_and_columns_of_its_units() {
        let numbers = Numbers::drawn((2, 4, 3), ClosedForm::SquaredError, 2);
        let cell = Cell::new(&numbers.instance(), vec![1, 3]);
        let (a1, a2) = (&numbers.a1, &numbers.a2);
        assert_eq!(cell.active, [1, 3]);
        assert_eq!(cell.a1, [a1[2], a1[3], a1[6], a1[7]]);
        assert_eq!(cell.a2, [a2[1], a2[3], a2[5], a2[7], a2[9], a2[11]]);
    }

    #[test]
    fn units_without_effect_have_no_kink() {
        let mut numbers = Numbers::drawn((2, 5, 3), ClosedForm::SquaredError, 3);
        // Unit 1 has no input, unit 3 no output; unit 2 lacks one of each.
        numbers.a1[2..4].fill(0.0);
        numbers.a1[4] = 0.0;
        (numbers.a2[3], numbers.a2[8], numbers.a2[13], numbers.a2[7]) = (0.0, 0.0, 0.0, 0.0);
        let kinks: Vec<usize> = numbers.instance().kinks().collect();
        assert_eq!(kinks, [0, 2, 4]);
    }

    /// |h| against the sizes of its terms, ‖a‖ ‖x‖ and |c|.
    #[test]
    fn kinks_are_near_to_rounding_of_their_terms() {
        let mut numbers = Numbers::drawn((2, 2, 3), ClosedForm::SquaredError, 4);
        numbers.a1 = vec![3.0, 4.0, 0.0, 0.5];
        numbers.bias1 = vec![-10.0, 1.0];
        let instance = numbers.instance();
        // h₀ is the gap; its terms are of size 5·√5 and 10. h₁ = 1.5.
        let near = |gap: f64| instance.kinks_near(&[2.0 + gap / 3.0, 1.0], 1e-8);
        let size = 1e-8 * (5.0 * 5.0_f64.sqrt() + 10.0);
        assert_eq!(near(0.999 * size), [0]);
        assert_eq!(near(-0.999 * size), [0]);
        assert!(near(1.001 * size).is_empty() && near(-1.001 * size).is_empty());
        // A unit without effect is on no kink.
        numbers.a2.iter_mut().step_by(2).for_each(|a| *a = 0.0);
        assert!(numbers.instance().kinks_near(&[2.0, 1.0], 1e-8).is_empty());
    }

    #[test]
    fn single_precision_is_widened_exactly() {
        assert_eq!(wide(&[0.1_f32, -3.0]), [f64::from(0.1_f32), -3.0]);
    }
}
