//! An objective that keeps the time and every new lowest loss, and stops a run with an error.

use crate::network::{Network, Pass};
use argmin::core::{CostFunction, Error, Gradient, Hessian};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::time::Instant;

/// One problem. The loss is scaled to 1 at the start.
pub struct Watched<'n> {
    network: &'n Network,
    problem: usize,
    start_loss: f64,
    seconds: f64,
    stop_at: f64,
    clock: Instant,
    seen: RefCell<Seen>,
}

struct Seen {
    /// Value and gradient are asked for one after the other at the same point.
    last: Pass,
    lowest: f64,
    history: Vec<(f64, f64)>,
    evaluations: usize,
    hessians: usize,
    /// Why the watch stopped the run: argmin wraps its error into others.
    stopped: Option<&'static str>,
}

impl Seen {
    fn stop(&mut self, why: &'static str) -> Error {
        self.stopped = Some(why);
        Error::msg(why)
    }
}

impl<'n> Watched<'n> {
    /// Evaluated before the clock starts: the loss at the start is known to every method.
    pub fn new(network: &'n Network, problem: usize, seconds: f64, stop_at: f64) -> Self {
        let last = network.pass(network.start(problem), problem);
        let start_loss = last.loss();
        Self {
            network,
            problem,
            start_loss,
            seconds,
            stop_at: stop_at * start_loss,
            seen: RefCell::new(Seen {
                last,
                lowest: start_loss,
                history: Vec::new(),
                evaluations: 0,
                hessians: 0,
                stopped: None,
            }),
            clock: Instant::now(),
        }
    }

    pub fn seconds(&self) -> f64 {
        self.seconds
    }

    pub fn report(&self, ended: String) -> Value {
        let seen = self.seen.borrow();
        json!({
            "start_loss": self.start_loss,
            "lowest": seen.lowest,
            "seconds": self.clock.elapsed().as_secs_f64(),
            "evaluations": seen.evaluations,
            "hessians": seen.hessians,
            "ended": seen.stopped.map_or(ended, str::to_owned),
            "history": seen.history,
        })
    }

    /// Evaluates at x, if it was not the last point, and keeps the time in any case.
    fn visit(&self, x: &[f64]) -> Result<(), Error> {
        let seen = &mut *self.seen.borrow_mut();
        let is_new = !seen.last.is_at(x);
        if is_new {
            seen.last = self.network.pass(x, self.problem);
        }
        let elapsed = self.clock.elapsed().as_secs_f64();
        if elapsed > self.seconds {
            return Err(seen.stop("time limit"));
        }
        if !is_new {
            return Ok(());
        }
        seen.evaluations += 1;
        let loss = seen.last.loss();
        if loss < seen.lowest {
            seen.lowest = loss;
            seen.history.push((elapsed, loss));
            if loss <= self.stop_at {
                return Err(seen.stop("reached"));
            }
        }
        Ok(())
    }
}

impl CostFunction for &Watched<'_> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, x: &Vec<f64>) -> Result<f64, Error> {
        self.visit(x)?;
        Ok(self.seen.borrow().last.loss() / self.start_loss)
    }
}

impl Gradient for &Watched<'_> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, x: &Vec<f64>) -> Result<Vec<f64>, Error> {
        self.visit(x)?;
        let gradient = self.network.gradient(&self.seen.borrow().last) / self.start_loss;
        Ok(gradient.as_slice().to_vec())
    }
}

impl Hessian for &Watched<'_> {
    type Param = Vec<f64>;
    type Hessian = Vec<Vec<f64>>;

    fn hessian(&self, x: &Vec<f64>) -> Result<Vec<Vec<f64>>, Error> {
        self.visit(x)?;
        let seen = &mut *self.seen.borrow_mut();
        seen.hessians += 1;
        let hessian = self.network.hessian(&seen.last, self.problem) / self.start_loss;
        // Symmetric: columns are rows.
        Ok(hessian
            .column_iter()
            .map(|column| column.iter().copied().collect())
            .collect())
    }
}
