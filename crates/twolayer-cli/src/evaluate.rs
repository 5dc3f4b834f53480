//! `twolayer evaluate`: what the network makes of given points.

use crate::args::{EvaluateArgs, ReportFormat};
use crate::dispatch::{Work, dispatch};
use crate::error::{Error, in_file};
use crate::invert::{loss, regularizer};
use crate::memory::{self, Shapes};
use crate::problem_file::read_problem;
use crate::report;
use comfy_table::CellAlignment;
use num_traits::Float;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use twolayer::{
    Error as CoreError, Evaluation, Inversion, LinearBackend, Objective, Scalar, reduce,
};

/// The whole command.
pub(crate) fn evaluate(args: &EvaluateArgs) -> Result<ExitCode, Error> {
    let labels = args.labels.as_deref().map(read_labels).transpose()?;
    let targets = dispatch(&args.problem, Evaluating { args, labels })?;
    let report = match args.report {
        ReportFormat::Text => text(&targets),
        ReportFormat::Json => report::json(&Report {
            version: report::VERSION,
            targets,
        })?,
    };
    report::print(report::To::StandardOutput, &report)?;
    Ok(ExitCode::SUCCESS)
}

#[derive(Serialize)]
struct Report {
    version: u32,
    targets: Vec<TargetReport>,
}

#[derive(Serialize)]
struct TargetReport {
    loss: f64,
    gradient_norm: f64,
    /// The most likely ones, the likeliest first.
    outcomes: Vec<OutcomeReport>,
}

#[derive(Serialize)]
struct OutcomeReport {
    index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    probability: f64,
    target_probability: f64,
}

struct Evaluating<'a> {
    args: &'a EvaluateArgs,
    labels: Option<Vec<String>>,
}

impl Work for Evaluating<'_> {
    type Output = Vec<TargetReport>;

    fn on<B: LinearBackend>(self, backend: B) -> Result<Vec<TargetReport>, Error> {
        let path = &self.args.problem.path;
        let limit = self.args.problem.max_memory.map(|limit| limit.as_u64());
        let admit =
            |shapes: &Shapes| memory::check(path, shapes.problem_bytes::<B::Scalar>(), limit);
        let problem = read_problem(backend, &self.args.problem, &admit)?;
        let points = problem.read_points(&self.args.at, "X")?;
        self.check_labels(problem.network.outcomes())?;
        let regularizer = regularizer(&self.args.problem, &problem)?;
        let mut reports = Vec::new();
        for index in 0..problem.count(&points) {
            let in_file = || in_file(path, Some(index));
            let target = problem.targets.get(index)?;
            let mut objective = Inversion::new(&problem.network, &target)
                .map_err(in_file())?
                .with_loss(loss(self.args.problem.loss));
            if let Some(regularizer) = &regularizer {
                objective = objective.with_regularizer(regularizer).map_err(in_file())?;
            }
            let mut at = objective.new_evaluation();
            objective.evaluate(points.get(index), &[], &mut at);
            objective.differentiate(&mut at);
            if !(at.value().is_finite() && reduce::all_finite(at.gradient())) {
                let (quantity, at) = ("loss or its gradient", "X");
                return Err(in_file()(CoreError::Overflow { quantity, at }));
            }
            reports.push(TargetReport {
                loss: at.value().to_f64(),
                gradient_norm: reduce::norm(at.gradient()).to_f64(),
                outcomes: self.top(at.probabilities(), target.probabilities()),
            });
        }
        Ok(reports)
    }
}

impl Evaluating<'_> {
    fn check_labels(&self, outcomes: usize) -> Result<(), Error> {
        match (&self.args.labels, &self.labels) {
            (Some(path), Some(labels)) if labels.len() != outcomes => {
                let found = format!("{} labels", labels.len());
                Err(Error::content(
                    path,
                    found,
                    &format!("{outcomes}, one for each row of A2"),
                ))
            }
            _ => Ok(()),
        }
    }

    fn top<T: Scalar>(&self, probabilities: &[T], target: &[T]) -> Vec<OutcomeReport> {
        let mut order: Vec<usize> = (0..probabilities.len()).collect();
        let falling = |&a: &usize, &b: &usize| {
            let (a, b) = (probabilities[a].to_f64(), probabilities[b].to_f64());
            b.total_cmp(&a)
        };
        order.sort_by(falling);
        order.truncate(self.args.top);
        let report = |index| OutcomeReport {
            index,
            label: self.labels.as_ref().map(|labels| labels[index].clone()),
            probability: probabilities[index].to_f64(),
            target_probability: target[index].to_f64(),
        };
        order.into_iter().map(report).collect()
    }
}

/// The two forms of a file of labels.
#[derive(Deserialize)]
#[serde(untagged)]
enum Labels {
    List(Vec<String>),
    Object { outcomes: Vec<String> },
}

fn read_labels(path: &Path) -> Result<Vec<String>, Error> {
    let text = fs::read_to_string(path).map_err(|source| Error::Read {
        path: path.into(),
        source,
    })?;
    match serde_json::from_str(&text) {
        Ok(Labels::List(labels) | Labels::Object { outcomes: labels }) => Ok(labels),
        Err(_) => {
            let expected = "a JSON list of strings, or an object with one as `outcomes`";
            Err(Error::content(path, "no labels", expected))
        }
    }
}

fn text(targets: &[TargetReport]) -> String {
    let header = [
        "target",
        "loss",
        "gradient norm",
        "outcome",
        "probability",
        "target probability",
    ];
    let mut table = report::table(&header);
    for (index, target) in targets.iter().enumerate() {
        let mut head = [
            index.to_string(),
            format!("{:.2e}", target.loss),
            format!("{:.1e}", target.gradient_norm),
        ];
        if target.outcomes.is_empty() {
            table.add_row(head.clone());
        }
        for outcome in &target.outcomes {
            let name = match &outcome.label {
                Some(label) => format!("{label} ({})", outcome.index),
                None => outcome.index.to_string(),
            };
            let [target, loss, gradient] = std::mem::take(&mut head);
            table.add_row([
                target,
                loss,
                gradient,
                name,
                format!("{:.4e}", outcome.probability),
                format!("{:.4e}", outcome.target_probability),
            ]);
        }
    }
    for column in [0, 1, 2, 4, 5] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    format!("{table}\n")
}
