//! The method's settings.

use crate::termination::Tolerances;
use std::time::Duration;
use twolayer_core::Scalar;

/// A damped Newton method with pinned kinks and a warm start.
///
/// The default settings are meant for every problem; see the crate's documentation for the method.
#[derive(Debug, Clone, PartialEq)]
pub struct Solver<T> {
    pub(crate) max_iterations: usize,
    pub(crate) time_limit: Option<Duration>,
    pub(crate) tolerances: Tolerances<T>,
    pub(crate) warm_start: bool,
    pub(crate) restarts: usize,
    pub(crate) starts: usize,
    /// `None`: one for each core. Only a batch asks the system, which takes a tenth of a small solve.
    pub(crate) threads: Option<usize>,
    pub(crate) seed: u64,
}

impl<T: Scalar> Default for Solver<T> {
    fn default() -> Self {
        Self {
            max_iterations: 1000,
            time_limit: None,
            tolerances: Tolerances::default(),
            warm_start: true,
            restarts: 24,
            starts: 1,
            threads: None,
            seed: 0,
        }
    }
}

impl<T: Scalar> Solver<T> {
    /// The default settings.
    pub fn new() -> Self {
        Self::default()
    }

    /// The most iterations that a solve may take, through all stages; 1000 by default.
    pub fn with_max_iterations(self, max_iterations: usize) -> Self {
        Self {
            max_iterations,
            ..self
        }
    }

    /// The most time that a call may take, a solve or a batch of them; no limit by default. It is
    /// looked at between iterations. A solve that it ends has the lowest point so far and
    /// [`Status::TimeLimit`](crate::Status::TimeLimit); this alone makes a result depend on how fast
    /// the machine is. What an earlier run took before it was [resumed](crate::Run::resume) does not count.
    pub fn with_time_limit(self, time_limit: Duration) -> Self {
        Self {
            time_limit: Some(time_limit),
            ..self
        }
    }

    /// When a solve is over.
    pub fn with_tolerances(self, tolerances: Tolerances<T>) -> Self {
        Self { tolerances, ..self }
    }

    /// Whether the objective's warm start is used; it is by default.
    pub fn with_warm_start(self, warm_start: bool) -> Self {
        Self { warm_start, ..self }
    }

    /// How many more starts the warm start may try where it ends in a local minimum that seems
    /// within reach of a perfect fit; 24 by default.
    pub fn with_restarts(self, restarts: usize) -> Self {
        Self { restarts, ..self }
    }

    /// How many starts a batch tries for a target that is no perfect fit: the one given, then those
    /// of other targets; 1 by default.
    pub fn with_starts(self, starts: usize) -> Self {
        Self { starts, ..self }
    }

    /// How many threads a batch uses; by default the cores that the system grants this process. A
    /// single solve uses those of its network's backend.
    pub fn with_threads(self, threads: usize) -> Self {
        Self {
            threads: Some(threads),
            ..self
        }
    }

    /// The seed of everything random; 0 by default. One seed gives the same result on every run.
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The most iterations of a solve.
    pub fn max_iterations(&self) -> usize {
        self.max_iterations
    }

    /// The most time of a call, if there is a limit.
    pub fn time_limit(&self) -> Option<Duration> {
        self.time_limit
    }

    /// Whether the objective's warm start is used.
    pub fn warm_start(&self) -> bool {
        self.warm_start
    }

    /// How many starts each of many targets is tried from, at most.
    pub fn starts(&self) -> usize {
        self.starts
    }

    /// How many threads a batch uses.
    pub fn threads(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.threads.unwrap_or_else(cores)
    }

    /// The seed of everything random.
    pub fn seed(&self) -> u64 {
        self.seed
    }
}
