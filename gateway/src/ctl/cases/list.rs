//! `cases list`: what is to be done, person by person, the most pressing first.

use proto::{
    name::AgencyId,
    wire::{Case, CaseFilter, Label, ListCasesRequest, ListCasesResponse},
};

use super::{
    codes::{DEADLINES, STAGES, said},
    json,
    marks::marks,
};
use crate::{
    connection::{Gateway, answer, asking},
    failure::Failure,
    moment::due,
    output::{Form, Screen, Tone, cell, grouped},
    paging::{Page, Pages, pages},
    rules::Names,
    words::{self, Lang, Phrase},
};

/// The most people that one call asks for.
const PAGE: u32 = 200;

const CASE: Phrase = ("办件", "case");
const STAGE: Phrase = ("阶段", "stage");
const WHO: Phrase = ("经办人", "who");
const MARKS: Phrase = ("备注", "marks");
const YOU: Phrase = ("本人", "you");
const SAME_PERSON: Phrase = ("+ 与上一办件为同一人。", "+ is another case of the person above.");
const MORE: Phrase = ("还有更多；请加大 --limit。", "There is more; raise --limit to see it.");
const NOTHING: Phrase = ("没有待办事项。", "There is nothing to do.");

/// `cases list`, page by page, up to `limit` people.
///
/// # Errors
/// [`Failure`].
pub async fn list(
    gateway: &mut Gateway,
    screen: &Screen,
    own: &AgencyId,
    filter: CaseFilter,
    limit: Option<u32>,
) -> Result<String, Failure> {
    let ask = async |page_size, page_token| {
        let request = ListCasesRequest { filter: Some(filter.clone()), page_size, page_token };
        let page = answer(gateway.cases.list_cases(asking(request))).await?;
        Ok(Page { items: page.people, next: page.next_page_token, logged: page.logged })
    };
    let Pages { items: people, next, logged } = pages(PAGE, limit, ask).await?;
    let response = ListCasesResponse { people, next_page_token: next, logged: None };
    let names = match screen.form {
        Form::Json => Names::default(),
        Form::Plain | Form::Terminal { .. } => Names::fetch(gateway).await,
    };
    let people = || table(screen, own, &response, &names);
    Ok(screen.answer(|| json::list(&response, &logged), people))
}

fn table(screen: &Screen, own: &AgencyId, response: &ListCasesResponse, names: &Names) -> String {
    let lang = screen.lang;
    let headings = [CASE, words::DUE, STAGE, WHO, words::WHAT, words::REGION, MARKS];
    let mut table = screen.table(&headings);
    for person in &response.people {
        for (place, case) in person.cases.iter().enumerate() {
            let id = if place == 0 { case.alert.clone() } else { format!("+ {}", case.alert) };
            table.add_row([
                cell(&id),
                screen.toned(&due_text(case, screen), due_tone(case)),
                cell(said(STAGES, case.stage, lang)),
                cell(officer(case, own, screen)),
                cell(names.rule(&case.rule, lang)),
                cell(&region(&case.region, case.region_label.as_ref(), lang)),
                cell(&marks(case, screen)),
            ]);
        }
    }
    if table.is_empty() {
        return lang.say(NOTHING).into();
    }
    format!("{}\n\n{}", screen.draw(&table), notes(response, lang))
}

/// How much it is, and what the reader may not know.
fn notes(response: &ListCasesResponse, lang: Lang) -> String {
    let cases = || response.people.iter().flat_map(|person| &person.cases);
    let numbers =
        [cases().count(), response.people.len(), cases().filter(|case| case.overdue).count()];
    let [all, people, overdue] = numbers.map(|number| grouped(number as u64));
    let mut notes = match lang {
        Lang::Zh => format!("共 {all} 件，涉及 {people} 人，逾期 {overdue} 件。"),
        Lang::En => format!("Cases: {all}, people: {people}, overdue: {overdue}."),
    };
    for (holds, note) in [
        (response.people.iter().any(|person| person.cases.len() > 1), SAME_PERSON),
        (!response.next_page_token.is_empty(), MORE),
    ] {
        if holds {
            notes = format!("{notes} {}", lang.say(note));
        }
    }
    notes
}

/// What a region is called, and its code.
pub fn region(code: &str, label: Option<&Label>, lang: Lang) -> String {
    match label {
        Some(_) => format!("{} {code}", lang.label(label, "")),
        None => code.into(),
    }
}

/// What is due and when: "visit: in 2 d".
pub fn due_text(case: &Case, screen: &Screen) -> String {
    if case.due_at.is_none() {
        return "-".into();
    }
    let when = due(case.due_at.as_ref(), (screen.clock)(), screen.lang);
    let colon = screen.lang.say(("：", ": "));
    format!("{}{colon}{when}", said(DEADLINES, case.due, screen.lang))
}

fn due_tone(case: &Case) -> Tone {
    if case.overdue { Tone::Urgent } else { Tone::Good }
}

/// Whose case it is; `-` where anybody of the region may take it.
pub fn officer<'a>(case: &'a Case, own: &AgencyId, screen: &Screen) -> &'a str {
    match &case.officer[..] {
        "" => "-",
        officer if officer == own.as_str() => screen.lang.say(YOU),
        officer => officer,
    }
}
