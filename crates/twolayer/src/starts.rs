//! Starts from far away, and the easier problems that a solve begins with.

mod chained_starts;
mod continuation;
mod deferred;
pub(crate) mod determining;
pub(crate) mod few;
mod ladder;
pub(crate) mod lift;
mod projection;
pub(crate) mod reached;
pub(crate) mod shared;
pub(crate) mod splitting;

pub use splitting::TOGETHER;
