//! Tables as Markdown for people and as CSV for programs, in `target/bench/`.

use crate::command::root;
use crate::error::Error;
use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};
use serde::Serialize;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A Markdown table whose first `words` columns are words; the others are figures.
pub(crate) fn markdown<const COLUMNS: usize>(
    header: [&str; COLUMNS],
    words: usize,
    rows: impl IntoIterator<Item = [String; COLUMNS]>,
) -> String {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(header);
    table.add_rows(rows);
    for index in words..COLUMNS {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}

/// Rows as CSV, the names of their fields first.
pub(crate) fn csv(rows: &[impl Serialize]) -> Result<String, Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row).map_err(Error::Table)?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|error| Error::Table(error.into_error().into()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Writes a file of `target/bench/`, or leaves what was there, and says where it is.
pub(crate) fn save(name: &str, content: &str) -> Result<PathBuf, Error> {
    let folder = root().join("target/bench");
    let path = folder.join(name);
    match write(&folder, &path, content) {
        Ok(()) => Ok(path),
        Err(source) => Err(Error::Write { path, source }),
    }
}

/// Writes a file of a folder, or leaves what was there.
pub(crate) fn write(folder: &Path, path: &Path, content: &str) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new().make_in(folder, |path| File::create_new(path))?;
    file.write_all(content.as_bytes())?;
    file.persist(path)?;
    Ok(())
}

/// The middle one of some figures, the lower of two; NaN of none.
pub(crate) fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_unstable_by(f64::total_cmp);
    match figures.len() {
        0 => f64::NAN,
        count => figures[(count - 1) / 2],
    }
}

#[cfg(test)]
mod tests {
    use super::{csv, markdown, median};

    #[test]
    fn the_median_is_one_of_the_figures() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.0);
        assert!(median([]).is_nan());
    }

    #[test]
    fn both_tables_have_a_header() {
        #[derive(serde::Serialize)]
        struct Row {
            name: &'static str,
            figure: f64,
        }
        let name = "a";
        assert_eq!(
            csv(&[Row { name, figure: 0.5 }]).unwrap(),
            "name,figure\na,0.5\n"
        );
        let table = markdown(["name", "figure"], 1, [["a".into(), "0.5".into()]]);
        assert_eq!(table.lines().count(), 3);
    }
}
