//! What the rows of `regularisation` say.

use super::{
    BARE, DEFAULT, DETECTOR, FEW, FULL_RANK, PAPER, Regularisation, Row, SQUARE, UNRELATED,
};
use crate::experiments::Answer;
use crate::experiments::charts::{Axis, Panel, Series};
use crate::experiments::numbers::{
    exponent, figure, list, median, percent, rounded_to_digits as short, share,
};
use crate::tables::markdown;

const FAMILIES: [&str; 5] = [FULL_RANK, SQUARE, FEW, UNRELATED, DETECTOR];

/// The rows of one kind of problem, method and weight.
struct Rows<'r> {
    all: &'r [Row],
}

impl<'r> Rows<'r> {
    fn at(&self, family: &str, method: &str, weight: f64) -> Vec<&'r Row> {
        let is = |row: &&Row| {
            row.problems == family && row.method == method && row.weight == short(weight)
        };
        self.all.iter().filter(is).collect()
    }

    /// The median over both ends of every problem.
    fn misfit(&self, family: &str, method: &str, weight: f64) -> f64 {
        let rows = self.at(family, method, weight);
        median(
            rows.iter()
                .flat_map(|row| [row.misfit_near, row.misfit_far]),
        )
    }

    fn iterations(&self, family: &str, method: &str, weight: f64) -> f64 {
        let rows = self.at(family, method, weight);
        let both = rows
            .iter()
            .flat_map(|row| [row.iterations_near, row.iterations_far]);
        median(both.map(|count| count as f64))
    }

    fn converged(&self, family: &str, method: &str, weight: f64) -> f64 {
        let rows = self.at(family, method, weight);
        share(
            rows.iter()
                .flat_map(|row| [row.converged_near, row.converged_far]),
            |c| c,
        )
    }

    fn definite(&self, family: &str, weight: f64) -> f64 {
        let rows = self.at(family, DEFAULT, weight);
        share(
            rows.iter()
                .flat_map(|row| [row.definite_near, row.definite_far]),
            |d| d,
        )
    }

    fn definite_end(&self, family: &str, weight: f64) -> f64 {
        share(self.at(family, DEFAULT, weight), |row| row.definite_end)
    }

    /// Solves that come near b.
    fn near(&self, family: &str, weight: f64) -> f64 {
        let rows = self.at(family, DEFAULT, weight);
        let both = rows
            .iter()
            .flat_map(|row| [row.misfit_near, row.misfit_far]);
        share(both, |misfit| misfit <= 1e-6)
    }

    fn apart(&self, family: &str, weight: f64) -> f64 {
        let rows = self.at(family, DEFAULT, weight);
        median(rows.iter().map(|row| row.apart))
    }
}

pub(super) fn answer(settings: &Regularisation, all: &[Row]) -> Answer {
    let rows = Rows { all };
    let weights = &settings.weights;
    let lemma = weights[weights.len() - 1];
    let misfit = |family: &str, weight: f64| rows.misfit(family, DEFAULT, weight);
    // The least misfit; of those within 10% of it, or at rounding, the one of the least w.
    let best = |family: &str| {
        let least = weights
            .iter()
            .map(|&w| misfit(family, w))
            .fold(f64::INFINITY, f64::min);
        let good = |weight: &&f64| misfit(family, **weight) <= (1.1 * least).max(1e-25);
        weights.iter().find(good).copied().unwrap_or(f64::NAN)
    };
    let shown: Vec<f64> = [0.0, 1e-6, 1e-4, 1e-2, lemma]
        .into_iter()
        .filter(|weight| weights.iter().any(|w| short(*w) == short(*weight)))
        .collect();
    let mut answer = format!("**Answer.** {}\n", choice(&rows, weights, &best));
    answer += &definiteness(&rows, weights, lemma);
    answer += &bias(&rows, weights, lemma);
    answer += &uniqueness(&rows, weights);
    Answer {
        answer,
        details: setting(settings, lemma) + &table(&rows, &shown, &best),
        panels: panels(settings, all),
    }
}

fn setting(settings: &Regularisation, lemma: f64) -> String {
    let shapes: Vec<String> = settings
        .kinds
        .iter()
        .map(|(name, shape, _)| format!("{name} {shape:?}"))
        .collect();
    format!(
        "*Setting.* The same weight w for all outcomes, from none to {} (Lemma 69's w² ≥ 2 + \
         l/σ_min(C)² for l = σ_min(C)²). Problems (d, n, m), with biases: {}; {} of each, and {} \
         targets of the detector (80, 208, 109). Each is solved from two starts, 10% off x* and \
         cold (the detector: mean input and zero), at most {} iterations. *Misfit* is ‖f − b‖² \
         without the regulariser: a user wants the x whose output is b. Medians over both starts, \
         by the default; where there is a regulariser its warm start does without the splitting of \
         the layers:\n\n",
        figure(lemma),
        list(&shapes),
        settings.problems,
        settings.detector_targets,
        settings.iterations
    )
}

fn table(rows: &Rows<'_>, shown: &[f64], best: &dyn Fn(&str) -> f64) -> String {
    // The table's width is fixed: five weights, the last of them as often as it takes.
    let column = |index: usize| shown[index.min(shown.len() - 1)];
    let heads: Vec<String> = (0..5)
        .map(|index| format!("w = {}", figure(column(index))))
        .collect();
    let lines = FAMILIES.map(|family| {
        let cell = |index: usize| {
            let weight = column(index);
            format!(
                "{}, {}, {}",
                figure(rows.misfit(family, DEFAULT, weight)),
                figure(rows.iterations(family, DEFAULT, weight)),
                percent(rows.converged(family, DEFAULT, weight))
            )
        };
        [
            family.into(),
            cell(0),
            cell(1),
            cell(2),
            cell(3),
            cell(4),
            figure(best(family)),
        ]
    });
    let head = [
        "misfit, iterations, converged",
        &heads[0],
        &heads[1],
        &heads[2],
        &heads[3],
        &heads[4],
        "w of the least misfit",
    ];
    markdown(head, 1, lines)
}

/// Positive definiteness, and whether it helps the paper's iteration.
fn definiteness(rows: &Rows<'_>, weights: &[f64], lemma: f64) -> String {
    let all_from = weights
        .iter()
        .find(|&&weight| rows.definite(FULL_RANK, weight) == 1.0);
    let papers: Vec<String> = [0.0, lemma]
        .iter()
        .map(|&weight| {
            format!(
                "{} at w = {}",
                percent(rows.converged(FULL_RANK, PAPER, weight)),
                figure(weight)
            )
        })
        .collect();
    format!(
        "\n- *Definiteness* ({FULL_RANK}): the exact Hessian at the starts is positive definite in \
         {} of the cases without regulariser, {}. Where m < d it is in {} of the cases at w = {}: \
         a regulariser sees x through C x alone, and where C has not full column rank CᵀW²C is \
         singular with it. The paper's iteration, whose theorem needs this w, settles in {} \
         ({FULL_RANK}).",
        percent(rows.definite(FULL_RANK, 0.0)),
        match all_from {
            Some(weight) => format!("in all from w = {} on", figure(*weight)),
            None => "and in all for no w".into(),
        },
        percent(rows.definite(FEW, lemma)),
        figure(lemma),
        list(&papers)
    )
}

fn bias(rows: &Rows<'_>, weights: &[f64], lemma: f64) -> String {
    let small = weights.iter().filter(|w| (1e-7..=2e-5).contains(*w));
    let points: Vec<_> = small
        .map(|&weight| (weight, rows.misfit(FULL_RANK, DEFAULT, weight)))
        .collect();
    let power = if points.len() > 1 {
        format!(
            " grows like w^{} while w is small and",
            figure(exponent(&points))
        )
    } else {
        String::new()
    };
    let away = |weight| {
        median(
            rows.at(FULL_RANK, DEFAULT, weight)
                .iter()
                .map(|r| r.distance),
        )
    };
    let faster: Vec<String> = FAMILIES
        .iter()
        .filter_map(|family| {
            let none = rows.iterations(family, DEFAULT, 0.0);
            let least = weights[1..]
                .iter()
                .map(|&w| (w, rows.iterations(family, DEFAULT, w)))
                .min_by(|a, b| a.1.total_cmp(&b.1))?;
            (least.1 < none).then(|| {
                format!(
                    "{family} ({} in place of {} iterations at w = {})",
                    figure(least.1),
                    figure(none),
                    figure(least.0)
                )
            })
        })
        .collect();
    format!(
        "\n- *Bias* ({FULL_RANK}): the misfit{power} is {} at w = {}, where x is {} ‖x*‖ away from x*.\n\
         - *Speed* of the default: some w takes fewer iterations than none for {}.",
        figure(rows.misfit(FULL_RANK, DEFAULT, lemma)),
        figure(lemma),
        figure(away(lemma)),
        list(&faster)
    )
}

fn uniqueness(rows: &Rows<'_>, weights: &[f64]) -> String {
    let words = [SQUARE, FEW].map(|family| {
        // A weight that leaves the output near b.
        let small = weights[1..]
            .iter()
            .filter(|&&w| rows.misfit(family, DEFAULT, w) <= 1e-6);
        let least = small.clone().map(|&w| rows.apart(family, w));
        let least = least.fold(f64::INFINITY, f64::min);
        let definite = |weight: f64| percent(rows.definite_end(family, weight));
        let largest = small.copied().fold(0.0, f64::max);
        format!(
            "*{family}*: {} ‖x‖ apart without regulariser and at least {} with a w whose misfit \
             stays below 1e-6 (medians); the exact Hessian at the answer is positive definite in \
             {} of the cases without and in {} at w = {}",
            figure(rows.apart(family, 0.0)),
            figure(least),
            definite(0.0),
            definite(largest),
            figure(largest)
        )
    });
    format!(
        "\n- *Uniqueness*: how far the answers from the two starts are apart. {}; {}.",
        words[0], words[1]
    )
}

/// What is best, and whether `--regularizer auto` does that.
fn choice(rows: &Rows<'_>, weights: &[f64], best: &dyn Fn(&str) -> f64) -> String {
    let others: Vec<String> = FAMILIES
        .iter()
        .filter(|family| best(family) != 0.0)
        .map(|family| format!("{family} (w = {})", figure(best(family))))
        .collect();
    let oftener: Vec<String> = FAMILIES
        .iter()
        .filter_map(|&family| {
            let none = rows.near(family, 0.0);
            let most = weights.iter().map(|&weight| rows.near(family, weight));
            let most = most.fold(none, f64::max);
            (most > none)
                .then(|| format!("{family} ({} in place of {})", percent(most), percent(none)))
        })
        .collect();
    let finds = match oftener.is_empty() {
        true => "none comes within a misfit of 1e-6 more often than no weight does".into(),
        false => format!(
            "some weight comes within a misfit of 1e-6 more often than none does only for {}",
            list(&oftener)
        ),
    };
    if others.is_empty() {
        format!(
            "The best w for whoever wants the x whose output is b is **none**, for every kind of \
             problem here, determined or not: no weight has a misfit that is lower by more than \
             10%, and {finds}. `--regularizer auto` (`Regularizer::automatic`) does just that: it \
             takes no regulariser, whatever w the problem brings. A weight is for those who want \
             Lemma 69's definite Hessian for its own sake."
        )
    } else {
        format!(
            "The least misfit is **not had without a regulariser** for {}, and {finds}. \
             `--regularizer auto` takes none all the same, which has the least misfit for the \
             other kinds.",
            list(&others)
        )
    }
}

fn panels(settings: &Regularisation, rows: &[Row]) -> Vec<Panel> {
    let rows = Rows { all: rows };
    // A logarithmic axis has no zero: it is drawn a decade before the least weight.
    let zero = 0.1 * settings.weights[1];
    let place = |weight: f64| if weight == 0.0 { zero } else { weight };
    let panel = |title: String, y: Axis, of: &dyn Fn(&str, f64) -> f64| Panel {
        title,
        x: Axis::logarithmic(&format!("w (the point at {} is w = 0)", figure(zero))),
        y,
        series: (0..)
            .zip(FAMILIES)
            .map(|(color, family)| {
                let points = settings.weights.iter().map(|&w| (place(w), of(family, w)));
                Series::line(family, color, points.collect())
            })
            .collect(),
    };
    vec![
        panel(
            "Misfit of the answer, default (median)".into(),
            Axis::logarithmic("‖f − b‖²"),
            &|family, weight| rows.misfit(family, DEFAULT, weight),
        ),
        panel(
            "Starts with a definite exact Hessian".into(),
            Axis::linear("share"),
            &|family, weight| rows.definite(family, weight),
        ),
        panel(
            "Iterations, solver without warm start (median)".into(),
            Axis::logarithmic("iterations"),
            &|family, weight| rows.iterations(family, BARE, weight),
        ),
    ]
}
