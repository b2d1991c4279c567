//! What an approver does: approve, refuse, and review an emergency afterwards.

use proto::{
    disclosure::{OfficerSignature, approval_bytes},
    fault::Reason,
    wire::{ApproveDisclosureRequest, LogPlace, RefuseDisclosureRequest, ReviewDisclosureRequest},
};
use serde_json::json;

use super::{
    command::Finding,
    desk::Desk,
    list::{Listed, find},
    words,
};
use crate::{
    confirm::Assent,
    connection::{Gateway, answer, asking},
    failure::Failure,
    output::Screen,
    words::Phrase,
};

/// Approves: shows the whole request as its officer signed it, and signs that.
///
/// # Errors
/// [`Failure`]; [`Failure::Unproven`] where the officer did not sign what the gateway shows.
pub async fn approve(
    gateway: &mut Gateway,
    desk: &Desk<'_>,
    screen: &Screen,
    (id, assent): (&str, Assent),
) -> Result<String, Failure> {
    let listed = find(gateway, id).await?;
    let request = &listed.request;
    let officer = listed.disclosure.officer.clone();
    let unsigned = || Failure::Unforeseen("a request without a signature".into());
    let officer: OfficerSignature =
        officer.ok_or_else(unsigned)?.try_into().map_err(Failure::unproven)?;
    desk.check_signature(request, &officer, (screen.clock)())?;
    desk.agency_key(request)?;
    confirm(screen, &listed, (words::APPROVE, assent))?;
    let approval = desk.sign(&approval_bytes(&request.digest()))?;
    let message = ApproveDisclosureRequest {
        disclosure: request.id.0.to_vec(),
        approval: Some((&approval).into()),
    };
    let told = answer(gateway.disclosures.approve_disclosure(asking(message))).await;
    let told = told.map_err(|failure| in_the_way(screen, &listed, failure))?;
    let wire = &listed.disclosure;
    let enough = wire.approvers.len() + 1 >= wire.approvers_needed as usize;
    let next = if enough { words::CARRIED } else { words::ONE_MORE };
    Ok(done(screen, &listed, next, told.logged))
}

/// Refuses.
///
/// # Errors
/// [`Failure`].
pub async fn refuse(
    gateway: &mut Gateway,
    screen: &Screen,
    (id, assent): (&str, Assent),
) -> Result<String, Failure> {
    let listed = find(gateway, id).await?;
    confirm(screen, &listed, (words::REFUSE, assent))?;
    let message = RefuseDisclosureRequest { disclosure: listed.request.id.0.to_vec() };
    let told = answer(gateway.disclosures.refuse_disclosure(asking(message))).await?;
    Ok(done(screen, &listed, words::DONE, told.logged))
}

/// Says of an emergency whether it was one.
///
/// # Errors
/// [`Failure`].
pub async fn review(
    gateway: &mut Gateway,
    screen: &Screen,
    (id, finding, assent): (&str, Finding, Assent),
) -> Result<String, Failure> {
    let listed = find(gateway, id).await?;
    confirm(screen, &listed, (words::DO_REVIEW, assent))?;
    let mut message = ReviewDisclosureRequest {
        disclosure: listed.request.id.0.to_vec(),
        ..ReviewDisclosureRequest::default()
    };
    message.set_finding(finding.into());
    let told = answer(gateway.disclosures.review_disclosure(asking(message))).await?;
    Ok(done(screen, &listed, words::DONE, told.logged))
}

/// What cannot be approved because who asks has the case no more, in the reader's language.
fn in_the_way(screen: &Screen, listed: &Listed, failure: Failure) -> Failure {
    match failure {
        Failure::Refused { reason, .. } if reason == Reason::NotPossibleNow.as_str() => {
            let officer = listed.request.officer.as_str();
            let message = screen.lang.say(words::NOT_THEIRS).replace("{officer}", officer);
            Failure::Refused { reason, message }
        }
        other => other,
    }
}

fn confirm(
    screen: &Screen,
    listed: &Listed,
    (what, assent): (Phrase, Assent),
) -> Result<(), Failure> {
    let card = words::card(screen, &listed.request);
    assent.obtain(&format!("{card}\n{}", screen.lang.say(what)), screen.lang)
}

fn done(screen: &Screen, listed: &Listed, what: Phrase, logged: Option<LogPlace>) -> String {
    let (id, index) = (listed.request.id, logged.map(|place| place.index));
    let people = || format!("{}{id}", screen.lang.say(what));
    screen.answer(|| json!({ "disclosure": id, "logged": index }), people)
}
