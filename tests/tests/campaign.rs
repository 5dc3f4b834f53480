//! A campaign over many targets: what it may depend on, what it goes on from, how it ends.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's way to fail")]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use twolayer::{
    Answer, BatchResult, Campaign, Done, Earlier, Error, Further, Inversion, LinearBackend, Model,
    Observer, Origin, Owner, Problems, Progress, Round, Scalar, Snapshot, Solution, Solved, Solver,
    Status, TraceEntry, TwoLayer, UnderWay,
};
use twolayer_faer::Faer;
use twolayer_nalgebra::Nalgebra;
use twolayer_tests::problems::{Planted, rounded};

const SHAPE: (usize, usize, usize) = (6, 24, 12);
const TARGETS: usize = 21;

/// K targets and their starts, row after row.
#[derive(Clone)]
struct Rows<T> {
    targets: Vec<T>,
    starts: Vec<T>,
}

impl<T: Scalar> Rows<T> {
    fn count(&self) -> usize {
        self.targets.len() / SHAPE.2
    }

    /// Some of them, in another order.
    fn of(&self, numbers: &[usize]) -> Self {
        let rows = |all: &[T], length: usize| -> Vec<T> {
            let rows = numbers.iter().flat_map(|&k| &all[k * length..][..length]);
            rows.copied().collect()
        };
        Self {
            targets: rows(&self.targets, SHAPE.2),
            starts: rows(&self.starts, SHAPE.0),
        }
    }
}

/// Twelve outputs of the network, some of them met from these starts, and means of two, which mostly
/// are none. One target is there three times: twice from one start, once from another.
fn problem<B: LinearBackend>(backend: &B, seed: u64) -> (TwoLayer<B>, Rows<B::Scalar>) {
    let planted = Planted::new(SHAPE, true, seed);
    let network = planted.network(backend).unwrap();
    let point = |k: usize, scale: f64| -> Vec<B::Scalar> {
        let d = SHAPE.0;
        let turned: Vec<f64> = (0..d)
            .map(|i| scale * planted.solution[(i + k) % d] + 0.1 * k as f64)
            .collect();
        rounded(&turned)
    };
    let outputs: Vec<_> = (0..12)
        .map(|k| network.probabilities(&point(k, 1.0)).unwrap())
        .collect();
    let mean = |k: usize| -> Vec<B::Scalar> {
        let pairs = outputs[k].iter().zip(&outputs[k + 3]);
        pairs.map(|(&p, &q)| B::Scalar::of(0.5) * (p + q)).collect()
    };
    let mut targets = outputs.concat();
    targets.extend((0..TARGETS - 14).flat_map(mean));
    let mut starts: Vec<_> = (0..TARGETS - 2).flat_map(|k| point(k + 5, -0.5)).collect();
    for start in [&point(5, -0.5), &point(9, 0.3)] {
        targets.extend(&outputs[0]);
        starts.extend(start);
    }
    (network, Rows { targets, starts })
}

/// All that is not time.
type Answered<T> = (Vec<T>, [T; 2], Status, usize, usize);

fn answered<T: Scalar>(solved: &Solved<T>) -> Answered<T> {
    let Solution {
        x,
        loss,
        gradient_norm,
        status,
        iterations,
        ..
    } = &solved.solution;
    let numbers = [*loss, *gradient_norm];
    (x.clone(), numbers, *status, *iterations, solved.starts)
}

fn all<T: Scalar>(results: &[BatchResult<T>]) -> Vec<Answered<T>> {
    let solved = results.iter().map(|result| result.as_ref().unwrap());
    solved.map(answered).collect()
}

/// Orders that mix everything: backwards, by steps, and in halves.
fn orders(count: usize) -> [Vec<usize>; 3] {
    let by_steps = (0..count).map(|k| k * 8 % count).collect();
    let halves = (0..count).map(|k| (k + count / 2) % count).collect();
    [(0..count).rev().collect(), by_steps, halves]
}

fn no_order_matters<B: LinearBackend>(backend: &B) {
    let mut helped = 0;
    for seed in 0..4 {
        let (network, rows) = problem(backend, seed);
        for problems in [Problems::new(&network), Problems::new(&network).for_many()] {
            let solve = |rows: &Rows<_>, starts: usize, threads: usize| {
                let solver = Solver::new().with_starts(starts).with_threads(threads);
                let results = problems.solve_batch(&solver, &rows.targets, &rows.starts);
                all(&results.unwrap())
            };
            let once = solve(&rows, 1, 2);
            let expected = solve(&rows, 6, 2);
            assert_eq!(once.len(), TARGETS);
            let is_helped = |(once, often): &(&Answered<_>, &Answered<_>)| once.0 != often.0;
            helped += once.iter().zip(&expected).filter(is_helped).count();
            for (number, order) in orders(TARGETS).iter().enumerate() {
                let found = solve(&rows.of(order), 6, 1 + number);
                for (place, &k) in order.iter().enumerate() {
                    assert!(found[place] == expected[k], "seed {seed}, target {k}");
                }
            }
        }
    }
    println!("{helped} targets were helped by other starts");
    assert!(helped > 4);
}

#[test]
fn other_starts_do_not_depend_on_the_order() {
    no_order_matters(&Faer::<f64>::default());
    no_order_matters(&Faer::<f32>::default());
    no_order_matters(&Nalgebra::<f64>::default());
}

/// Targets of which none is met: there are no neighbours, and random starts lie around each target's
/// own, not around that of the first.
#[test]
fn nor_do_random_starts_without_neighbours() {
    let backend = Faer::<f64>::default();
    let (network, rows) = problem(&backend, 1);
    let problems = Problems::new(&network);
    let solver = Solver::new().with_starts(4);
    let once = problems.solve_batch(&Solver::new(), &rows.targets, &rows.starts);
    let met = |result: &BatchResult<f64>| result.as_ref().unwrap().is_met();
    let once = once.unwrap();
    let open: Vec<usize> = (0..TARGETS).filter(|&k| !met(&once[k])).collect();
    assert!(open.len() > 3);
    let solve = |numbers: &[usize]| {
        let rows = rows.of(numbers);
        all(&problems
            .solve_batch(&solver, &rows.targets, &rows.starts)
            .unwrap())
    };
    let expected = solve(&open);
    for order in orders(open.len()) {
        let numbers: Vec<usize> = order.iter().map(|&place| open[place]).collect();
        let found = solve(&numbers);
        for (&place, found) in order.iter().zip(&found) {
            assert!(*found == expected[place]);
        }
    }
    // Alone a target has the same random starts.
    assert!(solve(&open[2..3])[0] == expected[2]);
}

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
        objective: &Inversion<'w, Faer<f64>>,
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
        objective: &Inversion<'w, Faer<f64>>,
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
