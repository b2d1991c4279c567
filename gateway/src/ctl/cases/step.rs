//! The steps in a case: take, visit, relief, outcome and the rest. One command, one event.

use proto::{
    fault::Reason,
    wire::{
        Acknowledge, Assign, Case, Close, CompletePapers, GiveAssistance, GiveReliefFirst,
        RecordOutcome, RecordVisit, Reopen, Reroute, ReturnCase, ReturnOrder, StepRequest,
        StepResponse, WorkOrder, step_request::Step,
    },
};

use super::{
    codes::{KINDS, OUTCOMES, STAGES, said},
    command::{StepCommand, Which},
    json,
    list::due_text,
    marks::marks,
    next::next,
    sentence::sentence,
    show::fetch,
};
use crate::{
    confirm::Assent,
    connection::{Gateway, answer, asking},
    failure::Failure,
    moment::clock_face,
    output::{Screen, harmless},
    words::{Lang, Phrase},
};

const FOR_GOOD: Phrase = ("一经登记，不可撤销。", "What is recorded stays recorded.");
const RELIEF: Phrase = ("先行救助：", "Relief was given first: ");
const OUTCOME: Phrase = ("认定结果：", "The outcome: ");
const CLOSE: Phrase = ("办结此案", "Close the case");
const DONE: Phrase = ("已登记。", "Done. ");
const LOG_ENTRY: Phrase = ("日志序号", "log entry");

/// Takes the step that the command names; asks first where it is for good.
///
/// # Errors
/// [`Failure`].
pub async fn take(
    gateway: &mut Gateway,
    screen: &Screen,
    command: &StepCommand,
) -> Result<String, Failure> {
    let which = command.which();
    let (seen, case) = fetch(gateway, &which.id).await?;
    let step = step(command, &case)?;
    if let Some((what, assent)) = for_good(command, screen.lang) {
        let rule = screen.lang.label(seen.rule_label.as_ref(), &case.rule);
        let last = seen.history.last().map(|event| sentence(event, screen.lang));
        let (last, warning) = (last.unwrap_or_default(), screen.lang.say(FOR_GOOD));
        let question = format!("{}  {rule}\n{last}\n{what}. {warning}", case.alert);
        assent.obtain(&harmless_lines(&question), screen.lang)?;
    }
    let after = which.after.unwrap_or(case.number);
    let request = StepRequest { alert: which.id.to_string(), after, step: Some(step) };
    match answer(gateway.cases.step(asking(request))).await {
        Ok(response) => Ok(screen.answer(|| json::step(&response), || told(screen, &response))),
        Err(failure) => Err(explained(gateway, screen, which, after, failure).await),
    }
}

fn step(command: &StepCommand, case: &Case) -> Result<Step, Failure> {
    Ok(match command {
        StepCommand::Take { .. } => Step::Acknowledge(Acknowledge {}),
        StepCommand::Return { reason, .. } => {
            Step::ReturnCase(ReturnCase { reason: (*reason).into() })
        }
        StepCommand::Visit { on, .. } => {
            let on = on.map(|day| day.to_string()).unwrap_or_default();
            Step::Visit(RecordVisit { on })
        }
        StepCommand::Relief { kind, .. } => {
            Step::ReliefFirst(GiveReliefFirst { kind: (*kind).into() })
        }
        StepCommand::Papers { .. } => Step::Papers(CompletePapers {}),
        StepCommand::Assist { kind, .. } => {
            Step::Assistance(GiveAssistance { kind: (*kind).into() })
        }
        StepCommand::Outcome { outcome, .. } => {
            Step::Outcome(RecordOutcome { outcome: (*outcome).into() })
        }
        StepCommand::Close { .. } => Step::Close(Close {}),
        StepCommand::ReturnOrder { order, dataset, reason, .. } => {
            let dataset = dataset.as_ref().map(|id| id.as_str());
            let WorkOrder { dataset, order, .. } = meant(case, *order, dataset)?;
            let (dataset, order) = (dataset.clone(), *order);
            Step::ReturnOrder(ReturnOrder { dataset, order, reason: (*reason).into() })
        }
        StepCommand::Assign { to, .. } => Step::Assign(Assign { officer: to.to_string() }),
        StepCommand::Reroute { region, .. } => {
            Step::Reroute(Reroute { region: region.to_string() })
        }
        StepCommand::Reopen { .. } => Step::Reopen(Reopen {}),
    })
}

/// The one work order that fits.
fn meant<'a>(
    case: &'a Case,
    number: Option<u64>,
    dataset: Option<&str>,
) -> Result<&'a WorkOrder, Failure> {
    let fits = |order: &&WorkOrder| {
        order.returned == 0
            && number.is_none_or(|number| number == order.order)
            && dataset.is_none_or(|dataset| dataset == order.dataset)
    };
    let orders: Vec<&WorkOrder> = case.orders.iter().filter(fits).collect();
    match &orders[..] {
        [one] => Ok(one),
        [] => Err(Failure::not_found(format!("{} has no such work order", case.alert))),
        several => {
            let each = several.iter().map(|order| format!("{} ({})", order.order, order.dataset));
            let each: Vec<_> = each.collect();
            let problem = format!("name one with --order and --dataset: {}", each.join(", "));
            Err(Failure::Usage(problem))
        }
    }
}

/// What is about to be done for good, and whether to ask.
fn for_good(command: &StepCommand, lang: Lang) -> Option<(String, Assent)> {
    let named = |phrase, name| format!("{}{name}", lang.say(phrase));
    match command {
        StepCommand::Relief { kind, assent, .. } => {
            Some((named(RELIEF, said(KINDS, (*kind).into(), lang)), *assent))
        }
        StepCommand::Outcome { outcome, assent, .. } => {
            Some((named(OUTCOME, said(OUTCOMES, (*outcome).into(), lang)), *assent))
        }
        StepCommand::Close { assent, .. } => Some((lang.say(CLOSE).into(), *assent)),
        _ => None,
    }
}

fn harmless_lines(text: &str) -> String {
    text.lines().map(harmless).collect::<Vec<_>>().join("\n")
}

/// A refusal that comes from what others did, with what they did in the reader's language.
async fn explained(
    gateway: &mut Gateway,
    screen: &Screen,
    which: &Which,
    after: u64,
    failure: Failure,
) -> Failure {
    let Failure::Refused { reason, message } = failure else { return failure };
    let overtaken = reason == Reason::OutOfDate.as_str();
    if !overtaken && reason != Reason::NotPossibleNow.as_str() {
        return Failure::Refused { reason, message };
    }
    let Ok((now, case)) = fetch(gateway, &which.id).await else {
        return Failure::Refused { reason, message };
    };
    let first = match overtaken {
        true => now.history.iter().position(|event| event.number > after),
        false => now.history.len().checked_sub(1),
    };
    let events =
        now.history.iter().skip(first.unwrap_or(usize::MAX)).map(|event| {
            format!("{} {}", clock_face(event.at.as_ref()), sentence(event, screen.lang))
        });
    // That somebody was faster is said by what they did, anything else by the gateway: in English.
    let said = match screen.lang {
        Lang::En => message,
        Lang::Zh => format!("{} {}", said(STAGES, case.stage, Lang::Zh), marks(&case, screen)),
    };
    let said = (!overtaken || first.is_none()).then_some(said.trim_end().to_owned());
    Failure::Refused {
        reason,
        message: said.into_iter().chain(events).collect::<Vec<_>>().join("; "),
    }
}

fn told(screen: &Screen, response: &StepResponse) -> String {
    let Some(case) = &response.case else { return screen.lang.say(DONE).into() };
    let lang = screen.lang;
    let entry = response.logged.as_ref().map(|place| place.index.to_string()).unwrap_or_default();
    let deadline = match case.due_at {
        Some(_) => format!("{} ({})", due_text(case, screen), clock_face(case.due_at.as_ref())),
        None => "-".into(),
    };
    let stage = said(STAGES, case.stage, lang);
    let (done, named) = (lang.say(DONE), lang.say(LOG_ENTRY));
    let line = format!("{done}{}: {stage}; {deadline}; {named} {entry}", harmless(&case.alert));
    format!("{line}\n\n{}", next(case, screen))
}
