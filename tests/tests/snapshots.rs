//! A solve that goes on from a snapshot is the one that was never interrupted, bit by bit.

use serde::Serialize;
use serde::de::DeserializeOwned;
use twolayer::{
    Adaptive, ConjugateGradient, DenseHessian, Leverage, RowFactor, Run, Scores, Silent, Sketched,
    Snapshot, Solution, Solver, Stage,
};
use twolayer::{
    AnyInversion, HessianApprox, KullbackLeibler, LinearBackend, Problems, Regularizer, RowWeights,
    Scalar, Target,
};
use twolayer_faer::Faer;
use twolayer_tests::for_each_backend;
use twolayer_tests::problems::{Planted, rounded};

/// A problem and how it is solved.
#[derive(Clone)]
struct Setting {
    planted: Planted,
    start: Vec<f64>,
    reachable: bool,
    kl: bool,
    weight: Option<f64>,
    radius: Option<f64>,
    many: bool,
    warm: bool,
    model: &'static str,
}

/// What is left of a run at one moment.
struct Kept {
    bytes: Vec<u8>,
    iteration: usize,
    stage: Stage,
    restart: usize,
    pinned: usize,
}

impl Setting {
    fn new(shape: (usize, usize, usize), seed: u64) -> Self {
        let planted = Planted::new(shape, true, seed);
        Self {
            start: vec![0.1; shape.0],
            planted,
            reachable: true,
            kl: false,
            weight: None,
            radius: None,
            many: false,
            warm: true,
            model: "auto",
        }
    }

    /// Solves it, all made anew, from the start or from what was kept; keeps what there is to keep.
    fn solve<B: LinearBackend<Scalar: Serialize + DeserializeOwned>>(
        &self,
        backend: &B,
        from: Option<&[u8]>,
    ) -> (Solution<B::Scalar>, Vec<Kept>) {
        let network = self.planted.network(backend).unwrap();
        let target = match self.reachable {
            true => self.planted.target(&network).unwrap(),
            false => Target::new(rounded(&self.planted.unrelated)).unwrap(),
        };
        let mut problems = Problems::new(&network);
        if self.many {
            problems = problems.for_many();
        }
        if self.kl {
            problems = problems.with_loss(&KullbackLeibler);
        }
        if let Some(radius) = self.radius {
            problems = problems.with_radius(B::Scalar::of(radius)).unwrap();
        }
        let weight = B::Scalar::of(self.weight.unwrap_or(0.0));
        let regularizer = Regularizer::uniform(weight, self.planted.shape.2).unwrap();
        if self.weight.is_some() {
            problems = problems.with_regularizer(&regularizer).unwrap();
        }
        let objective = problems.inversion(target).unwrap();
        let mut model = self.model(&objective);
        let solver = self.solver();
        let mut run = match from {
            None => Run::new(solver, &objective, &mut model, &rounded(&self.start)),
            Some(bytes) => {
                let snapshot = postcard::from_bytes(bytes).unwrap();
                Run::resume(solver, &objective, &mut model, snapshot)
            }
        }
        .unwrap();
        let mut kept = Vec::new();
        while run.step(&mut Silent).is_none() {
            if let Some(snapshot) = run.snapshot() {
                let last = run.trace()[run.trace().len() - 1];
                assert_eq!(snapshot.iterations(), last.iteration);
                kept.push(Kept {
                    bytes: postcard::to_allocvec(&snapshot).unwrap(),
                    iteration: last.iteration,
                    stage: last.stage,
                    restart: last.restart,
                    pinned: last.pinned,
                });
            }
        }
        (run.into_solution(), kept)
    }

    fn solver<T: Scalar>(&self) -> Solver<T> {
        Solver::new()
            .with_warm_start(self.warm)
            .with_max_iterations(400)
            .with_seed(5)
    }

    fn model<'a, B: LinearBackend>(
        &self,
        problem: &AnyInversion<'a, B>,
    ) -> Box<dyn HessianApprox<AnyInversion<'a, B>> + 'a> {
        let (secant, exact) = (RowWeights::Secant, RowWeights::Exact);
        let rows = 4 * self.planted.shape.0;
        let leverage = |scores| {
            let importance = Leverage::new(problem, scores, 5);
            RowFactor::sampled_by(problem, secant, importance, rows, 5)
        };
        match self.model {
            "auto" => Box::new(Adaptive::new(problem, 5)),
            "secant" => Box::new(RowFactor::new(problem, secant)),
            "exact" => Box::new(DenseHessian::new(problem, exact)),
            "sampled" => Box::new(RowFactor::sampled(problem, secant, rows, 5)),
            "leverage" => Box::new(leverage(Scores::Fast)),
            "leverage-exact" => Box::new(leverage(Scores::Exact)),
            "sketch" => Box::new(Sketched::new(problem, secant, rows, 5)),
            "conjugate-gradient" => Box::new(ConjugateGradient::new(problem, exact, rows, 5)),
            other => panic!("{other}"),
        }
    }
}

/// All that is not time, to the bit.
fn bits<T: Scalar>(solution: &Solution<T>) -> impl PartialEq + use<T> {
    let bits = |v: T| v.to_f64().to_bits();
    let entries = solution.trace.iter().map(|e| {
        let numbers = [
            e.loss,
            e.stage_loss,
            e.gradient_norm,
            e.step_norm,
            e.damping,
        ];
        let counts = [e.iteration, e.restart, e.flips, e.pinned, e.rows_used];
        (numbers.map(bits), counts, e.stage)
    });
    (
        solution.x.iter().map(|&x| bits(x)).collect::<Vec<_>>(),
        [solution.loss, solution.gradient_norm].map(bits),
        (solution.status, solution.limit, solution.iterations),
        solution.pinned.clone(),
        entries.collect::<Vec<_>>(),
    )
}

/// Of the moments that solves were gone on from.
#[derive(Debug, Default)]
struct Tally {
    snapshots: usize,
    on_the_warm_start: usize,
    on_the_target: usize,
    after_a_restart: usize,
    at_kinks: usize,
    bytes: usize,
}

/// Goes on from every snapshot of the solves.
fn check_all<B: LinearBackend<Scalar: Serialize + DeserializeOwned>>(
    backend: &B,
    settings: &[Setting],
) -> Tally {
    let mut tally = Tally::default();
    for (number, setting) in settings.iter().enumerate() {
        let (whole, kept) = setting.solve(backend, None);
        for (index, moment) in kept.iter().enumerate() {
            let (resumed, later) = setting.solve(backend, Some(&moment.bytes));
            let what = format!(
                "setting {number} with {} from iteration {} ({:?}): {} {} {:e}, not {} {} {:e}",
                setting.model,
                moment.iteration,
                moment.stage,
                resumed.iterations,
                resumed.status,
                resumed.loss,
                whole.iterations,
                whole.status,
                whole.loss,
            );
            assert!(bits(&resumed) == bits(&whole), "{what}");
            assert_eq!(later.len(), kept.len() - index - 1, "{what}");
            tally.snapshots += 1;
            match moment.stage {
                Stage::WarmStart => tally.on_the_warm_start += 1,
                Stage::Target => tally.on_the_target += 1,
            }
            tally.after_a_restart += usize::from(moment.restart > 0);
            tally.at_kinks += usize::from(moment.pinned > 0);
            tally.bytes = tally.bytes.max(moment.bytes.len());
        }
    }
    println!("{tally:?}");
    tally
}

/// Far starts, targets out of reach, regularised, in a ball; one of many and alone.
fn settings() -> Vec<Setting> {
    let mut settings = Vec::new();
    for seed in 1..8 {
        for shape in [(16, 64, 20), (20, 40, 30), (24, 60, 60), (32, 128, 256)] {
            let plain = Setting::new(shape, seed);
            let far = Setting {
                start: plain.planted.start.iter().map(|x| -3.0 * x).collect(),
                ..plain.clone()
            };
            let unreachable = Setting {
                reachable: false,
                ..plain.clone()
            };
            settings.extend([
                Setting {
                    many: true,
                    ..far.clone()
                },
                far,
                Setting {
                    kl: true,
                    ..unreachable.clone()
                },
                Setting {
                    many: true,
                    ..unreachable.clone()
                },
                Setting {
                    weight: Some(1e-2),
                    ..unreachable.clone()
                },
                Setting {
                    radius: Some(4.0),
                    ..unreachable.clone()
                },
                Setting {
                    radius: Some(2.0),
                    ..plain
                },
                Setting {
                    warm: false,
                    ..unreachable.clone()
                },
                unreachable,
            ]);
        }
    }
    settings
}

fn every_snapshot_goes_on_to_the_same_bits<
    B: LinearBackend<Scalar: Serialize + DeserializeOwned>,
>(
    backend: &B,
) {
    let tally = check_all(backend, &settings());
    // Those of the warm start, which is mostly over before, are tested where the run is. In single
    // precision fewer solves take so long.
    assert!(tally.snapshots >= 20 && tally.at_kinks >= 20 && tally.after_a_restart >= 3);
}

mod every_snapshot {
    use super::every_snapshot_goes_on_to_the_same_bits as check;
    super::for_each_backend!(check);
}

/// The models that keep something from one point to the next, each for a solve on the target alone.
#[test]
fn every_model_of_the_hessian_goes_on_to_the_same_bits() {
    for model in [
        "auto",
        "secant",
        "exact",
        "sampled",
        "leverage",
        "leverage-exact",
        "sketch",
        "conjugate-gradient",
    ] {
        let mut settings = Vec::new();
        for seed in 0..8 {
            for kl in [false, true] {
                settings.push(Setting {
                    reachable: false,
                    kl,
                    warm: false,
                    model,
                    start: vec![1.0; 24],
                    ..Setting::new((24, 60, 200), seed)
                });
            }
        }
        let tally = check_all(&Faer::<f64>::default(), &settings);
        assert!(tally.snapshots >= 5, "{model}: {tally:?}");
    }
}

/// Another problem, other settings, numbers that cannot be: errors, not wrong answers.
#[test]
fn a_snapshot_of_something_else_is_refused() {
    let setting = |seed| Setting {
        reachable: false,
        ..Setting::new((20, 40, 30), seed)
    };
    let backend = Faer::<f64>::default();
    let (_, kept) = setting(1).solve(&backend, None);
    let snapshot: Snapshot<f64> = postcard::from_bytes(&kept[0].bytes).unwrap();
    let refused = |setting: &Setting, snapshot: Snapshot<f64>| {
        let network = setting.planted.network(&backend).unwrap();
        let target = Target::new(setting.planted.unrelated.clone()).unwrap();
        let problem = AnyInversion::new(&network, &target).unwrap();
        let mut model = setting.model(&problem);
        let run = Run::resume(setting.solver(), &problem, &mut model, snapshot);
        run.err().map(|error| error.to_string())
    };
    assert_eq!(refused(&setting(1), snapshot.clone()), None);
    let other = refused(&setting(2), snapshot.clone()).unwrap();
    assert!(other.contains("another value"), "{other}");
    let shape = Setting::new((19, 40, 30), 1);
    let other = refused(&shape, snapshot.clone()).unwrap();
    assert!(other.contains("(20,); expected (19,)"), "{other}");
    let model = Setting {
        model: "sampled",
        planted: Planted::new((20, 40, 200), true, 1),
        ..setting(1)
    };
    assert!(refused(&model, snapshot.clone()).is_some());
    let cold = Setting {
        warm: false,
        ..setting(1)
    };
    let other = refused(&cold, snapshot).unwrap();
    assert!(other.contains("fewer stages"), "{other}");
}

/// Bytes that were changed give an error or a solve, never a panic.
#[test]
fn damaged_snapshots_do_not_panic() {
    let setting = Setting {
        reachable: false,
        ..Setting::new((16, 40, 40), 0)
    };
    let backend = Faer::<f64>::default();
    let (_, kept) = setting.solve(&backend, None);
    let network = setting.planted.network(&backend).unwrap();
    let target = Target::new(setting.planted.unrelated.clone()).unwrap();
    let problem = AnyInversion::new(&network, &target).unwrap();
    let (mut refused, mut solved) = (0, 0);
    let bytes = &kept[0].bytes;
    for position in 0..bytes.len() {
        for flip in [1, 0x80] {
            let mut damaged = bytes.clone();
            damaged[position] ^= flip;
            let Ok(snapshot) = postcard::from_bytes::<Snapshot<f64>>(&damaged) else {
                refused += 1;
                continue;
            };
            let mut model = setting.model(&problem);
            let solver = setting.solver().with_max_iterations(40);
            match Run::resume(solver, &problem, &mut model, snapshot) {
                Err(_) => refused += 1,
                Ok(mut run) => {
                    while run.step(&mut Silent).is_none() {}
                    let solution = run.into_solution();
                    assert!(solution.x.iter().all(|x| x.is_finite()));
                    solved += 1;
                }
            }
        }
    }
    println!("{refused} refused, {solved} solved");
    assert!(refused > 0 && solved > 0);
}
