//! The nearest x that has an output.

use super::numbers::probability;
use clap::Args;

/// The nearest x with the wanted output, in the place of any.
#[derive(Debug, Args)]
pub(crate) struct NearestArgs {
    /// Of all x with the output b look for the one nearest to x_ref, ‖D(x − x_ref)‖: a counterfactual. x_ref, (d) or
    /// (K, d), is that of --near, of the problem, or its x0. --starts tries others: what is found is nearer than all
    /// around it, and there may be nearer ones elsewhere. --tolerance is how far the logarithms of the output may be off.
    #[arg(long, conflicts_with_all = OTHERS)]
    nearest: bool,

    /// Look for the nearest x at which this outcome, counted from 0, is likely enough, whatever b is.
    #[arg(long, value_name = "OUTCOME", conflicts_with_all = OTHERS)]
    pub(crate) want: Option<usize>,

    /// How likely: with more than 0.5 it is the winner.
    #[arg(long, value_name = "P", default_value_t = 0.5, value_parser = probability, requires = "want")]
    #[arg(allow_negative_numbers = true)]
    pub(crate) margin: f64,
}

/// What says something about solves for a loss, or about more than the answers.
const OTHERS: [&str; 15] = [
    "method",
    "hessian",
    "start",
    "no_warm_start",
    "near_weight",
    "loss",
    "regularizer",
    "shard",
    "skip_bad",
    "trace",
    "plot",
    "certify",
    "theory",
    "checkpoint",
    "resume",
];

impl NearestArgs {
    /// Whether the nearest x is asked for.
    pub(crate) fn are_given(&self) -> bool {
        self.nearest || self.want.is_some()
    }
}
