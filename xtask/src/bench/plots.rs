//! The matrix as pictures.

use super::goal::Goal;
use super::profile::profiles;
use super::summary::Row;
use crate::error::Error;
use crate::tables::save;
use plotters::prelude::*;

const SIZE: (u32, u32) = (1300, 700);
const LEGEND: u32 = 270;
const FONT: &str = "Helvetica, Arial, sans-serif";

/// A line of a chart in which both axes are logarithmic, unless said otherwise.
struct Line {
    name: String,
    points: Vec<(f64, f64)>,
    is_peer: bool,
}

/// The words of a chart.
struct Words<'w> {
    file: &'w str,
    title: &'w str,
    x: &'w str,
    y: &'w str,
}

/// L/L(x0) against time, in f64, for a problem with one target.
pub(crate) fn time_to_accuracy(title: &str, rows: &[Row]) -> Result<(), Error> {
    let shown = |row: &&Row| row.is_double() && row.targets == 1 && row.runs > 0 && is_shown(row);
    let lines = rows.iter().filter(shown).map(|row| {
        let course = &row.last_courses()[0];
        // A loss of exactly 0 has no logarithm.
        let lows = course.history.iter().filter(|(_, loss)| *loss > 0.0);
        let relative = |&(seconds, loss): &(f64, f64)| (seconds, loss / course.start_loss);
        Line {
            name: row.solver.clone(),
            points: lows.map(relative).collect(),
            is_peer: row.is_peer(),
        }
    });
    let lines: Vec<_> = lines.filter(|line| !line.points.is_empty()).collect();
    if lines.is_empty() {
        return Ok(());
    }
    let words = Words {
        file: &format!("time {title}.svg").replace([' ', '%'], "-"),
        title: &format!("Time to accuracy: {title}"),
        x: "seconds",
        y: "L/L(x0)",
    };
    draw(&words, &lines, Y::Logarithmic)
}

/// The share of problems and starts solved within τ times the fastest solver's time, in f64.
pub(crate) fn performance_profile(rows: &[Row], goal: Goal) -> Result<(), Error> {
    let shown: Vec<_> = rows
        .iter()
        .filter(|r| r.is_double() && is_shown(r))
        .collect();
    let times: Vec<_> = shown
        .iter()
        .map(|row| {
            let problem = format!(
                "{} {} {:?} {}",
                row.problem, row.instance, row.weight, row.start
            );
            (problem, row.solver.clone(), row.seconds_to_accuracy)
        })
        .collect();
    let profiles = profiles(&times);
    let last = profiles
        .values()
        .flatten()
        .map(|p| p.0)
        .fold(10.0, f64::max);
    let lines: Vec<_> = profiles
        .into_iter()
        .map(|(name, steps)| Line {
            is_peer: shown.iter().any(|row| row.solver == name && row.is_peer()),
            points: staircase(&steps, 1.2 * last),
            name,
        })
        .collect();
    if lines.is_empty() {
        return Ok(());
    }
    let words = Words {
        file: "profile.svg",
        title: &format!("Performance profile: time to L ≤ {}", goal.formula()),
        x: "τ, times the time of the fastest",
        y: "share of problems solved",
    };
    draw(&words, &lines, Y::Share)
}

/// Seconds a step against outcomes.
pub(crate) fn cost_per_step(lines: &[(String, Vec<(f64, f64)>)]) -> Result<(), Error> {
    let lines: Vec<_> = lines
        .iter()
        .map(|(name, points)| Line {
            name: name.clone(),
            points: points.clone(),
            is_peer: false,
        })
        .collect();
    let words = Words {
        file: "steps.svg",
        title: "Cost of a step, d = 64, n = 256",
        x: "outcomes m",
        y: "seconds",
    };
    draw(&words, &lines, Y::Logarithmic)
}

/// Targets per second against K, from names, K, rates and whether a peer's. Peers, and what was
/// measured at one K only, are dashes there.
pub(crate) fn throughput(problem: &str, points: &[(String, f64, f64, bool)]) -> Result<(), Error> {
    let mut lines: Vec<Line> = Vec::new();
    // A rate of 0 has no logarithm: the table has it.
    for (name, count, rate, is_peer) in points.iter().filter(|point| point.2 > 0.0) {
        let point = (*count, *rate);
        match lines.iter_mut().find(|line| line.name == *name) {
            Some(line) => line.points.push(point),
            None => lines.push(Line {
                name: name.clone(),
                points: vec![point],
                is_peer: *is_peer,
            }),
        }
    }
    for line in &mut lines {
        if let [(count, rate)] = line.points[..] {
            line.points = vec![(0.8 * count, rate), (1.25 * count, rate)];
        }
    }
    let words = Words {
        file: &format!("batch {problem}.svg").replace(' ', "-"),
        title: &format!("Targets per second: {problem}"),
        x: "targets K",
        y: "targets per second",
    };
    draw(&words, &lines, Y::Logarithmic)
}

/// Every Hessian on one backend, the default on all, and the peers: more makes a blot.
fn is_shown(row: &Row) -> bool {
    row.is_peer() || row.backend == "faer" || row.hessian == "auto"
}

fn staircase(steps: &[(f64, f64)], last: f64) -> Vec<(f64, f64)> {
    let mut points = vec![(1.0, 0.0)];
    let mut share = 0.0;
    for &(ratio, next) in steps {
        points.extend([(ratio, share), (ratio, next)]);
        share = next;
    }
    points.push((last, share));
    points
}

#[derive(Clone, Copy, PartialEq)]
enum Y {
    Logarithmic,
    /// From 0 to 1.
    Share,
}

fn draw(words: &Words<'_>, lines: &[Line], y: Y) -> Result<(), Error> {
    let mut text = String::new();
    chart(&mut text, words, lines, y).map_err(|error| Error::Plot {
        name: words.file.into(),
        reason: error.to_string(),
    })?;
    save(words.file, &text)?;
    Ok(())
}

fn chart(
    text: &mut String,
    words: &Words<'_>,
    lines: &[Line],
    y: Y,
) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::with_string(text, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let (left_part, legend) = root.split_horizontally(SIZE.0 - LEGEND);
    let vertical = |value: f64| match y {
        Y::Logarithmic => value.log10(),
        Y::Share => value,
    };
    let points = || lines.iter().flat_map(|line| &line.points);
    let bounds = |values: &mut dyn Iterator<Item = f64>| {
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        })
    };
    let (left, right) = bounds(&mut points().map(|p| p.0.log10()));
    let (bottom, top) = match y {
        Y::Logarithmic => bounds(&mut points().map(|p| p.1.log10())),
        Y::Share => (0.0, 1.0),
    };
    let mut chart = ChartBuilder::on(&left_part)
        .margin(14)
        .margin_right(10)
        .caption(words.title, (FONT, 20))
        .x_label_area_size(50)
        .y_label_area_size(70)
        .build_cartesian_2d(left..right + 0.02, bottom..top + 0.02)?;
    let power = |exponent: f64| format!("{:.1e}", 10_f64.powf(exponent));
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc(words.x)
        .y_desc(words.y)
        .x_label_formatter(&|exponent| power(*exponent))
        .y_label_formatter(&|value| match y {
            Y::Logarithmic => power(*value),
            Y::Share => format!("{value:.1}"),
        })
        .label_style((FONT, 14))
        .draw()?;
    for (index, line) in (0..).zip(lines) {
        let color = Palette99::pick(index as usize).to_rgba();
        // Peers are thin, for readers who do not tell the hues apart.
        let style = color.stroke_width(if line.is_peer { 1 } else { 3 });
        let points = line.points.iter().map(|&(x, y)| (x.log10(), vertical(y)));
        chart.draw_series(LineSeries::new(points, style))?;
        // Beside the chart: inside it, it would cover lines.
        let height = 60 + 24 * index;
        legend.draw(&PathElement::new([(4, height), (30, height)], style))?;
        let name = Text::new(line.name.as_str(), (38, height - 7), (FONT, 14));
        legend.draw(&name)?;
    }
    root.present()?;
    Ok(())
}
