//! All targets of a problem, shared out over the cores.

mod model;
mod one_target;
mod other_starts;

pub(crate) use other_starts::OPEN_TARGETS;

use crate::args::InvertArgs;
use crate::checkpoint::Log;
use crate::dispatch::Library;
use crate::error::Error;
use crate::interrupt;
use crate::invert::{Outcome, Outcomes};
use crate::problem_file::Vectors;
use crate::progress::Progress;
use crate::spill::Spill;
use crate::targets::Targets;
use std::ops::{ControlFlow, Range};
use std::time::Instant;
use twolayer::{Crew, Seat, Status};
use twolayer::{HessianApprox, Inversion, Problems, TOGETHER};

/// What every worker needs.
pub(crate) struct Campaign<'c, B: Library> {
    pub(crate) args: &'c InvertArgs,
    pub(crate) problems: Problems<'c, B>,
    /// The problems in single precision, where the model of the Hessian is built from them.
    pub(crate) rounded: Option<Problems<'c, B::Single>>,
    pub(crate) targets: &'c Targets<B::Scalar>,
    pub(crate) starts: &'c Vectors<B::Scalar>,
    /// K.
    pub(crate) count: usize,
    pub(crate) crew: Crew,
    /// The network's output for every answer (K×m).
    pub(crate) probabilities: Spill,
    /// What was solved before, and what is kept of it all.
    pub(crate) log: Option<Log<'c, B::Scalar>>,
}

/// A worker's own: the problems on its threads, and the buffers of its model of the Hessian.
struct Worker<'w, B: Library> {
    problems: Problems<'w, B>,
    rounded: Option<Problems<'w, B::Single>>,
    model: Option<Model<'w, B>>,
}

type Model<'w, B> = Box<dyn HessianApprox<Inversion<'w, B>> + 'w>;

impl<B: Library> Campaign<'_, B> {
    /// Solves every target from where the checkpoint stands, then those that do not fit from other
    /// starts where these are asked for.
    pub(crate) fn run(self) -> Result<Outcomes, Error> {
        let clock = Instant::now();
        let mut solved = self.solve_all()?;
        let mut untried = 0;
        if self.args.starts > 1 && solved.len() == self.count && !is_stopped(&solved) {
            untried = self.try_other_starts(&mut solved)?;
        }
        if let Some(log) = &self.log {
            log.save()?;
        }
        Ok(Outcomes {
            solved,
            targets: self.count,
            untried,
            wall_seconds: clock.elapsed().as_secs_f64(),
            probabilities: self.probabilities,
        })
    }

    fn solve_all(&self) -> Result<Vec<Outcome>, Error> {
        let mut solved = Vec::with_capacity(self.count);
        let progress = Progress::new(self.args.quiet, self.count, "targets");
        let work = |worker: &mut Worker<'_, B>, seat: &dyn Seat<Result<Outcome, Error>>| {
            while !interrupt::requested() {
                let block = seat.take_several(TOGETHER);
                if block.is_empty() {
                    break;
                }
                self.solve_block(worker, block, |index, outcome| {
                    seat.hand_over(index, outcome);
                });
            }
        };
        self.share_out(0..self.count, work, |_, outcome| {
            solved.push(outcome);
            progress.advance();
            Ok(match is_stopped(&solved) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            })
        })?;
        progress.finish();
        Ok(solved)
    }

    /// Has the workers do `work` on all items, and delivers the results in order. The first error
    /// ends it.
    fn share_out<R: Send>(
        &self,
        items: Range<usize>,
        work: impl for<'w> Fn(&mut Worker<'w, B>, &dyn Seat<Result<R, Error>>) + Sync,
        mut deliver: impl FnMut(usize, R) -> Result<ControlFlow<()>, Error>,
    ) -> Result<(), Error> {
        let mut failure = None;
        self.crew.share_out(
            items,
            |seat| {
                let network = self.problems.network().with_threads(seat.threads());
                let rounded = self.rounded.as_ref();
                let single = rounded.map(|p| (p, p.network().with_threads(seat.threads())));
                let mut worker = Worker {
                    problems: self.problems.on(&network),
                    rounded: single
                        .as_ref()
                        .map(|(problems, network)| problems.on(network)),
                    model: None,
                };
                work(&mut worker, seat);
            },
            |item, result| match result.and_then(|result| deliver(item, result)) {
                Ok(flow) => flow,
                Err(error) => {
                    failure = Some(error);
                    ControlFlow::Break(())
                }
            },
        );
        failure.map_or(Ok(()), Err)
    }
}

/// The work of a worker who does `job` on one item after the other, until a signal comes.
fn one_by_one<'j, B: Library, R>(
    job: impl for<'w> Fn(&mut Worker<'w, B>, usize) -> Result<R, Error> + Sync + 'j,
) -> impl for<'w> Fn(&mut Worker<'w, B>, &dyn Seat<Result<R, Error>>) + Sync + 'j {
    move |worker, seat| {
        while !interrupt::requested()
            && let Some(item) = seat.take()
        {
            seat.hand_over(item, job(worker, item));
        }
    }
}

fn is_stopped(solved: &[Outcome]) -> bool {
    let last = solved.last();
    last.is_some_and(|outcome| outcome.status == Status::Stopped)
}
