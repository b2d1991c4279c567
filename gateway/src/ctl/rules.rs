//! `rules`: what raises alerts, a dry run, and having the policy read again.

use std::{fs, path::Path};

use proto::wire::{
    self, Count, EvaluateRuleRequest, EvaluateRuleResponse, ListRulesRequest, ListRulesResponse,
    ReloadPolicyRequest, evaluate_rule_request::Rule as Tried,
};

use crate::{
    connection::{Gateway, answer, asking},
    failure::Failure,
    json,
    output::{Screen, Tone, cell, grouped, number_cell},
    words::{self, Lang, Phrase},
};

/// The longest rule file that is sent, bytes.
const LONGEST: u64 = 256 << 10;

/// What rules and situations are called. Without an answer from the gateway, by their ids.
#[derive(Debug, Default)]
pub struct Names(Vec<wire::Rule>);

impl Names {
    /// Asks the gateway. Names are an embellishment: a refusal leaves the ids, and what was asked
    /// for is shown all the same.
    pub async fn fetch(gateway: &mut Gateway) -> Self {
        Self(all(gateway).await.map(|response| response.rules).unwrap_or_default())
    }

    /// What a rule is called.
    pub fn rule<'a>(&'a self, id: &'a str, lang: Lang) -> &'a str {
        let rule = self.0.iter().find(|rule| rule.id == id);
        lang.label(rule.and_then(|rule| rule.label.as_ref()), id)
    }
}

/// `rules list`.
///
/// # Errors
/// [`Failure`].
pub async fn list(gateway: &mut Gateway, screen: &Screen) -> Result<String, Failure> {
    let response = all(gateway).await?;
    Ok(screen.answer(|| json::rules(&response), || rule_table(screen, &response)))
}

/// `rules show`.
///
/// # Errors
/// [`Failure`].
pub async fn show(gateway: &mut Gateway, screen: &Screen, id: &str) -> Result<String, Failure> {
    let response = all(gateway).await?;
    let rule = response.rules.iter().find(|rule| rule.id == id);
    let rule = rule.ok_or_else(|| Failure::not_found(format!("rule {id}")))?;
    Ok(screen.answer(|| json::rule(rule), || rule_card(screen, rule)))
}

/// What `rules test` was asked to try: the file, or else the rule in force.
///
/// # Errors
/// [`Failure::Usage`] where the file cannot be read, or neither is named.
pub fn tried(id: Option<String>, file: Option<&Path>) -> Result<Tried, Failure> {
    let Some(path) = file else {
        return id.map(Tried::Id).ok_or_else(|| Failure::Usage("no rule is named".into()));
    };
    let unreadable = |problem: String| Failure::Usage(format!("{}: {problem}", path.display()));
    let length = fs::metadata(path).map_err(|error| unreadable(error.to_string()))?.len();
    if length > LONGEST {
        return Err(unreadable("longer than any rule".into()));
    }
    fs::read_to_string(path).map(Tried::Toml).map_err(|error| unreadable(error.to_string()))
}

/// `rules test`.
///
/// # Errors
/// [`Failure`].
pub async fn evaluate(
    gateway: &mut Gateway,
    screen: &Screen,
    rule: Tried,
) -> Result<String, Failure> {
    let request = EvaluateRuleRequest { rule: Some(rule) };
    let response = answer(gateway.staff.evaluate_rule(asking(request))).await?;
    Ok(screen.answer(|| json::evaluation(&response), || count_table(screen, &response)))
}

/// `rules reload`.
///
/// # Errors
/// [`Failure`].
pub async fn reload(gateway: &mut Gateway, screen: &Screen) -> Result<String, Failure> {
    let response = answer(gateway.admin.reload_policy(asking(ReloadPolicyRequest {}))).await?;
    let card = || {
        screen.card(&[
            (words::POLICY_VERSION, short(&response.policy_version)),
            (words::RULES, response.rules.to_string()),
        ])
    };
    Ok(screen.answer(|| json::reload(&response), card))
}

async fn all(gateway: &mut Gateway) -> Result<ListRulesResponse, Failure> {
    answer(gateway.staff.list_rules(asking(ListRulesRequest {}))).await
}

fn rule_table(screen: &Screen, response: &ListRulesResponse) -> String {
    let lang = screen.lang;
    let headings =
        [words::RULE, words::LABEL, words::SITUATION, words::DUE, words::NOT_FRESH].as_slice();
    let mut table = screen.table(headings);
    for rule in &response.rules {
        table.add_row([
            cell(&rule.id),
            cell(lang.label(rule.label.as_ref(), &rule.id)),
            cell(lang.label(rule.situation_label.as_ref(), &rule.situation)),
            cell(&hours(rule.due_hours, lang)),
            screen.toned(&rule.stale_datasets.join(", "), Tone::Doubtful),
        ]);
    }
    let card = screen.card(&[
        (words::POLICY_VERSION, short(&response.policy_version)),
        (words::WORKING_DAYS_UNTIL, response.working_days_until.clone()),
    ]);
    let advice = match response.working_days_end_soon {
        true => format!("\n{}", screen.lang.say(words::ADD_A_YEAR)),
        false => String::new(),
    };
    format!("{}\n{card}{advice}", screen.draw(&table))
}

fn rule_card(screen: &Screen, rule: &wire::Rule) -> String {
    let lang = screen.lang;
    screen.card(&[
        (words::RULE, rule.id.clone()),
        (words::LABEL, lang.label(rule.label.as_ref(), "").to_owned()),
        (words::VERSION, short(&rule.version)),
        (words::SITUATION, lang.label(rule.situation_label.as_ref(), &rule.situation).to_owned()),
        (words::WHEN, rule.when.clone()),
        (words::UNLESS, rule.unless.clone()),
        (words::MEANS, rule.means.clone()),
        (words::ASSIST, measures(&rule.assist, lang)),
        (words::DUE, hours(rule.due_hours, lang)),
        (words::NOT_FRESH, rule.stale_datasets.join(", ")),
    ])
}

fn count_table(screen: &Screen, response: &EvaluateRuleResponse) -> String {
    let outcomes: [(Phrase, Option<Count>); 5] = [
        (words::ALERTS, response.alerts),
        (words::PENDING, response.pending),
        (words::COVERED, response.covered),
        (words::OVER_MEANS, response.over_means),
        (words::BASE, response.base),
    ];
    let mut table = screen.table(&[words::OUTCOME, words::PEOPLE]);
    for (outcome, count) in outcomes {
        let outcome = cell(screen.lang.say(outcome));
        let people = match count {
            Some(count) if !count.suppressed => number_cell(count.value),
            other => cell(&told(other)).set_alignment(comfy_table::CellAlignment::Right),
        };
        table.add_row([outcome, people]);
    }
    let suppressed = outcomes.iter().any(|(_, count)| count.is_some_and(|count| count.suppressed));
    let note = if suppressed { screen.lang.say(words::SUPPRESSED) } else { "" };
    format!("{}\n{note}", screen.draw(&table))
}

/// A count as people read it.
fn told(count: Option<Count>) -> String {
    match count {
        None => "-".into(),
        Some(Count { suppressed: true, .. }) => "<10".into(),
        Some(Count { value, .. }) => grouped(value),
    }
}

fn hours(hours: u32, lang: Lang) -> String {
    format!("{hours} {}", lang.say(("小时", "h")))
}

/// The measures' names, in order.
pub fn measures(measures: &[wire::Measure], lang: Lang) -> String {
    let names: Vec<&str> =
        measures.iter().map(|measure| lang.label(measure.label.as_ref(), &measure.id)).collect();
    names.join(lang.say(("、", ", ")))
}

/// As much of a hash as people compare.
pub fn short(hash: &[u8]) -> String {
    hex::encode(&hash[..hash.len().min(6)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fake::Fake,
        output::{Form, tests::screen},
    };

    fn count(value: u64, suppressed: bool) -> Option<Count> {
        Some(Count { value, suppressed })
    }

    #[test]
    fn a_small_number_is_shown_as_fewer_than_ten_and_explained() {
        let response = EvaluateRuleResponse {
            alerts: count(2776, false),
            pending: count(0, true),
            covered: count(0, false),
            over_means: None,
            base: count(510_000, false),
        };
        let text = count_table(&screen(Form::Plain, Lang::En), &response);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].ends_with(" 2,776"), "{text}");
        assert!(lines[2].starts_with("pending") && lines[2].ends_with(" <10"), "{text}");
        assert!(lines[3].ends_with(" 0") && lines[4].ends_with(" -"), "{text}");
        assert!(lines[6].starts_with("<10: fewer than ten"), "{text}");
    }

    #[test]
    fn a_rule_file_that_is_not_there_is_named() {
        let failure = tried(None, Some(Path::new("absent.toml"))).expect_err("there is none");
        assert_eq!(failure.exit_code(), 2);
        assert!(failure.tell(Lang::En).contains("absent.toml"));
    }

    #[tokio::test]
    async fn a_draft_rule_reaches_the_gateway_as_written() {
        let served = Fake::default().serve().await;
        let (mut gateway, plain) = (served.gateway().await, screen(Form::Plain, Lang::En));
        let draft = Tried::Toml("[[rule]]".into());
        let text = evaluate(&mut gateway, &plain, draft).await.expect("it is tried");
        assert!(text.contains("<10"), "{text}");
        let loaded = evaluate(&mut gateway, &plain, Tried::Id("absent".into())).await;
        assert_eq!(loaded.expect_err("there is no such rule").reason(), "NOT_FOUND");
    }

    #[tokio::test]
    async fn only_administrators_reload_and_others_are_told_whom_to_ask() {
        let served = Fake::default().serve().await;
        let failure = reload(&mut served.gateway().await, &screen(Form::Plain, Lang::Zh)).await;
        let failure = failure.expect_err("the caller is no administrator");
        assert_eq!(failure.exit_code(), 1);
        assert!(failure.tell(Lang::Zh).contains("网关管理员申请"));
    }

    #[test]
    fn a_rule_is_shown_in_the_language_asked_for() {
        let label = |zh: &str, en: &str| Some(wire::Label { zh: zh.into(), en: en.into() });
        let rule = wire::Rule {
            id: "illness-uncovered".into(),
            label: label("因病未保障", "Illness, uncovered"),
            situation_label: label("因病", "Illness"),
            when: "healthcare_security.expense.high".into(),
            assist: vec![wire::Measure { id: "dibao".into(), label: label("低保", "Dibao") }],
            due_hours: 72,
            ..Default::default()
        };
        let zh = rule_card(&screen(Form::Plain, Lang::Zh), &rule);
        for words in ["因病未保障", "触发条件", "低保", "72 小时"] {
            assert!(zh.contains(words), "{zh}");
        }
        let version = vec![0xab; 32];
        let response =
            ListRulesResponse { rules: vec![rule], policy_version: version, ..Default::default() };
        let en = rule_table(&screen(Form::Plain, Lang::En), &response);
        assert!(en.contains("Illness, uncovered") && en.contains("abababababab"), "{en}");
    }

    #[test]
    fn whoever_lists_rules_is_told_in_time_that_a_year_must_be_added_and_where_to_get_it() {
        let until = |working_days_end_soon| ListRulesResponse {
            working_days_until: "2026-12-31".into(),
            working_days_end_soon,
            ..Default::default()
        };
        let shown = |lang, soon| rule_table(&screen(Form::Plain, lang), &until(soon));
        let early = shown(Lang::En, false);
        assert!(early.contains("2026-12-31") && !early.contains("cases.year"), "{early}");
        for lang in [Lang::En, Lang::Zh] {
            let soon = shown(lang, true);
            for words in ["2026-12-31", "[[cases.year]]", "gov.cn", "rules reload"] {
                assert!(soon.contains(words), "{words}: {soon}");
            }
        }
    }
}
