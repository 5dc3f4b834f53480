//! A campaign whose time is over.

use super::{Rows, SHAPE, TARGETS, problem};
use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use twolayer::{
    Answer, AnyInversion, Campaign, Error, Model, Observer, Owner, Problems, Solved, Solver,
    Status, TraceEntry,
};
use twolayer_faer::Faer;

/// Waits for longer than the limit at one target.
struct Slow<'s> {
    rows: &'s Rows<f64>,
    limit: Duration,
    begun: AtomicUsize,
}

struct Sleep(Option<Duration>);

impl Observer<f64> for Sleep {
    fn observe(&mut self, _: &TraceEntry<f64>, _: &[f64]) -> ControlFlow<()> {
        if let Some(limit) = self.0 {
            std::thread::sleep(limit);
        }
        ControlFlow::Continue(())
    }
}

impl Owner<Faer<f64>> for Slow<'_> {
    type Failure = Error;
    type Watch = Sleep;

    fn row(&self, index: usize) -> Result<Cow<'_, [f64]>, Error> {
        Ok(self.rows.targets[index * SHAPE.2..][..SHAPE.2].into())
    }

    fn model<'w>(
        &'w self,
        objective: &AnyInversion<'w, Faer<f64>>,
    ) -> Result<Model<'w, Faer<f64>>, Error> {
        Ok(Box::new(Solver::new().default_hessian(objective)))
    }

    fn watch(&self, _: &[f64]) -> Sleep {
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        Sleep((number == 2).then_some(self.limit))
    }

    fn answered(
        &self,
        answer: Answer<'_, '_, Faer<f64>, Sleep>,
        solved: &mut Solved<f64>,
    ) -> Result<(), Error> {
        assert_eq!(answer.is_final, solved.solution.status != Status::TimeLimit);
        Ok(())
    }
}

/// The block of targets that is under way when the time is over is ended, and no other is begun.
#[test]
fn a_campaign_ends_when_its_time_is_over() {
    let (network, rows) = problem(&Faer::<f64>::default(), 0);
    let problems = Problems::new(&network);
    let limit = Duration::from_secs(2);
    let solver = Solver::new()
        .with_starts(3)
        .with_threads(1)
        .with_time_limit(limit);
    let campaign = Campaign::new(problems.clone(), TARGETS, &rows.starts);
    let slow = Slow {
        rows: &rows,
        limit,
        begun: AtomicUsize::new(0),
    };
    let done = campaign.unwrap().with_solver(solver.clone()).run(&slow);
    let done = done.unwrap();
    assert_eq!(done.results.len(), twolayer::TOGETHER);
    for (k, result) in done.results.iter().enumerate().skip(2) {
        let solution = &result.as_ref().unwrap().solution;
        assert_eq!(solution.status, Status::TimeLimit, "target {k}");
        assert!(k == 2 || (solution.iterations == 0 && solution.x == start(&rows, k)));
    }
    // No time at all.
    let none = solver.with_time_limit(Duration::ZERO);
    let results = problems.solve_batch(&none, &rows.targets, &rows.starts);
    assert!(results.unwrap().is_empty());
}

fn start(rows: &Rows<f64>, k: usize) -> Vec<f64> {
    rows.starts[k * SHAPE.0..][..SHAPE.0].to_vec()
}
