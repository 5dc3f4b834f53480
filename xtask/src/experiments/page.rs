//! README.md: the answers one below the other.

use super::{Answer, Name, Size, save};
use crate::bench::machine;
use crate::error::Error;
use clap::ValueEnum;
use std::collections::BTreeMap;
use std::path::Path;

const BEGINNING: &str = "\
# Experiments

Seven questions that arXiv 2308.08358, \"Convergence of Two-Layer Regression with Nonlinear Units\",
raises, put to this solver. This page, its plots, its tables and every figure on it are written by

```sh
cargo xtask experiments          # --quick: smaller, to target/experiments/quick/
```

";

const TERMS: &str = "
**Words.** *The paper's iteration* is x ← x − H̃⁻¹∇L and nothing else: no damping, no line search, no
kinks held. *The solver without warm start* is this project's damped method on the loss that was
asked for, from x₀ (`Solver::with_warm_start(false)`), with its default model of the Hessian unless
another is named. *The default* is what
`twolayer invert` does: it first finds a start by an easier objective, which solves most planted
problems before the target's own Newton method has anything to do. *Planted* problems have Gaussian
weights, A1 ~ N(0, 1/d), A2 ~ N(0, 18/n), and the target is the network's output at x* ~ N(0, I).
*The detector* is the trained network of [data/](../../data/README.md). The loss is the squared one.
l is the least eigenvalue of the Hessian at the minimum, M the Lipschitz constant of the Hessian in
its cell (the bound of `approx_newton::theory`). Seeds are fixed: counts and losses are the same on
every run on the same machine. Times are not, and depend on what else the machine does.
";

/// Where the description of the machine lies, beside the paragraphs.
const MACHINE: &str = "machine.md";

/// Keeps what the figures are measured on; not called where none are measured.
pub(super) fn write_machine(folder: &Path) -> Result<(), Error> {
    save(folder, MACHINE, &machine::describe(&BTreeMap::new()))
}

/// Puts the paragraphs that lie in `folder` on one page.
pub(super) fn write_page(folder: &Path, size: Size) -> Result<(), Error> {
    let mut page = String::from(BEGINNING);
    if size == Size::Full {
        page += "Times were taken on:\n\n";
    } else {
        page += "This is a small run. Times were taken on:\n\n";
    }
    page += &std::fs::read_to_string(folder.join(MACHINE)).unwrap_or_default();
    page += TERMS;
    for (number, name) in (1..).zip(Name::value_variants()) {
        let word = name.word();
        // Experiments that were not run are not on the page.
        let Ok(text) = std::fs::read_to_string(folder.join(format!("{word}.md"))) else {
            continue;
        };
        page += &format!("\n## {number}. {}\n\n{text}", title(*name));
    }
    save(folder, "README.md", &page)
}

/// What is said of one experiment.
pub(super) fn section(name: Name, answer: &Answer) -> String {
    let word = name.word();
    let Answer {
        answer, details, ..
    } = answer;
    format!(
        "{}\n\n![{word}]({word}.svg)\n\n{}\n\nRows: [{word}.csv]({word}.csv)\n",
        wrap(answer.trim()),
        wrap(details.trim())
    )
}

/// Breaks lines of prose at 100 characters; tables stay as they are.
fn wrap(text: &str) -> String {
    const WIDTH: usize = 100;
    let wrapped = |line: &str| {
        if line.starts_with('|') {
            return line.to_string();
        }
        let indent = if line.starts_with("- ") { "\n  " } else { "\n" };
        let (mut out, mut length) = (String::new(), 0);
        for word in line.split(' ') {
            let letters = word.chars().count();
            if length > 0 && length + 1 + letters > WIDTH {
                out += indent;
                length = indent.len() - 1;
            } else if length > 0 {
                out.push(' ');
                length += 1;
            }
            out += word;
            length += letters;
        }
        out
    };
    let lines: Vec<String> = text.lines().map(wrapped).collect();
    lines.join("\n")
}

fn title(name: Name) -> &'static str {
    match name {
        Name::Convergence => "How fast does it converge?",
        Name::Patterns => "How often do ReLUs switch, and what does it cost?",
        Name::Accuracy => "How many rows does H̃ need?",
        Name::Initialisation => "How near must the start be?",
        Name::Regularisation => "What does the regulariser do, and which w is best?",
        Name::Scaling => "What does a step cost?",
        Name::StatesThatChange => "Where does it end when the pattern may change?",
    }
}
