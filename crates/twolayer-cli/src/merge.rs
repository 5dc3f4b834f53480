//! `twolayer merge`: the results of parts as that of one run.

use crate::args::MergeArgs;
use crate::array::{Merged, Part};
use crate::error::Error;
use crate::output::{OutputFile, StagedFile};
use crate::printing;
use std::path::Path;
use std::process::ExitCode;

/// The whole command.
pub(crate) fn merge(args: &MergeArgs) -> Result<ExitCode, Error> {
    let out = OutputFile::check(&args.out)?;
    let mut parts = Vec::with_capacity(args.parts.len());
    for path in &args.parts {
        parts.push(Part::open(path)?);
    }
    parts.sort_by_key(|part| part.first);
    check(&parts)?;
    let merged = Merged::of(parts)?;
    let (targets, count) = (merged.targets(), args.parts.len());
    // A part that cannot be read is not the output's fault.
    let mut failed = None;
    let staged = out.stage(|file| merged.write(file, &mut failed));
    if let Some(error) = failed {
        return Err(error);
    }
    StagedFile::publish_all(vec![staged?])?;
    if !out.is_standard_output() {
        let line = format!(
            "{}: {targets} targets from {count} parts\n",
            args.out.display()
        );
        printing::print(printing::To::StandardOutput, &line)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Refuses parts of different runs, and parts between which targets are missing or double.
fn check(parts: &[Part]) -> Result<(), Error> {
    let wrong =
        |path: &Path, found: String, expected: &str| Err(Error::content(path, found, expected));
    let Some(one) = parts.first() else {
        return Ok(());
    };
    let mut next = 0;
    for part in parts {
        if part.run != one.run || part.total != one.total {
            let found = format!("a part of another run than {}", one.path.display());
            let expected = "parts with one network, the same options and as many targets in all";
            return wrong(&part.path, found, expected);
        }
        if part.solved != part.count {
            let found = format!("{} of the part's {} targets", part.solved, part.count);
            let expected = "all of them: --resume goes on from the part's checkpoint";
            return wrong(&part.path, found, expected);
        }
        if part.first > next {
            let found = format!("targets {next} to {} are in no part", part.first - 1);
            return wrong(&part.path, found, "every target in one part");
        }
        if part.first < next && part.count > 0 {
            let found = format!("target {} is in another part too", part.first);
            return wrong(&part.path, found, "every target in one part");
        }
        next = next.max(part.first + part.count);
    }
    if next != one.total {
        let found = format!("targets {next} to {} are in no part", one.total - 1);
        return wrong(&one.path, found, "every target in one part");
    }
    Ok(())
}
