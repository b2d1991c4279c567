//! `disclosure request`: makes and signs a request.

use jiff::{SignedDuration, Timestamp};
use proto::{
    disclosure::request_bytes,
    disclosure_request::DisclosureRequest,
    hex_bytes::HexBytes,
    name::{AgencyId, DatasetId},
    subject::Subject,
    wire::{PrepareDisclosureRequest, PrepareDisclosureResponse, RequestDisclosureRequest},
};
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::json;

use super::{command::Asked, desk::Desk, words};
use crate::{
    cases,
    confirm::Assent,
    connection::{Gateway, answer, asking},
    failure::Failure,
    output::Screen,
};

/// Asks for the contact details of an alert's subject.
///
/// # Errors
/// [`Failure`].
pub async fn request(
    gateway: &mut Gateway,
    desk: &Desk<'_>,
    screen: &Screen,
    (asked, assent): (&Asked, Assent),
) -> Result<String, Failure> {
    let prepare = PrepareDisclosureRequest { alert: asked.alert.to_string() };
    let prepared = match answer(gateway.disclosures.prepare_disclosure(asking(prepare))).await {
        Ok(prepared) => prepared,
        Err(failure) => {
            let case = (desk.own, &asked.alert);
            return Err(cases::explained(gateway, screen, case, failure).await);
        }
    };
    let request = made(desk, asked, &prepared, (screen.clock)())?;
    desk.agency_key(&request)?;
    let question = format!("{}\n{}", words::card(screen, &request), screen.lang.say(words::ASK));
    assent.obtain(&question, screen.lang)?;
    let officer = desk.sign(&request_bytes(&request.digest()))?;
    let message =
        RequestDisclosureRequest { request: request.to_bytes(), officer: Some((&officer).into()) };
    let told = answer(gateway.disclosures.request_disclosure(asking(message))).await?;
    let logged = told.logged.map(|place| place.index);
    let needed = told.approvers_needed;
    let next = match needed {
        0 => words::CARRIED,
        1 => words::ASKED,
        _ => words::ASKED_TWO,
    };
    let people = || format!("{}{}", screen.lang.say(next), request.id);
    let id = request.id;
    let json = || json!({ "disclosure": id, "approvers_needed": needed, "logged": logged });
    Ok(screen.answer(json, people))
}

fn made(
    desk: &Desk<'_>,
    asked: &Asked,
    prepared: &PrepareDisclosureResponse,
    now: Timestamp,
) -> Result<DisclosureRequest, Failure> {
    let unforeseen = |what: &str| Failure::Unforeseen(what.to_owned());
    let scope = prepared.scope.clone().ok_or(unforeseen("an answer without a scope"))?;
    let subject = <[u8; 16]>::try_from(&prepared.subject[..]);
    let (agency, dataset) = source(asked, prepared)?;
    Ok(DisclosureRequest {
        scope: scope.try_into().map_err(|_| unforeseen("a scope that is none"))?,
        id: HexBytes(random()?),
        alert: asked.alert.clone(),
        subject: Subject(subject.map_err(|_| unforeseen("a subject that is none"))?),
        agency,
        dataset,
        fields: asked.fields(),
        purpose: asked.purpose.into(),
        legal_basis: asked.basis(),
        officer: desk.own.clone(),
        officer_key: desk.answers_key()?.public(),
        expires_at: expiry(now, asked.hours),
        nonce: random()?,
        emergency: asked.emergency,
    })
}

/// Whole seconds, and no later than the protocol allows on a clock that is a little behind.
fn expiry(now: Timestamp, hours: i64) -> Timestamp {
    let until = now + SignedDuration::from_hours(hours) - SignedDuration::from_mins(1);
    Timestamp::from_second(until.as_second()).unwrap_or(until)
}

/// Which agency is asked about which dataset.
fn source(
    asked: &Asked,
    prepared: &PrepareDisclosureResponse,
) -> Result<(AgencyId, DatasetId), Failure> {
    let wanted = asked.dataset.as_ref().map(DatasetId::as_str);
    let found =
        prepared.sources.iter().find(|source| wanted.is_none_or(|wanted| source.dataset == wanted));
    let Some(source) = found else {
        let listed: Vec<&str> = prepared.sources.iter().map(|it| it.dataset.as_str()).collect();
        let text =
            format!("no watch dataset of this alert is called so; there are: {}", listed.join(" "));
        return Err(Failure::Usage(text));
    };
    match (source.agency.parse(), source.dataset.parse()) {
        (Ok(agency), Ok(dataset)) => Ok((agency, dataset)),
        _ => Err(Failure::Unforeseen("a source that is none".into())),
    }
}

fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    let none = |_| Failure::Usage("the operating system has no random numbers".into());
    SystemRandom::new().fill(&mut bytes).map_err(none)?;
    Ok(bytes)
}
