//! What a run is: all that its results depend on.

use crate::args::{Hessian, InvertArgs, Method};
use crate::digest::{self, Running};
use crate::error::Error;
use crate::problem_file::Problem;
use crate::solver::solver;
use crate::vectors::Vectors;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use twolayer::{Bounds, LinearBackend, Nearness, Regularizer};

/// What a file says of the run that wrote it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Written {
    /// What has to be the same for anything to be of use, by name.
    settings: Vec<(String, String)>,
    pub(super) max_iterations: usize,
    pub(super) targets: Rows,
}

/// The targets and their starts, the first K of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rows {
    pub(super) count: usize,
    b: String,
    x0: String,
}

/// The run under way.
pub(crate) struct Fingerprint<'p> {
    settings: Vec<(String, String)>,
    max_iterations: usize,
    count: usize,
    /// Digests of the first so many targets and starts.
    rows: Box<dyn Fn(usize) -> Result<Rows, Error> + 'p>,
}

impl<'p> Fingerprint<'p> {
    pub(crate) fn new<B: LinearBackend>(
        args: &InvertArgs,
        problem: &'p Problem<B>,
        starts: &'p Vectors<B::Scalar>,
        regularizer: Option<&Regularizer<B::Scalar>>,
        bounds: Option<&Bounds<B::Scalar>>,
        nearness: Option<&Nearness<B::Scalar>>,
        is_many: bool,
    ) -> Self {
        let network = problem.network.by_ref();
        let numbers = |values: &[B::Scalar]| digest::of_numbers(values);
        let matrix = |a| digest::of_matrix(network.backend(), a);
        let weights = regularizer.map_or("none".into(), |w| numbers(w.weights()));
        let side = |bound: Option<&[B::Scalar]>| bound.map_or("none".into(), numbers);
        let given = |is_given| if is_given { "given" } else { "not given" };
        let shape = format!(
            "{} inputs, {} units, {} outcomes",
            network.inputs(),
            network.hidden_units(),
            network.outcomes()
        );
        let radius = args.radius.map_or("none".into(), |r| r.to_string());
        let tolerance = args
            .tolerance
            .map_or("none".into(), |part| part.to_string());
        let many = if is_many { "8 or more" } else { "fewer than 8" };
        let settings: Vec<(&str, String)> = vec![
            ("the version of twolayer", env!("CARGO_PKG_VERSION").into()),
            ("--backend", word(&args.problem.backend)),
            ("--precision", word(&args.problem.precision)),
            ("--loss", word(&args.problem.loss)),
            ("--method", word::<Method>(&args.method)),
            ("--hessian", word::<Hessian>(&args.hessian)),
            ("--seed", args.seed.to_string()),
            ("--no-warm-start", given(args.no_warm_start).into()),
            ("--radius", radius),
            ("--theory", given(args.theory).into()),
            ("--tolerance", tolerance),
            ("the number of targets", many.into()),
            (
                "what b is rounded to",
                problem.targets.rounded_to().name().into(),
            ),
            ("the shape", shape),
            ("the regulariser", weights),
            ("x_ref", side(nearness.map(Nearness::reference))),
            ("near_weight", side(nearness.map(Nearness::curvatures))),
            ("lower", side(bounds.map(Bounds::lower))),
            ("upper", side(bounds.map(Bounds::upper))),
        ];
        let owned = |(name, value): (&str, String)| (name.to_owned(), value);
        let mut settings: Vec<_> = settings.into_iter().map(owned).collect();
        for (layer, (weights, bias)) in network.layers().into_iter().enumerate() {
            let layer = layer + 1;
            settings.push((format!("A{layer}"), matrix(weights)));
            settings.push((format!("c{layer}"), numbers(bias)));
        }
        for (layer, activation) in problem.activations.iter().enumerate() {
            let name = format!("the activation behind A{}", layer + 1);
            settings.push((name, activation.to_string()));
        }
        Self {
            settings,
            max_iterations: solver::<B::Scalar>(args).max_iterations(),
            count: problem.count(starts),
            rows: Box::new(|count| rows(problem, starts, count)),
        }
    }

    /// A digest of what every target's answer depends on besides it.
    pub(crate) fn digest(&self) -> Vec<u8> {
        let mut digest = Running::new();
        for (name, value) in &self.settings {
            digest.add(&format!("{name}: {value}\n"));
        }
        digest.add(&format!("--max-iterations: {}", self.max_iterations));
        digest.bytes()
    }

    /// What this run writes.
    pub(super) fn now(&self) -> Result<Written, Error> {
        Ok(Written {
            settings: self.settings.clone(),
            max_iterations: self.max_iterations,
            targets: (self.rows)(self.count)?,
        })
    }

    /// How the run that has written a file differs where nothing of it is of use: in words, one for
    /// each difference. Another limit of iterations, other `--starts` and more targets are none.
    pub(super) fn differences(
        &self,
        written: &Written,
        now: &Written,
    ) -> Result<Vec<String>, Error> {
        let mut differences = Vec::new();
        for (name, here) in &now.settings {
            let there = written.settings.iter().find(|(other, _)| other == name);
            let there = there.map_or("not recorded", |(_, value)| value);
            if here != there {
                differences.push(format!("{name} was {}, is {}", brief(there), brief(here)));
            }
        }
        let (before, count) = (written.targets.count, now.targets.count);
        if before > count {
            differences.push(format!("the number of targets was {before}, is {count}"));
            return Ok(differences);
        }
        let (here, first) = match before < count {
            true => (
                (self.rows)(before)?,
                format!(" of the first {before} targets"),
            ),
            false => (now.targets.clone(), String::new()),
        };
        for (name, here, there) in [
            ("b", &here.b, &written.targets.b),
            ("the start", &here.x0, &written.targets.x0),
        ] {
            if here != there {
                let (there, here) = (brief(there), brief(here));
                differences.push(format!("{name}{first} was {there}, is {here}"));
            }
        }
        Ok(differences)
    }
}

/// A value as it is told on the command line.
fn word<V: ValueEnum>(value: &V) -> String {
    let value = value.to_possible_value();
    value.map_or(String::new(), |value| value.get_name().to_owned())
}

/// The beginning of a digest, which is enough to tell two apart.
fn brief(value: &str) -> String {
    match value.get(..12) {
        Some(first) if value.len() == 64 => format!("{first}…"),
        _ => value.to_owned(),
    }
}

/// One digest for all targets and one for all starts, however many.
fn rows<B: LinearBackend>(
    problem: &Problem<B>,
    starts: &Vectors<B::Scalar>,
    count: usize,
) -> Result<Rows, Error> {
    let (mut b, mut x0) = (Running::new(), Running::new());
    // A row that all share is read once.
    let one = |values: &[B::Scalar]| digest::of_numbers(values);
    let shared_b = match problem.targets.len() {
        1 => Some(one(&problem.targets.row(0)?)),
        _ => None,
    };
    let shared_start = starts.count.is_none().then(|| one(starts.get(0)));
    for index in 0..count {
        match &shared_b {
            Some(digest) => b.add(digest),
            None => b.add(&one(&problem.targets.row(index)?)),
        }
        match &shared_start {
            Some(digest) => x0.add(digest),
            None => x0.add(&one(starts.get(index))),
        }
    }
    Ok(Rows {
        count,
        b: b.hexadecimal(),
        x0: x0.hexadecimal(),
    })
}
