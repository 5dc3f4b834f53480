//! Many targets of one network in one call.

use crate::inversion::Inversion;
use crate::many::crew::{Crew, Seat};
use crate::many::problems::Problems;
use crate::starts::splitting::TOGETHER;
use crate::target::Target;
use approx_newton::{Adaptive, Silent, Solver, Status};
use approx_newton::{Cloud, Neighbours, Solved};
use std::ops::ControlFlow;
use twolayer_core::{Error, LinearBackend, Scalar};

/// What came out of a target, or what is wrong with it.
pub type BatchResult<T> = Result<Solved<T>, Error>;

impl<T: Scalar, B: LinearBackend<Scalar = T>> Problems<'_, B> {
    /// Solves the problem of each of K `targets` (K·m numbers, one target after the other) from
    /// `starts` (d for all, or K·d), on the threads of
    /// [`with_threads`](Solver::with_threads).
    ///
    /// Every target is solved as [`Solver::solve`] would: to the same bits, whatever the others are
    /// and whatever the number of threads. One that is no distribution, or whose start is no good,
    /// has its error in its place, and the others do not see it. With
    /// [`with_starts`](Solver::with_starts) those that are no perfect fit are tried from other
    /// starts when all are through.
    ///
    /// # Errors
    /// Numbers of targets and starts that do not fit the network and each other.
    pub fn solve_batch(
        &self,
        solver: &Solver<T>,
        targets: &[T],
        starts: &[T],
    ) -> Result<Vec<BatchResult<T>>, Error> {
        let rows = Rows::new(self, targets, starts)?;
        let batch = Batch { solver };
        let mut problems = self.clone();
        if rows.shares_start() && rows.count > 1 {
            // A start that is no good is each target's own error.
            problems = problems
                .clone()
                .with_shared_start(starts)
                .unwrap_or(problems);
        }
        let mut solved = Vec::with_capacity(rows.count);
        batch.share_out(
            &problems,
            rows.count,
            |solver, problems, hessian, seat| {
                while let Some(block) = rows.take(problems, solver, seat) {
                    for (index, objective) in block {
                        let start = rows.start(index);
                        let solve = |objective| {
                            let hessian =
                                hessian.get_or_insert_with(|| solver.default_hessian(&objective));
                            solver.solve_with(&objective, hessian, start, &mut Silent)
                        };
                        let starts = 1;
                        let solution = objective.and_then(solve);
                        seat.hand_over(index, solution.map(|solution| Solved { solution, starts }));
                    }
                }
            },
            |_, result| solved.push(result),
        );
        if solver.starts() > 1 {
            batch.try_other_starts(&problems, &rows, &mut solved);
        }
        Ok(solved)
    }
}

/// One call.
struct Batch<'s, T> {
    solver: &'s Solver<T>,
}

impl<T: Scalar> Batch<'_, T> {
    /// Tries the targets that are no perfect fit from the solutions of others that are, and from
    /// random points among these.
    fn try_other_starts<B: LinearBackend<Scalar = T>>(
        &self,
        problems: &Problems<'_, B>,
        rows: &Rows<'_, T>,
        solved: &mut [BatchResult<T>],
    ) {
        let fits = |result: &BatchResult<T>| match result {
            Ok(solved) => Some(solved.solution.status == Status::PerfectFit),
            Err(_) => None,
        };
        let of_kind = |kind: bool| -> Vec<usize> {
            let all = solved.iter().enumerate();
            let chosen = all.filter(|(_, result)| fits(result) == Some(kind));
            chosen.map(|(index, _)| index).collect()
        };
        let (met, open) = (of_kind(true), of_kind(false));
        let further = self.solver.starts() - 1;
        let mut neighbours = Neighbours::new(open.len(), further.div_ceil(2));
        let mut cloud = Cloud::new(self.solver.seed(), rows.start(0));
        let solution = |index: usize| match &solved[index] {
            Ok(solved) => Some(solved.solution.x.as_slice()),
            Err(_) => None,
        };
        for &index in &met {
            if let Some(x) = solution(index) {
                cloud.add(x);
            }
            for (which, &target) in open.iter().enumerate() {
                neighbours.offer(which, rows.row(target), index, rows.row(index));
            }
        }
        let mut improved = Vec::with_capacity(open.len());
        self.share_out(
            problems,
            open.len(),
            |solver, problems, hessian, seat| {
                let mut try_again = |which: usize| {
                    let index = open[which];
                    let objective = problems.inversion(rows.target(index)?)?;
                    let hessian = hessian.get_or_insert_with(|| solver.default_hessian(&objective));
                    let mut best = solved[index].clone()?;
                    let near = neighbours.of(which).filter_map(solution).map(<[T]>::to_vec);
                    let random = (0..further).map(|number| cloud.draw(index, number));
                    let starts = near.chain(random).take(further);
                    let loss = best.solution.loss;
                    let further =
                        solver.solve_from_others(&objective, hessian, loss, starts, &mut Silent);
                    best.starts += further.starts;
                    best.solution = further.lower.unwrap_or(best.solution);
                    Ok(best)
                };
                while let Some(which) = seat.take() {
                    seat.hand_over(which, try_again(which));
                }
            },
            |which, result| improved.push((open[which], result)),
        );
        for (index, result) in improved {
            solved[index] = result;
        }
    }

    /// Has `work` done by each worker, with a copy of the network and a model of the Hessian of its
    /// own.
    fn share_out<B, R>(
        &self,
        problems: &Problems<'_, B>,
        count: usize,
        work: impl for<'w> Fn(
            &Solver<T>,
            &Problems<'w, B>,
            &mut Option<Adaptive<Inversion<'w, B>>>,
            &dyn Seat<R>,
        ) + Sync,
        mut deliver: impl FnMut(usize, R),
    ) where
        B: LinearBackend<Scalar = T>,
        R: Send,
    {
        let crew = Crew::new(self.solver.threads(), count);
        crew.share_out(
            0..count,
            |seat| {
                let network = problems.network().with_threads(seat.threads());
                let problems = problems.on(&network);
                work(self.solver, &problems, &mut None, seat);
            },
            |index, result| {
                deliver(index, result);
                ControlFlow::Continue(())
            },
        );
    }
}

/// The problems of some targets, with their numbers.
type Block<'p, B> = Vec<(usize, Result<Inversion<'p, B>, Error>)>;

/// K targets and their starts, of lengths that fit.
struct Rows<'r, T> {
    targets: &'r [T],
    starts: &'r [T],
    outcomes: usize,
    inputs: usize,
    count: usize,
}

impl<'r, T: Scalar> Rows<'r, T> {
    fn new<B: LinearBackend<Scalar = T>>(
        problems: &Problems<'_, B>,
        targets: &'r [T],
        starts: &'r [T],
    ) -> Result<Self, Error> {
        let network = problems.network();
        let (outcomes, inputs) = (network.outcomes(), network.inputs());
        let count = targets.len() / outcomes;
        if targets.len() != count * outcomes || count == 0 {
            return Err(Error::Shape {
                name: "targets",
                found: format!("({},)", targets.len()),
                expected: format!("K·{outcomes} numbers, K at least 1"),
            });
        }
        if starts.len() != inputs && starts.len() != count * inputs {
            return Err(Error::Shape {
                name: "starts",
                found: format!("({},)", starts.len()),
                expected: format!(
                    "{inputs} numbers, or {count}·{inputs}: one start for each target"
                ),
            });
        }
        Ok(Self {
            targets,
            starts,
            outcomes,
            inputs,
            count,
        })
    }

    /// The problems of the next targets, begun together; `None` where no target is left.
    fn take<'p, B: LinearBackend<Scalar = T>, R>(
        &self,
        problems: &Problems<'p, B>,
        solver: &Solver<T>,
        seat: &dyn Seat<R>,
    ) -> Option<Block<'p, B>> {
        let block = seat.take_several(TOGETHER);
        if block.is_empty() {
            return None;
        }
        let mut block: Vec<_> = block
            .map(|index| {
                let target = self.target(index);
                (index, target.and_then(|target| problems.inversion(target)))
            })
            .collect();
        if solver.warm_start() {
            let good = block.iter_mut();
            let good = good
                .filter_map(|(index, problem)| Some((problem.as_mut().ok()?, self.start(*index))));
            problems.begin_together(good);
        }
        Some(block)
    }

    fn shares_start(&self) -> bool {
        self.starts.len() == self.inputs
    }

    fn row(&self, index: usize) -> &'r [T] {
        &self.targets[index * self.outcomes..][..self.outcomes]
    }

    fn target(&self, index: usize) -> Result<Target<T>, Error> {
        Target::new(self.row(index).to_vec())
    }

    fn start(&self, index: usize) -> &'r [T] {
        let row = if self.shares_start() { 0 } else { index };
        &self.starts[row * self.inputs..][..self.inputs]
    }
}
