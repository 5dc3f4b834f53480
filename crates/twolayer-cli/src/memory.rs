//! How much memory a run needs, computed before it is taken.

use crate::args::{Backend, Hessian, InvertArgs, Method};
use crate::checkpoint;
use crate::courses::MOST_LINES;
use crate::error::Error;
use crate::outcome;
use crate::solver::solver;
use crate::spill::Spill;
use bytesize::ByteSize;
use std::mem::size_of;
use std::path::Path;
use sysinfo::System;
use twolayer::{CampaignSizes, RowNorms, Scalar, TOGETHER, paper};

/// The sizes that a problem file declares.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shapes {
    /// d.
    pub(crate) inputs: u64,
    /// n, of all hidden layers together.
    pub(crate) hidden: u64,
    /// Entries of the matrices between the first layer and the last.
    pub(crate) deeper: u64,
    /// Whether there are other layers than two with ReLU.
    pub(crate) is_deep: bool,
    /// m.
    pub(crate) outcomes: u64,
    /// K, by b or by a file of targets.
    pub(crate) targets: u64,
    /// Rows of b, which is read whole.
    pub(crate) targets_read: u64,
    /// Rows of x0; 1 where there is none.
    pub(crate) starts: u64,
    /// Whether there is a w of a regulariser.
    pub(crate) has_weights: bool,
    /// Whether there is an x_ref in the file: the model then has d rows more.
    pub(crate) has_nearness: bool,
    /// Whether there are bounds on x in the file.
    pub(crate) has_bounds: bool,
}

/// The program itself, its threads and what depends on no shape. (faer's products also reserve
/// buffers as large as the processor's caches, once for each thread, and touch of them what a
/// product needs.)
const PROGRAM: u64 = 16 << 20;

/// Rows that a backend's product works on at a time.
const BLOCK: u64 = 2000;

/// Numbers of a matrix that are read or copied at a time, unless a line of it has more.
const BLOCK_READ: u64 = 1 << 16;

/// A line of the table of iterations, as text.
const TRACE_LINE: u64 = 320;

impl Shapes {
    /// The arrays of the file as they are read and checked: A1 and A2, with some rows or columns of
    /// which they are made, b and the starts; of the targets as they are worked with (as read, b and
    /// log b) one.
    pub(crate) fn problem_bytes<T: Scalar>(&self) -> u64 {
        let Self {
            inputs: d,
            hidden: n,
            outcomes: m,
            targets_read,
            starts,
            ..
        } = *self;
        let largest = product([n, d]).max(product([m, n]));
        let band = BLOCK_READ.min(largest).max(m).max(n).max(d);
        let numbers = sum([
            product([n, d]),
            product([m, n]),
            self.deeper,
            product([2, band]),
            product([targets_read, m]),
            product([starts, d]),
            product([2, n]),
            product([7, m]),
        ]);
        let number = size_of::<T>() as u64;
        sum([PROGRAM, product([numbers, number]), norms_bytes(n, m)])
    }

    /// What `twolayer invert` needs in all: the problem, buffers of the solver and of the backend
    /// for each worker, and the results.
    pub(crate) fn inversion_bytes<T: Scalar>(&self, args: &InvertArgs, workers: u64) -> u64 {
        let Self {
            inputs: d,
            hidden: n,
            outcomes: m,
            ..
        } = *self;
        let number = size_of::<T>() as u64;
        let is_near = self.has_nearness || args.near.near.is_some();
        let is_regularised = self.has_weights || args.problem.regularizer.is_some() || is_near;
        let hessian = self.hessian(args);
        // Rows of C that the model holds: those that it draws, or all, kept and weighted.
        let drawn = match hessian {
            // With a regulariser, all.
            Hessian::Auto if m >= product([8, d]) && !is_regularised => Some(m / 2),
            Hessian::Sampled
            | Hessian::Uniform
            | Hessian::ConjugateGradient
            | Hessian::MixedPrecision => Some(product([8, d])),
            Hessian::Sketch => Some(product([8, d])),
            // The estimate's product, its entries and its sketch.
            Hessian::Leverage => Some(sum([product([12, d]), product([24, m]) / d.max(1)])),
            Hessian::LeverageExact => Some(product([5, m])),
            _ => None,
        };
        let rows = match drawn {
            Some(drawn) if hessian == Hessian::LeverageExact || drawn < m => drawn,
            _ => product([2, m]),
        };
        // With a nearness those of the identity, of which all are used, and the rows of A2 gathered.
        let rows = if is_near {
            sum([rows, product([2, d])])
        } else {
            rows
        };
        let gathered = if is_near {
            product([sum([m, d]), n])
        } else {
            0
        };
        // The sketch of the outer layer.
        let sketch = match args.hessian {
            Hessian::Sketch => product([8, d, n]),
            Hessian::Leverage => product([4, d, n]),
            _ => 0,
        };
        // Three points, with forward pass and scratch.
        let points = 3 * sum([product([2, d]), product([4, n]), product([10, m])]);
        // H̃: rows of C, the square factors and their copies; pinned normals, those of the model with the
        // kinks in it too; vectors.
        let model = sum([
            product([rows, d]),
            sketch,
            product([13, d, d]),
            product([8, m]),
            product([9, n]),
        ]);
        // The backend's copies of rows of A2 and of A1, and nalgebra's of what it factors.
        let factored = if args.problem.backend == Backend::Nalgebra {
            2
        } else {
            0
        };
        // The warm start, the same for all workers: a few outcomes; those that determine the others,
        // with the projections of its splitting (two more copies while they are made); the
        // network's output at a start that all targets share.
        let lifted = self.lifted_outcomes();
        let few = m.min(sum([d, d / 4, 16]));
        let warm_start = sum([
            product([n, few]),
            product([5, n, lifted]),
            product([4, lifted, lifted]),
            product([5, n, d]),
            product([3, d, d]),
            product([3, n]),
            product([4, m]),
        ]);
        // The continuation from smooth ReLUs: C on the few outcomes, or on all where they are hardly
        // more, and what it factors.
        let continued = m.min(2 * few);
        let continuation = sum([
            product([2, continued, d]),
            product([5, d, d]),
            product([5, n]),
            product([6, continued]),
        ]);
        // In the row space of A1: its transpose and its square, and an A1 of that size.
        let may_be_narrow = !args.theory && args.hessian != Hessian::MixedPrecision;
        let row_space = match n < d && may_be_narrow {
            true => sum([product([2, n, d]), product([4, n, n])]),
            false => 0,
        };
        let workspace = sum([
            product([m.min(BLOCK), n.max(d)]),
            gathered,
            product([n, d]),
            product([factored, rows.max(2 * d), d + 1]),
        ]);
        // The targets that a worker begins together, with their iterates of the splitting, where these
        // lead, and what products of several vectors pack; one of them may later have as many iterates
        // by itself.
        let together = product([
            2 * TOGETHER as u64,
            sum([
                product([3, m]),
                product([8, n]),
                product([4, d]),
                product([3, lifted]),
            ]),
        ]);
        // A worker has three descents, the warm start's on few outcomes and on more and the target's.
        let worker = sum([
            product([number, 2, sum([points, model, workspace])]),
            product([number, 13, d, d]),
            product([number, continuation]),
            self.campaign(args).worker_bytes::<T>(),
            product([number, together]),
            product([130, n]),
        ]);
        let layers = match self.is_deep {
            true => self.layers_bytes(number),
            false => 0,
        };
        let bounds = match self.has_bounds || args.bounds.are_given() {
            true => self.bound_bytes(number),
            false => 0,
        };
        let (shared_copy, own_copy) = match args.hessian {
            Hessian::MixedPrecision => self.rounded_bytes(),
            _ => (0, 0),
        };
        sum([
            self.problem_bytes::<T>(),
            shared_copy,
            product([number, sum([warm_start, row_space])]),
            product([
                workers,
                sum([worker, layers, own_copy, self.progress_bytes::<T>(args)]),
            ]),
            product([sum([workers, 1]), bounds]),
            self.result_bytes::<T>(args),
        ])
    }

    /// The model of the Hessian, by its sizes.
    fn hessian(&self, args: &InvertArgs) -> Hessian {
        match (args.method, args.hessian) {
            (Method::Paper, Hessian::Auto) => {
                let d = usize::try_from(self.inputs).unwrap_or(usize::MAX);
                match paper::sample_size(d) as u64 {
                    drawn if drawn < self.outcomes => Hessian::LeverageExact,
                    _ => Hessian::Exact,
                }
            }
            (_, chosen) => chosen,
        }
    }

    /// What a model in mixed precision has beside the others: the network in single precision, and
    /// for each worker a point and a target of it. (Its rows of C are counted as if in double.)
    fn rounded_bytes(&self) -> (u64, u64) {
        let (d, n, m) = (self.inputs, self.hidden, self.outcomes);
        let network = sum([product([n, d]), product([m, n]), n, product([2, m])]);
        let point = sum([product([4, d]), product([4, n]), product([12, m])]);
        let single = size_of::<f32>() as u64;
        let network = sum([product([single, network]), norms_bytes(n, m)]);
        (network, product([single, point]))
    }

    /// What other layers than two with ReLU take: of each point of three descents J_l and diag(φ') J_l, with the
    /// rows of J_l behind those of the logits in their models.
    fn layers_bytes(&self, number: u64) -> u64 {
        let jacobian = product([self.hidden, self.inputs]);
        let points = product([
            3 * 3,
            sum([product([2, jacobian]), product([12, self.hidden])]),
        ]);
        let models = product([3 * 3, jacobian]);
        product([number, sum([points, models])])
    }

    /// What bounds take: l and u and the planes once, and for each worker 2d kinks more, in the three points
    /// of three descents and in their models, with the kinks of the units beside them in the points.
    fn bound_bytes(&self, number: u64) -> u64 {
        let kinks = sum([self.hidden, product([2, self.inputs])]);
        let numbers = sum([product([9, kinks]), product([3 * 12 * 2, self.inputs])]);
        product([numbers, number + 1])
    }

    fn campaign(&self, args: &InvertArgs) -> CampaignSizes {
        CampaignSizes {
            inputs: self.inputs,
            outcomes: self.outcomes,
            targets: self.targets.max(self.starts),
            starts: args.starts as u64,
        }
    }

    /// What a solve keeps of its way: the table of its iterations, and the iterates where the theorem
    /// is checked. What a checkpoint has of it comes to that.
    fn progress_bytes<T: Scalar>(&self, args: &InvertArgs) -> u64 {
        let kept = match args.checkpoint {
            Some(_) => checkpoint::under_way_bytes(self.state_bytes::<T>(args), args.starts),
            None => 0,
        };
        sum([self.way_bytes::<T>(args), kept])
    }

    fn way_bytes<T: Scalar>(&self, args: &InvertArgs) -> u64 {
        let iterate = match args.theory || args.method == Method::Paper {
            true => sum([product([size_of::<T>() as u64, self.inputs]), 40]),
            false => 0,
        };
        let entry = sum([size_of::<twolayer::TraceEntry<T>>() as u64, iterate]);
        product([iterations(args), entry])
    }

    fn state_bytes<T: Scalar>(&self, args: &InvertArgs) -> u64 {
        checkpoint::state_bytes::<T>(self.inputs, self.hidden, self.way_bytes::<T>(args))
    }

    /// The most outcomes that the warm start's splitting may take (see the core's `lift.rs`).
    fn lifted_outcomes(&self) -> u64 {
        let (d, n, m) = (self.inputs, self.hidden, self.outcomes);
        let enough = m.min(sum([n, n / 8, 16]));
        let first = enough.min(sum([d, d / 4, 16]));
        let by_work = (1e11 / n as f64).sqrt() as u64;
        enough.min(by_work.max(first))
    }

    /// Every answer, with the table of iterations where one is wanted, and the outputs f.
    fn result_bytes<T: Scalar>(&self, args: &InvertArgs) -> u64 {
        let problems = self.targets.max(self.starts);
        let traced = match (&args.trace, &args.plot) {
            (Some(_), _) => problems,
            (None, Some(_)) => problems.min(MOST_LINES as u64),
            (None, None) => 0,
        };
        let entry = size_of::<twolayer::TraceEntry<f64>>() as u64;
        let examined = match args.theory {
            true => size_of::<twolayer::theory::TheoryStep>() as u64,
            false => 0,
        };
        let answers = sum([
            self.campaign(args).result_bytes::<T>(),
            product([problems, outcome::bytes(self.inputs)]),
            product([problems, iterations(args), examined]),
            product([traced, iterations(args), entry]),
        ]);
        let kept = match args.checkpoint {
            Some(_) => checkpoint::finished_bytes(answers, problems, self.state_bytes::<T>(args)),
            None => 0,
        };
        sum([
            answers,
            kept,
            Spill::bytes(problems, self.outcomes),
            product([traced, iterations(args), TRACE_LINE]),
        ])
    }
}

/// Entries of a table of iterations: each start of a descent has one of its own.
fn iterations(args: &InvertArgs) -> u64 {
    solver::<f64>(args).max_iterations() as u64 + 10
}

/// What a network keeps of the rows of A1 and A2.
fn norms_bytes(hidden: u64, outcomes: u64) -> u64 {
    sum([RowNorms::bytes(hidden), RowNorms::bytes(outcomes)])
}

fn product<const N: usize>(factors: [u64; N]) -> u64 {
    factors.into_iter().fold(1, u64::saturating_mul)
}

fn sum<const N: usize>(terms: [u64; N]) -> u64 {
    terms.into_iter().fold(0, u64::saturating_add)
}

/// Refuses what needs more than the limit, or than the machine has to give where there is none.
pub(crate) fn check(path: &Path, needed: u64, limit: Option<u64>) -> Result<(), Error> {
    let (limit, origin) = match limit {
        Some(limit) => (limit, "--max-memory allows"),
        None => (available(), "this machine has free"),
    };
    if needed <= limit {
        return Ok(());
    }
    Err(Error::Memory {
        path: path.into(),
        needed: ByteSize::b(needed),
        limit: ByteSize::b(limit),
        origin,
    })
}

/// The most workers, up to `threads`, for whom there is memory. Refuses what is too much for one.
pub(crate) fn most_workers(
    path: &Path,
    needed: &dyn Fn(u64) -> u64,
    threads: usize,
    limit: Option<u64>,
) -> Result<usize, Error> {
    check(path, needed(1), limit)?;
    let limit = limit.unwrap_or_else(available);
    let fits = |workers: &usize| needed(*workers as u64) <= limit;
    Ok((1..=threads).rev().find(fits).unwrap_or(1))
}

/// Free memory of the machine, or of the control group that this process is confined to.
fn available() -> u64 {
    let mut system = System::new();
    system.refresh_memory();
    let machine = system.available_memory();
    // A system that does not tell is not taken for one without memory.
    let machine = if machine == 0 { u64::MAX } else { machine };
    match system.cgroup_limits() {
        Some(group) => machine.min(group.free_memory),
        None => machine,
    }
}
