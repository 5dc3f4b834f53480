//! The nearest images of another digit, beside SciPy, in a table and in pictures.

use crate::command::{build_twolayer, print_of, root, script};
use crate::error::Error;
use crate::python::{DIGITS, has};
use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};
use plotters::prelude::*;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many images.
    #[arg(long, default_value_t = 100)]
    count: usize,
    /// The Python that has NumPy, SciPy and scikit-learn.
    #[arg(long, value_name = "PYTHON", default_value = "python3")]
    python: String,
}

/// What the script prints.
#[derive(Debug, Deserialize)]
struct Printed {
    results: BTreeMap<String, BTreeMap<String, Answers>>,
    shown: Vec<Shown>,
    met: f64,
}

#[derive(Debug, Deserialize)]
struct Answers {
    distances: Vec<f64>,
    misses: Vec<f64>,
    seconds: Vec<f64>,
}

/// An image and what each program made of it.
#[derive(Debug, Deserialize)]
struct Shown {
    reads: usize,
    pictures: BTreeMap<String, Vec<f64>>,
}

const OURS: &str = "twolayer";
/// By what part a distance may be above the least and count as it.
const SAME: f64 = 1e-6;
const PICTURES: [(&str, &str); 4] = [
    ("image", "the image"),
    (OURS, "twolayer"),
    ("SLSQP", "SLSQP"),
    ("penalty, L-BFGS-B", "penalty"),
];
const PIXELS: usize = 8;

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    if !has(
        &args.python,
        "counterfactuals",
        DIGITS,
        &mut BTreeSet::new(),
    )? {
        return Ok(());
    }
    let binary = build_twolayer()?;
    let mut command = script(&args.python, "counterfactuals.py");
    command.arg(binary).arg(root().join("data/digits.npz"));
    command.arg(args.count.to_string());
    let printed: Printed = print_of(command)?;
    println!("{}", table(&printed));
    let path = root().join("docs/counterfactuals.svg");
    draw(&path, &printed.shown)
}

fn table(printed: &Printed) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header([
        "wanted",
        "program",
        "with the output",
        "the least distance of all",
        "sum of distances",
        "seconds in all",
    ]);
    for (task, programs) in &printed.results {
        let wanted = match task.as_str() {
            "winner" => "an 8, with 0.9",
            _ => "the output of an 8",
        };
        let least = least_distances(programs, printed.met);
        for (name, answers) in programs {
            let met = answers.misses.iter().filter(|m| **m <= printed.met).count();
            let places = answers.distances.iter().zip(&answers.misses).zip(&least);
            let nearest = places
                .filter(|((d, m), least)| **m <= printed.met && **d <= *least * (1.0 + SAME))
                .count();
            let count = answers.distances.len();
            table.add_row([
                wanted.to_owned(),
                name.clone(),
                format!("{met} of {count}"),
                format!("{nearest} of {count}"),
                format!("{:.4}", answers.distances.iter().sum::<f64>()),
                format!("{:.2}", answers.seconds.iter().sum::<f64>()),
            ]);
        }
    }
    for column in 2..6 {
        if let Some(cells) = table.column_mut(column) {
            cells.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// The least distance that any program has found for each image, of answers with the output.
fn least_distances(programs: &BTreeMap<String, Answers>, met: f64) -> Vec<f64> {
    let count = programs.values().map(|a| a.distances.len()).max();
    let of = |index: usize| {
        let found = programs.values().filter(|a| a.misses[index] <= met);
        found
            .map(|a| a.distances[index])
            .fold(f64::INFINITY, f64::min)
    };
    (0..count.unwrap_or(0)).map(of).collect()
}

/// Rows of 8×8 pictures, an image and its nearest 8s.
fn draw(path: &Path, shown: &[Shown]) -> Result<(), Error> {
    const CELL: i32 = 16;
    const GAP: i32 = 36;
    let side = PIXELS as i32 * CELL;
    let width = GAP + PICTURES.len() as i32 * (side + GAP);
    let height = GAP + shown.len() as i32 * (side + GAP);
    let failed = |error: &dyn std::fmt::Display| Error::Plot {
        name: path.display().to_string(),
        reason: error.to_string(),
    };
    let root = SVGBackend::new(path, (width as u32, height as u32)).into_drawing_area();
    root.fill(&WHITE).map_err(|error| failed(&error))?;
    let font = ("Helvetica, Arial, sans-serif", 15).into_font();
    for (row, shown) in shown.iter().enumerate() {
        for (column, (name, words)) in PICTURES.iter().enumerate() {
            let Some(pixels) = shown.pictures.get(*name) else {
                continue;
            };
            let left = GAP + column as i32 * (side + GAP);
            let top = GAP + row as i32 * (side + GAP);
            let title = match column {
                0 => format!("read as {}", shown.reads),
                _ => format!("as 8: {words}"),
            };
            let text = Text::new(title, (left, top - 20), font.clone());
            root.draw(&text).map_err(|error| failed(&error))?;
            for (index, &value) in pixels.iter().enumerate() {
                let (x, y) = ((index % PIXELS) as i32, (index / PIXELS) as i32);
                let shade = (255.0 * (1.0 - value.clamp(0.0, 1.0))).round() as u8;
                let corner = (left + x * CELL, top + y * CELL);
                let pixel = Rectangle::new(
                    [corner, (corner.0 + CELL, corner.1 + CELL)],
                    RGBColor(shade, shade, shade).filled(),
                );
                root.draw(&pixel).map_err(|error| failed(&error))?;
            }
            let frame = [(left, top), (left + side, top + side)];
            let frame = Rectangle::new(frame, RGBColor(160, 160, 160));
            root.draw(&frame).map_err(|error| failed(&error))?;
        }
    }
    root.present().map_err(|error| failed(&error))
}
