//! How many solves are certified, and why the others are not.

use crate::error::Error;
use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};
use std::collections::BTreeMap;
use std::time::Instant;
use twolayer::Solver;
use twolayer::{
    Inversion, KullbackLeibler, LinearBackend, Loss, Regularizer, SquaredError, Target,
};
use twolayer_certificate::{Certifier, Verdict};
use twolayer_faer::Faer;
use twolayer_tests::detector::Detector;
use twolayer_tests::problems::Planted;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Problems for each row of the synthetic matrix.
    #[arg(long, value_name = "N", default_value_t = 20)]
    count: u64,
    /// The small synthetic shape and the first five targets of the detector only.
    #[arg(long)]
    quick: bool,
}

/// One row of the table.
struct Row {
    set: String,
    solves: usize,
    converged: usize,
    certified: usize,
    minima: usize,
    unique: usize,
    reasons: BTreeMap<&'static str, usize>,
    double_double: usize,
    radii: Vec<f64>,
    seconds: Vec<f64>,
}

/// (d, n, m).
const SHAPES: [(&str, (usize, usize, usize)); 2] = [
    ("S (32, 128, 256)", (32, 128, 256)),
    ("M (128, 512, 2048)", (128, 512, 2048)),
];

/// Which regulariser a synthetic problem has.
#[derive(Clone, Copy)]
enum Weight {
    /// w² = 3: by Lemma 69, wᵢ² ≥ 2 + l/σ_min(C)², strong convexity with l = σ_min(C)² in every
    /// cell in which C has full rank.
    Paper,
    /// w = 10⁻³.
    Small,
    /// None.
    None,
}

impl Weight {
    fn name(self) -> &'static str {
        match self {
            Self::Paper => "w² = 3",
            Self::Small => "w = 1e-3",
            Self::None => "no w",
        }
    }

    fn value(self) -> f64 {
        match self {
            Self::Paper => 3.0_f64.sqrt(),
            Self::Small => 1e-3,
            Self::None => 0.0,
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let mut rows = Vec::new();
    let shapes = if args.quick {
        &SHAPES[..1]
    } else {
        &SHAPES[..]
    };
    for &(name, shape) in shapes {
        for weight in [Weight::Paper, Weight::Small, Weight::None] {
            rows.push(synthetic(name, shape, weight, args.count)?);
            eprintln!("{}: done", rows[rows.len() - 1].set);
        }
    }
    for (set, file) in [("real", "cld3.npz"), ("other", "cld3_other.npz")] {
        let most = if args.quick { 5 } else { usize::MAX };
        for loss in [&SquaredError as &dyn Loss<f64>, &KullbackLeibler] {
            rows.push(detector(set, file, loss, most)?);
            eprintln!("{}: done", rows[rows.len() - 1].set);
        }
    }
    println!("{}", table(&rows));
    Ok(())
}

fn synthetic(
    name: &str,
    shape: (usize, usize, usize),
    weight: Weight,
    count: u64,
) -> Result<Row, Error> {
    let mut row = Row::new(format!("{name}, {}", weight.name()));
    for seed in 0..count {
        let planted = Planted::new(shape, false, seed);
        let network = planted.network(&Faer::<f64>::default())?;
        let target = planted.target(&network)?;
        let regularizer = Regularizer::uniform(weight.value(), shape.2)?;
        let mut problem = Inversion::new(&network, &target)?;
        if weight.value() > 0.0 {
            problem = problem.with_regularizer(&regularizer)?;
        }
        row.add(&problem, &planted.start)?;
    }
    Ok(row)
}

fn detector(set: &str, file: &str, loss: &dyn Loss<f64>, most: usize) -> Result<Row, Error> {
    let detector = Detector::read(file).map_err(|error| Error::Data(error.to_string()))?;
    let network = detector.network(&Faer::<f64>::default())?;
    let mut row = Row::new(format!("detector, {set}, {}", loss.name()));
    for b in detector.targets().take(most) {
        let target = Target::new(b.to_vec())?;
        let problem = Inversion::new(&network, &target)?.with_loss(loss);
        row.add(&problem, &detector.start)?;
    }
    Ok(row)
}

impl Row {
    fn new(set: String) -> Self {
        Self {
            set,
            solves: 0,
            converged: 0,
            certified: 0,
            minima: 0,
            unique: 0,
            reasons: BTreeMap::new(),
            double_double: 0,
            radii: Vec::new(),
            seconds: Vec::new(),
        }
    }

    /// Solves, and certifies what converged.
    fn add<B: LinearBackend<Scalar = f64>>(
        &mut self,
        problem: &Inversion<'_, B>,
        start: &[f64],
    ) -> Result<(), Error> {
        let solution = Solver::new().solve(problem, start)?;
        self.solves += 1;
        if !solution.status.is_converged() {
            return Ok(());
        }
        self.converged += 1;
        let clock = Instant::now();
        let verdict = Certifier::new().certify(problem, &solution.x)?;
        self.seconds.push(clock.elapsed().as_secs_f64());
        match verdict {
            Verdict::Certified(certificate) => {
                self.certified += 1;
                self.minima += usize::from(certificate.is_minimum());
                self.unique += usize::from(certificate.is_unique());
                self.double_double += usize::from(certificate.arithmetic != "f64");
                self.radii.push(certificate.radius);
            }
            Verdict::Refused(refusal) => {
                *self.reasons.entry(refusal.name()).or_default() += 1;
            }
        }
        Ok(())
    }
}

/// The middle one; NaN where there is none.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header([
        "problems",
        "solves",
        "converged",
        "certified",
        "minima",
        "unique",
        "in double-double",
        "refused",
        "radius (median, largest)",
        "ms (median)",
    ]);
    for row in rows {
        let reasons: Vec<_> = row
            .reasons
            .iter()
            .map(|(name, n)| format!("{n} {name}"))
            .collect();
        let largest = row.radii.iter().fold(0.0, |most: f64, &r| most.max(r));
        table.add_row([
            row.set.clone(),
            row.solves.to_string(),
            row.converged.to_string(),
            row.certified.to_string(),
            row.minima.to_string(),
            row.unique.to_string(),
            row.double_double.to_string(),
            reasons.join(", "),
            format!("{:.0e}, {largest:.0e}", median(&row.radii)),
            format!("{:.1}", 1e3 * median(&row.seconds)),
        ]);
    }
    for index in [1, 2, 3, 4, 5, 6, 8, 9] {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}
