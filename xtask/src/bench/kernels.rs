//! The kernels' rates, as criterion measures them, beside NumPy's in the same run.

use super::machine;
use super::peer::PythonArgs;
use crate::command::{cargo, print_of, root, script};
use crate::error::Error;
use crate::python::{NUMPY, has};
use crate::tables::{markdown, save};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Also measure NumPy.
    #[arg(long)]
    peers: bool,
    #[command(flatten)]
    python: PythonArgs,
}

/// criterion's `benchmark.json`.
#[derive(Debug, Deserialize)]
struct Benchmark {
    group_id: String,
    function_id: String,
    throughput: Work,
}

#[derive(Debug, Clone, Copy, Deserialize)]
enum Work {
    /// Floating point operations.
    Elements(f64),
    Bytes(f64),
}

/// criterion's `estimates.json`.
#[derive(Debug, Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Debug, Deserialize)]
struct Estimate {
    /// Nanoseconds.
    point_estimate: f64,
}

/// What `peers/rates.py` prints.
#[derive(Debug, Default, Deserialize)]
struct Rates {
    versions: BTreeMap<String, String>,
    seconds: BTreeMap<String, f64>,
}

/// Rates of one kernel on one shape, by who runs it.
#[derive(Debug)]
struct Kernel {
    work: Work,
    rates: BTreeMap<String, f64>,
}

const RUNNERS: [&str; 4] = ["faer", "nalgebra", "ndarray", "NumPy"];

pub(crate) fn run(args: &Args) -> Result<(), Error> {
    let has_numpy = args.peers && has(&args.python.python, "NumPy", NUMPY, &mut BTreeSet::new())?;
    let home = tempfile::tempdir().map_err(Error::Scratch)?;
    let mut command = cargo();
    command
        .current_dir(root())
        .env("CRITERION_HOME", home.path());
    command.args(["bench", "--package", "xtask", "--bench", "kernels"]);
    command.stdout(std::io::stderr());
    let name = format!("{command:?}");
    let status = command.status().map_err(|source| Error::Start {
        program: name.clone(),
        source,
    })?;
    if !status.success() {
        let stderr = "see above".into();
        return Err(Error::Failed {
            command: name,
            status,
            stderr,
        });
    }
    let rates: Rates = if has_numpy {
        print_of(script(&args.python.python, "rates.py"))?
    } else {
        Rates::default()
    };
    let mut kernels = BTreeMap::new();
    collect(home.path(), &mut kernels)?;
    for (name, seconds) in rates.seconds {
        if let Some(kernel) = kernels.get_mut(&name) {
            kernel
                .rates
                .insert("NumPy".into(), kernel.work.rate(seconds));
        }
    }
    let report = report(&kernels, &rates.versions);
    let path = save("kernels.md", &report)?;
    println!("{report}");
    eprintln!("written: {}", path.display());
    Ok(())
}

impl Work {
    /// GFLOP/s or GB/s.
    fn rate(self, seconds: f64) -> f64 {
        match self {
            Self::Elements(work) | Self::Bytes(work) => 1e-9 * work / seconds,
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Self::Elements(_) => "GFLOP/s",
            Self::Bytes(_) => "GB/s",
        }
    }
}

/// Reads every measurement below criterion's folder.
fn collect(folder: &Path, kernels: &mut BTreeMap<String, Kernel>) -> Result<(), Error> {
    let read = |source| Error::Folder {
        path: folder.into(),
        source,
    };
    for entry in std::fs::read_dir(folder).map_err(read)? {
        let path = entry.map_err(read)?.path();
        if !path.is_dir() {
            continue;
        }
        if path.file_name().is_none_or(|name| name != "new") {
            collect(&path, kernels)?;
            continue;
        }
        let benchmark: Benchmark = json(&path.join("benchmark.json"))?;
        let estimates: Estimates = json(&path.join("estimates.json"))?;
        let work = benchmark.throughput;
        let kernel = kernels.entry(benchmark.group_id).or_insert(Kernel {
            work,
            rates: BTreeMap::new(),
        });
        let rate = work.rate(1e-9 * estimates.median.point_estimate);
        kernel.rates.insert(benchmark.function_id, rate);
    }
    Ok(())
}

fn json<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::Folder {
        path: path.into(),
        source,
    })?;
    serde_json::from_str(&text).map_err(|source| Error::Output {
        command: path.display().to_string(),
        source,
    })
}

fn report(kernels: &BTreeMap<String, Kernel>, versions: &BTreeMap<String, String>) -> String {
    let mut text = String::from("# Kernels in f64\n\n");
    text += &machine::describe(versions);
    text += "\nMedians. L: 16384×1024 and 1024×256; XL: 30522×1536 and 1536×384; half of the units \
             are active. *product* is C = A2[:, active] A1[active, :], *gram* one triangle of \
             Cᵀ diag(β) C (m d² operations), *qr* of 8d rows. twolayer's kernels take the active \
             columns out of A2 themselves, and weigh the rows; NumPy's got the columns gathered and \
             no weights.\n\n";
    let measured = kernels
        .iter()
        .filter(|(_, kernel)| kernel.rates.contains_key("faer"));
    text += &markdown(
        [
            "kernel",
            "unit",
            "faer",
            "nalgebra",
            "ndarray",
            "NumPy",
            "faer over NumPy",
        ],
        2,
        measured.map(|(name, kernel)| {
            let rate = |runner: &str| kernel.rates.get(runner);
            let [faer, nalgebra, ndarray, numpy] =
                RUNNERS.map(|runner| rate(runner).map_or("-".into(), |rate| format!("{rate:.1}")));
            let over = rate("faer").zip(rate("NumPy"));
            [
                name.clone(),
                kernel.work.unit().into(),
                faer,
                nalgebra,
                ndarray,
                numpy,
                over.map_or("-".into(), |(faer, numpy)| format!("{:.2}", faer / numpy)),
            ]
        }),
    );
    text += "\n\n";
    for (name, kernel) in kernels.iter().filter(|(name, _)| name.starts_with("copy")) {
        for (runner, rate) in &kernel.rates {
            text += &format!("- {name}, {runner}: {rate:.1} GB/s, read and written\n");
        }
    }
    text
}
