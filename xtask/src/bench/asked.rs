//! Which problems are asked for, and what of them.

use super::goal::Goal;
use super::positive;
use super::problem::{Named, Problem, Start, Wanted};
use super::summary::Row;
use crate::error::Error;

/// What is asked for.
#[derive(Debug, clap::Args)]
pub(crate) struct Asked {
    /// Which problems [default: all; with --quick: s, m and detector].
    #[arg(long, value_enum, value_delimiter = ',')]
    problems: Vec<Named>,
    /// Multiply each outcome's b by exp(SIGMA·N(0, 1)), and divide by the sum: a distribution that
    /// is the output of no x. Not for the detector nor the digits.
    #[arg(long, value_name = "SIGMA", value_parser = positive, conflicts_with = "unrelated")]
    noise: Option<f64>,
    /// Draw b from Dirichlet(0.1), whatever the network is. Not for the detector nor the digits.
    #[arg(long)]
    unrelated: bool,
    /// Add ½‖W A2 φ(A1 x + c1)‖² to what all programs minimise; each W by itself.
    #[arg(long, value_name = "W", value_delimiter = ',', value_parser = positive)]
    regularizer: Vec<f64>,
    /// How many instances of every problem that is drawn: medians over them are told, and how many
    /// were solved.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
}

impl Asked {
    pub(crate) fn problems(&self, quick: bool) -> Result<Vec<Named>, Error> {
        let all = match quick {
            true => vec![Named::S, Named::M, Named::Detector],
            false => Named::ALL.into(),
        };
        let usable = |named: &Named| self.wanted() == Wanted::Attained || named.shape().is_some();
        if self.problems.is_empty() {
            return Ok(all.into_iter().filter(usable).collect());
        }
        match self.problems.iter().find(|named| !usable(named)) {
            Some(named) => Err(Error::OwnTargets { name: named.name() }),
            None => Ok(self.problems.clone()),
        }
    }

    pub(crate) fn wanted(&self) -> Wanted {
        match self.noise {
            Some(sigma) => Wanted::Noisy(sigma),
            None if self.unrelated => Wanted::Unrelated,
            None => Wanted::Attained,
        }
    }

    /// Instances of one problem.
    pub(crate) fn instances(&self, named: Named) -> u64 {
        if named.is_drawn() { self.seeds } else { 1 }
    }

    /// Every weight of the regulariser; none once where none is asked for.
    pub(crate) fn weights(&self) -> Vec<Option<f64>> {
        match &self.regularizer[..] {
            [] => vec![None],
            weights => weights.iter().copied().map(Some).collect(),
        }
    }

    pub(crate) fn goal(&self) -> Goal {
        match self.wanted() {
            Wanted::Attained if self.regularizer.is_empty() => Goal::PerfectFit,
            _ => Goal::Lowest,
        }
    }

    /// What is out of the ordinary, a line each.
    pub(crate) fn describe(&self) -> String {
        let mut text = match self.wanted() {
            Wanted::Attained => String::new(),
            Wanted::Noisy(sigma) => format!("- b times exp({sigma}·N(0, 1)), normalised\n"),
            Wanted::Unrelated => "- b from Dirichlet(0.1), unrelated to the network\n".into(),
        };
        if !self.regularizer.is_empty() {
            text += "- L includes the regulariser ½w²‖A2 φ(A1 x + c1)‖²\n";
        }
        if self.seeds > 1 {
            text += &format!(
                "- {} instances of each problem but the detector\n",
                self.seeds
            );
        }
        text
    }
}

/// One problem from one start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case<'p> {
    pub(crate) problem: &'p Problem,
    pub(crate) start: &'p Start,
    /// Which instance of the problem, from 0.
    pub(crate) instance: u64,
    /// Of the regulariser.
    pub(crate) weight: Option<f64>,
}

impl Case<'_> {
    /// Of a program of which nothing is measured yet.
    pub(crate) fn row(&self, solver: String) -> Row {
        Row {
            problem: self.problem.name,
            start: self.start.name,
            instance: self.instance,
            weight: self.weight,
            targets: self.problem.targets,
            solver,
            ..Row::default()
        }
    }

    /// For a chart, and for the name of its file.
    pub(crate) fn title(&self) -> String {
        let mut title = self.problem.name.to_owned();
        if self.instance > 0 {
            title += &format!(" {}", self.instance + 1);
        }
        if let Some(weight) = self.weight {
            title += &format!(" w {weight}");
        }
        title + " from " + self.start.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        asked: Asked,
    }

    fn asked(options: &[&str]) -> Result<Asked, clap::Error> {
        let options = ["bench"].iter().chain(options);
        Ok(Cli::try_parse_from(options)?.asked)
    }

    #[test]
    fn only_an_attained_target_without_a_regulariser_has_a_perfect_fit() -> Result<(), clap::Error>
    {
        assert_eq!(asked(&[])?.goal(), Goal::PerfectFit);
        for options in [
            &["--noise", "0.3"][..],
            &["--unrelated"],
            &["--regularizer", "0.1,1.5"],
            &["--unrelated", "--regularizer", "5"],
        ] {
            assert_eq!(asked(options)?.goal(), Goal::Lowest, "{options:?}");
        }
        assert!(asked(&["--unrelated", "--noise", "0.3"]).is_err());
        assert!(asked(&["--regularizer", "0"]).is_err());
        assert!(asked(&["--seeds", "0"]).is_err());
        let weights = asked(&["--regularizer", "0.1,1.5"])?.weights();
        assert_eq!(weights, [Some(0.1), Some(1.5)]);
        Ok(())
    }

    #[test]
    fn a_problem_with_targets_of_its_own_is_refused_or_left_out() -> Result<(), clap::Error> {
        let refused = asked(&["--unrelated", "--problems", "s,digits"])?.problems(false);
        assert!(matches!(refused, Err(Error::OwnTargets { name: "digits" })));
        let chosen = asked(&["--noise", "0.3"])?.problems(true);
        assert!(matches!(chosen, Ok(named) if named == [Named::S, Named::M]));
        let with_weight = asked(&["--regularizer", "1"])?.problems(true);
        assert!(matches!(with_weight, Ok(named) if named.len() == 3));
        Ok(())
    }
}
