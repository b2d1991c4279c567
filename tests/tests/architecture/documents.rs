//! Documents keep their word: sections that code cites exist, links lead somewhere, and tables in
//! PROTOCOL.md list what the code has.

use std::collections::{BTreeMap, BTreeSet};

use agency_adapter::reject::Reject;

use super::{files, root, sources, text};

const DOCUMENTS: [&str; 4] =
    ["README.md", "README.zh-CN.md", "proto/PROTOCOL.md", "deploy/RUNBOOK.md"];

/// `4.1` of a heading such as `### 4.1 Root`, or `4` of `## 4. Derivations`.
fn sections(protocol: &str) -> BTreeSet<String> {
    let headings = protocol.lines().filter(|line| line.starts_with("##"));
    let numbers =
        headings.filter_map(|line| line.trim_start_matches('#').split_whitespace().next());
    numbers
        .map(|number| number.trim_end_matches('.').to_owned())
        .filter(|number| number.starts_with(|first: char| first.is_ascii_digit()))
        .collect()
}

/// The text without comment marks, Markdown's link marks and line ends, so that a citation that is
/// broken over two lines is found.
fn plain(text: &str) -> String {
    let lines = text.lines().map(|line| line.trim_start().trim_start_matches(['/', '!', '#']));
    let joined = lines.collect::<Vec<_>>().join(" ").replace("](proto/PROTOCOL.md)", "");
    joined.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Every section number that follows `opening`, as in "sections 4.1, 5 and 7 to 9".
fn citations(text: &str, opening: &str) -> Vec<String> {
    let mut cited = vec![];
    for (at, _) in text.match_indices(opening) {
        // The first piece is what is left of the opening's last word: nothing, or a plural's s.
        for word in text[at + opening.len()..].split(' ').skip(1) {
            let number = word.trim_end_matches(|c: char| !c.is_ascii_digit());
            if number.starts_with(|first: char| first.is_ascii_digit()) {
                cited.push(number.to_owned());
                if !["", ","].contains(&&word[number.len()..]) {
                    break;
                }
            } else if !["and", "to", "or"].contains(&word) {
                break;
            }
        }
    }
    cited
}

#[test]
fn every_section_of_the_protocol_that_is_cited_exists() {
    let protocol = text("proto/PROTOCOL.md");
    let sections = sections(&protocol);
    let mut citing = sources();
    citing.extend(files(&["proto/matching"], "proto"));
    citing.extend(files(&["deploy"], "toml"));
    citing.extend(DOCUMENTS.map(|name| (name.to_owned(), text(name))));
    let mut count = 0;
    for (name, text) in citing {
        let opening = if name == "proto/PROTOCOL.md" { " section" } else { "PROTOCOL.md section" };
        for number in citations(&plain(&text), opening) {
            count += 1;
            let exists = sections.contains(&number);
            assert!(exists, "{name} cites section {number}, which PROTOCOL.md does not have");
        }
    }
    assert!(count > 30, "the citations are found");
}

#[test]
fn a_citation_is_read_whole() {
    let cited = |text| citations(&plain(text), "PROTOCOL.md section");
    assert_eq!(cited("//! x (PROTOCOL.md\n//! section 4.4)."), ["4.4"]);
    assert_eq!(cited("// PROTOCOL.md sections 6 to 9. Then 3"), ["6", "9"]);
    assert_eq!(cited("PROTOCOL.md sections 4.1, 4.2 and 5: 6"), ["4.1", "4.2", "5"]);
    assert!(cited("RFC 8032 section 7.1").is_empty());
}

#[test]
fn every_relative_link_in_a_document_leads_to_a_file() {
    for name in DOCUMENTS {
        let document = text(name);
        let directory = root().join(name);
        let directory = directory.parent().expect("a file has a directory");
        for (at, _) in document.match_indices("](") {
            let target = document[at + 2..].split(')').next().unwrap_or_default();
            let path = target.split('#').next().unwrap_or_default();
            if path.is_empty() || path.contains("://") {
                continue;
            }
            assert!(directory.join(path).exists(), "{name} links to {target}, which is not there");
        }
    }
}

#[test]
fn both_readmes_show_the_same_commands() {
    let commands = |name| -> Vec<String> {
        let document = text(name);
        let blocks = document.split("```sh\n").skip(1);
        let lines = blocks.filter_map(|block| block.split("```").next()).flat_map(str::lines);
        let commands = lines.map(|line| line.split(" #").next().unwrap_or_default().trim());
        commands.filter(|command| !command.is_empty()).map(str::to_owned).collect()
    };
    assert!(!commands("README.md").is_empty());
    assert_eq!(commands("README.md"), commands("README.zh-CN.md"));
}

#[test]
fn the_protocol_lists_every_label_every_refusal_every_reject_and_every_identifier_type() {
    let protocol = text("proto/PROTOCOL.md");
    let listed = |what: &str| assert!(protocol.contains(&format!("`{what}`")), "{what} is missing");
    let labels = text("proto/src/labels.rs");
    let constants = labels.lines().filter(|line| line.starts_with("pub const "));
    let labels: Vec<_> = constants.filter_map(|line| line.split('"').nth(1)).collect();
    assert!(labels.len() >= 10, "the labels are found");
    labels.into_iter().for_each(listed);

    let fault = text("proto/src/fault.rs");
    let reasons: Vec<_> = fault
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Self::")?.split("=> \"").nth(1))
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert!(reasons.len() >= 11, "the reasons are found");
    reasons.into_iter().for_each(listed);

    Reject::ALL.into_iter().for_each(|reject| listed(reject.code()));
    for kind in [
        "resident_id",
        "disability_certificate",
        "hmt_residence_permit",
        "foreign_permanent_residence",
        "hmt_travel_permit",
        "taiwan_travel_permit",
        "passport",
        "social_credit_code",
    ] {
        listed(kind);
    }
}

const ROLES: [&str; 7] =
    ["caseworker", "analyst", "administrator", "security", "auditor", "supervisor", "approver"];

/// What `methods.rs` says: for each call, whether each of [`ROLES`] may make it.
fn calls_by_role() -> BTreeMap<String, [bool; 7]> {
    let source = text("gateway/src/methods.rs").replace("=\n    &[", "= &[");
    // Lists of roles that have a name.
    let constants = source.split("const ").filter_map(|text| text.split(';').next());
    let named: BTreeMap<&str, &str> =
        constants.filter_map(|constant| constant.split_once(": &[Role] = ")).collect();
    let rows = source.lines().filter_map(|line| line.trim().strip_prefix("(\"/"));
    let rows = rows.filter_map(|row| row.split_once("\", "));
    rows.map(|(path, roles)| {
        let roles = named.get(roles.trim_end_matches("),")).copied().unwrap_or(roles);
        let roles = roles.to_lowercase();
        let call = path.rsplit('/').next().unwrap_or_default().to_owned();
        (call, ROLES.map(|role| roles.contains(&format!("role::{role}"))))
    })
    .collect()
}

#[test]
fn the_protocols_table_of_calls_and_roles_is_the_gateways() {
    let protocol = text("proto/PROTOCOL.md");
    let (_, section) = protocol.split_once("### 10.6").expect("the section");
    let rows = section.lines().skip_while(|line| !line.starts_with("| ---")).skip(1);
    let mut described = BTreeMap::new();
    for row in rows.take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let roles: [bool; 7] = std::array::from_fn(|role| cells[role + 1] != "-");
        let calls = cells[0].rsplit(": ").next().unwrap_or_default();
        for call in calls.split(", ") {
            described.insert(call.trim_matches('`').to_owned(), roles);
        }
    }
    assert!(described.len() >= 17, "the table is found");
    assert_eq!(described, calls_by_role(), "by {ROLES:?}");
}

#[cfg(unix)]
#[test]
fn the_commands_that_the_readme_names_are_executable() {
    use std::os::unix::fs::PermissionsExt as _;
    for name in ["deploy/demo", "deploy/require-cc", "tests/run", ".ci/run"] {
        let metadata = std::fs::metadata(root().join(name)).expect(name);
        assert!(metadata.permissions().mode() & 0o111 == 0o111, "{name} is not executable");
    }
}
