//! `disclosure list`, and finding one by the first digits of its id.

use jiff::Timestamp;
use proto::{
    disclosure_request::DisclosureRequest,
    wire::{Disclosure, DisclosureState, ListDisclosuresRequest},
};
use serde_json::{Value, json};

use super::words;
use crate::{
    connection::{Gateway, answer, asking},
    failure::Failure,
    moment::{clock_face, of_wire, rfc3339},
    output::{Screen, Tone, cell},
    typed_id::first_digits,
};

/// So many are shown.
const SHOWN: usize = 8;

/// A disclosure, with its request read.
pub struct Listed {
    /// As the gateway has it.
    pub disclosure: Disclosure,
    /// What was asked.
    pub request: DisclosureRequest,
}

/// `disclosure list`.
///
/// # Errors
/// [`Failure`].
pub async fn list(gateway: &mut Gateway, screen: &Screen) -> Result<String, Failure> {
    let listed = fetch(gateway).await?;
    let json = || json!({ "disclosures": listed.iter().map(object).collect::<Vec<_>>() });
    Ok(screen.answer(json, || table(screen, &listed)))
}

/// The one whose id begins like this.
///
/// # Errors
/// [`Failure::Usage`] where there are several, or the digits are too few.
pub async fn find(gateway: &mut Gateway, id: &str) -> Result<Listed, Failure> {
    let id = first_digits(id).map_err(Failure::Usage)?;
    let listed = fetch(gateway).await?.into_iter();
    let mut found = listed.filter(|listed| listed.request.id.to_string().starts_with(&id));
    let first = found.next().ok_or(Failure::not_found("no such disclosure".into()))?;
    if found.next().is_some() {
        return Err(Failure::Usage(format!("several ids begin with {id}: give more digits")));
    }
    Ok(first)
}

async fn fetch(gateway: &mut Gateway) -> Result<Vec<Listed>, Failure> {
    let call = gateway.disclosures.list_disclosures(asking(ListDisclosuresRequest {}));
    let read = |disclosure: Disclosure| {
        let request = DisclosureRequest::parse(&disclosure.request);
        let request = request.map_err(|error| Failure::Unforeseen(error.to_string()))?;
        Ok(Listed { disclosure, request })
    };
    answer(call).await?.disclosures.into_iter().map(read).collect()
}

fn table(screen: &Screen, listed: &[Listed]) -> String {
    let lang = screen.lang;
    let headings = [
        words::ID,
        crate::words::STATE,
        crate::words::ALERT,
        words::OFFICER,
        words::FIELDS,
        words::PURPOSE,
        words::AGENCY,
        words::APPROVERS,
        words::EXPIRES,
        words::REVIEW,
    ];
    let mut table = screen.table(&headings);
    for Listed { disclosure, request } in listed {
        let state = lang.say(words::state(disclosure.state));
        let reason = lang.say(words::reason(&disclosure.reason));
        let state = match reason {
            "" => state.to_owned(),
            reason => format!("{state}: {reason}"),
        };
        let state = match request.emergency {
            true => format!("{} {state}", lang.say(words::LOUD)),
            false => state,
        };
        let (review, tone) = review(screen, disclosure);
        table.add_row([
            cell(&request.id.to_string()[..SHOWN]),
            screen.toned(&state, tone_of(disclosure, request)),
            cell(request.alert.as_str()),
            cell(request.officer.as_str()),
            cell(&words::fields(screen, &request.fields)),
            cell(lang.say(words::purpose(request.purpose))),
            cell(request.agency.as_str()),
            cell(&approvers(disclosure)),
            cell(&words::moment(request.expires_at)),
            screen.toned(&review, tone),
        ]);
    }
    screen.draw(&table)
}

/// Who approved, and how many must: `sun-li 1/2`.
fn approvers(disclosure: &Disclosure) -> String {
    let (names, needed) = (disclosure.approvers.join(" "), disclosure.approvers_needed);
    format!("{names} {}/{needed}", disclosure.approvers.len()).trim_start().into()
}

/// By when an emergency must be reviewed; loudly where that is past.
fn review(screen: &Screen, disclosure: &Disclosure) -> (String, Tone) {
    let due = clock_face(disclosure.review_due_at.as_ref());
    match of_wire(disclosure.review_due_at.as_ref()) {
        None => (String::new(), Tone::Past),
        Some(at) if is_overdue(at, screen) => {
            (format!("{} {due}", screen.lang.say(words::OVERDUE)), Tone::Urgent)
        }
        Some(_) => (due, Tone::Doubtful),
    }
}

fn is_overdue(at: Timestamp, screen: &Screen) -> bool {
    at <= (screen.clock)()
}

fn tone_of(disclosure: &Disclosure, request: &DisclosureRequest) -> Tone {
    match DisclosureState::try_from(disclosure.state) {
        _ if request.emergency => Tone::Urgent,
        Ok(DisclosureState::Answered) => Tone::Good,
        Ok(DisclosureState::Asked | DisclosureState::Carried) => Tone::Doubtful,
        _ => Tone::Past,
    }
}

fn object(listed: &Listed) -> Value {
    let Listed { disclosure, request } = listed;
    json!({
        "disclosure": request.id,
        "state": words::state(disclosure.state).1,
        "reason": disclosure.reason,
        "alert": request.alert,
        "officer": request.officer,
        "agency": request.agency,
        "dataset": request.dataset,
        "fields": request.fields,
        "purpose": request.purpose,
        "legal_basis": request.legal_basis,
        "emergency": request.emergency,
        "approvers": disclosure.approvers,
        "approvers_needed": disclosure.approvers_needed,
        "expires_at": request.expires_at,
        "review_due_at": rfc3339(disclosure.review_due_at.as_ref()),
    })
}
