//! Whether the crates could be published.

use super::{Outcome, cargo, command};
use crate::error::Error;
use serde::Deserialize;

/// What every package has to have in it.
const FILES: [&str; 4] = ["Cargo.toml", "README.md", "LICENSE-MIT", "LICENSE-APACHE"];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    description: Option<String>,
    license: Option<String>,
    readme: Option<String>,
    repository: Option<String>,
    keywords: Vec<String>,
    categories: Vec<String>,
    /// The registries that it goes to; none is all of them.
    publish: Option<Vec<String>>,
}

impl Package {
    fn is_published(&self) -> bool {
        self.publish.as_ref().is_none_or(|all| !all.is_empty())
    }

    /// What a registry shows, and this package does not say.
    fn lacking(&self) -> Vec<&'static str> {
        let is_said = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        let fields = [
            ("description", is_said(&self.description)),
            ("license", is_said(&self.license)),
            ("readme", is_said(&self.readme)),
            ("keywords", !self.keywords.is_empty()),
            ("categories", !self.categories.is_empty()),
        ];
        let lacking = fields.into_iter().filter(|(_, is_there)| !is_there);
        lacking.map(|(field, _)| field).collect()
    }
}

/// Every crate says what its registry shows, has its licences with it, and is built from what is packed
/// alone; nothing is uploaded.
pub(super) fn run() -> Result<Outcome, Error> {
    let packages: Vec<_> = packages()?
        .into_iter()
        .filter(Package::is_published)
        .collect();
    let mut faults = Vec::new();
    for package in &packages {
        let lacking = package.lacking();
        if !lacking.is_empty() {
            faults.push(format!("{} has no {}", package.name, lacking.join(", no ")));
        }
        let listed = listed(&package.name)?;
        let left_out = FILES
            .iter()
            .filter(|file| !listed.lines().any(|line| line == **file));
        faults.extend(left_out.map(|file| format!("{} has no {file} in it", package.name)));
    }
    if !faults.is_empty() {
        return Err(Error::Package(faults.join("; ")));
    }
    if packages
        .iter()
        .any(|package| package.repository.as_deref().is_none_or(str::is_empty))
    {
        println!("told: Cargo.toml's workspace.package.repository is still empty");
    }
    // What is under way may be checked before it is committed.
    cargo(&[
        "publish",
        "--workspace",
        "--dry-run",
        "--locked",
        "--allow-dirty",
    ])
}

fn packages() -> Result<Vec<Package>, Error> {
    let text = printed(&["metadata", "--format-version", "1", "--locked", "--no-deps"])?;
    let metadata: Metadata = serde_json::from_str(&text).map_err(|source| Error::Output {
        command: "cargo metadata".into(),
        source,
    })?;
    Ok(metadata.packages)
}

/// The files that would be packed.
fn listed(package: &str) -> Result<String, Error> {
    printed(&["package", "--package", package, "--list", "--allow-dirty"])
}

fn printed(arguments: &[&str]) -> Result<String, Error> {
    let output = command(arguments).output().map_err(|source| Error::Start {
        program: "cargo".into(),
        source,
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Error::Failed {
        command: format!("cargo {}", arguments.join(" ")),
        status: output.status,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
