//! What the demo prints: alerts with their explanations, and the comparison.

use std::io::{self, Write};

use proto::wire::{self, RulePart, Truth};
use tests::staff_client::{Alerts, StaffClient};

/// Alerts that are shown.
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
    let shown = of_every_kind(&alerts);
    eprintln!("\n{} alerts; {} of them:", alerts.len(), shown.len());
    for alert in shown {
        let request = wire::GetAlertRequest { id: alert.id.clone() };
        let answer = desk.matches.get_alert(request).await?.into_inner();
        let rule = answer.rule_label.unwrap_or_default();
        let state = alert.state().as_str_name().trim_start_matches("ALERT_STATE_").to_lowercase();
        eprintln!("\n  {}  {state}  region {}", alert.id, alert.region);
        eprintln!("  {} {}", rule.en, rule.zh);
        for finding in answer.findings {
            let truth = match finding.truth() {
                Truth::True => "yes",
                Truth::False => "no",
                Truth::Unknown | Truth::Unspecified => "unknown",
            };
            let part = match finding.part() {
                RulePart::When => "when",
                RulePart::Unless => "unless",
                RulePart::Means => "means",
                RulePart::Unspecified => "",
            };
            let (agency, dataset) = (finding.agency, finding.dataset);
            eprintln!("    {part:<8}{truth:<9}{}  ({agency} / {dataset})", finding.predicate);
        }
    }
    Ok(())
}

/// A few alerts that differ: the first of each state, then others by rule.
fn of_every_kind(alerts: &[wire::Alert]) -> Vec<&wire::Alert> {
    let mut shown: Vec<&wire::Alert> = vec![];
    for alert in alerts {
        if shown.iter().all(|other| other.state != alert.state) {
            shown.push(alert);
        }
    }
    for alert in alerts {
        if shown.len() < SHOWN && shown.iter().all(|other| other.rule != alert.rule) {
            shown.push(alert);
        }
    }
    shown
}
