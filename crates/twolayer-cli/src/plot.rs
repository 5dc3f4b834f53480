//! PLOT.svg: which targets were hard, and how loss and gradient norm fell, against iteration and
//! against time.

mod ranking;
mod style;

use crate::args::ProblemArgs;
use crate::courses::{MOST_LINES, draws_course};
use crate::error::Error as CommandError;
use crate::outcome::Outcome;
use crate::output::OutputFile;
use clap::ValueEnum;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::ops::Range;
use std::path::Path;
use style::{Area, Drawn, FONT, GRID, INK, power_of_ten};
use twolayer::{Stage, TraceEntry};

const WIDTH: u32 = 1200;
const HEADER: u32 = 76;
/// The losses of several targets, the hardest first.
const RANKING: u32 = 420;
/// The courses of loss and gradient norm.
const COURSES: u32 = 824;

/// They differ in lightness too, for readers who do not tell these hues apart.
const CONVERGED: RGBColor = RGBColor(24, 95, 165);
const NOT_CONVERGED: RGBColor = RGBColor(214, 84, 10);
const WARM_START: RGBColor = RGBColor(160, 160, 160);
type Quantity = fn(&TraceEntry<f64>) -> f64;

/// Checks that a plot can be written there: under a name that promises no other format.
pub(crate) fn check(path: &Path) -> Result<OutputFile<'_>, CommandError> {
    let suffix = path.extension().map(|suffix| suffix.to_string_lossy());
    match suffix {
        Some(suffix) if !suffix.eq_ignore_ascii_case("svg") => Err(CommandError::PlotFormat {
            path: path.into(),
            suffix: suffix.into(),
        }),
        _ => OutputFile::check(path),
    }
}

/// What is drawn, as the plot's heading says it.
pub(crate) fn title(args: &ProblemArgs, targets: usize) -> String {
    let file = args
        .path
        .file_name()
        .map_or_else(String::new, |n| n.to_string_lossy().into());
    let settings = [
        value_name(&args.loss),
        value_name(&args.backend),
        value_name(&args.precision),
    ];
    let word = if targets == 1 { "target" } else { "targets" };
    format!(
        "Inverting {file}: {targets} {word} ({})",
        settings.join(", ")
    )
}

fn value_name(value: &impl ValueEnum) -> String {
    value
        .to_possible_value()
        .map_or_else(String::new, |value| value.get_name().to_owned())
}

/// The whole file: the ranking of several targets, then loss above, gradient norm below; iterations
/// to the left, time to the right. Of `targets` in all these were solved.
pub(crate) fn svg(title: &str, outcomes: &[Outcome], targets: usize) -> Drawn<String> {
    let mut text = String::new();
    {
        let ranking = if outcomes.len() > 1 { RANKING } else { 0 };
        let size = (WIDTH, HEADER + ranking + COURSES);
        let root = SVGBackend::with_string(&mut text, size).into_drawing_area();
        root.fill(&WHITE)?;
        let (header, body) = root.split_vertically(HEADER);
        draw_header(&header, title, outcomes)?;
        let (above, body) = body.split_vertically(ranking);
        if ranking > 0 {
            ranking::draw(&above, outcomes)?;
        }
        let lines = Lines::new(outcomes, targets);
        let areas = body.split_evenly((2, 2));
        let quantities: [(&str, Quantity, bool); 2] = [
            ("loss", |e| e.loss, false),
            ("gradient norm", |e| e.gradient_norm, true),
        ];
        for (row, (name, quantity, at_start)) in areas.chunks(2).zip(quantities) {
            for (area, clock) in row
                .iter()
                .zip([Clock::Iterations, Clock::of_times(outcomes)])
            {
                let curves = lines.curves(quantity, clock, at_start);
                draw_panel(
                    area,
                    &format!("{name} against {}", clock.name()),
                    clock.label(),
                    &curves,
                )?;
            }
        }
        root.present()?;
    }
    Ok(text)
}

/// What runs along the horizontal axis.
#[derive(Debug, Clone, Copy)]
enum Clock {
    Iterations,
    Seconds,
    Milliseconds,
}

impl Clock {
    /// The unit in which the longest solve has a readable length.
    fn of_times(outcomes: &[Outcome]) -> Self {
        let longest = outcomes.iter().map(|o| o.seconds).fold(0.0, f64::max);
        if longest < 1.0 {
            Self::Milliseconds
        } else {
            Self::Seconds
        }
    }

    fn read(self, entry: &TraceEntry<f64>) -> f64 {
        match self {
            Self::Iterations => entry.iteration as f64,
            Self::Seconds => entry.elapsed,
            Self::Milliseconds => 1e3 * entry.elapsed,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Iterations => "iteration",
            Self::Seconds | Self::Milliseconds => "time",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Iterations => "iterations",
            Self::Seconds => "seconds",
            Self::Milliseconds => "milliseconds",
        }
    }
}

/// The targets that are drawn: all, or so many of them, evenly spread.
struct Lines<'a> {
    outcomes: Vec<&'a Outcome>,
}

/// A piece of one target's way, in (clock, log10 of the quantity).
struct Curve {
    points: Vec<(f64, f64)>,
    color: RGBColor,
    /// Whether the solve ended here.
    is_end: bool,
}

impl<'a> Lines<'a> {
    /// Of `targets` those that are solved.
    fn new(outcomes: &'a [Outcome], targets: usize) -> Self {
        let solved = outcomes.iter().enumerate();
        let drawn = solved.filter(|(index, _)| draws_course(*index, targets));
        Self {
            outcomes: drawn.map(|(_, outcome)| outcome).collect(),
        }
    }

    /// Quantities that an iteration reports of its start (`at_start`) are drawn at the end of the
    /// iteration before. A quantity of 0 has no logarithm and is left out.
    fn curves(&self, quantity: Quantity, clock: Clock, at_start: bool) -> Vec<Curve> {
        let mut curves = Vec::new();
        for outcome in &self.outcomes {
            let trace = &outcome.trace;
            let shift = usize::from(at_start);
            let values = trace.get(shift..).unwrap_or_default();
            let points = trace
                .iter()
                .zip(values)
                .map(|(when, what)| (what.stage, (clock.read(when), quantity(what).log10())));
            let points: Vec<_> = points.filter(|(_, (_, y))| y.is_finite()).collect();
            let warm = points
                .iter()
                .take_while(|(stage, _)| *stage == Stage::WarmStart)
                .count();
            // The loss goes on where the warm start ends; its gradient is another function's.
            let seam = if at_start {
                warm
            } else {
                warm.saturating_sub(1)
            };
            let piece =
                |range: Range<usize>| points[range].iter().map(|&(_, point)| point).collect();
            let converged = outcome.status.is_converged();
            let color = if converged { CONVERGED } else { NOT_CONVERGED };
            curves.push(Curve {
                points: piece(0..warm),
                color: WARM_START,
                is_end: false,
            });
            curves.push(Curve {
                points: piece(seam..points.len()),
                color,
                is_end: true,
            });
        }
        curves.retain(|curve| !curve.points.is_empty());
        // Grey below, then the many, and those that failed on top.
        curves.sort_by_key(|curve| {
            [WARM_START, CONVERGED, NOT_CONVERGED]
                .iter()
                .position(|&c| c == curve.color)
        });
        curves
    }
}

fn draw_panel(area: &Area<'_>, caption: &str, x_label: &str, curves: &[Curve]) -> Drawn {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let right = points().map(|p| p.0).fold(0.0, f64::max);
    let right = if right > 0.0 { 1.02 * right } else { 1.0 };
    let bottom = points().map(|p| p.1).fold(f64::INFINITY, f64::min);
    let top = points().map(|p| p.1).fold(f64::NEG_INFINITY, f64::max);
    let (bottom, top) = if bottom <= top {
        (bottom.floor(), (top + 0.1).ceil())
    } else {
        (-1.0, 0.0)
    };

    let mut chart = ChartBuilder::on(area)
        .margin(14)
        .margin_right(24)
        .caption(caption, (FONT, 18).into_font().color(&INK))
        .x_label_area_size(46)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..right, bottom..top)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(INK)
        .x_labels(7)
        .y_labels(9)
        .x_desc(x_label)
        .y_label_formatter(&|exponent| power_of_ten(*exponent))
        .label_style((FONT, 14).into_font().color(&INK))
        .axis_desc_style((FONT, 15).into_font().color(&INK))
        .draw()?;
    // A few lines are drawn boldly, many thinly.
    let opacity = (12.0 / (curves.len() as f64 + 1.0)).clamp(0.25, 0.9);
    for curve in curves {
        let style = curve
            .color
            .mix(opacity)
            .stroke_width(if curve.is_end { 2 } else { 1 });
        chart.draw_series(LineSeries::new(curve.points.iter().copied(), style))?;
        if let Some(&end) = curve.points.last().filter(|_| curve.is_end) {
            chart.draw_series([Circle::new(end, 3, curve.color.mix(0.7).filled())])?;
        }
    }
    Ok(())
}

fn draw_header(area: &Area<'_>, title: &str, outcomes: &[Outcome]) -> Drawn {
    let text = |size: i32| {
        (FONT, size)
            .into_font()
            .color(&INK)
            .pos(Pos::new(HPos::Left, VPos::Center))
    };
    area.draw(&Text::new(title.to_owned(), (24, 26), text(24)))?;
    let converged = outcomes.iter().filter(|o| o.status.is_converged()).count();
    let legend = [
        (CONVERGED, format!("converged: {converged}")),
        (
            NOT_CONVERGED,
            format!("not converged: {}", outcomes.len() - converged),
        ),
        (WARM_START, "warm start (its own gradient)".to_owned()),
    ];
    for (position, (color, words)) in (0..).zip(legend) {
        let (x, y) = (24 + 200 * position, 58);
        area.draw(&PathElement::new(
            [(x, y), (x + 28, y)],
            color.stroke_width(3),
        ))?;
        area.draw(&Text::new(words, (x + 36, y), text(15)))?;
    }
    if outcomes.len() > MOST_LINES {
        let note = format!("not more than {MOST_LINES} of the targets are drawn");
        area.draw(&Text::new(note, (720, 58), text(15)))?;
    }
    Ok(())
}
