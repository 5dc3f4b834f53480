//! What a network puts out at many points.

use crate::attend::Line;
use crate::backend::Number;
use crate::forked::threads;
use crate::input_error::{of_call, of_target};
use pyo3::PyResult;
use std::ops::ControlFlow;
use twolayer::{Crew, Error, LinearBackend, NetworkRef, Seat, reduce};

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// z (m).
    Logits,
    /// softmax(z) (m).
    Probabilities,
}

/// Points, and what is wanted of them.
pub(crate) struct Outputs<'o, T> {
    /// K·d numbers.
    pub(crate) points: &'o [T],
    pub(crate) kind: Kind,
    pub(crate) line: &'o Line<'o, ()>,
    pub(crate) threads: Option<usize>,
}

impl<T: Number> Outputs<'_, T> {
    /// K·m numbers; fewer where nobody wants the rest any more.
    pub(crate) fn of<B: LinearBackend<Scalar = T>>(
        &self,
        network: NetworkRef<'_, B>,
    ) -> PyResult<Vec<T>> {
        let (d, m) = (network.inputs(), network.outcomes());
        self.check(d)?;
        let count = self.points.len() / d;
        let crew = Crew::new(threads(self.threads, count), count);
        let network = network.with_threads(crew.threads_each());
        let job = |seat: &dyn Seat<Vec<T>>| {
            let mut pass = network.by_ref().new_pass();
            while !self.line.is_cut()
                && let Some(index) = seat.take()
            {
                pass.run(&self.points[index * d..][..d]);
                let output = match self.kind {
                    Kind::Logits => pass.logits(),
                    Kind::Probabilities => pass.probabilities(),
                };
                seat.hand_over(index, output.to_vec());
            }
        };
        let mut values = Vec::with_capacity(count * m);
        let mut overflows = None;
        crew.share_out(0..count, job, |index, output: Vec<T>| {
            if !reduce::all_finite(&output) {
                overflows = Some(index);
                return ControlFlow::Break(());
            }
            values.extend(output);
            ControlFlow::Continue(())
        });
        match overflows {
            None => Ok(values),
            Some(index) => {
                let (quantity, at) = ("network's output", "X");
                let several = (count > 1).then_some(index);
                Err(of_target(several)(Error::Overflow { quantity, at }))
            }
        }
    }

    fn check(&self, d: usize) -> PyResult<()> {
        let Some(place) = self.points.iter().position(|x| !x.is_finite()) else {
            return Ok(());
        };
        Err(of_call(Error::NotFinite {
            name: "X",
            index: format!("{}, {}", place / d, place % d),
            value: twolayer::Scalar::to_f64(self.points[place]),
        }))
    }
}
