//! `cases show`: one case, why there is one, what happened, and what to do next.

use proto::{
    alert_id::AlertId,
    name::AgencyId,
    wire::{Case, GetAlertRequest, GetAlertResponse, GetCaseRequest, GetCaseResponse},
};

use super::{
    codes::{OUTCOMES, STAGES, TIERS, said},
    json,
    list::{due_text, officer, region},
    marks::marks,
    next::next,
    sentence::sentence,
};
use crate::{
    alerts::explanation,
    connection::{Gateway, answer, asking},
    failure::Failure,
    moment::clock_face,
    output::{Screen, cell},
    rules::measures,
    words::{self, Phrase},
};

const CASE: Phrase = ("办件", "case");
const STAGE: Phrase = ("阶段", "stage");
const WHO: Phrase = ("经办人", "who");
const NEXT_DEADLINE: Phrase = ("下一期限", "next deadline");
const MARKS: Phrase = ("备注", "marks");
const ORDERS: Phrase = ("工单", "work orders");
const VISITED: Phrase = ("走访日期", "visited on");
const OUTCOME: Phrase = ("认定结果", "outcome");
const OTHERS: Phrase = ("同一人的其他办件", "of the same person");
const HISTORY: Phrase = ("办理经过", "What happened");

/// `cases show`.
///
/// # Errors
/// [`Failure`].
pub async fn show(
    gateway: &mut Gateway,
    screen: &Screen,
    own: &AgencyId,
    id: &AlertId,
) -> Result<String, Failure> {
    let (response, case) = fetch(gateway, id).await?;
    let request = GetAlertRequest { id: id.to_string() };
    let why = answer(gateway.staff.get_alert(asking(request))).await;
    // A supervisor may see cases whose alerts are another region's.
    let why = match why {
        Err(Failure::Refused { .. }) => None,
        other => Some(other?),
    };
    let people = || page(screen, own, &response, &case, why.as_ref());
    Ok(screen.answer(|| json::shown(&response, why.as_ref()), people))
}

/// The case with everything that happened to it.
///
/// # Errors
/// [`Failure`].
pub async fn fetch(
    gateway: &mut Gateway,
    id: &AlertId,
) -> Result<(GetCaseResponse, Case), Failure> {
    let request = GetCaseRequest { alert: id.to_string() };
    let response = answer(gateway.cases.get_case(asking(request))).await?;
    match response.case.clone() {
        Some(case) => Ok((response, case)),
        None => Err(Failure::Unforeseen("an answer without the case".into())),
    }
}

fn page(
    screen: &Screen,
    own: &AgencyId,
    response: &GetCaseResponse,
    case: &Case,
    why: Option<&GetAlertResponse>,
) -> String {
    let why = why.map(|why| explanation(screen, why)).unwrap_or_default();
    let history = history(screen, response);
    format!("{}\n{why}\n{history}\n{}", card(screen, own, response, case), next(case, screen))
}

fn card(screen: &Screen, own: &AgencyId, response: &GetCaseResponse, case: &Case) -> String {
    let lang = screen.lang;
    let tier = said(TIERS, case.tier, lang);
    let deadline = match case.due_at {
        Some(_) => format!("{} ({})", due_text(case, screen), clock_face(case.due_at.as_ref())),
        None => String::new(),
    };
    let assist = match &response.assist[..] {
        [] => case.assist.join(", "),
        named => measures(named, lang),
    };
    let outcome = match case.outcome {
        0 => String::new(),
        outcome => said(OUTCOMES, outcome, lang).to_owned(),
    };
    let orders: Vec<String> = case
        .orders
        .iter()
        .map(|order| format!("{} {} ({})", order.agency, order.order, order.dataset))
        .collect();
    let mut entries = vec![
        (CASE, case.alert.clone()),
        (STAGE, format!("{} ({tier})", said(STAGES, case.stage, lang))),
        (NEXT_DEADLINE, deadline),
        (WHO, officer(case, own, screen).to_owned()),
        (words::WHAT, lang.label(response.rule_label.as_ref(), &case.rule).to_owned()),
        (
            words::SITUATION,
            lang.label(response.situation_label.as_ref(), &case.situation).to_owned(),
        ),
        (words::REGION, region(&case.region, case.region_label.as_ref(), lang)),
        (words::SUBJECT, case.subject.clone()),
        (words::RAISED, clock_face(case.raised_at.as_ref())),
        (words::ASSIST, assist),
        (MARKS, marks(case, screen)),
        (ORDERS, orders.join(", ")),
        (VISITED, case.visited_on.clone()),
        (OUTCOME, outcome),
        (OTHERS, response.others.join(", ")),
    ];
    // What is never there before something happened is left out until it has.
    entries.retain(|(name, value)| {
        !value.is_empty() || ![MARKS, ORDERS, VISITED, OUTCOME, OTHERS].contains(name)
    });
    let place = response.logged.as_ref();
    entries.push((words::LOG_ENTRY, place.map(|p| p.index.to_string()).unwrap_or_default()));
    screen.card(&entries)
}

fn history(screen: &Screen, response: &GetCaseResponse) -> String {
    let mut table = screen.list();
    for event in &response.history {
        table.add_row([
            cell(&format!(" {}", clock_face(event.at.as_ref()))),
            cell(&sentence(event, screen.lang)),
        ]);
    }
    format!("{}\n{}\n", screen.lang.say(HISTORY), screen.draw(&table))
}
