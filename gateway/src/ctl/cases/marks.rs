//! What makes a case special, in a few words.

use proto::wire::{AlertState, Case};

use super::codes::{KINDS, URGENCIES, said};
use crate::{moment::due, output::Screen};

/// Whether relief was given first and its papers are not complete.
pub fn papers_open(case: &Case) -> bool {
    case.relief_first != 0 && case.papers_due_at.is_some()
}

/// All marks of a case; empty for an ordinary one.
pub fn marks(case: &Case, screen: &Screen) -> String {
    let lang = screen.lang;
    let colon = lang.say(("：", ": "));
    let mut marks: Vec<String> = vec![];
    if case.urgency != 0 {
        let orders = case.orders.iter().filter(|order| order.returned == 0).count();
        let many = lang.say(("工单", "work order"));
        let many = if orders > 1 { format!("{orders} x {many}") } else { many.into() };
        marks.push(format!("{many}{colon}{}", said(URGENCIES, case.urgency, lang)));
    }
    if papers_open(case) {
        let when = due(case.papers_due_at.as_ref(), (screen.clock)(), lang);
        marks.push(format!("{}{colon}{when}", lang.say(("待补手续", "papers"))));
    } else if case.relief_first != 0 {
        let kind = said(KINDS, case.relief_first, lang);
        marks.push(format!("{}{colon}{kind}", lang.say(("先行救助", "relief first"))));
    }
    if case.facts_gone {
        marks.push(lang.say(("情况已变化", "the facts changed")).into());
    }
    if case.alert_state == i32::from(AlertState::Incomplete) {
        marks.push(lang.say(("核查不全", "check incomplete")).into());
    }
    if case.disclosed_in_emergency {
        marks.push(lang.say(("紧急披露", "disclosed in an emergency")).into());
    } else if case.disclosed {
        marks.push(lang.say(("已披露", "disclosed")).into());
    }
    if case.returns > 0 {
        marks.push(format!("{} {} x", lang.say(("退回", "returned")), case.returns));
    }
    marks.join(lang.say(("；", "; ")))
}
