//! `twolayer certify`, and what `invert --certify` says: proofs for answers.

use crate::args::{CertifyArgs, ReportFormat};
use crate::dispatch::{Work, dispatch};
use crate::error::{Error, in_file};
use crate::memory::{self, Shapes};
use crate::printing;
use crate::problem_file::{Request, read_problem, two_layers};
use crate::terms::{loss, radius, regularizer};
use crate::vectors::Vectors;
use comfy_table::CellAlignment;
use serde::Serialize;
use std::collections::BTreeMap;
use std::process::ExitCode;
use twolayer::{Inversion, LinearBackend};
use twolayer_certificate::{Certificate, Certifier, Refusal, Verdict};

/// The whole command.
pub(crate) fn certify(args: &CertifyArgs) -> Result<ExitCode, Error> {
    let verdicts = dispatch(&args.problem, Certifying { args })?;
    let all = verdicts.iter().all(|v| v.certificate().is_some());
    let report = match args.report {
        ReportFormat::Text => text(verdicts.iter().enumerate()),
        ReportFormat::Json => printing::json(&Report {
            version: printing::VERSION,
            targets: verdicts.iter().map(CertificateReport::new).collect(),
            certified: verdicts
                .iter()
                .filter(|v| v.certificate().is_some())
                .count(),
        })?,
    };
    printing::print(printing::To::StandardOutput, &report)?;
    Ok(if all {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

struct Certifying<'a> {
    args: &'a CertifyArgs,
}

impl Work for Certifying<'_> {
    type Output = Vec<Verdict>;

    fn on<B: LinearBackend>(self, backend: B) -> Result<Vec<Verdict>, Error> {
        let args = self.args;
        let path = &args.problem.path;
        let radius = radius(args.radius)?;
        let limit = args.problem.max_memory.map(|limit| limit.as_u64());
        let admit =
            |shapes: &Shapes| memory::check(path, shapes.problem_bytes::<B::Scalar>(), limit);
        let request = Request {
            activation: &args.problem.activation,
            needs_target: true,
            needs_all_good: true,
            admit: &admit,
            tell: &printing::tell,
        };
        let problem = read_problem(backend, &args.problem, &request)?;
        // In double precision: an answer may be finer than its problem.
        let points: Vectors<f64> = problem.read_points(&args.result, "x")?;
        let network = two_layers(&problem, path, "a certificate")?;
        let regularizer = regularizer(&args.problem, &problem)?;
        let bounds = problem.bounds(&args.bounds, path)?;
        let nearness = problem.nearness(&args.near, path)?;
        let certifier = Certifier::new().with_polish(!args.no_polish);
        let mut verdicts = Vec::new();
        for index in 0..problem.count(&points) {
            let in_file = || in_file(path, Some(index));
            let target = problem.targets.get(index)?;
            let mut objective = Inversion::new(network, &target)
                .map_err(in_file())?
                .with_loss(loss(args.problem.loss));
            if let Some(regularizer) = &regularizer {
                objective = objective.with_regularizer(regularizer).map_err(in_file())?;
            }
            if let Some(radius) = radius {
                objective = objective.with_radius(radius).map_err(in_file())?;
            }
            if let Some(nearness) = &nearness {
                objective = objective.with_nearness(nearness).map_err(in_file())?;
            }
            if let Some(bounds) = &bounds {
                objective = objective.with_bounds(bounds).map_err(in_file())?;
            }
            let verdict = certifier.certify(&objective, points.get(index));
            verdicts.push(verdict.map_err(in_file())?);
        }
        Ok(verdicts)
    }
}

#[derive(Serialize)]
struct Report {
    version: u32,
    targets: Vec<CertificateReport>,
    certified: usize,
}

/// A verdict as one object.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum CertificateReport {
    Certified(Box<CertifiedReport>),
    Refused {
        certified: bool,
        reason: &'static str,
        message: String,
    },
}

#[derive(Serialize)]
pub(crate) struct CertifiedReport {
    certified: bool,
    kind: &'static str,
    radius: f64,
    unique_within: f64,
    unique: bool,
    kinks: Vec<usize>,
    loss: [f64; 2],
    kappa: f64,
    eta: f64,
    hessian_lipschitz: f64,
    defect: f64,
    least_eigenvalue: f64,
    /// Null where no unit has a kink.
    kink_distance: Option<f64>,
    point: Vec<f64>,
    point_radius: f64,
    newton_steps: usize,
    arithmetic: &'static str,
}

impl CertificateReport {
    pub(crate) fn new(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Refused(refusal) => Self::refused(refusal),
            Verdict::Certified(certificate) => Self::certified(certificate),
        }
    }

    fn refused(refusal: &Refusal) -> Self {
        Self::Refused {
            certified: false,
            reason: refusal.name(),
            message: refusal.to_string(),
        }
    }

    fn certified(certificate: &Certificate) -> Self {
        Self::Certified(Box::new(CertifiedReport {
            certified: true,
            kind: certificate.kind(),
            radius: certificate.radius,
            unique_within: certificate.unique_within,
            unique: certificate.is_unique(),
            kinks: certificate.kinks.clone(),
            loss: certificate.loss,
            kappa: certificate.kappa,
            eta: certificate.eta,
            hessian_lipschitz: certificate.hessian_lipschitz,
            defect: certificate.defect,
            least_eigenvalue: certificate.least_eigenvalue,
            kink_distance: Some(certificate.kink_distance).filter(|d| d.is_finite()),
            point: certificate.point.clone(),
            point_radius: certificate.point_radius,
            newton_steps: certificate.newton_steps,
            arithmetic: certificate.arithmetic,
        }))
    }
}

/// A table of the verdicts by the numbers of their targets, and how many there are of each kind.
pub(crate) fn text<'a>(verdicts: impl IntoIterator<Item = (usize, &'a Verdict)>) -> String {
    let mut table = printing::table(&[
        "target",
        "verdict",
        "within",
        "unique within",
        "loss at most",
        "kinks",
        "arithmetic",
    ]);
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    let mut reasons = String::new();
    let (mut count, mut certified) = (0, 0);
    for (index, verdict) in verdicts {
        count += 1;
        *kinds.entry(verdict.name()).or_default() += 1;
        match verdict {
            Verdict::Certified(c) => {
                certified += 1;
                table.add_row([
                    index.to_string(),
                    c.kind().into(),
                    format!("{:.1e}", c.radius),
                    format!("{:.1e}", c.unique_within),
                    format!("{:.2e}", c.loss[1]),
                    c.kinks.len().to_string(),
                    c.arithmetic.into(),
                ]);
            }
            Verdict::Refused(refusal) => {
                table.add_row([index.to_string(), format!("refused: {}", refusal.name())]);
                reasons += &format!("target {index}: {refusal}\n");
            }
        }
    }
    for column in [0, 2, 3, 4, 5] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let kinds: Vec<_> = kinds
        .iter()
        .map(|(kind, n)| format!("{n} {kind}"))
        .collect();
    let kinds = match kinds.is_empty() {
        true => String::new(),
        false => format!(": {}", kinds.join(", ")),
    };
    format!("{table}\n\n{reasons}{certified} of {count} certified{kinds}\n")
}
