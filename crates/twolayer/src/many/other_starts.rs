//! The second round: targets that were not met, from other starts.

use crate::many::cloud::{Cloud, RandomStarts};
use crate::many::crew::Seat;
use crate::many::further::Further;
use crate::many::neighbours::Neighbours;
use crate::many::owner::{Earlier, Origin, Owner, Progress, Round, UnderWay};
use crate::many::posed::Posed;
use crate::many::solved::{BatchResult, Solved};
use crate::many::work::{Trouble, Work, Worker};
use approx_newton::{Run, Snapshot};
use std::cmp::Ordering;
use std::ops::ControlFlow;
use twolayer_core::{LinearBackend, Objective, Scalar};

/// Targets whose neighbours a worker looks for at a time.
pub(in crate::many) const COMPARED: usize = 16;

/// A target that is tried again.
struct Open<'s, T> {
    index: usize,
    /// What its own start came to.
    first: &'s Solved<T>,
    /// The solutions of its neighbours, the nearest first.
    near: Vec<&'s [T]>,
    cloud: Option<&'s Cloud>,
}

/// What came out of it, and whether from all starts.
type Tried<T> = (BatchResult<T>, bool);

/// The best of all starts, and whether all were tried.
type Best<T, F> = Result<(Solved<T>, bool), Trouble<F>>;

impl<'w, B: LinearBackend, O: Owner<B>> Work<'w, B, O> {
    /// Tries the targets that were not met from the solutions of the nearest that were and from random
    /// points, by turns. Returns how many were not tried from all starts.
    ///
    /// Neither the order of the targets nor their numbers are anywhere in it. Solutions are taken in
    /// the order of their coordinates: which of two neighbours as near as each other comes first, and
    /// how the cloud's sums are rounded, follows from that.
    pub(super) fn other_starts(
        &self,
        results: &mut [BatchResult<B::Scalar>],
    ) -> Result<usize, O::Failure> {
        let of_kind = |met: bool| -> Vec<usize> {
            let all = results.iter().enumerate();
            let is_of_kind = |r: &BatchResult<_>| r.as_ref().is_ok_and(|s| s.is_met() == met);
            let chosen = all.filter(|(_, result)| is_of_kind(result));
            chosen.map(|(index, _)| index).collect()
        };
        let (met, open) = (of_kind(true), of_kind(false));
        let mut met: Vec<_> = met
            .into_iter()
            .filter_map(|index| Some((&results[index].as_ref().ok()?.solution.x[..], index)))
            .collect();
        met.sort_by(|(x, _), (y, _)| by_coordinates(x, y));
        let neighbours = self.neighbours(&met, &open)?;
        let solutions: Vec<_> = met.iter().map(|&(x, _)| x).collect();
        let cloud = Cloud::of(&solutions);
        let mut improved = Vec::with_capacity(open.len());
        let job = |worker: &mut Worker<'w, B>, seat: &dyn Seat<Tried<B::Scalar>>| {
            while !self.is_over()
                && let Some(which) = seat.take()
            {
                let index = open[which];
                let Ok(first) = &results[index] else { continue };
                let near = neighbours[which].iter().map(|&number| solutions[number]);
                let open = Open {
                    index,
                    first,
                    near: near.collect(),
                    cloud: cloud.as_ref(),
                };
                let tried = match self.try_again(worker, &open) {
                    Ok((solved, is_final)) => (Ok(solved), is_final),
                    Err(trouble) => (self.refused(index, trouble)?, true),
                };
                seat.hand_over(which, tried);
            }
            Ok(())
        };
        let mut untried = open.len();
        let round = Round::Others;
        self.owner.progress(Progress::Begins(round, open.len()));
        self.share_out(0..open.len(), job, |which, (result, is_final)| {
            let progress = Progress::Through(round, open[which], &result);
            self.owner.progress(progress);
            untried -= usize::from(is_final);
            improved.push((open[which], result));
            ControlFlow::Continue(())
        })?;
        self.owner.progress(Progress::Ends(round));
        for (index, result) in improved {
            results[index] = result;
        }
        Ok(untried)
    }

    /// For each open target the nearest of those that were met, by their places there.
    fn neighbours(
        &self,
        met: &[(&[B::Scalar], usize)],
        open: &[usize],
    ) -> Result<Vec<Vec<usize>>, O::Failure> {
        let most = (self.campaign.solver.starts() - 1).div_ceil(2);
        let mut all = Vec::with_capacity(open.len());
        let job = |_: &mut Worker<'w, B>, seat: &dyn Seat<Vec<Vec<usize>>>| {
            while !self.is_over()
                && let Some(block) = seat.take()
            {
                let compared = open.iter().skip(block * COMPARED).take(COMPARED);
                let rows = compared.map(|&index| self.row(index));
                let rows = rows.collect::<Result<Vec<_>, _>>()?;
                let mut neighbours = Neighbours::new(rows.len(), most);
                for (number, &(_, index)) in met.iter().enumerate() {
                    let other = self.row(index)?;
                    for (which, row) in rows.iter().enumerate() {
                        neighbours.offer(which, row, number, &other);
                    }
                }
                seat.hand_over(block, neighbours.into_numbers());
            }
            Ok(())
        };
        self.share_out(0..open.len().div_ceil(COMPARED), job, |_, numbers| {
            all.extend(numbers);
            ControlFlow::Continue(())
        })?;
        // Nobody asks for those that were not come to before the end.
        all.resize(open.len(), Vec::new());
        Ok(all)
    }

    /// The best of all starts, and whether all were tried.
    fn try_again(
        &self,
        worker: &mut Worker<'w, B>,
        open: &Open<'_, B::Scalar>,
    ) -> Best<B::Scalar, O::Failure> {
        let &Open { index, first, .. } = open;
        let posed = self.pose(index)?;
        let given = posed.given();
        let wanted = self.campaign.solver.starts() - 1;
        let loss = first.solution.loss;
        let mut under_way = None;
        let mut further = match self.owner.earlier(index, Round::Others) {
            Some(Earlier::Solved(solved)) if solved.starts <= 1 + wanted => {
                if solved.is_met() || solved.starts == 1 + wanted {
                    let solved = self.answered(index, given, Origin::Earlier, true, solved)?;
                    return Ok((solved, true));
                }
                Further::earlier(loss, solved)
            }
            Some(Earlier::UnderWay(state)) => {
                let UnderWay {
                    snapshot,
                    watch,
                    others,
                } = *state;
                match others {
                    Some(others) if others.starts < wanted => {
                        under_way = Some((snapshot, watch));
                        others
                    }
                    _ => Further::new(loss),
                }
            }
            _ => Further::new(loss),
        };
        self.solve_from_others(worker, &posed, open, &mut further, under_way)?;
        let is_final = !further.is_cut_short;
        let starts = 1 + further.starts;
        let (origin, solution) = match further.lower {
            Some(solution) => (Origin::OtherStart, solution),
            None => (Origin::NoOtherStart, first.solution.clone()),
        };
        let solved = Solved { solution, starts };
        let solved = self.answered(index, given, origin, is_final, solved)?;
        Ok((solved, is_final))
    }

    /// Solves from each of the other starts that were not tried, or from where one was.
    fn solve_from_others(
        &self,
        worker: &mut Worker<'w, B>,
        posed: &Posed<'w, B>,
        open: &Open<'_, B::Scalar>,
        further: &mut Further<B::Scalar>,
        mut under_way: Option<(Snapshot<B::Scalar>, O::Watch)>,
    ) -> Result<(), Trouble<O::Failure>> {
        let (index, solver) = (open.index, &self.campaign.solver);
        let objective = &posed.objective;
        let model = worker.model(self.owner, objective)?;
        let b = objective.target().probabilities();
        let x0 = self.campaign.start(index);
        let mut random = RandomStarts::new(solver.seed(), b, x0, open.cloud);
        let mut near = open.near.iter().map(|x| x.to_vec());
        let starts = (0..solver.starts() - 1).filter_map(|number| match number % 2 {
            0 => near.next().or_else(|| random.next()),
            _ => random.next(),
        });
        further.try_each(objective.radius(), starts, |further, start| {
            let begin = match self.begin(start) {
                Ok(begin) => begin,
                Err(error) => return Ok(Err(error)),
            };
            let (run, mut watch) = match under_way.take() {
                Some((snapshot, watch)) => {
                    let run = Run::resume(self.solver(), objective, model, snapshot)?;
                    (Ok(run), watch)
                }
                None => {
                    let run = Run::new(self.solver(), objective, model, begin.unknowns());
                    (run, self.owner.watch(start))
                }
            };
            let mut run = match run {
                Ok(run) => run,
                Err(error) => return Ok(Err(error)),
            };
            self.drive(&mut run, index, &mut watch, Some(further))?;
            let (solution, _) = self.answer(run, posed, &begin, &mut watch)?;
            Ok(Ok(solution))
        })
    }
}

/// A total order of points of one dimension.
fn by_coordinates<T: Scalar>(x: &[T], y: &[T]) -> Ordering {
    let pairs = x.iter().zip(y);
    let mut orders = pairs.map(|(&x, &y)| Scalar::to_f64(x).total_cmp(&Scalar::to_f64(y)));
    orders
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}
