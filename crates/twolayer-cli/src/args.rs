//! What can be said on the command line.

mod domain;
mod nearest;
mod numbers;

pub(crate) use domain::{BoundArgs, Limit, NearArgs};
pub(crate) use nearest::NearestArgs;

use crate::array::Types;
use crate::shard::Shard;
use bytesize::ByteSize;
use clap::{Args, Parser, Subcommand, ValueEnum};
use numbers::{at_least_one, finite, positive, seconds, tolerance};
use std::convert::Infallible;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;
use twolayer::ActivationName;

/// Which input of a trained two-layer network has this output?
///
/// The network is softmax(A2 relu(A1 x + c1) + c2), its weights frozen; the unknown is x.
#[derive(Debug, Parser)]
#[command(name = "twolayer", version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Invert(Box<InvertArgs>),
    Evaluate(EvaluateArgs),
    Certify(CertifyArgs),
    Merge(MergeArgs),
}

const EXIT_CODES: &str = "\
Exit codes: 0 all targets converged, 1 some did not or were skipped (results are written all the same), \
2 an error (no result is written), 130 interrupted by Ctrl-C (what is done so far is written).";

const INVERT_HELP: &str = "\
PROBLEM.npz holds f32 or f64 arrays, in C or Fortran order, compressed or not, and nothing else:
  A1 (n, d), A2 (m, n)    the two layers; or more, A1 to AL
  b (m) or (K, m)         the output to reach; K targets are K problems. One in fewer digits than are computed
                          with (f32 in f64; with --names auto float16, bfloat16) was rounded: its sum is set
                          right, and it is met as closely as that tells
  activation              a name, or one for each hidden layer (optional, else relu; see --activation)
  c1 (n), c2 (m)          biases (optional, else 0); an outcome with -inf in c2 is masked, its b is 0
  w (m)                   weights of the regulariser (optional, else none)
  x0 (d) or (K, d)        where to start (optional, else 0); moved within the bounds
  lower (d), upper (d)    bounds on x, or one number for all (optional, else none); -inf or inf is none
  x_ref (d), near_weight  adds ½ near_weight ‖D(x − x_ref)‖² (optional, else none); D = diag(near_scales (d)), else I
Files of other programs (W1, b1, W2, b2; 0.weight, 0.bias, …; coefs_0, intercepts_0, …) are read with
--names auto, transposed where their shapes say so, and what is read as what is told. A folder of the
archive that all are in is no part of their names.
One b serves K starts, and one start serves K targets; K may be 0. --targets takes b from a file of its own, which
may be larger than memory: targets are read, solved and their outputs put aside one by one.

Every core has a target of its own. Answers do not depend on the number of threads nor on the order of
the targets; only what --starts adds depends on which others there are, whose solutions are starts. Eight targets or more are worth factorisations that a single one is tried without, and
begin from where these lead: where b can be attained, at the same answer to rounding; where it cannot,
perhaps in another local minimum. --starts tries more starts where b was not met.

RESULT.npz holds x (K, d), probabilities (K, m), loss (K), gradient_norm (K), iterations (K) and
converged (K), which is 0 or 1; of a target that was skipped NaN and 0. The loss includes the regulariser. With --certify also certified
(K), which is 0 or 1, and certificate_radius (K), NaN where there is no certificate. With --nearest or --want it
holds x, probabilities, iterations, converged, and distance ‖D(x − x_ref)‖, violation, residual and distinct (K).

Examples:
  twolayer invert data/cld3.npz --out result.npz
  twolayer invert data/cld3.npz --out result.npz --loss kl --start zero --report json
  twolayer invert data/cld3.npz --out result.npz --backend ndarray --precision f32
  twolayer invert data/cld3.npz --out result.npz --trace trace.csv --plot plot.svg
  twolayer invert network.npz --targets b.npy --out result.npz --starts 8 --checkpoint run
  twolayer invert data/digits.npz --out result.npz --want 8 --margin 0.9 --near x.npy --lower 0 --upper 1

--report json prints one object, which docs/report.schema.json describes. Where standard error is no \
terminal, a line every 30 seconds says how many targets are done.

An interrupted run (Ctrl-C, SIGTERM) writes the rows of the targets so far, in their order; the last \
may be the one that was stopped, and is not converged. So does a run whose --time-limit is over. With \
--checkpoint, --resume then goes on from the targets that were finished and the last states of those \
under way, to the same bits as an uninterrupted run; also with more targets behind those that were \
there, with another --max-iterations or other --starts.

Exit codes: 0 all targets converged, 1 some did not or were skipped (results are written all the same), \
2 an error (no result is written), 130 interrupted (what is done so far is written).";

/// Find x so that the network's output is b.
#[derive(Debug, Args)]
#[command(after_long_help = INVERT_HELP)]
pub(crate) struct InvertArgs {
    #[command(flatten)]
    pub(crate) problem: ProblemArgs,

    /// Where the results go. Here, and for a trace or a plot, - is standard output; the report then
    /// goes to standard error.
    #[arg(long, value_name = "RESULT.npz")]
    pub(crate) out: PathBuf,

    /// How x is found.
    #[arg(long, value_enum, default_value_t = Method::Solver)]
    pub(crate) method: Method,

    /// How the Hessian is approximated on the loss itself. The easier problems that find a start have a model of
    /// their own (docs/far-starts.md says why).
    #[arg(long, value_enum, default_value_t = Hessian::Auto)]
    pub(crate) hessian: Hessian,

    /// Where to start: at zero, at the (d) or (K, d) array in a file, or at x of a result
    /// [default: x0 of the problem, else x_ref, else zero].
    #[arg(long, value_name = "zero|X.npy|RESULT.npz")]
    pub(crate) start: Option<Start>,

    /// Seed of everything random in the solver; one seed gives one result.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,

    /// The most iterations for one target [default: the solver's own limit, 1000].
    #[arg(long, value_name = "N", value_parser = at_least_one, allow_negative_numbers = true)]
    pub(crate) max_iterations: Option<usize>,

    /// End a solve where the model promises to lower the loss by no more than this part of it [default: 16
    /// roundoffs of the precision].
    #[arg(long, value_name = "PART", value_parser = tolerance, allow_negative_numbers = true)]
    pub(crate) tolerance: Option<f64>,

    /// End the solving after so many seconds, with what is there: a target under way has the lowest
    /// point so far and the status `time-limit`, one that was not come to has no row [default: no
    /// limit].
    #[arg(long, value_name = "SECONDS", value_parser = seconds, allow_negative_numbers = true)]
    pub(crate) time_limit: Option<Duration>,

    /// Begin on the loss itself, without the easier objectives that find a start: to measure the
    /// models of the Hessian.
    #[arg(long)]
    pub(crate) no_warm_start: bool,

    /// Look for x in the ball ‖x‖ ≤ R only.
    #[arg(long, value_name = "R", value_parser = positive, allow_negative_numbers = true)]
    pub(crate) radius: Option<f64>,

    #[command(flatten)]
    pub(crate) bounds: BoundArgs,

    #[command(flatten)]
    pub(crate) near: NearArgs,

    #[command(flatten)]
    pub(crate) nearest: NearestArgs,

    /// What is printed on standard output.
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub(crate) report: ReportFormat,

    /// Try up to so many starts for a target that is no perfect fit: its own, then by turns the
    /// solutions of the targets nearest to it and random ones; the lowest loss is kept.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one)]
    #[arg(allow_negative_numbers = true, conflicts_with = "theory")]
    pub(crate) starts: usize,

    /// Solve part I of P of the targets only, from 1 to P, on one of several machines; `twolayer merge` puts the
    /// results together. Numbers in messages and reports are those within the part.
    #[arg(long, value_name = "I/P")]
    pub(crate) shard: Option<Shard>,

    /// How many threads to use [default: one for each core]. Results do not depend on it.
    #[arg(long, value_name = "N", value_parser = at_least_one, allow_negative_numbers = true)]
    pub(crate) threads: Option<usize>,

    /// Solve the other targets where some are no good (no distribution, a start outside the ball):
    /// their rows are NaN, the report says what is wrong. Else any is refused before the work.
    #[arg(long)]
    pub(crate) skip_bad: bool,

    /// Write a table of every iteration of every target.
    #[arg(long, value_name = "TRACE.csv")]
    pub(crate) trace: Option<PathBuf>,

    /// Draw the losses of all targets, the hardest first, and loss and gradient norm against
    /// iteration and against time.
    #[arg(long, value_name = "PLOT.svg")]
    pub(crate) plot: Option<PathBuf>,

    /// Prove that a stationary point lies near each answer, or say why that cannot be proved (see
    /// `twolayer certify --help`).
    #[arg(long)]
    pub(crate) certify: bool,

    /// Say for every step what the theorem of the paper promises, and what came.
    #[arg(long)]
    pub(crate) theory: bool,

    /// Keep finished targets, and the state of those under way, in this file, so that a run that is
    /// killed need not begin again.
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoint: Option<PathBuf>,

    /// Write the checkpoint when so many seconds have passed since the last time, at the end of a
    /// target or every 32 iterations or so of one; 0 writes it each time.
    #[arg(long, value_name = "N", default_value_t = 60, requires = "checkpoint")]
    pub(crate) checkpoint_seconds: u64,

    /// Go on from the checkpoint, if it is there yet.
    #[arg(long, requires = "checkpoint")]
    pub(crate) resume: bool,

    /// No progress bar and no advice on standard error; errors are still told.
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

impl InvertArgs {
    /// How many threads to use.
    pub(crate) fn threads(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        self.threads.unwrap_or_else(cores)
    }
}

const CERTIFY_HELP: &str = "\
PROBLEM.npz is described by `twolayer invert --help`. RESULT.npz is what that wrote; x is read from
it, and nothing else. It may also be the array x itself, in an .npy file. The problem must be told as it was to invert: --loss, --regularizer, --radius, --lower, --upper, --near, --near-weight.

A certificate is a proof, checked in floating point with every bound rounded to the safe side, that
a stationary point lies within its radius of x, that it is a minimum (or a saddle), and which loss it
has. A refusal says which inequality failed; it says nothing against x.

Examples:
  twolayer certify data/cld3.npz result.npz --loss kl
  twolayer certify data/cld3.npz result.npz --no-polish --report json

Exit codes: 0 all certified, 1 some refused, 2 bad input.";

/// Prove that a stationary point lies near each answer, or say why that cannot be proved.
#[derive(Debug, Args)]
#[command(after_long_help = CERTIFY_HELP)]
pub(crate) struct CertifyArgs {
    #[command(flatten)]
    pub(crate) problem: ProblemArgs,

    /// The answers.
    #[arg(value_name = "RESULT.npz")]
    pub(crate) result: PathBuf,

    /// The ball ‖x‖ ≤ R that x was looked for in.
    #[arg(long, value_name = "R", value_parser = positive, allow_negative_numbers = true)]
    pub(crate) radius: Option<f64>,

    #[command(flatten)]
    pub(crate) bounds: BoundArgs,

    #[command(flatten)]
    pub(crate) near: NearArgs,

    /// Judge x as it is, without Newton steps before.
    #[arg(long)]
    pub(crate) no_polish: bool,

    /// What is printed on standard output.
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub(crate) report: ReportFormat,
}

/// Put the results of all parts of a run (`invert --shard I/P`) together: the bits of one run.
#[derive(Debug, Args)]
pub(crate) struct MergeArgs {
    /// The results, in any order.
    #[arg(value_name = "S.npz", required = true)]
    pub(crate) parts: Vec<PathBuf>,

    /// Where the result of all targets goes.
    #[arg(long, value_name = "ALL.npz")]
    pub(crate) out: PathBuf,
}

const EVALUATE_HELP: &str = "\
PROBLEM.npz is described by `twolayer invert --help`. Without a b, and without --targets, the outputs
alone are listed.

Examples:
  twolayer evaluate data/cld3.npz --at data/cld3_inputs.npy --labels data/cld3_labels.json
  twolayer evaluate data/cld3.npz --at data/cld3_inputs.npy --loss kl --top 3 --report json";

/// Loss, gradient norm and most likely outcomes at given points.
#[derive(Debug, Args)]
#[command(after_long_help = EVALUATE_HELP)]
pub(crate) struct EvaluateArgs {
    #[command(flatten)]
    pub(crate) problem: ProblemArgs,

    /// The points: (d) for all targets, or (K, d) with one for each; or x of a result.
    #[arg(long, value_name = "X.npy|RESULT.npz")]
    pub(crate) at: PathBuf,

    /// How many outcomes to list.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) top: usize,

    /// Names of the outcomes: a JSON list of m strings, or an object with such a list as
    /// `outcomes`.
    #[arg(long, value_name = "LABELS.json")]
    pub(crate) labels: Option<PathBuf>,

    /// What is printed on standard output.
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub(crate) report: ReportFormat,
}

/// What makes an objective out of a file.
#[derive(Debug, Args)]
pub(crate) struct ProblemArgs {
    /// The network and its targets.
    #[arg(value_name = "PROBLEM.npz")]
    pub(crate) path: PathBuf,

    /// Take the targets (K, m) from this file, instead of b of the problem. They are read one at a
    /// time: there may be more of them than fit in memory.
    #[arg(long, value_name = "B.npy")]
    pub(crate) targets: Option<PathBuf>,

    /// Which names the arrays of the problem have.
    #[arg(long, value_enum, default_value_t = Names::Own)]
    pub(crate) names: Names,

    /// The linear algebra library.
    #[arg(long, value_enum, default_value_t = Backend::Faer)]
    pub(crate) backend: Backend,

    /// The precision of everything that is computed and written.
    #[arg(long, value_enum, default_value_t = Precision::F64)]
    pub(crate) precision: Precision,

    /// How far an output is from its target: ‖f − b‖², or the Kullback–Leibler divergence of f
    /// from b.
    #[arg(long, value_enum, default_value_t = LossName::Squared)]
    pub(crate) loss: LossName,

    /// Add ½‖W A2 relu(A1 x + c1)‖² with this weight for every outcome, instead of the problem's
    /// w; 0 is none. `auto` is the choice for whoever wants the x whose output is b: none, also
    /// where the problem has a w (docs/experiments has the evidence: every weight moves the output
    /// away from b, and none makes the answer unique where it is not).
    #[arg(long, value_name = "auto|W", value_parser = weight, allow_negative_numbers = true)]
    pub(crate) regularizer: Option<Weight>,

    /// What is between the layers: one name for all hidden layers, or one for each, with commas, of relu,
    /// leaky-relu:SLOPE, softplus, tanh, gelu, gelu-tanh, silu, sigmoid, hard-tanh and identity [default: the
    /// problem's `activation`, else relu].
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) activation: Vec<ActivationName>,

    /// Refuse a problem that needs more memory than this, such as 512MiB or 8GB [default: what the
    /// machine has free].
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_memory: Option<ByteSize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Names {
    /// A1, A2, b, c1, c2, w, x0, lower, upper, x_ref, near_weight and near_scales, of f32 or f64, each in its
    /// own shape.
    Own,
    /// Also W1, b1, weights_0, biases_0, coefs_0, intercepts_0, 0.weight, 0.bias and the like (b1 is
    /// a bias, b the target), in either orientation, of narrower floating point numbers or integers,
    /// biases as rows or columns. What is read as what is told in a line; what can be read in two
    /// ways is refused.
    Auto,
}

impl Names {
    /// Which types of entries go with them.
    pub(crate) fn types(self) -> Types {
        match self {
            Self::Own => Types::Floats,
            Self::Auto => Types::Numbers,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Backend {
    Faer,
    Nalgebra,
    Ndarray,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Precision {
    F32,
    F64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LossName {
    /// ‖f − b‖².
    Squared,
    /// Kullback–Leibler divergence.
    Kl,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Method {
    /// Easier problems first, damped steps, held on kinks where the loss is lowest there: every step lowers
    /// the loss.
    Solver,
    /// The iteration of the paper and nothing else, x ← x − H̃⁻¹∇L: no damping, no look at the loss. Where it does
    /// not arrive, the report says which assumption of the paper's theorem failed. For two layers with ReLU and
    /// the squared loss. With --hessian auto, H̃ is the paper's: 3d ln(200d)/0.01 rows drawn by leverage, or the
    /// Hessian itself where there are no more.
    Paper,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Hessian {
    /// As secant, from 4d rows drawn by weight where there are at least twice as many, and from more
    /// of them where steps show that they are too few.
    Auto,
    /// Positive row weights that fit the loss over the whole way to b, factored by QR.
    Secant,
    /// The Hessian itself, negative curvature included, as a matrix; less accurate where the
    /// network is badly conditioned.
    Exact,
    /// Negative row weights set to zero, factored by QR.
    Convexified,
    /// The residual's curvature neglected, factored by QR.
    GaussNewton,
    /// As secant, from 8d rows drawn by their weight.
    Sampled,
    /// As secant, from 8d rows, all as likely to be drawn.
    Uniform,
    /// As secant, from 8d rows drawn by leverage scores, which are estimated from a sketch.
    Leverage,
    /// As secant, from 8d rows drawn by exact leverage scores, for comparison: dearer than all rows.
    LeverageExact,
    /// As secant, from a sketch of A2 to 8d rows, made anew only where the row weights move.
    Sketch,
    /// The Hessian itself, negative curvature included, by conjugate gradients with sampled rows as
    /// preconditioner.
    ConjugateGradient,
    /// As sampled, in single precision from a second, rounded copy of the network; loss, gradient and
    /// answer stay in double precision, which --precision must be.
    MixedPrecision,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// A table to read.
    Text,
    /// One object.
    Json,
}

/// A regulariser that overrides the problem's own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Weight {
    /// What serves the user best, by the experiments.
    Auto,
    /// One weight for all outcomes.
    Uniform(f64),
}

/// A start that overrides the problem's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Start {
    Zero,
    File(PathBuf),
}

impl FromStr for Start {
    type Err = Infallible;

    /// A file that is named `zero` is reached as `./zero`.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(if text == "zero" {
            Self::Zero
        } else {
            Self::File(text.into())
        })
    }
}

fn weight(text: &str) -> Result<Weight, String> {
    if text == "auto" {
        return Ok(Weight::Auto);
    }
    finite(text)
        .filter(|&value| value >= 0.0)
        .map(Weight::Uniform)
        .ok_or("expected a number of at least 0, or auto".into())
}
