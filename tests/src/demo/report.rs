//! What the demo prints: alerts with their explanations, the comparison, and how to go on.

use std::{
    io::{self, Write},
    path::Path,
};

use proto::wire::{self, Truth};
use tests::staff_client::{Alerts, StaffClient};

const SHOWN: usize = 3;

/// What came out.
pub struct Result {
    base: usize,
    rows: u64,
    alerts: usize,
    expected: usize,
    missing: usize,
    unexpected: usize,
    seconds: f64,
}

impl Result {
    /// Compares. An alert in another state than expected counts as missing and as unexpected.
    pub fn new(base: usize, rows: u64, alerts: &Alerts, expected: &Alerts, seconds: f64) -> Self {
        let absent = |from: &Alerts, alert: (&(String, String), &wire::AlertState)| {
            from.get(alert.0) != Some(alert.1)
        };
        Self {
            base,
            rows,
            alerts: alerts.len(),
            expected: expected.len(),
            missing: expected.iter().filter(|alert| absent(alerts, *alert)).count(),
            unexpected: alerts.iter().filter(|alert| absent(expected, *alert)).count(),
            seconds,
        }
    }

    /// Whether the alerts are exactly those expected.
    pub fn is_exact(&self) -> bool {
        self.missing == 0 && self.unexpected == 0
    }

    /// Prints one line of JSON on standard output, or a sentence for people.
    pub fn print(&self, json: bool) -> io::Result<()> {
        let Self { base, rows, alerts, expected, missing, unexpected, seconds } = self;
        if json {
            // Names and numbers only: nothing in it needs escaping.
            return writeln!(
                io::stdout(),
                "{{\"base\":{base},\"rows\":{rows},\"alerts\":{alerts},\"expected\":{expected},\
                 \"missing\":{missing},\"unexpected\":{unexpected},\"seconds\":{seconds:.1}}}"
            );
        }
        eprintln!(
            "\n{base} people in the base, {rows} rows, {alerts} alerts after {seconds:.1} s; an \
             evaluator that sees the plain data expects {expected}: {missing} missing, \
             {unexpected} unexpected."
        );
        Ok(())
    }
}

/// Prints a few alerts as a caseworker would see them.
pub async fn alerts(desk: &mut StaffClient) -> anyhow::Result<()> {
    let alerts = desk.alerts().await?;
    eprintln!("\n{} live alerts; the first {}:", alerts.len(), SHOWN.min(alerts.len()));
    for alert in alerts.iter().take(SHOWN) {
        let request = wire::GetAlertRequest { id: alert.id.clone() };
        let answer = desk.matches.get_alert(request).await?.into_inner();
        let label = |label: Option<wire::Label>| label.map(|l| l.zh).unwrap_or_default();
        eprintln!(
            "\n  {}  {}  {}  region {}",
            alert.id,
            alert.state().as_str_name().trim_start_matches("ALERT_STATE_"),
            label(answer.rule_label),
            alert.region
        );
        for finding in answer.findings {
            let mark = match finding.truth() {
                Truth::True => "yes",
                Truth::False => "no",
                Truth::Unknown | Truth::Unspecified => "unknown",
            };
            let (predicate, agency) = (finding.predicate, finding.agency);
            eprintln!("    {mark:8}{predicate}  ({}, {agency})", label(finding.label));
        }
    }
    Ok(())
}

/// Prints how to query more.
pub fn how_to_go_on(ctl: &Path, desk: &Path, admin: &Path, dir: &Path) -> io::Result<()> {
    let (ctl, desk, admin) = (ctl.display(), desk.display(), admin.display());
    writeln!(
        io::stderr(),
        "\nEverything runs until Ctrl-C, below {}. Ask for more in another terminal:\n\
         \n  {ctl} --config {desk} alerts list\
         \n  {ctl} --config {desk} alerts show <id>\
         \n  {ctl} --config {desk} alerts watch\
         \n  {ctl} --config {desk} rules list\
         \n  {ctl} --config {admin} agencies\
         \n  {ctl} --config {admin} datasets\n",
        dir.display()
    )
}
