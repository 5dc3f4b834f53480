//! The first round: every target from its own start.

use crate::any::AnyInversion;
use crate::many::crew::Seat;
use crate::many::owner::{Answer, Earlier, Origin, Owner, Progress, Round, UnderWay};
use crate::many::posed::{Begin, Posed};
use crate::many::solved::{BatchResult, Solved};
use crate::many::work::{Trouble, Work, Worker};
use crate::starts::splitting::TOGETHER;
use approx_newton::{Run, Status};
use std::ops::{ControlFlow, Range};
use twolayer_core::LinearBackend;

/// A target's problem and where it begins.
type Begun<'w, B> = (Posed<'w, B>, Begin<'w, <B as LinearBackend>::Scalar>);

/// A target of a block.
struct Item<'w, B: LinearBackend, O: Owner<B>> {
    index: usize,
    problem: Result<Begun<'w, B>, Trouble<O::Failure>>,
    earlier: Option<Earlier<B::Scalar, O::Watch>>,
}

impl<'w, B: LinearBackend, O: Owner<B>> Work<'w, B, O> {
    /// Results in the order of the targets, up to the first that was stopped.
    pub(super) fn first_starts(&self) -> Result<Vec<BatchResult<B::Scalar>>, O::Failure> {
        let count = self.campaign.count;
        let mut results = Vec::with_capacity(count);
        let job = |worker: &mut Worker<'w, B>, seat: &dyn Seat<_>| {
            while !self.is_over() {
                let block = seat.take_several(TOGETHER);
                if block.is_empty() {
                    break;
                }
                self.solve_block(worker, block, seat)?;
            }
            Ok(())
        };
        self.owner.progress(Progress::Begins(Round::First, count));
        self.share_out(0..count, job, |index, result: BatchResult<B::Scalar>| {
            let progress = Progress::Through(Round::First, index, &result);
            self.owner.progress(progress);
            let stopped = |solved: &Solved<_>| solved.solution.status == Status::Stopped;
            let is_stopped = result.as_ref().is_ok_and(stopped);
            results.push(result);
            match is_stopped {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })?;
        self.owner.progress(Progress::Ends(Round::First));
        Ok(results)
    }

    /// Solves the targets of a block, which begin together, but for those that an earlier campaign has
    /// left. What is not handed over before a stop is dropped; where the time is over, the others of
    /// the block end where they begin.
    fn solve_block(
        &self,
        worker: &mut Worker<'w, B>,
        block: Range<usize>,
        seat: &dyn Seat<BatchResult<B::Scalar>>,
    ) -> Result<(), O::Failure> {
        let mut block: Vec<Item<'w, B, O>> = block
            .map(|index| Item {
                index,
                problem: self.problem(index),
                earlier: self.owner.earlier(index, Round::First),
            })
            .collect();
        if self.campaign.solver.warm_start() {
            let new = block.iter_mut().filter(|item| item.earlier.is_none());
            self.problems.begin_together(new.filter_map(|item| {
                let (posed, begin) = item.problem.as_mut().ok()?;
                Some((&mut posed.objective, begin.unknowns()))
            }));
        }
        for item in block {
            if self.is_stopped() {
                break;
            }
            let index = item.index;
            let result = match self.solve(worker, item) {
                Ok(solved) => Ok(solved),
                Err(trouble) => self.refused(index, trouble)?,
            };
            seat.hand_over(index, result);
        }
        Ok(())
    }

    /// A target's problem and where it begins.
    fn problem(&self, index: usize) -> Result<Begun<'w, B>, Trouble<O::Failure>> {
        let posed = self.pose(index)?;
        let begin = self.begin(self.campaign.start(index))?;
        Ok((posed, begin))
    }

    /// Solves a target from its own start, or from where an earlier campaign was with it.
    fn solve(
        &self,
        worker: &mut Worker<'w, B>,
        item: Item<'w, B, O>,
    ) -> Result<Solved<B::Scalar>, Trouble<O::Failure>> {
        let (index, start) = (item.index, self.campaign.start(item.index));
        let (posed, begin) = &item.problem?;
        let (objective, given) = (&posed.objective, posed.given());
        let under_way = match item.earlier {
            Some(Earlier::Solved(solved)) => {
                return self.answered(index, given, Origin::Earlier, true, solved);
            }
            Some(Earlier::UnderWay(state)) => Some(*state),
            None => None,
        };
        let model = worker.model(self.owner, objective)?;
        let (mut run, mut watch) = match under_way {
            Some(UnderWay {
                snapshot, watch, ..
            }) => {
                let run = Run::resume(self.solver(), objective, model, snapshot)?;
                (run, watch)
            }
            None => {
                let run = Run::new(self.solver(), objective, model, begin.unknowns())?;
                (run, self.owner.watch(start))
            }
        };
        self.drive(&mut run, index, &mut watch, None)?;
        let (solution, at) = self.answer(run, posed, begin, &mut watch)?;
        let solved = Solved {
            solution,
            starts: 1,
        };
        let origin = Origin::OwnStart {
            model,
            watch: &watch,
            at: &at,
        };
        let is_final = !solved.is_cut_short();
        self.answered(index, given, origin, is_final, solved)
    }

    /// Shows the owner an answer of a problem as it was given.
    pub(super) fn answered(
        &self,
        index: usize,
        objective: &AnyInversion<'w, B>,
        origin: Origin<'_, 'w, B, O::Watch>,
        is_final: bool,
        mut solved: Solved<B::Scalar>,
    ) -> Result<Solved<B::Scalar>, Trouble<O::Failure>> {
        let answer = Answer {
            index,
            objective,
            origin,
            is_final,
        };
        let shown = self.owner.answered(answer, &mut solved);
        shown.map_err(Trouble::Campaign)?;
        Ok(solved)
    }
}
