//! How close H̃ is to H by sampler and number of rows, and what that does to steps and time.

use super::charts::{Axis, BOUND, Panel, Series};
use super::numbers::{exponent, figure, list, median, percent, rounded_to_digits as short, share};
use super::problems::{Problem, Shape};
use super::{Answer, Experiment, Name, Size};
use crate::error::Error;
use crate::tables::markdown;
use serde::{Deserialize, Serialize};
use twolayer::theory::{PROMISED_REGION, Recorder, examine};
use twolayer::{HessianApprox, Inversion, RowWeights};
use twolayer::{Leverage, RowFactor, Scores, Silent, Sketched, Solution, Solver, Uniform};
use twolayer_faer::Faer;
use twolayer_tests::problems::Planted;

#[derive(Debug)]
pub(super) struct Accuracy {
    shape: Shape,
    problems: u64,
    /// Models drawn for each problem and number of rows.
    draws: u64,
    /// Numbers of rows, in units of d.
    multiples: Vec<usize>,
    /// w: none, and Lemma 69's for l = σ_min(C)².
    weights: Vec<f64>,
    samplers: Vec<Sampler>,
}

/// How rows are chosen, or made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sampler {
    /// Drawn, all alike.
    Uniform,
    /// Drawn with a probability proportional to their weight β + ω.
    Weight,
    /// Drawn with a probability proportional to their leverage, computed from all of C.
    Leverage,
    /// The same, with an estimate of the leverage for which C is not formed.
    FastLeverage,
    /// Made by adding the weighted rows up in random groups with random signs.
    Sketch,
}

impl Sampler {
    const ALL: [Self; 5] = [
        Self::Uniform,
        Self::Weight,
        Self::Leverage,
        Self::FastLeverage,
        Self::Sketch,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Weight => "by weight",
            Self::Leverage => "by leverage",
            Self::FastLeverage => "by fast leverage",
            Self::Sketch => "sketch",
        }
    }

    /// ε and a solve with a model of so many rows.
    fn judge<'a>(
        self,
        objective: &Objective<'a>,
        (rows, seed): (usize, u64),
        x: &[f64],
        start: &[f64],
    ) -> Result<(f64, Solution<f64>), Error> {
        let kind = KIND;
        let leverage = |scores| {
            let importance = Leverage::new(objective, scores, seed);
            RowFactor::sampled_by(objective, kind, importance, rows, seed)
        };
        let by_weight = || RowFactor::sampled(objective, kind, rows, seed);
        let uniform = || RowFactor::sampled_by(objective, kind, Uniform, rows, seed);
        match self {
            Self::Uniform => judge(objective, uniform(), x, start),
            Self::Weight => judge(objective, by_weight(), x, start),
            Self::Leverage => judge(objective, leverage(Scores::Exact), x, start),
            Self::FastLeverage => judge(objective, leverage(Scores::Fast), x, start),
            Self::Sketch => judge(
                objective,
                Sketched::new(objective, kind, rows, seed),
                x,
                start,
            ),
        }
    }
}

/// At x* the residual is 0, and these are the weights of the exact Hessian.
const KIND: RowWeights = RowWeights::Secant;

#[derive(Debug)]
pub(super) struct Unit {
    weight: f64,
    seed: u64,
}

/// One model, and the solve with its kind.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Row {
    weight: f64,
    problem: u64,
    draw: u64,
    sampler: String,
    /// s; m for the model of all rows.
    rows: usize,
    /// The least ε with (1 − ε) H ⪯ H̃ ⪯ (1 + ε) H, at x*.
    epsilon: f64,
    converged: bool,
    iterations: usize,
    /// Iterations that made a model.
    models: usize,
    loss: f64,
    seconds: f64,
}

const ALL: &str = "all rows";
/// The most that a solve may take.
const ITERATIONS: usize = 200;

impl Accuracy {
    pub(super) fn of(size: Size) -> Self {
        Self {
            shape: size.pick((4, 16, 160), (16, 64, 2048), (32, 128, 4096)),
            problems: size.pick(1, 2, 5),
            draws: size.pick(1, 1, 3),
            multiples: size.pick(
                vec![2, 8],
                vec![2, 4, 8, 16, 32, 64],
                vec![2, 4, 8, 16, 32, 64],
            ),
            weights: vec![0.0, short(3.0_f64.sqrt())],
            samplers: Sampler::ALL.to_vec(),
        }
    }
}

type Objective<'a> = Inversion<'a, Faer<f64>>;

/// ε at `x`, and a solve without warm start from `start`, with one model.
fn judge<'a>(
    objective: &Objective<'a>,
    mut model: impl HessianApprox<Objective<'a>>,
    x: &[f64],
    start: &[f64],
) -> Result<(f64, Solution<f64>), Error> {
    let theory = examine(objective, objective, &mut model, &Recorder::new(x), x);
    let epsilon = theory.steps[0].epsilon.unwrap_or(f64::NAN);
    let solver = Solver::new()
        .with_warm_start(false)
        .with_max_iterations(ITERATIONS);
    let solution = solver.solve_with(objective, &mut model, start, &mut Silent)?;
    Ok((epsilon, solution))
}

impl Experiment for Accuracy {
    type Unit = Unit;
    type Row = Row;
    const NAME: Name = Name::Accuracy;

    fn units(&self) -> Vec<Unit> {
        let units = |&weight| (0..self.problems).map(move |seed| Unit { weight, seed });
        self.weights.iter().flat_map(units).collect()
    }

    fn measure(&self, unit: &Unit) -> Result<Vec<Row>, Error> {
        let planted = Planted::new(self.shape, true, unit.seed);
        let problem = Problem::reachable(&planted)?.with_weight(unit.weight)?;
        let objective = problem.objective()?;
        let (d, _, m) = self.shape;
        let mut rows = Vec::new();
        let mut add = |sampler: &str, count: usize, draw: u64, judged: (f64, Solution<f64>)| {
            let (epsilon, solution) = judged;
            rows.push(Row {
                weight: short(unit.weight),
                problem: unit.seed,
                draw,
                sampler: sampler.into(),
                rows: count,
                epsilon: short(epsilon),
                converged: solution.status.is_converged(),
                iterations: solution.iterations,
                models: solution.trace.iter().filter(|e| e.rows_used > 0).count(),
                loss: short(solution.loss),
                seconds: short(solution.seconds),
            });
        };
        let (x, start) = (&planted.solution, &planted.start);
        for draw in 0..self.draws {
            let exact = RowFactor::new(&objective, KIND);
            add(ALL, m, draw, judge(&objective, exact, x, start)?);
            for &multiple in &self.multiples {
                let count = multiple * d;
                let seed = 1000 * unit.seed + draw;
                for &sampler in &self.samplers {
                    let judged = sampler.judge(&objective, (count, seed), x, start)?;
                    add(sampler.name(), count, draw, judged);
                }
            }
        }
        Ok(rows)
    }

    fn answer(&self, rows: &[Row]) -> Answer {
        Answer {
            answer: text(self, rows),
            details: details(self, rows),
            panels: panels(self, rows),
        }
    }
}

/// (s, median) of a sampler, with the model of all rows where it is asked for.
fn points(
    rows: &[Row],
    settings: &Accuracy,
    weight: f64,
    sampler: &str,
    of: fn(&Row) -> f64,
) -> Vec<(f64, f64)> {
    let at = |count: usize| {
        let those = rows.iter().filter(|row| {
            row.weight == short(weight) && row.sampler == sampler && row.rows == count
        });
        (
            count as f64,
            median(those.map(of).filter(|value| value.is_finite())),
        )
    };
    let counts: Vec<usize> = if sampler == ALL {
        vec![settings.shape.2]
    } else {
        let d = settings.shape.0;
        settings
            .multiples
            .iter()
            .map(|multiple| multiple * d)
            .collect()
    };
    counts.into_iter().map(at).collect()
}

fn details(settings: &Accuracy, rows: &[Row]) -> String {
    let (d, n, m) = settings.shape;
    let names: Vec<&str> = settings
        .samplers
        .iter()
        .map(|sampler| sampler.name())
        .collect();
    let lines = settings.weights.iter().flat_map(|&weight| {
        let samplers = [ALL].into_iter().chain(names.iter().copied());
        samplers.map(move |sampler| line(settings, rows, weight, sampler))
    });
    let table = markdown(
        [
            "sampler",
            "rows",
            "ε at x* (median)",
            "models (median)",
            "ms a solve (median)",
            "converged",
        ],
        1,
        lines,
    );
    format!(
        "*Setting.* Planted problems (d, n, m) = ({d}, {n}, {m}) with biases, {} problems and {} \
         draws each. ε is the least with (1 − ε) H ⪯ H̃ ⪯ (1 + ε) H at x*, where the residual is \
         0: the extreme generalised eigenvalues of (H̃, H). Solves are by the solver without warm \
         start, from about 10% off, at most {ITERATIONS} iterations, on one thread.\n\n{table}",
        settings.problems, settings.draws
    )
}

fn text(settings: &Accuracy, rows: &[Row]) -> String {
    let (d, _, m) = settings.shape;
    let names: Vec<&str> = settings
        .samplers
        .iter()
        .map(|sampler| sampler.name())
        .collect();
    let mut text = String::from("**Answer.**");
    let (epsilon, failure) = (PROMISED_REGION, 0.1);
    let lemma = 3.0 * d as f64 * (2.0 * d as f64 / failure).ln() / epsilon.powi(2);
    for &weight in &settings.weights {
        let words: Vec<String> = names
            .iter()
            .map(|name| {
                let course = points(rows, settings, weight, name, |row| row.epsilon);
                let first = course.iter().find(|point| point.1 <= epsilon);
                let falling: Vec<_> = course.iter().copied().filter(|p| p.1 > 1e-6).collect();
                let needed = match first {
                    Some((count, _)) => format!("at {:.0}d rows", count / d as f64),
                    None => "at none".into(),
                };
                format!("{name} {needed} (ε ~ s^{})", figure(exponent(&falling)))
            })
            .collect();
        text += &format!(
            "\n- *With w = {}*, ε ≤ 0.1, as the theorem asks, is first had (up to {}d rows): {}.",
            figure(weight),
            settings.multiples[settings.multiples.len() - 1],
            list(&words)
        );
    }
    text += &format!(
        "\n- The matrix Chernoff bound of the paper (Lemma 70) asks for s = 3 d ln(2d/δ)/ε² = {} \
         rows drawn by leverage (ε = 0.1, δ = 0.1), {} than there are.",
        figure(lemma),
        if lemma > m as f64 { "more" } else { "fewer" }
    );
    text += &effect(settings, rows, &names);
    text
}

/// One line of the table: at the least number of rows, at the middle one and at the most.
fn line(settings: &Accuracy, rows: &[Row], weight: f64, sampler: &str) -> [String; 6] {
    let of = |what: fn(&Row) -> f64| points(rows, settings, weight, sampler, what);
    let (epsilon, models) = (of(|r| r.epsilon), of(|r| r.models as f64));
    let (seconds, d) = (of(|r| 1e3 * r.seconds), settings.shape.0 as f64);
    let last = epsilon.len() - 1;
    let mut shown = vec![0, last / 2, last];
    shown.dedup();
    let join = |word: &dyn Fn(usize) -> String| {
        let words: Vec<String> = shown.iter().map(|&index| word(index)).collect();
        words.join(", ")
    };
    let converged = |index: usize| {
        let those = rows.iter().filter(|row| {
            let is = row.weight == short(weight) && row.sampler == sampler;
            is && row.rows as f64 == epsilon[index].0
        });
        percent(share(those, |row| row.converged))
    };
    [
        format!("w = {}, {sampler}", figure(weight)),
        join(&|index| format!("{:.0}d", epsilon[index].0 / d)),
        join(&|index| figure(epsilon[index].1)),
        join(&|index| figure(models[index].1)),
        join(&|index| figure(seconds[index].1)),
        join(&converged),
    ]
}

/// What fewer rows do to steps and time.
fn effect(settings: &Accuracy, rows: &[Row], names: &[&str]) -> String {
    let d = settings.shape.0 as f64;
    let all = |what: fn(&Row) -> f64| points(rows, settings, 0.0, ALL, what)[0].1;
    let words: Vec<String> = names
        .iter()
        .map(|name| {
            let models = points(rows, settings, 0.0, name, |row| row.models as f64);
            let seconds = points(rows, settings, 0.0, name, |row| row.seconds);
            // A time to nowhere is none.
            let arrives = |index: &usize| {
                let count = models[*index].0;
                let those = rows.iter().filter(|row| {
                    row.weight == 0.0 && row.sampler == *name && row.rows as f64 == count
                });
                share(those, |row| row.converged) >= 0.9
            };
            let fastest = (0..models.len())
                .filter(arrives)
                .min_by(|&a, &b| seconds[a].1.total_cmp(&seconds[b].1));
            match fastest {
                Some(index) => format!(
                    "{name} at {:.0}d rows ({} models, {} of the time)",
                    models[index].0 / d,
                    figure(models[index].1),
                    figure(seconds[index].1 / all(|row| row.seconds))
                ),
                None => format!("{name} at no number of rows"),
            }
        })
        .collect();
    format!(
        "\n- *Steps and time*, without regulariser: a solve with all rows makes {} models (median). Where \
         nine of ten solves converge, the least time is had: {}.",
        figure(all(|row| row.models as f64)),
        list(&words)
    )
}

fn panels(settings: &Accuracy, rows: &[Row]) -> Vec<Panel> {
    let panel = |title: &str, y: Axis, of: fn(&Row) -> f64, bound: bool| {
        let mut series = Vec::new();
        let weights = settings
            .weights
            .iter()
            .map(|w| (*w, format!(", w = {}", figure(*w))));
        for (shift, (weight, word)) in weights.enumerate() {
            for (index, sampler) in settings.samplers.iter().enumerate() {
                let name = format!("{}{word}", sampler.name());
                let points = points(rows, settings, weight, sampler.name(), of);
                // A colour for a sampler, dashes for the second weight.
                series.push(match shift {
                    0 => Series::line(name, index, points),
                    _ => Series::dashes(name, index, points),
                });
            }
        }
        let ends = [
            settings.multiples[0],
            settings.multiples[settings.multiples.len() - 1],
        ];
        let ends = ends.map(|multiple| (multiple * settings.shape.0) as f64);
        if bound {
            let points = ends.map(|end| (end, PROMISED_REGION)).into();
            series.push(Series::dashes(
                "ε₀ = 0.1, as the theorem asks",
                BOUND,
                points,
            ));
        } else {
            let [(_, all)] = points(rows, settings, 0.0, ALL, of)[..] else {
                return Vec::new();
            };
            let points = ends.map(|end| (end, all)).into();
            series.push(Series::dashes("all rows, w = 0", BOUND, points));
        }
        vec![Panel {
            title: title.into(),
            x: Axis::logarithmic("rows s"),
            y,
            series,
        }]
    };
    [
        panel(
            "ε at x*, median",
            Axis::logarithmic("ε"),
            |row| row.epsilon,
            true,
        ),
        panel(
            "Models a solve, median",
            Axis::linear("models"),
            |r| r.models as f64,
            false,
        ),
        panel(
            "Time a solve, median",
            Axis::logarithmic("seconds"),
            |r| r.seconds,
            false,
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}
