//! A policy: the catalogue and the rules, checked as a whole before any of it counts.
//!
//! Owns reading it. Which policy is in force, and since when, is `policy_in_force`'s business.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use proto::name::{DatasetId, ProgrammeId};
use toml::Spanned;

use crate::{
    case::terms::Terms,
    catalogue::Catalogue,
    checker,
    expression::Expression,
    label::Label,
    policy_cases::terms,
    policy_catalogue::{catalogue, duration, name},
    policy_error::{Fault, no_such, unique},
    policy_file::{PolicyFile, RuleEntry, RuleFile},
    rule::Rule,
    toml_string::raw_offset,
};

pub use crate::policy_error::PolicyError;

/// A policy in which every reference was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// BLAKE3 of the text.
    pub version: [u8; 32],
    /// As it was read.
    pub text: String,
    /// The programme it is for.
    pub programme: ProgrammeId,
    /// What the programme is called.
    pub programme_label: Label,
    /// How long an alert may wait for something unknown before a worker is told.
    pub pending_deadline: Duration,
    /// What rules may speak of.
    pub catalogue: Arc<Catalogue>,
    /// In file order.
    pub rules: Vec<Arc<Rule>>,
    /// What holds of cases.
    pub cases: Terms,
    /// Whose contact details take one approver more; nobody's, where the policy does not say.
    pub vulnerable: Option<Expression>,
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// [`PolicyError`] for the first fault in it.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        read(text).map_err(|fault| fault.within(text))
    }

    /// Reads one rule, a `[[rule]]` or just its keys, against this policy's catalogue. Its id may
    /// be that of a rule of the policy: this is how a change is tried out.
    ///
    /// # Errors
    /// [`PolicyError`] for the first fault in it.
    pub fn parse_rule(&self, text: &str) -> Result<Rule, PolicyError> {
        read_rule(text, &self.catalogue).map_err(|fault| fault.within(text))
    }
}

fn read(text: &str) -> Result<Policy, Fault> {
    let file: PolicyFile = toml::from_str(text).map_err(|error| Fault::of_toml(&error))?;
    let catalogue = catalogue(&file)?;
    let mut seen = BTreeSet::new();
    let mut rules = vec![];
    for entry in &file.rule {
        unique(&mut seen, "rule", &entry.id)?;
        rules.push(Arc::new(rule(entry, text, &catalogue)?));
    }
    let cases = match &file.cases {
        Some(entry) => terms(entry, &seen)?,
        None => Terms::default(),
    };
    let vulnerable = file.disclosure.as_ref().map(|entry| &entry.vulnerable);
    let vulnerable = vulnerable.map(|source| expression(source, text, &catalogue)).transpose()?;
    Ok(Policy {
        version: *blake3::hash(text.as_bytes()).as_bytes(),
        text: text.to_owned(),
        programme: name(&file.programme.id)?,
        programme_label: Label { zh: file.programme.zh, en: file.programme.en },
        pending_deadline: duration(&file.programme.pending_deadline)?,
        catalogue: Arc::new(catalogue),
        rules,
        cases,
        vulnerable,
    })
}

fn read_rule(text: &str, catalogue: &Catalogue) -> Result<Rule, Fault> {
    let keys: toml::Table = toml::from_str(text).map_err(|error| Fault::of_toml(&error))?;
    if !keys.contains_key("rule") {
        let entry: RuleEntry = toml::from_str(text).map_err(|error| Fault::of_toml(&error))?;
        return rule(&entry, text, catalogue);
    }
    let file: RuleFile = toml::from_str(text).map_err(|error| Fault::of_toml(&error))?;
    match &file.rule[..] {
        [entry] => rule(entry, text, catalogue),
        [_, second, ..] => Err(Fault::of(&second.id, "this is a second rule; expected one")),
        [] => Err(Fault::new(0, "there is no rule; expected one")),
    }
}

fn rule(entry: &RuleEntry, text: &str, catalogue: &Catalogue) -> Result<Rule, Fault> {
    let id: DatasetId = name(&entry.id)?;
    let situation = entry.situation.get_ref();
    if catalogue.situation(situation).is_none() {
        let known = catalogue.situations.iter().map(|situation| situation.id.as_str());
        return Err(Fault::of(&entry.situation, no_such("situation", situation, known)));
    }
    let mut seen = BTreeSet::new();
    for measure in &entry.assist {
        if catalogue.measure(measure.get_ref()).is_none() {
            let known = catalogue.measures.iter().map(|measure| measure.id.as_str());
            return Err(Fault::of(measure, no_such("measure", measure.get_ref(), known)));
        }
        unique(&mut seen, "measure", measure)?;
    }
    let part = |source: &Option<Spanned<String>>| {
        source.as_ref().map(|source| expression(source, text, catalogue)).transpose()
    };
    let rule = Rule {
        id: id.to_string(),
        version: [0; 32],
        label: Label { zh: entry.zh.clone(), en: entry.en.clone() },
        situation: situation.clone(),
        when: expression(&entry.when, text, catalogue)?,
        unless: part(&entry.unless)?,
        means: part(&entry.means)?,
        assist: entry.assist.iter().map(|measure| measure.get_ref().clone()).collect(),
        due: duration(&entry.due)?,
    };
    Ok(rule.versioned())
}

fn expression(
    source: &Spanned<String>,
    text: &str,
    catalogue: &Catalogue,
) -> Result<Expression, Fault> {
    let tree = checker::check(source.get_ref(), catalogue).map_err(|fault| {
        let raw = text.get(source.span()).unwrap_or_default();
        Fault { offset: source.span().start + raw_offset(raw, fault.offset), ..fault }
    })?;
    Ok(Expression { source: source.get_ref().clone(), tree })
}
