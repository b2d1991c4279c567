//! `disclosure open`: fetches an answer and decrypts it here.
//!
//! The answer is fetched once. So whatever could fail before that is looked at before.

use proto::{
    contact::Contact,
    disclosure::DisclosureAnswer,
    disclosure_request::DisclosureRequest,
    wire::{CollectDisclosureRequest, DisclosureState},
};
use serde_json::{Map, Value, json};

use super::{desk::Desk, list::find, words};
use crate::{
    connection::{Gateway, answer, asking},
    failure::Failure,
    output::{Screen, harmless},
};

/// Fetches and opens.
///
/// # Errors
/// [`Failure`]; [`Failure::Unproven`] where the answer is not the agency's, or not to this request.
pub async fn open(
    gateway: &mut Gateway,
    desk: &Desk<'_>,
    screen: &Screen,
    id: &str,
) -> Result<String, Failure> {
    let listed = find(gateway, id).await?;
    let (request, key) = (&listed.request, desk.present_answers_key()?);
    if request.officer_key != key.public() {
        return Err(Failure::Unproven(
            "the request names another key than the one beside your configuration: it was made on \
             another computer, or by somebody else"
                .into(),
        ));
    }
    let agency = desk.agency_key(request)?;
    if listed.disclosure.state() != DisclosureState::Answered {
        let state = screen.lang.say(words::state(listed.disclosure.state));
        return Err(Failure::NoAnswer(format!("{}: {state}", request.id)));
    }
    let message = CollectDisclosureRequest { disclosure: request.id.0.to_vec() };
    let collected = answer(gateway.disclosures.collect_disclosure(asking(message))).await?;
    let sealed = collected.answer.ok_or(Failure::Unforeseen("an answer without one".into()))?;
    let sealed = DisclosureAnswer::try_from(sealed).map_err(Failure::unproven)?;
    let contact = sealed.open(request, &agency, &key).map_err(Failure::unproven)?;
    let logged = collected.logged.map(|place| place.index);
    let object = || {
        let mut object = texts(request, &contact);
        object.insert("disclosure".into(), json!(request.id));
        object.insert("alert".into(), json!(request.alert));
        object.insert("logged".into(), json!(logged));
        Value::Object(object)
    };
    Ok(screen.answer(object, || shown(screen, request, &contact)))
}

fn shown(screen: &Screen, request: &DisclosureRequest, contact: &Contact) -> String {
    let mut lines = vec![(crate::words::ALERT, request.alert.to_string())];
    for field in &request.fields {
        let of_field = contact.texts().filter(|(other, _)| other == field);
        let mut texts: Vec<String> = of_field.map(|(_, text)| harmless(text)).collect();
        if texts.is_empty() {
            texts.push(screen.lang.say(words::NOTHING).into());
        }
        lines.extend(texts.into_iter().map(|text| (words::field(*field), text)));
    }
    format!("{}\n{}", screen.card(&lines), screen.lang.say(words::CARE))
}

/// Lists of texts by field.
fn texts(request: &DisclosureRequest, contact: &Contact) -> Map<String, Value> {
    let of = |field| {
        let texts: Vec<&str> =
            contact.texts().filter(|(other, _)| *other == field).map(|(_, text)| text).collect();
        (field.as_str().to_owned(), json!(texts))
    };
    request.fields.iter().map(|field| of(*field)).collect()
}
