//! Targets that were not met, from other starts.

use super::one_target::Watch;
use super::{Campaign, Worker, one_by_one};
use crate::checkpoint::Round;
use crate::dispatch::Library;
use crate::error::Error;
use crate::invert::Outcome;
use crate::progress::Progress;
use std::ops::ControlFlow;
use twolayer::{Cloud, Further, Neighbours, Run, Status};
use twolayer::{Objective, Scalar};

/// Targets whose neighbours a worker looks for at a time.
pub(crate) const OPEN_TARGETS: u64 = 16;
const BLOCK: usize = OPEN_TARGETS as usize;

impl<B: Library> Campaign<'_, B> {
    /// Tries the targets that are no perfect fit from the solutions of the nearest that are, then
    /// from random points. Returns how many could not be tried before a signal came.
    pub(super) fn try_other_starts(&self, solved: &mut [Outcome]) -> Result<usize, Error> {
        // As the first starts left them: what other starts reach does not depend on the order.
        let fits = |outcome: &Outcome| outcome.status == Status::PerfectFit && outcome.starts == 1;
        let is_open = |o: &Outcome| o.starts == 1 && o.status != Status::PerfectFit;
        let numbers = |chosen: &dyn Fn(&Outcome) -> bool| -> Vec<usize> {
            let all = solved.iter().enumerate();
            let chosen = all.filter(|(_, outcome)| chosen(outcome));
            chosen.map(|(index, _)| index).collect()
        };
        let (met, open) = (numbers(&fits), numbers(&is_open));
        let neighbours = self.neighbours(&met, &open)?;
        let x = |index: usize| -> Vec<B::Scalar> {
            solved[index].x.iter().map(|&v| B::Scalar::of(v)).collect()
        };
        let mut cloud = Cloud::new(self.args.seed, self.starts.get(0));
        for &index in &met {
            cloud.add(&x(index));
        }
        let further = self.args.starts - 1;
        let progress = Progress::new(self.args.quiet, open.len(), "targets tried again");
        let mut tried = 0;
        let mut better: Vec<(usize, Outcome)> = Vec::new();
        let job = |worker: &mut Worker<'_, B>, which: usize| {
            let index = open[which];
            if let Some(outcome) = self.log.as_ref().and_then(|log| log.tried_again(index)) {
                let objective = self.objective(worker, index)?;
                return self.complete(&objective, index, outcome).map(Some);
            }
            let near = neighbours[which].iter().map(|&index| x(index));
            let random = (0..further).map(|number| cloud.draw(index, number));
            let starts = near.chain(random).take(further);
            self.solve_from_others(worker, index, &solved[index], starts)
        };
        self.share_out(0..open.len(), one_by_one(job), |which, outcome| {
            let Some(outcome) = outcome else {
                return Ok(ControlFlow::Break(()));
            };
            better.push((open[which], outcome));
            tried += 1;
            progress.advance();
            Ok(ControlFlow::Continue(()))
        })?;
        progress.finish();
        for (index, outcome) in better {
            solved[index] = outcome;
        }
        Ok(open.len() - tried)
    }

    /// For each open target the nearest of those that were met.
    fn neighbours(&self, met: &[usize], open: &[usize]) -> Result<Vec<Vec<usize>>, Error> {
        let most = (self.args.starts - 1).div_ceil(2);
        let mut all = Vec::with_capacity(open.len());
        let job = |_: &mut Worker<'_, B>, block: usize| {
            let block = &open[block * BLOCK..open.len().min((block + 1) * BLOCK)];
            let rows = block.iter().map(|&index| self.targets.row(index));
            let rows = rows.collect::<Result<Vec<_>, _>>()?;
            let mut neighbours = Neighbours::new(block.len(), most);
            for &index in met {
                let other = self.targets.row(index)?;
                for (which, row) in rows.iter().enumerate() {
                    neighbours.offer(which, row, index, &other);
                }
            }
            let lists = (0..block.len()).map(|which| neighbours.of(which).collect::<Vec<_>>());
            Ok(lists.collect::<Vec<_>>())
        };
        let blocks = 0..open.len().div_ceil(BLOCK);
        self.share_out(blocks, one_by_one(job), |_, lists| {
            all.extend(lists);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(all)
    }

    /// The best of a first outcome and of other starts; `None` where a signal came.
    fn solve_from_others(
        &self,
        worker: &mut Worker<'_, B>,
        index: usize,
        first: &Outcome,
        starts: impl Iterator<Item = Vec<B::Scalar>>,
    ) -> Result<Option<Outcome>, Error> {
        let objective = self.objective(worker, index)?;
        let model = self.model(worker, &objective)?;
        let mut watch = Watch { recorder: None };
        let under_way = self.log.as_ref().and_then(|log| log.under_way(index));
        let (mut snapshot, further) = match under_way {
            Some(state) => (Some(state.snapshot), state.further),
            None => (None, None),
        };
        let mut further = further.unwrap_or_else(|| Further::new(B::Scalar::of(first.loss)));
        further.try_each(objective.radius(), starts, |further, start| {
            let run = match snapshot.take() {
                Some(snapshot) => self.resume(&objective, model, index, snapshot)?,
                None => match Run::new(self.solver(), &objective, model, start) {
                    Ok(run) => run,
                    Err(error) => return Ok(Err(error)),
                },
            };
            let run = self.drive(run, index, &mut watch, Some(further))?;
            Ok(Ok(run.into_solution()))
        })?;
        if further.is_stopped {
            return Ok(None);
        }
        let tried = 1 + further.starts;
        let outcome = match further.lower {
            Some(solution) => self.outcome(&objective, index, solution, None, tried)?,
            None => Outcome {
                starts: tried,
                ..first.clone()
            },
        };
        if let Some(log) = &self.log {
            log.finish(index, &outcome, Round::Second)?;
        }
        Ok(Some(outcome))
    }
}
