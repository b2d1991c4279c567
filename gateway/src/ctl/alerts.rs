//! `alerts list` and `alerts show`: who should be visited, by when, and why.

use proto::{
    alert_id::AlertId,
    wire::{
        Alert, AlertFilter, AlertState, Finding, GetAlertRequest, GetAlertResponse,
        ListAlertsRequest, ListAlertsResponse, RulePart, Truth,
    },
};

use crate::{
    connection::{Gateway, answer, asking},
    failure::Failure,
    json,
    moment::{ago, clock_face, due, of_wire},
    output::{Form, Screen, Tone, cell},
    paging::{Page, Pages, pages},
    rules::{Names, measures, short},
    words,
};

/// The most alerts that one call asks for.
const PAGE: u32 = 1000;

/// `alerts list`, page by page, up to `limit` alerts.
///
/// # Errors
/// [`Failure`].
pub async fn list(
    gateway: &mut Gateway,
    screen: &Screen,
    filter: AlertFilter,
    limit: Option<u32>,
) -> Result<String, Failure> {
    let ask = async |page_size, page_token| {
        let request = ListAlertsRequest { filter: Some(filter.clone()), page_size, page_token };
        let page = answer(gateway.staff.list_alerts(asking(request))).await?;
        Ok(Page { items: page.alerts, next: page.next_page_token, logged: page.logged })
    };
    let Pages { items: alerts, next, logged } = pages(PAGE, limit, ask).await?;
    let response = ListAlertsResponse { alerts, next_page_token: next, logged: None };
    let names = match screen.form {
        Form::Json => Names::default(),
        Form::Plain | Form::Terminal { .. } => Names::fetch(gateway).await,
    };
    Ok(screen.answer(|| json::alerts(&response, &logged), || table(screen, &response, &names)))
}

/// `alerts show`.
///
/// # Errors
/// [`Failure`].
pub async fn show(gateway: &mut Gateway, screen: &Screen, id: AlertId) -> Result<String, Failure> {
    let request = GetAlertRequest { id: id.into() };
    let response = answer(gateway.staff.get_alert(asking(request))).await?;
    let Some(alert) = &response.alert else {
        return Err(Failure::Unforeseen("an answer without the alert".into()));
    };
    let people =
        || format!("{}\n{}", card(screen, alert, &response), explanation(screen, &response));
    Ok(screen.answer(|| json::explained_alert(&response), people))
}

fn table(screen: &Screen, response: &ListAlertsResponse, names: &Names) -> String {
    let lang = screen.lang;
    let headings =
        [words::ALERT, words::STATE, words::RULE, words::REGION, words::RAISED, words::DUE];
    let mut table = screen.table(&headings);
    for alert in &response.alerts {
        table.add_row([
            cell(&alert.id),
            screen.toned(&state_text(alert, screen), tone(alert.state)),
            cell(names.rule(&alert.rule, lang)),
            cell(region(alert, screen)),
            cell(&clock_face(alert.raised_at.as_ref())),
            screen.toned(&due_text(alert, screen), due_tone(alert, screen)),
        ]);
    }
    let more = !response.next_page_token.is_empty();
    let note = if more { lang.say(words::MORE) } else { "" };
    format!("{}\n{note}", screen.draw(&table))
}

fn card(screen: &Screen, alert: &Alert, response: &GetAlertResponse) -> String {
    let lang = screen.lang;
    let rule = lang.label(response.rule_label.as_ref(), &alert.rule);
    let situation = lang.label(response.situation_label.as_ref(), &alert.situation);
    let assist = match &response.assist[..] {
        [] => alert.assist.join(", "),
        named => measures(named, lang),
    };
    let logged = response.logged.as_ref();
    let code = alert.region_label.as_ref().map_or("", |_| &alert.region);
    let deadline = format!("{} ({})", clock_face(alert.due_at.as_ref()), due_text(alert, screen));
    screen.card(&[
        (words::ALERT, alert.id.clone()),
        (words::STATE, lang.say(words::state(alert.state)).into()),
        (words::SUBJECT, alert.subject.clone()),
        (words::WHAT, rule.to_owned()),
        (words::SITUATION, situation.to_owned()),
        (words::REGION, format!("{} {}", region(alert, screen), code).trim_end().to_owned()),
        (words::DUE, deadline),
        (words::ASSIST, assist),
        (words::RULE, format!("{} ({})", alert.rule, short(&alert.rule_version))),
        (words::RAISED, clock_face(alert.raised_at.as_ref())),
        (words::CHANGED, clock_face(alert.changed_at.as_ref())),
        (words::WITNESS, lang.say(witnessed(alert)).into()),
        (words::LOG_ENTRY, logged.map(|place| place.index.to_string()).unwrap_or_default()),
    ])
}

/// The findings under the question that each helps to answer.
pub fn explanation(screen: &Screen, response: &GetAlertResponse) -> String {
    if response.findings.is_empty() {
        return format!("\n{}", screen.lang.say(words::NO_FINDINGS));
    }
    let mut text = String::new();
    for part in [RulePart::When, RulePart::Unless, RulePart::Means, RulePart::Unspecified] {
        let findings: Vec<&Finding> = response
            .findings
            .iter()
            .filter(|f| RulePart::try_from(f.part).unwrap_or(RulePart::Unspecified) == part)
            .collect();
        if !findings.is_empty() {
            let question = screen.lang.say(words::part(part));
            text.push_str(&format!("\n{question}\n{}\n", finding_table(screen, &findings)));
        }
    }
    text
}

fn finding_table(screen: &Screen, findings: &[&Finding]) -> String {
    let lang = screen.lang;
    let headings =
        [words::TRUTH, words::FINDING, words::ON_THE_WORD_OF, words::AS_OF, words::PREDICATE];
    let mut table = screen.table(&headings);
    for finding in findings {
        let tone = match Truth::try_from(finding.truth) {
            Ok(Truth::True) => Tone::Good,
            Ok(Truth::False) => Tone::Past,
            _ => Tone::Doubtful,
        };
        table.add_row([
            screen.toned(lang.say(words::truth(finding.truth)), tone),
            cell(lang.label(finding.label.as_ref(), &finding.predicate)),
            cell(&format!("{} / {}", finding.agency, finding.dataset)),
            cell(&ago(finding.as_of.as_ref(), (screen.clock)(), lang)),
            cell(&finding.predicate),
        ]);
    }
    screen.draw(&table)
}

/// Where the person is looked for, by name where the gateway knows it.
pub fn region<'a>(alert: &'a Alert, screen: &Screen) -> &'a str {
    match &alert.region[..] {
        "" => screen.lang.say(words::NO_REGION),
        code => screen.lang.label(alert.region_label.as_ref(), code),
    }
}

/// The state, marked where the gateway could still deny it.
pub fn state_text(alert: &Alert, screen: &Screen) -> String {
    let state = screen.lang.say(words::state(alert.state));
    if alert.witnessed {
        state.to_owned()
    } else {
        format!("{state} ({})", screen.lang.say(words::NOT_YET_WITNESSED))
    }
}

fn witnessed(alert: &Alert) -> words::Phrase {
    if alert.witnessed { words::WITNESSED } else { words::NOT_YET_WITNESSED }
}

/// When somebody must have called; nobody must for a withdrawn alert.
pub fn due_text(alert: &Alert, screen: &Screen) -> String {
    match AlertState::try_from(alert.state) {
        Ok(AlertState::Withdrawn) => "-".into(),
        _ => due(alert.due_at.as_ref(), (screen.clock)(), screen.lang),
    }
}

fn due_tone(alert: &Alert, screen: &Screen) -> Tone {
    let overdue = of_wire(alert.due_at.as_ref()).is_some_and(|at| at <= (screen.clock)());
    if overdue { Tone::Urgent } else { Tone::Good }
}

fn tone(state: i32) -> Tone {
    match AlertState::try_from(state) {
        Ok(AlertState::Open) => Tone::Urgent,
        Ok(AlertState::Withdrawn) => Tone::Past,
        _ => Tone::Doubtful,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fake::{self, Fake},
        moment::to_wire,
        output::tests::screen,
        words::Lang,
    };
    use proto::wire::{Label, Measure};

    fn at(text: &str) -> Option<prost_types::Timestamp> {
        Some(to_wire(text.parse().expect("a timestamp")))
    }

    fn label(zh: &str, en: &str) -> Option<Label> {
        Some(Label { zh: zh.into(), en: en.into() })
    }

    fn finding(part: RulePart, truth: Truth, en: &str) -> Finding {
        Finding {
            part: part.into(),
            predicate: format!("p.{en}"),
            truth: truth.into(),
            dataset: "medical_expense".into(),
            agency: "healthcare_security".into(),
            label: label("标签", en),
            as_of: at("2026-11-24T09:00:00Z"),
        }
    }

    fn id() -> AlertId {
        "AL-0123-ABCD-XYZ9".parse().expect("an id")
    }

    fn explained() -> GetAlertResponse {
        GetAlertResponse {
            alert: Some(Alert { due_at: at("2026-11-24T09:00:00Z"), ..fake::alert("a-1", 1) }),
            findings: vec![
                finding(RulePart::Means, Truth::Unknown, "cars"),
                finding(RulePart::When, Truth::True, "cost"),
                finding(RulePart::Unless, Truth::False, "aid"),
            ],
            rule_label: label("因病未保障", "Illness, uncovered"),
            situation_label: label("因病", "Illness"),
            assist: vec![Measure { id: "dibao".into(), label: label("低保", "Dibao") }],
            logged: None,
        }
    }

    #[tokio::test]
    async fn an_alert_is_explained_part_by_part_on_whose_word_and_as_of_when() {
        let served = Fake { explained: Some(explained()), ..Fake::default() }.serve().await;
        let plain = screen(Form::Plain, Lang::En);
        let text = show(&mut served.gateway().await, &plain, id()).await.expect("shown");
        let place = |words: &str| text.find(words).unwrap_or_else(|| panic!("{words} in {text}"));
        assert!(place("When:") < place("cost") && place("cost") < place("Unless:"));
        assert!(place("aid") < place("Means:") && place("Means:") < place("cars"));
        for words in ["overdue by 3 h", "Dibao", "healthcare_security / medical_expense", "3 h ago"]
        {
            place(words);
        }
    }

    #[tokio::test]
    async fn an_alert_of_somebody_else_is_not_found() {
        let served = Fake::default().serve().await;
        let plain = screen(Form::Plain, Lang::En);
        let failure = show(&mut served.gateway().await, &plain, id()).await;
        assert_eq!(failure.expect_err("there is none").exit_code(), 1);
    }

    #[tokio::test]
    async fn every_page_is_read_and_a_limit_says_that_there_is_more() {
        let alerts: Vec<Alert> = (1..=2500).map(|n| fake::alert(&format!("a-{n}"), n)).collect();
        let served = Fake { alerts, ..Fake::default() }.serve().await;
        let mut gateway = served.gateway().await;
        let json = screen(Form::Json, Lang::En);
        let all = list(&mut gateway, &json, AlertFilter::default(), None).await.expect("listed");
        let all: serde_json::Value = serde_json::from_str(&all).expect("one JSON document");
        assert_eq!(all["alerts"].as_array().map(Vec::len), Some(2500));
        assert_eq!(all["next_page_token"], "");
        let plain = screen(Form::Plain, Lang::Zh);
        let some = list(&mut gateway, &plain, AlertFilter::default(), Some(2)).await;
        let some = some.expect("listed");
        assert_eq!(some.lines().count(), 4, "{some}");
        assert!(some.contains("待处理") && some.contains("加大 --limit"), "{some}");
    }

    #[test]
    fn a_withdrawn_alert_is_not_due() {
        let withdrawn = Alert {
            state: AlertState::Withdrawn.into(),
            due_at: at("2026-11-01T00:00:00Z"),
            ..fake::alert("a-1", 1)
        };
        assert_eq!(due_text(&withdrawn, &screen(Form::Plain, Lang::En)), "-");
    }
}
