//! An owner who keeps everything: what a campaign goes on from, in which order it tells, how it fails.

use super::{Rows, SHAPE, TARGETS, all, problem};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use twolayer::{
    Answer, AnyInversion, Campaign, Done, Earlier, Error, Further, Model, Observer, Origin, Owner,
    Problems, Progress, Round, Snapshot, Solved, Solver, TraceEntry, UnderWay,
};
use twolayer_faer::Faer;

type Place = (Round, usize);

/// Where a solve stands, and what came of other starts before.
type State = (Snapshot<f64>, Option<Further<f64>>);

/// An owner who keeps everything, stops after a number of iterations, and goes on from what is kept.
struct Keeper<'k> {
    rows: &'k Rows<f64>,
    solver: Solver<f64>,
    /// Counted down by every iteration.
    left: &'k AtomicUsize,
    finished: Mutex<BTreeMap<Place, Solved<f64>>>,
    states: Mutex<BTreeMap<Place, State>>,
    /// What an earlier one has kept.
    earlier: Mutex<BTreeMap<Place, Earlier<f64, Countdown<'k>>>>,
    events: Mutex<Vec<(Round, usize)>>,
    recalled: AtomicUsize,
    /// Cannot be read.
    gone: Option<usize>,
    minds: AtomicBool,
}

struct Countdown<'k>(&'k AtomicUsize);

impl Observer<f64> for Countdown<'_> {
    fn observe(&mut self, _: &TraceEntry<f64>, _: &[f64]) -> ControlFlow<()> {
        let order = Ordering::Relaxed;
        let before = self
            .0
            .fetch_update(order, order, |left| Some(left.saturating_sub(1)));
        match before {
            Ok(0) => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }
}

impl<'k> Keeper<'k> {
    fn new(rows: &'k Rows<f64>, solver: Solver<f64>, left: &'k AtomicUsize) -> Self {
        Self {
            rows,
            solver,
            left,
            finished: Mutex::default(),
            states: Mutex::default(),
            earlier: Mutex::default(),
            events: Mutex::default(),
            recalled: AtomicUsize::new(0),
            gone: None,
            minds: AtomicBool::new(false),
        }
    }

    /// With what another has kept.
    fn after(mut self, other: &Self) -> Self {
        let states = other.states.lock().unwrap().clone();
        let finished = other.finished.lock().unwrap().clone();
        let mut earlier = BTreeMap::new();
        for (&place, (snapshot, others)) in &states {
            let state = UnderWay {
                snapshot: snapshot.clone(),
                watch: Countdown(self.left),
                others: others.clone(),
            };
            earlier.insert(place, Earlier::UnderWay(Box::new(state)));
        }
        for (&place, solved) in &finished {
            earlier.insert(place, Earlier::Solved(solved.clone()));
        }
        self.earlier = Mutex::new(earlier);
        // What was kept stays kept, whether this one comes to it or not.
        self.states = Mutex::new(states);
        self.finished = Mutex::new(finished);
        self
    }

    fn run(&self, problems: &Problems<'_, Faer<f64>>) -> Result<Done<f64>, String> {
        let campaign = Campaign::new(problems.clone(), self.rows.count(), &self.rows.starts);
        campaign.unwrap().with_solver(self.solver.clone()).run(self)
    }
}

impl<'k> Owner<Faer<f64>> for Keeper<'k> {
    type Failure = String;
    type Watch = Countdown<'k>;

    fn row(&self, index: usize) -> Result<Cow<'_, [f64]>, String> {
        match self.gone == Some(index) {
            true => Err(format!("row {index} is gone")),
            false => Ok(self.rows.targets[index * SHAPE.2..][..SHAPE.2].into()),
        }
    }

    fn model<'w>(
        &'w self,
        objective: &AnyInversion<'w, Faer<f64>>,
    ) -> Result<Model<'w, Faer<f64>>, Error> {
        Ok(Box::new(self.solver.default_hessian(objective)))
    }

    fn watch(&self, _: &[f64]) -> Countdown<'k> {
        Countdown(self.left)
    }

    fn is_stopped(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }

    fn refuse(&self, index: usize, error: &Error) -> Result<(), String> {
        match self.minds.load(Ordering::Relaxed) {
            true => Err(format!("target {index}: {error}")),
            false => Ok(()),
        }
    }

    fn earlier(&self, index: usize, round: Round) -> Option<Earlier<f64, Countdown<'k>>> {
        let earlier = self.earlier.lock().unwrap().remove(&(round, index));
        let count = usize::from(earlier.is_some());
        self.recalled.fetch_add(count, Ordering::Relaxed);
        earlier
    }

    fn keeps_states(&self) -> bool {
        true
    }

    fn keep(
        &self,
        index: usize,
        snapshot: Snapshot<f64>,
        _: &Countdown<'k>,
        others: Option<&Further<f64>>,
    ) -> Result<(), String> {
        let round = match others {
            None => Round::First,
            Some(_) => Round::Others,
        };
        let state = (snapshot, others.cloned());
        self.states.lock().unwrap().insert((round, index), state);
        Ok(())
    }

    fn answered(
        &self,
        answer: Answer<'_, '_, Faer<f64>, Countdown<'k>>,
        solved: &mut Solved<f64>,
    ) -> Result<(), String> {
        let round = match answer.origin {
            Origin::Earlier => return Ok(()),
            Origin::OwnStart { .. } => Round::First,
            Origin::OtherStart | Origin::NoOtherStart => Round::Others,
        };
        assert_eq!(
            answer.is_final,
            !solved.is_cut_short() && !self.is_cut(round, solved)
        );
        if answer.is_final {
            let place = (round, answer.index);
            self.states.lock().unwrap().remove(&place);
            self.finished.lock().unwrap().insert(place, solved.clone());
        }
        Ok(())
    }

    fn progress(&self, progress: Progress<'_, f64>) {
        if let Progress::Through(round, index, _) = progress {
            self.events.lock().unwrap().push((round, index));
        }
    }
}

impl Keeper<'_> {
    /// Whether another start is left.
    fn is_cut(&self, round: Round, solved: &Solved<f64>) -> bool {
        round == Round::Others && !solved.is_met() && solved.starts < self.solver.starts()
    }
}

const ENDLESS: usize = usize::MAX;

#[test]
fn a_campaign_that_is_stopped_again_and_again_ends_the_same() {
    let backend = Faer::<f64>::default();
    let (mut stops, mut within) = (0, [0; 2]);
    for (seed, threads, warm) in [(0, 1, true), (1, 2, true), (2, 1, false), (3, 2, false)] {
        let (network, rows) = problem(&backend, seed);
        let problems = Problems::new(&network).for_many();
        let solver = Solver::new().with_starts(4).with_threads(threads);
        // Without a warm start solves take longer.
        let solver = solver.with_warm_start(warm);
        let endless = AtomicUsize::new(ENDLESS);
        let whole = Keeper::new(&rows, solver.clone(), &endless);
        let expected = whole.run(&problems).unwrap();
        assert_eq!(expected.untried, 0);
        let left = AtomicUsize::new(0);
        let mut keeper = Keeper::new(&rows, solver.clone(), &left);
        // More than the iterations between two states: every run comes further than the one before.
        for iterations in (60..).step_by(7) {
            left.store(iterations, Ordering::Relaxed);
            let done = keeper.run(&problems).unwrap();
            let is_whole = done.results.len() == TARGETS
                && done.untried == 0
                && !done.results.iter().flatten().any(Solved::is_cut_short);
            if is_whole {
                assert!(all(&done.results) == all(&expected.results), "seed {seed}");
                break;
            }
            stops += 1;
            for (round, _) in keeper.states.lock().unwrap().keys() {
                within[usize::from(*round == Round::Others)] += 1;
            }
            keeper = Keeper::new(&rows, solver.clone(), &left).after(&keeper);
        }
        assert!(keeper.recalled.load(Ordering::Relaxed) > 0);
    }
    println!("{stops} stops, {within:?} within a solve of the first and the second round");
    assert!(stops > 10 && within[0] > 0 && within[1] > 0);
}

#[test]
fn more_starts_go_on_from_fewer_and_fewer_begin_again() {
    let backend = Faer::<f64>::default();
    let (network, rows) = problem(&backend, 3);
    let problems = Problems::new(&network);
    let endless = AtomicUsize::new(ENDLESS);
    let keeper = |starts| Keeper::new(&rows, Solver::new().with_starts(starts), &endless);
    let kept = [1, 2, 5, 8].map(keeper);
    let whole: Vec<_> = kept.iter().map(|k| k.run(&problems).unwrap()).collect();
    for before in &kept {
        for (now, expected) in kept.iter().zip(&whole) {
            let starts = now.solver.starts();
            let then = keeper(starts).after(before);
            let found = then.run(&problems).unwrap();
            let what = format!("{} then {starts}", before.solver.starts());
            assert!(all(&found.results) == all(&expected.results), "{what}");
            assert!(then.recalled.load(Ordering::Relaxed) >= TARGETS, "{what}");
        }
    }
}

#[test]
fn results_come_in_order_in_both_rounds() {
    let (network, rows) = problem(&Faer::<f64>::default(), 0);
    let endless = AtomicUsize::new(ENDLESS);
    let solver = Solver::new().with_starts(3).with_threads(3);
    let keeper = Keeper::new(&rows, solver, &endless);
    let done = keeper.run(&Problems::new(&network)).unwrap();
    let open = |k: &usize| done.results[*k].as_ref().unwrap().starts > 1;
    let first = (0..TARGETS).map(|k| (Round::First, k));
    let second = (0..TARGETS).filter(open).map(|k| (Round::Others, k));
    let expected: Vec<_> = first.chain(second).collect();
    assert!(expected.len() > TARGETS);
    assert_eq!(*keeper.events.lock().unwrap(), expected);
}

/// One b and many starts are as many problems.
#[test]
fn one_target_may_have_many_starts() {
    let (network, rows) = problem(&Faer::<f64>::default(), 0);
    let problems = Problems::new(&network);
    let b = &rows.targets[..SHAPE.2];
    let together = problems.solve_batch(&Solver::new(), b, &rows.starts);
    let copies = b.repeat(TARGETS);
    let expected = problems.solve_batch(&Solver::new(), &copies, &rows.starts);
    assert!(all(&together.unwrap()) == all(&expected.unwrap()));
}

#[test]
fn a_failure_of_the_owner_ends_it() {
    let (network, mut rows) = problem(&Faer::<f64>::default(), 0);
    let problems = Problems::new(&network);
    let endless = AtomicUsize::new(ENDLESS);
    let gone = Keeper {
        gone: Some(9),
        ..Keeper::new(&rows, Solver::new(), &endless)
    };
    assert_eq!(gone.run(&problems).unwrap_err(), "row 9 is gone");
    // A bad target is its own error or, where the owner minds, that of the campaign.
    rows.targets[17 * SHAPE.2 + 1] = -1.0;
    let keeper = Keeper::new(&rows, Solver::new().with_starts(3), &endless);
    let done = keeper.run(&problems).unwrap();
    assert!(done.results.len() == TARGETS && done.untried == 0);
    for (k, result) in done.results.iter().enumerate() {
        assert_eq!(result.is_err(), k == 17, "target {k}");
    }
    keeper.minds.store(true, Ordering::Relaxed);
    let refused = keeper.run(&problems).unwrap_err();
    assert!(refused.starts_with("target 17: b[1] is -1"), "{refused}");
}
