//! What happened to a case, one sentence an event.

use proto::wire::{CaseEvent, CaseEventKind};

use super::{
    codes::{DEADLINES, KINDS, OUTCOMES, REASONS, TIERS, URGENCIES, said},
    list,
};
use crate::{
    moment::clock_face,
    output::harmless,
    words::{Lang, Phrase, UNKNOWN_WORD},
};

/// So many digits of a disclosure's id are shown: enough to open it by.
const SHOWN: usize = 8;

/// The sentence, without when it was.
pub fn sentence(event: &CaseEvent, lang: Lang) -> String {
    let kind = CaseEventKind::try_from(event.kind).unwrap_or_default();
    let order = event.order.to_string();
    let values = [
        ("{who}", who(event, lang)),
        ("{due}", clock_face(event.due_at.as_ref())),
        ("{region}", region(event, lang)),
        ("{tier}", said(TIERS, event.tier, lang).into()),
        ("{officer}", event.assigned.clone()),
        ("{reason}", said(REASONS, event.reason, lang).into()),
        ("{missed}", said(DEADLINES, event.missed, lang).into()),
        ("{order}", order),
        ("{urgency}", said(URGENCIES, event.urgency, lang).into()),
        ("{case}", event.joined_to.clone()),
        ("{on}", event.visited_on.clone()),
        ("{disclosure}", event.disclosure.chars().take(SHOWN).collect()),
        ("{kind}", said(KINDS, event.assistance, lang).into()),
        ("{outcome}", said(OUTCOMES, event.outcome, lang).into()),
    ];
    let form = lang.say(form(kind, event.emergency)).to_owned();
    let filled = values.iter().fold(form, |text, (gap, value)| text.replace(gap, value));
    harmless(&filled)
}

/// Whose act it was.
fn who(event: &CaseEvent, lang: Lang) -> String {
    match (&event.officer[..], &event.agency[..]) {
        ("", "") => lang.say(("系统", "the gateway")).into(),
        ("", agency) => agency.into(),
        (officer, _) => officer.into(),
    }
}

fn region(event: &CaseEvent, lang: Lang) -> String {
    match &event.region[..] {
        "" => lang.say(("市级", "the city")).into(),
        code => list::region(code, event.region_label.as_ref(), lang),
    }
}

fn form(kind: CaseEventKind, emergency: bool) -> Phrase {
    match kind {
        CaseEventKind::Opened => ("立案，{due} 前接收", "opened, to be taken by {due}"),
        CaseEventKind::Waiting => {
            ("关键数据未知，等待核查", "waits: something unknown decides whether it is one")
        }
        CaseEventKind::Suppressed => (
            "近期已办理过同类事项，{due} 前静默",
            "rests until {due}: the same was dealt with a short time ago",
        ),
        CaseEventKind::Routed => (
            "派至 {region}（{tier}），{due} 前接收",
            "given to {region} ({tier}), to be taken by {due}",
        ),
        CaseEventKind::Assigned => (
            "{who} 派给 {officer}，{due} 前接收",
            "{who} gave it to {officer}, to be taken by {due}",
        ),
        CaseEventKind::Acknowledged => {
            ("{who} 接收，{due} 前走访", "{who} took it, to visit by {due}")
        }
        CaseEventKind::Returned => (
            "{who} 退回：{reason}；由{tier}在 {due} 前决定",
            "{who} returned it: {reason}; the {tier} decides by {due}",
        ),
        CaseEventKind::Escalated => (
            "逾期未{missed}，上升至{tier}，{due} 前处理",
            "overdue ({missed}): it came up to the {tier}, to act by {due}",
        ),
        CaseEventKind::HelpRequested => (
            "{who} 转来工单 {order}（{urgency}）",
            "work order {order} came from {who} ({urgency})",
        ),
        CaseEventKind::JoinedTo => ("并入 {case} 办理", "it goes on in {case}"),
        CaseEventKind::OrderReturned => {
            ("{who} 退回工单 {order}：{reason}", "{who} sent work order {order} back: {reason}")
        }
        CaseEventKind::DisclosureAsked => (
            "{who} 申请查看联系信息（{disclosure}）",
            "{who} asked for contact details ({disclosure})",
        ),
        CaseEventKind::Disclosed if emergency => (
            "联系信息已紧急披露（{disclosure}），事后须复核",
            "contact details were disclosed in an emergency ({disclosure}); a review must follow",
        ),
        CaseEventKind::Disclosed => {
            ("联系信息已披露（{disclosure}）", "contact details were disclosed ({disclosure})")
        }
        CaseEventKind::Visited => {
            ("{who} 于 {on} 走访，{due} 前认定", "{who} was there on {on}, to decide by {due}")
        }
        CaseEventKind::ReliefFirst => (
            "{who} 先行救助（{kind}），手续 {due} 前补齐",
            "{who} gave relief first ({kind}), the papers are due by {due}",
        ),
        CaseEventKind::PapersCompleted => {
            ("{who} 补齐手续", "{who} recorded that the papers are complete")
        }
        CaseEventKind::AssistanceGiven => ("{who} 给予救助：{kind}", "{who} gave {kind}"),
        CaseEventKind::OutcomeRecorded => {
            ("{who} 认定结果：{outcome}", "{who} recorded the outcome: {outcome}")
        }
        CaseEventKind::Withdrawn => {
            ("情况变化，预警已撤销", "the facts changed: the alert was withdrawn")
        }
        CaseEventKind::Reopened => {
            ("{who} 重新办理，{due} 前接收", "{who} began it anew, to be taken by {due}")
        }
        CaseEventKind::Closed => (
            "{who} 办结；{due} 前同类事项不再预警",
            "{who} closed it; the same is not raised again before {due}",
        ),
        CaseEventKind::Unspecified => UNKNOWN_WORD,
    }
}
