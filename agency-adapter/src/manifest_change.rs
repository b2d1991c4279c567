//! What is different between two manifests, value by value, for whoever is to sign or install one.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use proto::signed_manifest::SignedManifest;
use serde::Serialize;
use toml::{Table, Value};

/// One value that was added, removed or replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Where it stands, e.g. `agency tax signing_key`.
    pub what: String,
    /// What it was; absent where it is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What it is; absent where it was removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// Every difference between two manifests. Comments and layout are none.
pub fn changes(before: &SignedManifest, after: &SignedManifest) -> Vec<Change> {
    let (before, after) = (values(before), values(after));
    let all: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let change = |what: &&String| Change {
        what: (*what).clone(),
        before: before.get(*what).cloned(),
        after: after.get(*what).cloned(),
    };
    all.iter().map(change).filter(|change| change.before != change.after).collect()
}

/// `+` added, `-` removed, `~` replaced.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = &self.what;
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => write!(f, "~ {what}: {before} -> {after}"),
            (Some(before), None) => write!(f, "- {what}: {before}"),
            (None, Some(after)) => write!(f, "+ {what}: {after}"),
            (None, None) => Ok(()),
        }
    }
}

/// Every value of a manifest by where it stands.
fn values(signed: &SignedManifest) -> BTreeMap<String, String> {
    let table: Table = signed.body().parse().expect("a manifest that was parsed is TOML");
    let mut values = BTreeMap::new();
    collect(&mut values, "", &table);
    values
}

fn collect(values: &mut BTreeMap<String, String>, within: &str, table: &Table) {
    for (name, value) in table {
        let what = if within.is_empty() { name.clone() } else { format!("{within} {name}") };
        match value {
            Value::Table(table) => collect(values, &what, table),
            Value::Array(entries) if entries.iter().all(Value::is_table) => {
                for entry in entries.iter().filter_map(Value::as_table) {
                    let id = entry.get("id").or_else(|| entry.get("number"));
                    let id = id.map(plain).unwrap_or_default();
                    collect(values, &format!("{what} {id}"), entry);
                }
            }
            value => drop(values.insert(what, plain(value))),
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().replace('\n', " "),
        Value::Array(entries) => entries.iter().map(plain).collect::<Vec<_>>().join(", "),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_that_differs_is_told_and_nothing_else() {
        let example = include_str!("../../proto/vectors/federation.toml");
        let first = SignedManifest::parse(example).expect("good");
        let text = example
            .replace("version = 1", "version = 2 # comments do not count")
            .replace("[\"aid\", \"police\", \"tax\"]", "[\"aid\", \"tax\"]")
            .replace("id = \"income\"\nowner = \"tax\"", "id = \"wages\"\nowner = \"tax\"");
        let second = SignedManifest::parse(&text).expect("good");
        let told: Vec<String> = changes(&first, &second).iter().map(Change::to_string).collect();
        let expected = [
            "- dataset income id: income",
            "- dataset income kind: cross_check",
            "- dataset income owner: tax",
            "+ dataset wages id: wages",
            "+ dataset wages kind: cross_check",
            "+ dataset wages owner: tax",
            "~ holders agencies: aid, police, tax -> aid, tax",
            "~ version: 1 -> 2",
        ];
        assert_eq!(told, expected);
        assert_eq!(changes(&first, &first), []);
    }
}
