//! The documents as a site, by mdBook.

use crate::error::Error;
use std::path::Path;
use std::process::Command;

/// Writes `target/book/` from the pages that docs/SUMMARY.md lists.
pub(crate) fn run() -> Result<(), Error> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.parent().unwrap_or(here);
    let status = Command::new("mdbook").arg("build").arg(root).status();
    let status = status.map_err(|_| Error::Tool {
        program: "mdbook",
        install: "cargo install --locked mdbook",
    })?;
    match status.success() {
        true => Ok(()),
        false => Err(Error::Failed {
            command: "mdbook build".into(),
            status,
            stderr: "see above".into(),
        }),
    }
}
