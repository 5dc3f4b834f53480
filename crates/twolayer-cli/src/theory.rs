//! What `invert --theory` prints, and `--method paper` of where it has not arrived.

use crate::outcome::Outcome;
use crate::printing;
use comfy_table::CellAlignment;
use serde::Serialize;
use std::fmt::Write as _;
use twolayer::theory::{
    Broken, MOST_EXAMINED, PROMISED_CONTRACTION, PROMISED_REGION, Theory, TheoryStep,
};

/// What the theorem speaks of, as one object. Infinities become null.
#[derive(Serialize)]
pub(crate) struct TheoryReport {
    singular_values: [f64; 2],
    strong_convexity: f64,
    hessian_lipschitz: f64,
    lemma_weight: f64,
    least_weight: f64,
    applies: bool,
    worst_contraction: Option<f64>,
    steps: Vec<StepReport>,
}

#[derive(Serialize)]
struct StepReport {
    iteration: usize,
    distance: f64,
    within_region: bool,
    contraction: Option<f64>,
    flips: Option<usize>,
    epsilon: Option<f64>,
}

impl TheoryReport {
    pub(crate) fn new(theory: &Theory) -> Self {
        let step = |step: &TheoryStep| StepReport {
            iteration: step.iteration,
            distance: step.distance,
            within_region: step.within_region,
            contraction: step.contraction,
            flips: step.flips,
            epsilon: step.epsilon,
        };
        Self {
            singular_values: theory.singular_values,
            strong_convexity: theory.strong_convexity,
            hessian_lipschitz: theory.hessian_lipschitz,
            lemma_weight: theory.lemma_weight,
            least_weight: theory.least_weight,
            applies: theory.applies(),
            worst_contraction: theory.worst_contraction(),
            steps: theory.steps.iter().map(step).collect(),
        }
    }
}

/// An assumption that did not hold.
#[derive(Serialize)]
pub(crate) struct BrokenReport {
    assumption: &'static str,
    iterate: usize,
    message: String,
}

impl BrokenReport {
    pub(crate) fn new(broken: &Broken) -> Self {
        Self {
            assumption: broken.name(),
            iterate: broken.iterate(),
            message: broken.to_string(),
        }
    }
}

/// Targets that are told of; the others are in the report for programs.
const MOST_TOLD: usize = 10;

/// Why the paper's iteration has not arrived, a line for each assumption of the first targets.
pub(crate) fn broken(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    let failed = outcomes.iter().enumerate();
    let failed = failed.filter_map(|(index, o)| Some((index, o.broken.as_ref()?)));
    for (index, broken) in failed.clone().take(MOST_TOLD) {
        let mut tell = |words: &dyn std::fmt::Display| {
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "target {index}: the theorem promises nothing: {words}"
            );
        };
        broken.iter().for_each(|broken| tell(broken));
        if broken.is_empty() {
            let _ = writeln!(
                text,
                "target {index}: its assumptions held at the first {MOST_EXAMINED} iterates, as far as can be told: \
                 more iterations may help"
            );
        }
    }
    let others = failed.count().saturating_sub(MOST_TOLD);
    if others > 0 {
        let _ = writeln!(text, "and {others} more have not arrived");
    }
    text
}

/// A table of every step of one target, under the constants.
pub(crate) fn text(target: usize, theory: &Theory) -> String {
    let [least, largest] = theory.singular_values;
    let (l, m) = (theory.strong_convexity, theory.hessian_lipschitz);
    let mut table = printing::table(&[
        "iteration",
        "‖x − x*‖",
        "M‖x − x*‖/l",
        "region",
        "contraction",
        "flips",
        "ε₀",
    ]);
    let number = |value: Option<f64>| value.map_or("–".into(), |v| format!("{v:.1e}"));
    for step in &theory.steps {
        table.add_row([
            step.iteration.to_string(),
            format!("{:.1e}", step.distance),
            number(Some(m * step.distance / l).filter(|_| l > 0.0)),
            if step.within_region { "yes" } else { "no" }.into(),
            number(step.contraction),
            step.flips.map_or("–".into(), |flips| flips.to_string()),
            number(step.epsilon),
        ]);
    }
    for column in [0, 1, 2, 4, 5, 6] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let verdict = match theory.worst_contraction() {
        None => format!(
            "no step began within M‖x − x*‖ ≤ {PROMISED_REGION} l: the theorem promises nothing"
        ),
        Some(worst) => format!(
            "within M‖x − x*‖ ≤ {PROMISED_REGION} l the worst contraction was {worst:.1e} \
             (promised {PROMISED_CONTRACTION}); its other assumptions {}",
            if theory.applies() {
                "held"
            } else {
                "did not hold"
            }
        ),
    };
    format!(
        "target {target}: σ(C) from {least:.2e} to {largest:.2e}, l = {l:.2e}, M = {m:.2e}; \
         Lemma 69 asks for w² ≥ {:.3e}, the least is {:.3e}\n{table}\n{verdict}\n\n",
        theory.lemma_weight, theory.least_weight
    )
}
