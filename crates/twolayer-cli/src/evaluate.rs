//! `twolayer evaluate`: what the network makes of given points.

use crate::args::{EvaluateArgs, ReportFormat};
use crate::array::open;
use crate::dispatch::{Work, dispatch};
use crate::error::{Error, in_file};
use crate::memory::{self, Shapes};
use crate::printing;
use crate::problem_file::{Problem, Request, read_problem};
use crate::terms::{loss, regularizer};
use comfy_table::CellAlignment;
use num_traits::Float;
use serde::{Deserialize, Serialize};
use std::io::BufReader;
use std::path::Path;
use std::process::ExitCode;
use twolayer::{
    AnyInversion, Error as CoreError, Evaluation, LinearBackend, Objective, Regularizer, Scalar,
    reduce,
};

/// The whole command.
pub(crate) fn evaluate(args: &EvaluateArgs) -> Result<ExitCode, Error> {
    let labels = args.labels.as_deref().map(read_labels).transpose()?;
    let targets = dispatch(&args.problem, Evaluating { args, labels })?;
    let report = match args.report {
        ReportFormat::Text => text(&targets),
        ReportFormat::Json => printing::json(&Report {
            version: printing::VERSION,
            targets,
        })?,
    };
    printing::print(printing::To::StandardOutput, &report)?;
    Ok(ExitCode::SUCCESS)
}

#[derive(Serialize)]
struct Report {
    version: u32,
    targets: Vec<TargetReport>,
}

#[derive(Serialize)]
struct TargetReport {
    /// Where there is a target.
    #[serde(flatten)]
    fit: Option<Fit>,
    /// The most likely ones, the likeliest first.
    outcomes: Vec<OutcomeReport>,
}

/// How far an output is from its target.
#[derive(Serialize)]
struct Fit {
    loss: f64,
    gradient_norm: f64,
}

#[derive(Serialize)]
struct OutcomeReport {
    index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    probability: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_probability: Option<f64>,
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
        let request = Request {
            activation: &self.args.problem.activation,
            needs_target: false,
            needs_all_good: true,
            admit: &admit,
            tell: &printing::tell,
        };
        let problem = read_problem(backend, &self.args.problem, &request)?;
        let points = problem.read_points(&self.args.at, "X")?;
        self.check_labels(problem.network.by_ref().outcomes())?;
        let regularizer = regularizer(&self.args.problem, &problem)?;
        let reports = (0..problem.count(&points)).map(|index| {
            let x = points.get(index);
            match problem.targets.is_absent() {
                true => self.output(&problem, index, x),
                false => self.fit(&problem, regularizer.as_ref(), index, x),
            }
        });
        reports.collect()
    }
}

impl Evaluating<'_> {
    /// The output at a point beside its target.
    fn fit<B: LinearBackend>(
        &self,
        problem: &Problem<B>,
        regularizer: Option<&Regularizer<B::Scalar>>,
        index: usize,
        x: &[B::Scalar],
    ) -> Result<TargetReport, Error> {
        let args = &self.args.problem;
        let in_file = || in_file(&args.path, Some(index));
        let target = problem.targets.get(index)?;
        let mut objective = AnyInversion::new(&problem.network, &target)
            .map_err(in_file())?
            .with_loss(loss(args.loss));
        if let Some(regularizer) = regularizer {
            objective = objective.with_regularizer(regularizer).map_err(in_file())?;
        }
        let mut at = objective.new_evaluation();
        objective.evaluate(x, &[], &mut at);
        objective.differentiate(&mut at);
        if !(at.value().is_finite() && reduce::all_finite(at.gradient())) {
            let (quantity, at) = ("loss or its gradient", "X");
            return Err(in_file()(CoreError::Overflow { quantity, at }));
        }
        Ok(TargetReport {
            fit: Some(Fit {
                loss: at.value().to_f64(),
                gradient_norm: reduce::norm(at.gradient()).to_f64(),
            }),
            outcomes: self.top(at.probabilities(), Some(target.probabilities())),
        })
    }

    /// The output at a point alone.
    fn output<B: LinearBackend>(
        &self,
        problem: &Problem<B>,
        index: usize,
        x: &[B::Scalar],
    ) -> Result<TargetReport, Error> {
        let probabilities = problem.network.by_ref().probabilities(x);
        let probabilities = probabilities.map_err(in_file(&self.args.problem.path, Some(index)))?;
        Ok(TargetReport {
            fit: None,
            outcomes: self.top(&probabilities, None),
        })
    }

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

    fn top<T: Scalar>(&self, probabilities: &[T], target: Option<&[T]>) -> Vec<OutcomeReport> {
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
            target_probability: target.map(|target| target[index].to_f64()),
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
    match serde_json::from_reader(BufReader::new(open(path)?)) {
        Ok(Labels::List(labels) | Labels::Object { outcomes: labels }) => Ok(labels),
        Err(_) => {
            let expected = "a JSON list of strings, or an object with one as `outcomes`";
            Err(Error::content(path, "no labels", expected))
        }
    }
}

fn text(targets: &[TargetReport]) -> String {
    let columns = [
        "target",
        "loss",
        "gradient norm",
        "outcome",
        "probability",
        "target probability",
    ];
    // Those that there is nothing to say in are left out.
    let has_targets = targets.iter().any(|target| target.fit.is_some());
    let shown: &[usize] = if has_targets {
        &[0, 1, 2, 3, 4, 5]
    } else {
        &[0, 3, 4]
    };
    let pick = |cells: &[String; 6]| shown.iter().map(|&column| cells[column].clone()).collect();
    let header: Vec<&str> = shown.iter().map(|&column| columns[column]).collect();
    let mut table = printing::table(&header);
    for (index, target) in targets.iter().enumerate() {
        let mut head = [index.to_string(), String::new(), String::new()];
        if let Some(Fit {
            loss,
            gradient_norm,
        }) = target.fit
        {
            head[1] = format!("{loss:.2e}");
            head[2] = format!("{gradient_norm:.1e}");
        }
        let rows = target.outcomes.iter().map(outcome_cells);
        // A target of which no outcome is wanted has a row all the same.
        let rows = rows.chain(target.outcomes.is_empty().then(Default::default));
        for [outcome, probability, wanted] in rows {
            let [index, loss, gradient] = std::mem::take(&mut head);
            let row: Vec<String> = pick(&[index, loss, gradient, outcome, probability, wanted]);
            table.add_row(row);
        }
    }
    for (place, column) in shown.iter().enumerate() {
        if let Some(cells) = table.column_mut(place).filter(|_| *column != 3) {
            cells.set_cell_alignment(CellAlignment::Right);
        }
    }
    format!("{table}\n")
}

/// Name, probability, and probability of the target.
fn outcome_cells(outcome: &OutcomeReport) -> [String; 3] {
    let name = match &outcome.label {
        Some(label) => format!("{label} ({})", outcome.index),
        None => outcome.index.to_string(),
    };
    let wanted = outcome.target_probability;
    [
        name,
        format!("{:.4e}", outcome.probability),
        wanted.map_or_else(String::new, |wanted| format!("{wanted:.4e}")),
    ]
}
