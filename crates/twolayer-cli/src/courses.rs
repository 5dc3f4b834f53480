//! Which targets' courses are kept, to be listed or drawn.

use crate::args::InvertArgs;

/// More lines than this make a blot, and a file that no viewer opens.
pub(crate) const MOST_LINES: usize = 300;

/// Whether the course of target `index` of `count` is drawn: all of them are, or so many, evenly
/// spread.
pub(crate) fn draws_course(index: usize, count: usize) -> bool {
    index.is_multiple_of(count.div_ceil(MOST_LINES).max(1))
}

/// Whether the trace of target `index` of `count` is needed: all of them for a table, those that
/// a plot draws for a plot.
pub(crate) fn keeps_trace(args: &InvertArgs, index: usize, count: usize) -> bool {
    args.trace.is_some() || (args.plot.is_some() && draws_course(index, count))
}
