//! Codes of cases: the word that is typed and completed, and what people call it.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use proto::wire::{
    AssistanceKind, CaseDeadline, CaseOutcome, CaseStage, CaseTier, ReturnReason, Urgency,
};

use crate::words::{Lang, Phrase, UNKNOWN_WORD};

/// A closed set of codes: on the wire, as typed, as said.
pub type Codes<T> = [(T, &'static str, Phrase)];

pub const OUTCOMES: &Codes<CaseOutcome> = &[
    (CaseOutcome::Dibao, "dibao", ("低保", "subsistence allowance (dibao)")),
    (CaseOutcome::Marginal, "marginal", ("低保边缘", "marginal to the subsistence allowance")),
    (
        CaseOutcome::RigidExpenditure,
        "rigid_expenditure",
        ("刚性支出困难", "in difficulty by unavoidable spending"),
    ),
    (CaseOutcome::TemporaryRelief, "temporary_relief", ("临时救助", "temporary relief")),
    (CaseOutcome::Referral, "referral", ("转介", "referred to another agency")),
    (CaseOutcome::OtherHelp, "other_help", ("其他帮扶", "other help")),
    (CaseOutcome::NoNeed, "no_need", ("无需救助", "no need")),
    (CaseOutcome::NotFound, "not_found", ("查无此人", "the person was not found")),
];

pub const REASONS: &Codes<ReturnReason> = &[
    (ReturnReason::WrongRegion, "wrong_region", ("非本辖区", "another region's")),
    (ReturnReason::MovedAway, "moved_away", ("已迁出", "moved away")),
    (ReturnReason::NotOurDuty, "not_our_duty", ("非本部门职责", "not our duty")),
    (ReturnReason::Duplicate, "duplicate", ("重复", "a duplicate")),
    (ReturnReason::Unreachable, "unreachable", ("联系不上", "cannot be reached")),
];

pub const KINDS: &Codes<AssistanceKind> = &[
    (AssistanceKind::Money, "money", ("现金", "money")),
    (AssistanceKind::Goods, "goods", ("实物", "goods")),
    (AssistanceKind::Service, "service", ("服务", "a service")),
    (AssistanceKind::TimeBank, "time_bank", ("时间银行", "time bank")),
];

pub const STAGES: &Codes<CaseStage> = &[
    (CaseStage::Pending, "pending", ("待定", "pending")),
    (CaseStage::Suppressed, "suppressed", ("静默", "suppressed")),
    (CaseStage::New, "new", ("待派单", "new")),
    (CaseStage::Routed, "routed", ("待接收", "to be taken")),
    (CaseStage::Acknowledged, "acknowledged", ("已接收", "taken")),
    (CaseStage::Visited, "visited", ("已走访", "visited")),
    (CaseStage::Decided, "decided", ("已认定", "decided")),
    (CaseStage::Closed, "closed", ("已办结", "closed")),
    (CaseStage::Returned, "returned", ("已退回", "returned")),
    (CaseStage::Joined, "joined", ("已并案", "joined")),
    (CaseStage::Withdrawn, "withdrawn", ("已撤销", "withdrawn")),
];

pub const TIERS: &Codes<CaseTier> = &[
    (CaseTier::Worker, "worker", ("社工", "caseworker")),
    (CaseTier::Street, "street", ("街道", "street")),
    (CaseTier::District, "district", ("区", "district")),
];

pub const DEADLINES: &Codes<CaseDeadline> = &[
    (CaseDeadline::Acknowledge, "acknowledge", ("接收", "take")),
    (CaseDeadline::Visit, "visit", ("走访", "visit")),
    (CaseDeadline::Decide, "decide", ("认定", "decide")),
    (CaseDeadline::Papers, "papers", ("补齐手续", "papers")),
];

pub const URGENCIES: &Codes<Urgency> = &[
    (Urgency::Routine, "routine", ("一般", "routine")),
    (Urgency::Urgent, "urgent", ("紧急", "urgent")),
    (Urgency::Emergency, "emergency", ("特急", "emergency")),
];

/// Reads a code's word, or its Chinese name.
pub fn typed<T: Clone + Send + Sync + 'static>(
    codes: &'static Codes<T>,
) -> impl TypedValueParser<Value = T> {
    let possible = codes.iter().map(|(_, word, (zh, en))| {
        PossibleValue::new(*word).alias(*zh).help(format!("{zh} / {en}"))
    });
    PossibleValuesParser::new(possible.collect::<Vec<_>>()).map(|said| {
        let meant = codes.iter().find(|(_, word, (zh, _))| said == *word || said == *zh);
        meant.map(|(code, _, _)| code.clone()).expect("the parser knows these words alone")
    })
}

/// What a number on the wire is called; one that this program does not know is said to be newer.
pub fn said<T>(codes: &Codes<T>, number: i32, lang: Lang) -> &'static str
where
    T: TryFrom<i32> + PartialEq,
{
    let code = T::try_from(number).ok();
    let found = code.and_then(|code| codes.iter().find(|(other, _, _)| *other == code));
    lang.say(found.map_or(UNKNOWN_WORD, |(_, _, phrase)| *phrase))
}
