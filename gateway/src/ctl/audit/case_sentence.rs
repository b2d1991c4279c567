//! Events of cases as people read them in the log; in Chinese and English.

use proto::case_event::{CaseEvent, Tier};

use crate::words::{Lang, Phrase};

/// What happened.
pub fn what(event: &CaseEvent) -> Phrase {
    match event {
        CaseEvent::Opened { .. } => ("立案", "opened"),
        CaseEvent::Waiting {} => ("等待数据", "waiting for data"),
        CaseEvent::Suppressed { .. } => ("静默期内暂不处理", "suppressed"),
        CaseEvent::Routed { .. } => ("派发", "routed"),
        CaseEvent::Assigned { .. } => ("指派", "assigned"),
        CaseEvent::Acknowledged { .. } => ("接收", "acknowledged"),
        CaseEvent::Returned { .. } => ("退回", "returned"),
        CaseEvent::Escalated { .. } => ("逾期升级", "escalated"),
        CaseEvent::HelpRequested { .. } => ("求助工单", "help requested"),
        CaseEvent::JoinedTo { .. } => ("并案", "joined"),
        CaseEvent::OrderReturned { .. } => ("工单退回", "work order returned"),
        CaseEvent::DisclosureAsked { .. } => ("申请披露联系方式", "disclosure asked for"),
        CaseEvent::Disclosed { .. } => ("已披露联系方式", "disclosed"),
        CaseEvent::Visited { .. } => ("入户走访", "visited"),
        CaseEvent::ReliefFirst { .. } => ("先行救助", "relief first"),
        CaseEvent::PapersCompleted {} => ("补齐手续", "papers completed"),
        CaseEvent::AssistanceGiven { .. } => ("给予救助", "assistance given"),
        CaseEvent::OutcomeRecorded { .. } => ("登记结果", "outcome recorded"),
        CaseEvent::Withdrawn {} => ("预警撤销", "withdrawn"),
        CaseEvent::Reopened { .. } => ("重新立案", "reopened"),
        CaseEvent::Closed { .. } => ("办结", "closed"),
    }
}

/// To whom or about what.
pub fn about(event: &CaseEvent, lang: Lang) -> String {
    match event {
        CaseEvent::Routed { region, tier, .. } => format!("{region} {}", lang.say(word(*tier))),
        CaseEvent::Assigned { officer, .. } => officer.to_string(),
        CaseEvent::Returned { tier, .. } | CaseEvent::Escalated { tier, .. } => {
            lang.say(word(*tier)).into()
        }
        CaseEvent::HelpRequested { dataset, order, .. }
        | CaseEvent::OrderReturned { dataset, order, .. } => format!("{dataset} {order}"),
        CaseEvent::JoinedTo { alert } => alert.to_string(),
        CaseEvent::Visited { on, .. } => on.to_string(),
        CaseEvent::Disclosed { emergency: true, .. } => lang.say(("紧急", "emergency")).into(),
        _ => String::new(),
    }
}

fn word(tier: Tier) -> Phrase {
    match tier {
        Tier::Worker => ("社工", "worker"),
        Tier::Street => ("街道", "street"),
        Tier::District => ("区", "district"),
    }
}
