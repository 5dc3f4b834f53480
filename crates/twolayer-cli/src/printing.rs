//! How things are said: reports, lines on standard error, tables.

use crate::error::Error;
use comfy_table::{Table, presets};
use serde::Serialize;
use std::io::{self, Write};

/// Of the reports for programs: docs/report.schema.json is its description. A field more leaves it as
/// it is.
pub(crate) const VERSION: u32 = 1;

/// One object on several lines. Numbers that JSON does not have (NaN, infinities) become null.
pub(crate) fn json(report: &impl Serialize) -> Result<String, Error> {
    let text = serde_json::to_string_pretty(report);
    text.map(|text| text + "\n").map_err(Error::Report)
}

/// Where a report is printed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum To {
    StandardOutput,
    /// Where standard output has a file's content.
    StandardError,
}

/// Prints a report. A reader that has had enough (`| head`) is no error.
pub(crate) fn print(to: To, report: &str) -> Result<(), Error> {
    let (written, stream) = match to {
        To::StandardOutput => (write(io::stdout().lock(), report), "standard output"),
        To::StandardError => (write(io::stderr().lock(), report), "standard error"),
    };
    match written {
        Err(source) if source.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::Print { stream, source })
        }
        _ => Ok(()),
    }
}

/// Says something on standard error. Where that is gone, nobody can be told.
pub(crate) fn tell(words: &str) {
    let _ = write(io::stderr().lock(), words);
}

fn write(mut to: impl Write, words: &str) -> io::Result<()> {
    to.write_all(words.as_bytes())?;
    to.flush()
}

/// An empty table in this command's style.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    table
}
