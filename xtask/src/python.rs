//! What a Python has to have for the peers in it, asked before anything is measured.

use crate::command::{print_of, script};
use crate::error::Error;
use std::collections::BTreeSet;

/// What NumPy's and SciPy's peers need.
pub(crate) const NUMPY: &[&str] = &["numpy", "scipy"];
/// What optimistix' peers need.
pub(crate) const JAX: &[&str] = &["numpy", "scipy", "jax", "optimistix"];
/// What the classifier of digits needs.
pub(crate) const DIGITS: &[&str] = &["numpy", "scipy", "sklearn"];

/// Whether a Python has the packages that `what` needs. Those that it has not are said on standard
/// error and added to `missing`, with how to install them.
pub(crate) fn has(
    python: &str,
    what: &str,
    packages: &[&str],
    missing: &mut BTreeSet<String>,
) -> Result<bool, Error> {
    if packages.is_empty() {
        return Ok(true);
    }
    let mut command = script(python, "missing.py");
    command.args(packages);
    let lacking: Vec<String> = print_of(command)?;
    if lacking.is_empty() {
        return Ok(true);
    }
    let message = message(python, what, &lacking);
    eprintln!("not run: {message}");
    missing.insert(message);
    Ok(false)
}

fn message(python: &str, what: &str, lacking: &[String]) -> String {
    format!(
        "{what}: this Python has no {}; {python} -m pip install {}",
        lacking.join(" and no "),
        lacking
            .iter()
            .map(|name| package(name))
            .collect::<Vec<_>>()
            .join(" ")
    )
}

/// What is installed for a module.
fn package(module: &str) -> &str {
    match module {
        "sklearn" => "scikit-learn",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_what_is_missing_and_how_to_install_it() {
        let lacking = ["jax", "optimistix"].map(String::from);
        assert_eq!(
            message("python3", "optimistix LM", &lacking),
            "optimistix LM: this Python has no jax and no optimistix; \
             python3 -m pip install jax optimistix"
        );
        let lacking = ["sklearn".into()];
        assert_eq!(
            message("python3", "digits", &lacking),
            "digits: this Python has no sklearn; python3 -m pip install scikit-learn"
        );
    }
}
