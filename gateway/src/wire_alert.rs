//! Alerts, rules and filters as messages, and back.

use jiff::Timestamp;
use proto::wire;

use crate::{
    alert::{Alert, DatedFinding, State},
    alerts::Filter,
    catalogue::Catalogue,
    explanation::{Part, Truth},
    label::Label,
    refusal::Refusal,
    regions::Regions,
    rule::Rule,
};

/// A point in time.
pub fn timestamp(at: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: at.as_second(), nanos: at.subsec_nanosecond() }
}

/// A label in both languages.
pub fn label(label: &Label) -> wire::Label {
    wire::Label { zh: label.zh.clone(), en: label.en.clone() }
}

/// An alert without its explanation; changes up to the revision are witnessed.
pub fn alert(alert: &Alert, witnessed_revision: u64, regions: &Regions) -> wire::Alert {
    wire::Alert {
        id: alert.id.clone(),
        rule: alert.rule.clone(),
        rule_version: alert.rule_version.to_vec(),
        situation: alert.situation.clone(),
        state: alert.state.number(),
        region: alert.region.clone(),
        subject: alert.subject.to_string(),
        raised_at: Some(timestamp(alert.raised_at)),
        changed_at: Some(timestamp(alert.changed_at)),
        due_at: Some(timestamp(alert.due_at)),
        assist: alert.assist.clone(),
        revision: alert.revision,
        witnessed: alert.revision <= witnessed_revision,
        region_label: regions.name(&alert.region).as_ref().map(label),
    }
}

/// One line of an explanation.
pub fn finding(finding: &DatedFinding) -> wire::Finding {
    let part = match finding.part {
        Part::When => wire::RulePart::When,
        Part::Unless => wire::RulePart::Unless,
        Part::Means => wire::RulePart::Means,
    };
    let truth = match finding.truth {
        Truth::True => wire::Truth::True,
        Truth::False => wire::Truth::False,
        Truth::Unknown => wire::Truth::Unknown,
    };
    wire::Finding {
        part: part.into(),
        predicate: finding.predicate.clone(),
        truth: truth.into(),
        dataset: finding.dataset.to_string(),
        agency: finding.agency.to_string(),
        label: Some(label(&finding.label)),
        as_of: finding.as_of.map(timestamp),
    }
}

/// The measures with these ids.
pub fn measures(ids: &[String], catalogue: &Catalogue) -> Vec<wire::Measure> {
    let measure =
        |id: &String| wire::Measure { id: id.clone(), label: catalogue.measure(id).map(label) };
    ids.iter().map(measure).collect()
}

/// A rule, and which of its datasets are not fresh.
pub fn rule(rule: &Rule, catalogue: &Catalogue, stale_datasets: Vec<String>) -> wire::Rule {
    let source = |e: &Option<crate::expression::Expression>| {
        e.as_ref().map(|e| e.source.clone()).unwrap_or_default()
    };
    wire::Rule {
        id: rule.id.clone(),
        version: rule.version.to_vec(),
        label: Some(label(&rule.label)),
        situation: rule.situation.clone(),
        situation_label: catalogue.situation(&rule.situation).map(label),
        when: rule.when.source.clone(),
        unless: source(&rule.unless),
        means: source(&rule.means),
        assist: measures(&rule.assist, catalogue),
        due_hours: u32::try_from(rule.due.as_secs() / 3600).unwrap_or(u32::MAX),
        stale_datasets,
    }
}

/// A caller's filter, narrowed to the region the caller may see.
///
/// # Errors
/// [`Refusal::Argument`] naming the field.
pub fn filter(message: Option<wire::AlertFilter>, region: &str) -> Result<Filter, Refusal> {
    let message = message.unwrap_or_default();
    let prefix = &message.region_prefix;
    if prefix.len() > 12 || !prefix.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::Argument("filter.region_prefix is up to 12 digits".into()));
    }
    let state = |number: &i32| {
        State::from_number(*number).ok_or_else(|| {
            Refusal::Argument("filter.states holds a number that is no state".into())
        })
    };
    let mut states: Vec<State> = message.states.iter().map(state).collect::<Result<_, _>>()?;
    if states.is_empty() {
        states = vec![State::Open, State::Pending, State::Incomplete];
    }
    let time = |at: Option<prost_types::Timestamp>, field: &str| {
        at.map(|at| Timestamp::new(at.seconds, at.nanos))
            .transpose()
            .map_err(|_| Refusal::Argument(format!("filter.{field} is out of range")))
    };
    Ok(Filter {
        regions: vec![region.to_owned(), message.region_prefix],
        rule: Some(message.rule).filter(|rule| !rule.is_empty()),
        situation: Some(message.situation).filter(|situation| !situation.is_empty()),
        states,
        raised_from: time(message.raised_from, "raised_from")?,
        raised_until: time(message.raised_until, "raised_until")?,
    })
}
