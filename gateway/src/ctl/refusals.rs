//! `refusals`: whose calls the gateway refused, for those who watch over it.

use proto::wire::{ListRefusalsRequest, ListRefusalsResponse, RefusedCalls, refused_calls::Caller};
use serde_json::{Value, json};

use crate::{
    connection::{Gateway, answer, asking},
    failure::Failure,
    moment::{clock_face, rfc3339},
    output::{Screen, cell, number_cell},
    words::{Lang, Phrase},
};

const WHO: Phrase = ("调用者", "who");
const METHOD: Phrase = ("方法", "method");
const REASON: Phrase = ("原因", "reason");
const COUNT: Phrase = ("次数", "count");
const FIRST: Phrase = ("首次", "first");
const LAST: Phrase = ("最近", "last");
const NONE: Phrase =
    ("网关启动以来没有拒绝过请求。", "No call was refused since the gateway started.");
const SINCE_START: Phrase = (
    "以上为网关启动以来的情况；更早的见访问日志（审计人员：audit search --action calls_refused）。",
    "Since the gateway started; what was before is in the access log (auditors: audit search --action calls_refused).",
);

/// `refusals`.
///
/// # Errors
/// [`Failure`].
pub async fn refusals(gateway: &mut Gateway, screen: &Screen) -> Result<String, Failure> {
    let response = answer(gateway.admin.list_refusals(asking(ListRefusalsRequest {}))).await?;
    Ok(screen.answer(|| object(&response), || table(screen, &response)))
}

fn table(screen: &Screen, response: &ListRefusalsResponse) -> String {
    if response.refused.is_empty() {
        return screen.lang.say(NONE).to_owned();
    }
    let mut table = screen.table(&[WHO, METHOD, REASON, COUNT, FIRST, LAST]);
    for refused in &response.refused {
        let method = if refused.method.is_empty() { "?" } else { &refused.method };
        table.add_row([
            cell(&who(refused, screen.lang)),
            cell(method),
            cell(&refused.reason),
            number_cell(refused.count),
            cell(&clock_face(refused.first_at.as_ref())),
            cell(&clock_face(refused.last_at.as_ref())),
        ]);
    }
    format!("{}\n{}", screen.draw(&table), screen.lang.say(SINCE_START))
}

fn who(refused: &RefusedCalls, lang: Lang) -> String {
    match &refused.caller {
        Some(Caller::Officer(id)) => id.clone(),
        Some(Caller::Agency(id)) => format!("{} {id}", lang.say(("部门", "agency"))),
        None => lang.say(("未知", "unknown")).into(),
    }
}

fn object(response: &ListRefusalsResponse) -> Value {
    let refused = |refused: &RefusedCalls| {
        let (by, id) = match &refused.caller {
            Some(Caller::Officer(id)) => ("officer", id.as_str()),
            Some(Caller::Agency(id)) => ("agency", id.as_str()),
            None => ("unknown", ""),
        };
        json!({
            "by": by,
            "id": id,
            "method": refused.method,
            "reason": refused.reason,
            "count": refused.count,
            "first_at": rfc3339(refused.first_at.as_ref()),
            "last_at": rfc3339(refused.last_at.as_ref()),
        })
    };
    json!({ "refused": response.refused.iter().map(refused).collect::<Value>() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Form, tests::screen};

    fn response() -> ListRefusalsResponse {
        let refused = |caller, method: &str, seconds| RefusedCalls {
            caller,
            method: method.into(),
            reason: "NOT_PERMITTED".into(),
            count: 12,
            first_at: Some(prost_types::Timestamp { seconds: 0, nanos: 0 }),
            last_at: Some(prost_types::Timestamp { seconds, nanos: 0 }),
        };
        let officer = Some(Caller::Officer("li-na".into()));
        let refused = vec![refused(officer, "MatchService/ListAlerts", 90), refused(None, "", 60)];
        ListRefusalsResponse { refused }
    }

    #[test]
    fn refusals_say_who_what_why_how_often_and_when() {
        let screen = screen(Form::Plain, Lang::En);
        let text = table(&screen, &response());
        for part in ["li-na", "MatchService/ListAlerts", "NOT_PERMITTED", "12", "unknown", "?"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        let object = object(&response());
        assert_eq!(object["refused"][0]["last_at"], "1970-01-01T00:01:30Z");
        assert_eq!(object["refused"][1]["by"], "unknown");
        let none = table(&screen, &ListRefusalsResponse::default());
        assert!(none.contains("No call was refused"), "{none}");
    }
}
