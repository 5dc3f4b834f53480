//! Plots: panels side by side, a legend under each.

use crate::error::Error;
use plotters::coord::Shift;
use plotters::prelude::*;

/// One pair of axes.
pub(super) struct Panel {
    pub(super) title: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) series: Vec<Series>,
}

/// What runs along an axis.
pub(super) struct Axis {
    pub(super) label: String,
    /// Figures that are not positive are then left out.
    pub(super) logarithmic: bool,
}

/// Points of one kind.
pub(super) struct Series {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
    pub(super) mark: Mark,
    /// An index into the palette, which begins again where it ends.
    pub(super) color: usize,
}

/// How points are drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// Joined, with a dot on each.
    Line,
    /// Joined by dashes, as a bound to compare with.
    Dashes,
    /// Dots alone.
    Dots,
}

impl Axis {
    pub(super) fn linear(label: &str) -> Self {
        let logarithmic = false;
        let label = label.into();
        Self { label, logarithmic }
    }

    pub(super) fn logarithmic(label: &str) -> Self {
        let logarithmic = true;
        let label = label.into();
        Self { label, logarithmic }
    }

    /// Where a figure lies, in the axis's own coordinate.
    fn position(&self, value: f64) -> f64 {
        if self.logarithmic {
            value.log10()
        } else {
            value
        }
    }

    /// The words at a position.
    fn words(&self, position: f64) -> String {
        if !self.logarithmic {
            let digits = if position.abs() < 10.0 { 1 } else { 0 };
            return format!("{position:.digits$}");
        }
        // Powers of ten without a fraction that says nothing.
        let value = 10_f64.powf(position);
        match position.fract().abs() < 1e-9 {
            true if (1e-2..1e5).contains(&value) => format!("{value}"),
            true => format!("1e{position:.0}"),
            false => super::numbers::figure(value),
        }
    }
}

impl Series {
    pub(super) fn line(name: impl Into<String>, color: usize, points: Vec<(f64, f64)>) -> Self {
        let (name, mark) = (name.into(), Mark::Line);
        Self {
            name,
            points,
            mark,
            color,
        }
    }

    pub(super) fn dashes(name: impl Into<String>, color: usize, points: Vec<(f64, f64)>) -> Self {
        let mark = Mark::Dashes;
        Self {
            mark,
            ..Self::line(name, color, points)
        }
    }

    pub(super) fn dots(name: impl Into<String>, color: usize, points: Vec<(f64, f64)>) -> Self {
        let mark = Mark::Dots;
        Self {
            mark,
            ..Self::line(name, color, points)
        }
    }
}

type Drawn<T = ()> = Result<T, Box<dyn std::error::Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

const WIDTH: u32 = 520;
const HEIGHT: u32 = 400;
/// Of a line of the legend.
const LINE: u32 = 21;
const FONT: &str = "Helvetica, Arial, sans-serif";
const GRID: RGBColor = RGBColor(228, 228, 228);

/// M. Okabe and K. Ito's colours, which people who do not tell hues apart tell by lightness; the last
/// is for bounds.
const PALETTE: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(0, 0, 0),
    RGBColor(110, 110, 110),
];
/// The colour of a bound.
pub(super) const BOUND: usize = 7;

/// The whole file; `name` is for the error.
pub(super) fn svg(name: &str, panels: &[Panel]) -> Result<String, Error> {
    let mut text = String::new();
    draw(&mut text, panels).map_err(|error| Error::Plot {
        name: name.into(),
        reason: error.to_string(),
    })?;
    Ok(text)
}

fn draw(text: &mut String, panels: &[Panel]) -> Drawn {
    let longest = panels.iter().map(|panel| panel.series.len()).max();
    let legend = LINE * (longest.unwrap_or(0) as u32) + 14;
    let size = (WIDTH * panels.len().max(1) as u32, HEIGHT + legend);
    let root = SVGBackend::with_string(text, size).into_drawing_area();
    root.fill(&WHITE)?;
    for (area, panel) in root
        .split_evenly((1, panels.len().max(1)))
        .iter()
        .zip(panels)
    {
        let (above, below) = area.split_vertically(HEIGHT);
        draw_panel(&above, panel)?;
        draw_legend(&below, &panel.series)?;
    }
    root.present()?;
    Ok(())
}

fn draw_panel(area: &Area<'_>, panel: &Panel) -> Drawn {
    let Panel { x, y, .. } = panel;
    let place = |&(h, v): &(f64, f64)| (x.position(h), y.position(v));
    let finite = |(h, v): &(f64, f64)| h.is_finite() && v.is_finite();
    let placed = |series: &Series| -> Vec<(f64, f64)> {
        series.points.iter().map(place).filter(finite).collect()
    };
    let all: Vec<_> = panel.series.iter().flat_map(placed).collect();
    let (left, right) = bounds(all.iter().map(|p| p.0));
    let (bottom, top) = bounds(all.iter().map(|p| p.1));
    let mut chart = ChartBuilder::on(area)
        .margin(10)
        .margin_right(20)
        .caption(&panel.title, (FONT, 16))
        .x_label_area_size(42)
        .y_label_area_size(64)
        .build_cartesian_2d(left..right, bottom..top)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .x_labels(6)
        .y_labels(8)
        .x_desc(x.label.as_str())
        .y_desc(y.label.as_str())
        .x_label_formatter(&|position| x.words(*position))
        .y_label_formatter(&|position| y.words(*position))
        .label_style((FONT, 13))
        .draw()?;
    for series in &panel.series {
        let points = placed(series);
        let color = color(series);
        match series.mark {
            Mark::Line => {
                chart.draw_series(LineSeries::new(points.clone(), color.stroke_width(2)))?;
                chart.draw_series(points.iter().map(|&p| Circle::new(p, 3, color.filled())))?;
            }
            Mark::Dashes => {
                let dashes = DashedLineSeries::new(points, 6, 4, color.stroke_width(2));
                chart.draw_series(dashes)?;
            }
            Mark::Dots => {
                let faint = color.mix(0.5);
                chart.draw_series(points.iter().map(|&p| Circle::new(p, 2, faint.filled())))?;
            }
        }
    }
    Ok(())
}

fn draw_legend(area: &Area<'_>, series: &[Series]) -> Drawn {
    for (index, series) in (0..).zip(series) {
        let (height, color) = (10 + LINE as i32 * index, color(series));
        let ends = [(64, height), (92, height)];
        match series.mark {
            Mark::Line => area.draw(&PathElement::new(ends, color.stroke_width(3)))?,
            Mark::Dashes => {
                for start in [64, 75, 86] {
                    let dash = [(start, height), (start + 6, height)];
                    area.draw(&PathElement::new(dash, color.stroke_width(2)))?;
                }
            }
            Mark::Dots => area.draw(&Circle::new((78, height), 3, color.filled()))?,
        }
        area.draw(&Text::new(
            series.name.as_str(),
            (100, height - 7),
            (FONT, 14),
        ))?;
    }
    Ok(())
}

fn color(series: &Series) -> RGBAColor {
    PALETTE[series.color % PALETTE.len()].to_rgba()
}

/// From the least to the largest, with a margin, and with some room where they are the same.
fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    if low > high {
        return (0.0, 1.0);
    }
    let margin = if high > low { 0.03 * (high - low) } else { 0.5 };
    (low - margin, high + margin)
}
