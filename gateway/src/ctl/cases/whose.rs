//! Whose a case is, and so why a command was refused that only who has it may give.

use proto::{
    alert_id::AlertId,
    fault::Reason,
    name::AgencyId,
    wire::{Case, CaseStage},
};

use super::{
    codes::{STAGES, said},
    show::fetch,
};
use crate::{
    connection::Gateway,
    failure::Failure,
    output::{Screen, harmless},
    words::Phrase,
};

const OVER: Phrase = (
    "此件{stage}，联系信息只提供给正在办理的人",
    "the case is {stage}: contact details are for who helps in it",
);
const ANOTHERS: Phrase = (
    "此件由 {who} 办理；如需由您办理，请督导派给您（cases assign），再用 cases take {case} 接收",
    "{who} has the case; if you are to help, have its supervisor assign it to you (cases assign), and take it with \
     cases take {case}",
);
const NOBODYS: Phrase = (
    "此件{stage}，您尚未接收；请先用 cases take {case} 接收",
    "the case is {stage}: take it first with cases take {case}",
);

/// The refusal of what only who has the case may do, with whose it is in the reader's language.
pub async fn explained(
    gateway: &mut Gateway,
    screen: &Screen,
    (own, id): (&AgencyId, &AlertId),
    failure: Failure,
) -> Failure {
    match &failure {
        Failure::Refused { reason, .. } if reason == Reason::NotPossibleNow.as_str() => {}
        _ => return failure,
    }
    let Ok((_, case)) = fetch(gateway, id).await else { return failure };
    let Some(phrase) = whose(&case, own) else { return failure };
    let stage = said(STAGES, case.stage, screen.lang);
    let message = screen.lang.say(phrase).replace("{stage}", stage);
    let message = message.replace("{who}", &case.officer).replace("{case}", &case.alert);
    Failure::Refused { reason: Reason::NotPossibleNow.as_str().into(), message: harmless(&message) }
}

fn whose(case: &Case, own: &AgencyId) -> Option<Phrase> {
    let stage = CaseStage::try_from(case.stage).unwrap_or_default();
    match (stage, &case.officer[..]) {
        (CaseStage::Closed | CaseStage::Joined | CaseStage::Withdrawn, _) => Some(OVER),
        (CaseStage::Routed, officer) if officer == own.as_str() => Some(NOBODYS),
        (_, "") => Some(NOBODYS),
        (_, officer) => (officer != own.as_str()).then_some(ANOTHERS),
    }
}
