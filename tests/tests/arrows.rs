//! Arrows between crates, and between the files of a crate, point one way.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What each crate of the library may depend on, beside what is no crate of this workspace.
const MAY_DEPEND_ON: [(&str, &[&str]); 9] = [
    ("twolayer-core", &[]),
    ("twolayer-faer", &["twolayer-core"]),
    ("twolayer-nalgebra", &["twolayer-core"]),
    // For the factorisations that its library leaves to LAPACK.
    ("twolayer-ndarray", &["twolayer-core", "twolayer-faer"]),
    ("approx-newton", &["twolayer-core"]),
    ("twolayer", &["approx-newton", "twolayer-core"]),
    ("twolayer-certificate", &["twolayer", "twolayer-core"]),
    (
        "twolayer-cli",
        &[
            "twolayer",
            "twolayer-certificate",
            "twolayer-core",
            "twolayer-faer",
            "twolayer-nalgebra",
            "twolayer-ndarray",
        ],
    ),
    (
        "twolayer-python",
        &[
            "twolayer",
            "twolayer-certificate",
            "twolayer-faer",
            "twolayer-nalgebra",
            "twolayer-ndarray",
        ],
    ),
];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn crates_depend_on_those_below_them_alone() {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--offline",
        ])
        .current_dir(workspace())
        .output()
        .unwrap();
    assert!(output.status.success(), "cargo metadata");
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let names: BTreeSet<_> = packages.iter().filter_map(|p| p["name"].as_str()).collect();
    for (name, allowed) in MAY_DEPEND_ON {
        let package = packages.iter().find(|package| package["name"] == name);
        let package = package.unwrap_or_else(|| panic!("no crate {name}"));
        for dependency in package["dependencies"].as_array().unwrap() {
            let on = dependency["name"].as_str().unwrap();
            // What only the tests of a crate need is no arrow of its own.
            if dependency["kind"] == "dev" || !names.contains(on) {
                continue;
            }
            assert!(allowed.contains(&on), "{name} depends on {on}");
        }
    }
    let listed: BTreeSet<_> = MAY_DEPEND_ON.iter().map(|(name, _)| *name).collect();
    let folders = fs::read_dir(workspace().join("crates")).unwrap();
    for folder in folders {
        let name = folder.unwrap().file_name().into_string().unwrap();
        assert!(listed.contains(name.as_str()), "{name} has no arrows yet");
    }
}

#[test]
fn no_circle_of_files_is_in_a_crate() {
    for (name, _) in MAY_DEPEND_ON {
        let files = Files::of(&workspace().join("crates").join(name).join("src"));
        let circles = files.circles();
        assert!(
            circles.is_empty(),
            "{name}: files that know each other: {circles:?}"
        );
    }
}

/// A file that takes a name from the root of its crate knows no file, and hides whom it knows.
#[test]
fn no_file_knows_another_through_the_root() {
    for (name, _) in MAY_DEPEND_ON {
        let files = Files::of(&workspace().join("crates").join(name).join("src"));
        // The backends' root is where their one type is defined.
        let is_backend = MAY_DEPEND_ON[1..4]
            .iter()
            .any(|(backend, _)| *backend == name);
        if !is_backend {
            assert!(files.rooted.is_empty(), "{name}: {:?}", files.rooted);
        }
    }
}

/// The files of a crate and which of them each one uses.
struct Files {
    uses: BTreeMap<String, BTreeSet<String>>,
    /// Paths that name no file.
    rooted: Vec<String>,
}

impl Files {
    fn of(source: &Path) -> Self {
        let mut texts = BTreeMap::new();
        read(source, &mut Vec::new(), &mut texts);
        let mut rooted = Vec::new();
        let mut uses = BTreeMap::new();
        for (module, text) in &texts {
            let mut used = BTreeSet::new();
            for path in paths(text) {
                let Some(full) = resolve(module, &path) else {
                    continue;
                };
                let parts: Vec<_> = full.split("::").collect();
                let known = (1..=parts.len()).rev().map(|n| parts[..n].join("::"));
                match known.into_iter().find(|known| texts.contains_key(known)) {
                    Some(known) if known != *module => drop(used.insert(known)),
                    Some(_) => {}
                    None => rooted.push(format!("{module}: {path}")),
                }
            }
            uses.insert(module.clone(), used);
        }
        Self { uses, rooted }
    }

    /// Sets of files each of which reaches all others of its set.
    fn circles(&self) -> Vec<Vec<String>> {
        let reach: BTreeMap<_, _> = self
            .uses
            .keys()
            .map(|from| (from, self.reach(from)))
            .collect();
        let mut circles = BTreeSet::new();
        for (from, reached) in &reach {
            if reached.contains(*from) {
                let back = |other: &&String| reach[other].contains(*from);
                circles.insert(reached.iter().filter(back).cloned().collect::<Vec<_>>());
            }
        }
        circles.into_iter().collect()
    }

    fn reach(&self, from: &str) -> BTreeSet<String> {
        let mut reached = BTreeSet::new();
        let mut open = vec![from.to_string()];
        while let Some(next) = open.pop() {
            for used in &self.uses[&next] {
                if reached.insert(used.clone()) {
                    open.push(used.clone());
                }
            }
        }
        reached
    }
}

/// The text of every module but the root, by its path; without tests, files and folders of them, and comments.
fn read(folder: &Path, above: &mut Vec<String>, texts: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_string();
        if path.is_dir() && stem == "tests" {
            continue;
        } else if path.is_dir() {
            above.push(stem);
            read(&path, above, texts);
            above.pop();
        } else if !["lib", "main", "tests"].contains(&stem.as_str()) {
            let name = (stem != "mod").then_some(stem);
            let module: Vec<_> = above.iter().cloned().chain(name).collect();
            let text = fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]").next().unwrap_or_default();
            let code = text
                .lines()
                .map(|line| line.split("//").next().unwrap_or_default());
            texts.insert(module.join("::"), code.collect::<Vec<_>>().join("\n"));
        }
    }
}

/// Every path that begins with `crate`, `super` or `self`, with braces spread out. What a module hands on
/// of its own children is no use of them.
fn paths(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for statement in code.split(';') {
        let words = statement
            .rsplit_once("\n\n")
            .map_or(statement, |(_, last)| last);
        let Some(start) = words.find("use ") else {
            found.extend(inline(statement));
            continue;
        };
        let tree = words[start + 4..].replace(char::is_whitespace, " ");
        spread(&tree, "", &mut found);
    }
    found.retain(|path| ["crate::", "super::"].iter().any(|p| path.starts_with(p)));
    found
}

/// Paths within expressions and types.
fn inline(code: &str) -> Vec<String> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let words = code.split(|c: char| !is_part(c));
    words
        .filter(|word| word.contains("::"))
        .map(str::to_string)
        .collect()
}

fn spread(tree: &str, before: &str, found: &mut Vec<String>) {
    let tree = tree.trim();
    let Some((head, rest)) = tree.split_once('{') else {
        let named = tree.split(' ').next().unwrap_or_default();
        return found.push(format!("{before}{named}"));
    };
    let inner = rest.strip_suffix('}').unwrap_or(rest);
    let before = format!("{before}{head}");
    let (mut depth, mut from) = (0, 0);
    for (at, c) in inner.char_indices().chain([(inner.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if !inner[from..at].trim().is_empty() {
                    spread(&inner[from..at], &before, found);
                }
                from = at + 1;
            }
            _ => {}
        }
    }
}

/// The path from the root of the crate on.
fn resolve(module: &str, path: &str) -> Option<String> {
    if let Some(rest) = path.strip_prefix("crate::") {
        return Some(rest.to_string());
    }
    let mut above: Vec<_> = module.split("::").collect();
    let mut rest = path;
    while let Some(next) = rest.strip_prefix("super::") {
        above.pop()?;
        rest = next;
    }
    above.push(rest);
    Some(above.join("::"))
}

/// The reader sees what it is meant to see.
#[test]
fn paths_are_found_in_code() {
    let code = "use crate::a::{\n    B, c::{D, E as F},\n};\nuse super::f as g;\nfn g() { crate::h::i(); }";
    let mut found = paths(code);
    found.sort();
    let expected = [
        "crate::a::B",
        "crate::a::c::D",
        "crate::a::c::E",
        "crate::h::i",
        "super::f",
    ];
    assert_eq!(found, expected);
    assert_eq!(resolve("a::b", "super::c::D"), Some("a::c::D".into()));
    let circle = |a: &str, b: &str| Files {
        uses: [("a", a), ("b", b)]
            .map(|(from, to)| (from.into(), [to.to_string()].into()))
            .into(),
        rooted: vec![],
    };
    assert_eq!(circle("b", "a").circles(), [["a", "b"]]);
    assert!(circle("b", "b").circles().iter().flatten().eq(["b"]));
}
