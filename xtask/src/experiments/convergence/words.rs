//! What the rows of `convergence` say.

use super::{Convergence, DEFAULT, PAPER, Row, SOLVER, SOLVER_EXACT};
use crate::experiments::Answer;
use crate::experiments::charts::{Axis, BOUND, Panel, Series};
use crate::experiments::numbers::{figure, list, median, percent, quantile, share};
use crate::tables::markdown;
use twolayer::theory::PROMISED_CONTRACTION;

/// One solve: rows of increasing iteration.
struct Course<'r> {
    rows: Vec<&'r Row>,
}

impl Course<'_> {
    fn first(&self) -> &Row {
        self.rows[0]
    }

    fn is(&self, weight: f64, method: &str, precision: &str) -> bool {
        let row = self.first();
        row.weight == weight && row.method == method && row.precision == precision
    }

    fn tolerance(&self) -> f64 {
        if self.first().precision == "f64" {
            1e-6
        } else {
            1e-3
        }
    }

    /// The first iteration at which the minimum is reached.
    fn steps(&self) -> Option<f64> {
        let reached = self
            .rows
            .iter()
            .find(|row| row.distance <= self.tolerance());
        reached.map(|row| row.iteration as f64)
    }

    fn is_reached(&self) -> bool {
        self.steps().is_some()
    }

    /// The steps from distances that are not rounding yet, in a course that reaches the minimum.
    fn contractions(&self) -> Vec<Step> {
        let floor = self.tolerance() * 1e-2;
        let pairs = self.rows.windows(2);
        let above = pairs.filter(|pair| self.is_reached() && pair[0].distance > floor);
        let step = |pair: &[&Row]| Step {
            ratio: pair[1].distance / pair[0].distance,
            inside: pair[0].distance <= pair[0].region,
            flips: pair[1].flips,
        };
        above.map(step).collect()
    }
}

struct Step {
    /// ‖x_{t+1} − x̂‖/‖x_t − x̂‖.
    ratio: f64,
    /// Whether it began in the theorem's region.
    inside: bool,
    flips: usize,
}

fn courses(rows: &[Row]) -> Vec<Course<'_>> {
    let mut courses: Vec<Course<'_>> = Vec::new();
    for row in rows {
        let goes_on = courses.last().is_some_and(|course| {
            let (first, last) = (course.first(), course.rows[course.rows.len() - 1]);
            first.method == row.method && row.iteration > last.iteration && row.method != DEFAULT
        });
        match courses.last_mut().filter(|_| goes_on) {
            Some(course) => course.rows.push(row),
            None => courses.push(Course { rows: vec![row] }),
        }
    }
    courses
}

fn methods() -> impl Iterator<Item = &'static str> {
    let papers = PAPER.iter().map(|(method, _)| *method);
    papers.chain([SOLVER_EXACT, SOLVER, DEFAULT])
}

pub(super) fn answer(settings: &Convergence, rows: &[Row]) -> Answer {
    Answer {
        answer: text(settings, rows),
        details: details(settings, rows),
        panels: panels(settings, rows),
    }
}

fn details(settings: &Convergence, rows: &[Row]) -> String {
    let courses = courses(rows);
    let (d, n, m) = settings.shape;
    let [near, far] = [settings.offsets[0], settings.offsets[1]];
    let lines = ["f64", "f32"].into_iter().flat_map(|precision| {
        let courses = &courses;
        methods().map(move |method| {
            let all = courses.iter().filter(|c| c.is(0.0, method, precision));
            let all: Vec<_> = all.collect();
            let at = |offset: f64| all.iter().filter(move |c| c.first().offset == offset);
            let reached = |offset| percent(share(at(offset), |course| course.is_reached()));
            let steps = |offset| figure(median(at(offset).filter_map(|course| course.steps())));
            let ratios: Vec<f64> = all
                .iter()
                .flat_map(|c| c.contractions())
                .map(|step| step.ratio)
                .collect();
            let below = share(&ratios, |&ratio| ratio <= PROMISED_CONTRACTION);
            [
                format!("{method}, {precision}"),
                format!("{}, {}", reached(near), reached(far)),
                format!("{}, {}", steps(near), steps(far)),
                figure(median(ratios.iter().copied())),
                figure(quantile(0.9, ratios)),
                percent(below),
            ]
        })
    });
    let table = markdown(
        [
            "method",
            "reached from 1%, 10%",
            "steps (median)",
            "contraction (median)",
            "contraction (90%)",
            "steps ≤ 0.4",
        ],
        1,
        lines,
    );

    format!(
        "*Setting.* {} planted problems (d, n, m) = ({d}, {n}, {m}), biases on, starts 1% and 10% \
         off the minimum x̂ in a random direction, at most {} iterations. Reached means ‖x − x̂‖ ≤ \
         1e-6 ‖x̂‖ (f32: 1e-3); a contraction is ‖x_t+1 − x̂‖/‖x_t − x̂‖ of a solve that reached \
         it, above rounding; an iteration that does not move counts as 1. Without regulariser, so \
         that x̂ = x*:\n\n{table}",
        settings.problems, settings.iterations
    )
}

fn text(settings: &Convergence, rows: &[Row]) -> String {
    let courses = courses(rows);
    let [near, far] = [settings.offsets[0], settings.offsets[1]];
    let of = |weight: f64, method: &str, precision: &str| -> Vec<&Course<'_>> {
        let is = |course: &&Course<'_>| course.is(weight, method, precision);
        courses.iter().filter(is).collect()
    };
    let reached = |weight: f64, method: &str, precision: &str| {
        let all = of(weight, method, precision);
        let from = |offset: f64| {
            let at = all.iter().filter(|course| course.first().offset == offset);
            percent(share(at, |course| course.is_reached()))
        };
        format!("{} and {}", from(near), from(far))
    };
    let mut text = format!(
        "**Answer.** From 1% and 10% off, the paper's iteration with the exact Hessian reaches x* \
         in {} of the runs, the solver without warm start (exact Hessian) in {}, the default in {} \
         (f64, no regulariser).\n",
        reached(0.0, PAPER[0].0, "f64"),
        reached(0.0, SOLVER_EXACT, "f64"),
        reached(0.0, DEFAULT, "f64"),
    );
    text += "- *Rate*, in solves by the paper's iteration that arrive (the theorem promises 0.4 a step):";
    for (method, _) in PAPER {
        let all = of(0.0, method, "f64");
        let steps: Vec<Step> = all
            .iter()
            .flat_map(|course| course.contractions())
            .collect();
        let words = [false, true].map(|crossing| {
            let those = steps.iter().filter(|step| (step.flips > 0) == crossing);
            let ratios: Vec<f64> = those.map(|step| step.ratio).collect();
            format!(
                "{} of the {} steps that cross {} kept it (median {})",
                percent(share(&ratios, |&ratio| ratio <= PROMISED_CONTRACTION)),
                ratios.len(),
                if crossing { "kinks" } else { "no kink" },
                figure(median(ratios))
            )
        });
        text += &format!(" {method}: {};", list(&words));
    }
    text.pop();
    text += ".";
    text += &region(&courses);
    text += &format!(
        "\n- *f32*: the paper's iteration reaches x* to 1e-3 in {}, the default in {}; where the \
         exact iteration arrives it ends {} ‖x*‖ away (median), in f64 {} ‖x*‖.",
        reached(0.0, PAPER[0].0, "f32"),
        reached(0.0, DEFAULT, "f32"),
        figure(last(&of(0.0, PAPER[0].0, "f32"))),
        figure(last(&of(0.0, PAPER[0].0, "f64"))),
    );
    for &weight in settings.weights.iter().filter(|&&w| w > 0.0) {
        let smooth = share(of(weight, DEFAULT, "f64"), |course| course.first().smooth);
        text += &format!(
            "\n- *With w = {}*, {} of the minima x̂ that are found from x* lie on no kink. The \
             paper's iteration reaches x̂ from 1% and 10% off in {} of the runs, the solver \
             without warm start in {}, the default in {}; the others end in another minimum, or \
             not at all.",
            figure(weight),
            percent(smooth),
            reached(weight, PAPER[0].0, "f64"),
            reached(weight, SOLVER_EXACT, "f64"),
            reached(weight, DEFAULT, "f64"),
        );
    }
    text
}

/// The last distance of the solves that arrive, median.
fn last(courses: &[&Course<'_>]) -> f64 {
    let arrived = courses.iter().filter(|course| course.is_reached());
    median(arrived.map(|course| course.rows[course.rows.len() - 1].distance))
}

/// What is to be said of the region of the theorem.
fn region(courses: &[Course<'_>]) -> String {
    let exact = courses.iter().filter(|c| c.is(0.0, PAPER[0].0, "f64"));
    let radius = median(exact.clone().map(|course| course.first().region));
    let steps: Vec<Step> = exact.flat_map(|course| course.contractions()).collect();
    let inside = steps.iter().filter(|step| step.inside).count();
    format!(
        "\n- *Region*: M‖x − x̂‖ ≤ 0.1 l, within which the theorem promises this, has a radius of \
         {} ‖x̂‖ (median); {inside} of the {} steps of the exact iteration, above rounding, began \
         in it. What is seen here is seen {} it.",
        figure(radius),
        steps.len(),
        if inside == 0 {
            "outside"
        } else {
            "mostly outside"
        },
    )
}

fn panels(settings: &Convergence, rows: &[Row]) -> Vec<Panel> {
    let courses = courses(rows);
    let panel = |title: String, label: &str, precision: &str, offset: f64, of: fn(&Row) -> f64| {
        let shown = methods().filter(|&method| method != DEFAULT).enumerate();
        let mut series: Vec<Series> = shown
            .map(|(color, method)| {
                let is = |c: &&Course<'_>| {
                    c.is(0.0, method, precision) && c.first().offset == offset && c.is_reached()
                };
                let those: Vec<_> = courses.iter().filter(is).collect();
                let points = (0..=settings.iterations).map_while(|iteration| {
                    // A solve that is over stays where it is.
                    let at = |course: &Course<'_>| {
                        let last = course.rows.len() - 1;
                        of(course.rows[iteration.min(last)])
                    };
                    let longest = those.iter().map(|course| course.rows.len()).max()?;
                    let value = median(those.iter().map(|course| at(course)));
                    (iteration < longest).then_some((iteration as f64, value))
                });
                Series::line(method, color, points.collect())
            })
            .collect();
        if label.starts_with('‖') {
            let promised = (0..=10).map(|t| (f64::from(t), offset * PROMISED_CONTRACTION.powi(t)));
            series.push(Series::dashes(
                "0.4 a step, as promised",
                BOUND,
                promised.collect(),
            ));
        }
        Panel {
            title,
            x: Axis::linear("iteration"),
            y: Axis::logarithmic(label),
            series,
        }
    };
    let far = settings.offsets[1];
    let distance = |row: &Row| row.distance;
    let title = |precision| format!("Distance from 10% off, {precision}, median where reached");
    vec![
        panel(title("f64"), "‖x − x*‖/‖x*‖", "f64", far, distance),
        panel(title("f32"), "‖x − x*‖/‖x*‖", "f32", far, distance),
        panel("Loss from 10% off, f64".into(), "L", "f64", far, |row| {
            row.loss
        }),
    ]
}
