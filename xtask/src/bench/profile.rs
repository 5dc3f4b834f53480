//! Performance profiles: E. D. Dolan and J. J. Moré, "Benchmarking optimization software with
//! performance profiles", Mathematical Programming 91 (2002).

use std::collections::{BTreeMap, BTreeSet};

/// ρ_s(τ): the share of the problems that solver s solves within τ times the time of the fastest
/// solver of each problem. As steps: (τ, share), τ rising from 1.
pub(crate) type Profile = BTreeMap<String, Vec<(f64, f64)>>;

/// Profiles from (problem, solver, seconds); no seconds where it was not solved. A problem that no
/// solver solved counts among the problems.
pub(crate) fn profiles(times: &[(String, String, Option<f64>)]) -> Profile {
    let problems: BTreeSet<&String> = times.iter().map(|(problem, ..)| problem).collect();
    let mut fastest = BTreeMap::<&String, f64>::new();
    for (problem, _, seconds) in times {
        if let Some(seconds) = *seconds {
            let best = fastest.entry(problem).or_insert(seconds);
            *best = best.min(seconds);
        }
    }
    let mut ratios = BTreeMap::<String, Vec<f64>>::new();
    for (problem, solver, seconds) in times {
        let of_solver = ratios.entry(solver.clone()).or_default();
        if let Some(seconds) = seconds {
            of_solver.push(seconds / fastest[problem]);
        }
    }
    let share = |solved: usize| solved as f64 / problems.len() as f64;
    let steps = ratios.into_iter().map(|(solver, mut ratios)| {
        ratios.sort_unstable_by(f64::total_cmp);
        let steps = ratios.iter().enumerate();
        let steps = steps.map(|(index, &ratio)| (ratio, share(index + 1)));
        (solver, steps.collect())
    });
    steps.collect()
}

#[cfg(test)]
mod tests {
    use super::profiles;

    #[test]
    fn shares_are_of_all_problems() {
        let time = |problem: &str, solver: &str, seconds| (problem.into(), solver.into(), seconds);
        let found = profiles(&[
            time("p", "a", Some(1.0)),
            time("p", "b", Some(2.0)),
            time("q", "a", None),
            time("q", "b", Some(5.0)),
            time("r", "a", None),
            time("r", "b", None),
        ]);
        assert_eq!(found["a"], [(1.0, 1.0 / 3.0)]);
        assert_eq!(found["b"], [(1.0, 1.0 / 3.0), (2.0, 2.0 / 3.0)]);
    }
}
