//! How to go on in another terminal: a short tour of what each member of staff does.

use std::{
    io::{self, Write},
    path::Path,
};

use tests::deployment::{
    ADMINISTRATOR, ANALYST, APPROVER, AUDITOR, STREET_HEAD, STREET_WORKER, Staff,
};

/// Who is played, and what they type; `ID` is a case of the caseworker's street.
const TOUR: [(&str, Staff, &[&str]); 7] = [
    (
        "A caseworker of street 320104002",
        STREET_WORKER,
        &[
            "cases list",
            "cases show ID",
            "cases take ID",
            "disclosure request ID --purpose home-visit",
        ],
    ),
    ("An approver", APPROVER, &["disclosure list", "disclosure approve FIRST-DIGITS-OF-ITS-ID"]),
    (
        "The caseworker again",
        STREET_WORKER,
        &[
            "disclosure list",
            "disclosure open FIRST-DIGITS-OF-ITS-ID",
            "cases visit ID",
            "cases relief ID --kind money",
            "cases papers ID",
            "cases outcome ID temporary_relief",
            "cases close ID",
        ],
    ),
    ("The street's supervisor", STREET_HEAD, &["cases list", "cases list --stage returned"]),
    ("An analyst", ANALYST, &["rules list", "rules test illness-uncovered"]),
    ("The administrator", ADMINISTRATOR, &["agencies", "datasets"]),
    ("An auditor", AUDITOR, &["audit verify", "audit search --alert ID", "audit report"]),
];

/// Prints the tour, about `case`.
///
/// # Errors
/// Standard error's.
pub fn print(programs: &Path, dir: &Path, case: &str) -> io::Result<()> {
    let mut text = format!(
        "\nEverything runs until Ctrl-C, below {}. In another terminal:\n\n  export PATH={}:$PATH\n",
        dir.display(),
        programs.display()
    );
    for (who, staff, commands) in TOUR {
        let home = dir.join("staff").join(staff.id);
        let config = home.join("ctl.toml");
        text += &format!("\n{who}:\n  export GATEWAYCTL_CONFIG={}\n", config.display());
        for command in commands {
            text += &format!("  gatewayctl {}", command.replace(" ID", &format!(" {case}")));
            if command.starts_with("audit") {
                // Another demo has another log: what was seen of this one is kept with it.
                text += &format!(" --state {}", home.join("seen.checkpoint").display());
            }
            text.push('\n');
        }
    }
    writeln!(io::stderr(), "{text}\nAdd --lang zh for Chinese.\n")
}
