//! The panel of PLOT.svg that compares targets: their losses, the hardest first.

use super::style::{Area, Drawn, FONT, GRID, INK, power_of_ten};
use crate::outcome::{Ended, Outcome};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use twolayer::Status;

/// A file with more marks is slow to open; of more targets the hardest are drawn, and some of the
/// others.
const MOST_MARKS: usize = 2000;
/// The hardest are named.
const NAMED: usize = 5;
const LEGEND: u32 = 220;

/// Every status that occurs has a mark of its own colour; a cross where the solve did not converge.
pub(crate) fn draw(area: &Area<'_>, outcomes: &[Outcome]) -> Drawn {
    let width = area.dim_in_pixel().0;
    let (panel, legend) = area.split_horizontally(width.saturating_sub(LEGEND));
    let mut hardest: Vec<(usize, &Outcome)> = outcomes.iter().enumerate().collect();
    // Those that were skipped have no loss.
    hardest.retain(|(_, outcome)| outcome.status != Ended::Bad);
    hardest.sort_by(|a, b| b.1.loss.total_cmp(&a.1.loss));
    let logs = || hardest.iter().map(|(_, o)| o.loss.log10());
    let finite = || logs().filter(|log| log.is_finite());
    let bottom = finite().fold(f64::INFINITY, f64::min);
    let top = finite().fold(f64::NEG_INFINITY, f64::max);
    let (bottom, top) = if bottom <= top {
        ((bottom - 0.5).floor(), (top + 0.5).ceil())
    } else {
        (-1.0, 0.0)
    };
    let last = hardest.len().max(1) as f64;
    let mut chart = ChartBuilder::on(&panel)
        .margin(14)
        .caption(
            "loss by rank, the hardest first",
            (FONT, 18).into_font().color(&INK),
        )
        .x_label_area_size(46)
        .y_label_area_size(64)
        .build_cartesian_2d((0.95..1.1 * last).log_scale(), bottom..top)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(INK)
        .y_labels(9)
        .x_desc("rank")
        .x_label_formatter(&|rank| format!("{rank:.0}"))
        .y_label_formatter(&|exponent| power_of_ten(*exponent))
        .label_style((FONT, 14).into_font().color(&INK))
        .axis_desc_style((FONT, 15).into_font().color(&INK))
        .draw()?;
    let step = hardest.len().div_ceil(MOST_MARKS).max(1);
    let name = (FONT, 13).into_font().color(&INK);
    let name = name.pos(Pos::new(HPos::Left, VPos::Bottom));
    for (rank, &(target, outcome)) in hardest.iter().enumerate() {
        if rank >= MOST_MARKS / 2 && rank % step > 0 {
            continue;
        }
        // A loss of 0 has no logarithm and lies on the axis.
        let log = outcome.loss.log10().max(bottom);
        let place = (rank as f64 + 1.0, log);
        let color = color(outcome.status);
        if outcome.status.is_converged() {
            chart.draw_series([Circle::new(place, 4, color.mix(0.8).filled())])?;
        } else {
            chart.draw_series([Cross::new(place, 4, color.stroke_width(2))])?;
        }
        if rank < NAMED {
            let text = Text::new(target.to_string(), (6, -3), name.clone());
            chart.draw_series([EmptyElement::at(place) + text])?;
        }
    }
    draw_legend(&legend, outcomes)
}

fn draw_legend(area: &Area<'_>, outcomes: &[Outcome]) -> Drawn {
    let mut counts: Vec<(Ended, usize)> = Vec::new();
    for outcome in outcomes {
        match counts
            .iter_mut()
            .find(|(status, _)| *status == outcome.status)
        {
            Some((_, count)) => *count += 1,
            None => counts.push((outcome.status, 1)),
        }
    }
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let text = (FONT, 15).into_font().color(&INK);
    let text = text.pos(Pos::new(HPos::Left, VPos::Center));
    for (line, (status, count)) in (0..).zip(counts) {
        let height = 60 + 26 * line;
        let color = color(status);
        if status.is_converged() {
            area.draw(&Circle::new((10, height), 4, color.filled()))?;
        } else {
            area.draw(&Cross::new((10, height), 4, color.stroke_width(2)))?;
        }
        let words = format!("{status}: {count}");
        area.draw(&Text::new(words, (24, height), text.clone()))?;
    }
    let words = "the numbers are targets";
    area.draw(&Text::new(words, (4, 34), text))?;
    Ok(())
}

/// Blues and greens where the solve converged (M. Okabe and K. Ito's colours, for all eyes).
fn color(ended: Ended) -> RGBColor {
    let Ended::Solve(status) = ended else {
        return INK;
    };
    match status {
        Status::PerfectFit | Status::MetAtInfinity => RGBColor(24, 95, 165),
        Status::GradientSmall => RGBColor(86, 180, 233),
        Status::DecrementSmall => RGBColor(0, 158, 115),
        Status::StepSmall => RGBColor(100, 180, 160),
        Status::IterationLimit | Status::TimeLimit => RGBColor(230, 159, 0),
        Status::Stalled | Status::Jammed => RGBColor(214, 84, 10),
        Status::Flat => RGBColor(204, 121, 167),
        _ => RGBColor(90, 90, 90),
    }
}
