//! What must stay true of the source tree itself: who may depend on whom, and the form of files.
//!
//! Documents, samples and the wire schema are held to their word by the submodules.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

mod documents;
mod samples;
mod schema;

/// The repository's root.
fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the package lies in the workspace").to_path_buf()
}

/// A file of the repository.
fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every file below `directories` with this extension, by its path in the repository.
fn files(directories: &[&str], extension: &str) -> Vec<(String, String)> {
    fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
        let entries = fs::read_dir(directory)
            .unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
        for entry in entries {
            let path = entry.expect("a readable directory").path();
            if path.is_dir() {
                walk(&path, found);
            } else {
                found.push(path);
            }
        }
    }
    let mut found = vec![];
    directories.iter().for_each(|directory| walk(&root().join(directory), &mut found));
    found.sort();
    found
        .into_iter()
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| {
            let name = path.strip_prefix(root()).expect("below the root").display().to_string();
            let text = text(&name);
            (name, text)
        })
        .collect()
}

/// Every Rust file of the four packages that people wrote.
fn sources() -> Vec<(String, String)> {
    let mut sources = files(
        &["proto/src", "gateway/src", "agency-adapter/src", "tests/src", "tests/tests"],
        "rs",
    );
    sources.retain(|(name, _)| name != "proto/src/wire/matching.v1.rs");
    assert!(sources.len() > 30, "the walk finds the sources");
    sources
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(root())
        .output()
        .expect("cargo runs this test, so it can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("cargo prints UTF-8")
}

fn names(list: &Value) -> Vec<&str> {
    let list = list.as_array().expect("a list");
    list.iter().map(|entry| entry["name"].as_str().expect("a name")).collect()
}

#[test]
fn gateway_and_adapter_never_see_each_other_and_proto_sees_neither() {
    let metadata = cargo(&["metadata", "--offline", "--format-version", "1", "--no-deps"]);
    let metadata: Value = serde_json::from_str(&metadata).expect("cargo prints JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let mut ours = names(&metadata["packages"]);
    ours.sort_unstable();
    assert_eq!(ours, ["agency-adapter", "gateway", "proto", "tests"]);
    for package in packages {
        let name = package["name"].as_str().expect("a name");
        let mut edges = names(&package["dependencies"]);
        edges.retain(|dependency| ours.contains(dependency));
        edges.sort_unstable();
        let allowed: &[&str] = match name {
            "proto" => &[],
            "tests" => &["agency-adapter", "gateway", "proto"],
            _ => &["proto"],
        };
        assert_eq!(edges, allowed, "what {name} depends on, dev-dependencies included");
    }
}

#[test]
fn nothing_in_the_gateways_dependency_graph_can_read_an_identifier() {
    let tree = cargo(&[
        "tree",
        "--offline",
        "--locked",
        "--package",
        "gateway",
        "--edges",
        "normal,build",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]);
    let crates: Vec<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(crates.contains(&"proto") && crates.contains(&"tonic"), "the graph is there");
    for forbidden in ["agency-adapter", "unicode-normalization", "encoding_rs", "csv", "calamine"] {
        assert!(!crates.contains(&forbidden), "gateway depends on {forbidden}");
    }
}

#[test]
fn the_gateway_never_names_the_labels_that_turn_an_identifier_into_a_secret() {
    for (name, text) in files(&["gateway/src"], "rs") {
        for label in [proto::labels::ROOT_SALTED_HASH, proto::labels::PERSON_SECRET] {
            assert!(!text.contains(label), "{name} spells a label that only adapters use");
        }
        for constant in ["ROOT_SALTED_HASH", "PERSON_SECRET"] {
            assert!(!text.contains(constant), "{name} uses {constant}, which is the adapters'");
        }
    }
}

#[test]
fn every_source_file_says_what_it_owns() {
    for (name, text) in sources() {
        let first = text.lines().next().unwrap_or_default();
        let says = first.strip_prefix("//! ").is_some_and(|says| says.len() > 10);
        assert!(says, "{name} does not begin with a //! line that says what it owns");
    }
}

#[test]
fn no_source_file_is_longer_than_400_lines() {
    for (name, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= 400, "{name} has {lines} lines: cut it along a noun");
    }
}

#[test]
fn no_source_file_unwraps() {
    let unwrap = concat!(".unw", "rap()");
    for (name, text) in sources() {
        let line = text.lines().position(|line| line.contains(unwrap));
        assert_eq!(line, None, "{name} unwraps in the line with this index: use expect, with why");
    }
}

#[test]
fn the_checked_in_generated_code_is_what_the_proto_files_give() {
    let generated = tests::generated::files(&root().join("proto")).expect("they compile");
    for (name, content) in generated {
        let checked_in = fs::read(root().join("proto/src/wire").join(&name)).unwrap_or_default();
        assert!(checked_in == content, "{name} is old: cargo run --release --bin generate");
    }
}
