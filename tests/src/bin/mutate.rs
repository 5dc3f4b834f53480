//! Tries the reader of problem files on mutants, as many as wanted.

use clap::Parser;
use peak_alloc::PeakAlloc;
use std::process::ExitCode;
use twolayer_tests::mutation::{MOST_ALLOCATED, try_mutants};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Tries the reader of problem files on mutants of valid and damaged files.
#[derive(Parser)]
struct Args {
    /// How many.
    #[arg(long, default_value_t = 100_000)]
    files: u64,
    /// The number of the first: each number is one mutant, the same on every run.
    #[arg(long, default_value_t = 0)]
    first: u64,
}

fn main() -> ExitCode {
    let args = Args::parse();
    // The buffers of faer's products are no part of what reading a file takes.
    twolayer_faer::look_up_caches();
    match try_mutants(&MEMORY, args.first, args.files) {
        Ok(summary) => {
            println!(
                "{} mutants without a panic or a hang: {} sound problems, {} refused; \
                 at most {} bytes allocated for one (bound {MOST_ALLOCATED}), at most {:.1} ms",
                summary.files,
                summary.accepted,
                summary.files - summary.accepted,
                summary.most_allocated,
                1e3 * summary.longest.as_secs_f64(),
            );
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}
