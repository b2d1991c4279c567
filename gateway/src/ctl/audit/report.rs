//! `audit report`: who looked at how much, by officer and day, and which days stand out against the
//! officer's own past. For people who are no engineers.

use std::collections::BTreeMap;

use jiff::{civil::Date, tz::Offset};
use proto::{
    act::Act,
    entry::{Actor, Entry},
    name::AgencyId,
};
use serde_json::{Value, json};

use super::{
    answer::{Found, ask},
    filter::Chosen,
    search::vouched,
    trust::Auditor,
};
use crate::{
    connection::Gateway,
    failure::Failure,
    output::{Screen, Tone, cell, number_cell},
    words::Phrase,
};

const CHINA: Offset = Offset::constant(8);
/// A day is compared with the officer's days before it, where there are so many.
const EARLIER_DAYS: usize = 5;
/// It stands out with more than so many times their median,
const TIMES: u64 = 3;
/// and so many alerts more than that median,
const MORE_ALERTS: u64 = 20;
/// or so many people's contact details.
const MORE_CONTACTS: u64 = 5;

const OFFICER: Phrase = ("工作人员", "officer");
const DAY: Phrase = ("日期", "day");
const SHOWN: Phrase = ("看到预警", "alerts shown");
const READ: Phrase = ("逐条查看", "read one by one");
const CONTACTS: Phrase = ("领取联系方式", "contact details");
const LOOKS: Phrase = ("查阅次数", "looks");
const REFUSED: Phrase = ("被拒绝", "refused");
const NOTE: Phrase = ("提示", "note");
const UNUSUAL: Phrase = ("明显多于本人以往", "far more than this officer's own past");
const RULE: Phrase = (
    "“明显多于本人以往”：当日看到的预警数超过本人此前各工作日中位数的 3 倍，且至少多 20 条；或领取的联系方式超过其 3 倍，且至少多 5 份；此前不足 5 天的不作比较。同一预警每次看到都计数。这只是请您询问的线索，不是结论。",
    "\"Far more than this officer's own past\": the alerts shown that day are more than three times the median of the officer's own earlier days, and at least 20 more; or the contact details collected are more than three times theirs, and at least 5 more; nobody is judged by fewer than 5 earlier days. An alert counts each time it is shown. It is a reason to ask, and no verdict.",
);

/// One officer's day.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Day {
    /// Alerts that were shown, each time.
    pub shown: u64,
    /// Alerts that were read with their explanation.
    pub read: u64,
    /// People's contact details that were collected.
    pub contacts: u64,
    /// Acts of any kind.
    pub looks: u64,
    /// Calls that were refused.
    pub refused: u64,
    /// Whether it stands out against the officer's own past.
    pub unusual: bool,
}

type Days = BTreeMap<(AgencyId, Date), Day>;

/// `audit report`.
///
/// # Errors
/// [`Failure`].
pub async fn report(
    gateway: &mut Gateway,
    auditor: &Auditor,
    screen: &Screen,
    chosen: &Chosen,
) -> Result<String, Failure> {
    let answer = ask(gateway, auditor, chosen).await?;
    let days = days(&answer.found);
    let witnessed = auditor.witnessed(&answer.checkpoint);
    let people = || {
        let rule = screen.lang.say(RULE);
        format!("{}\n\n{rule}\n{}", table(screen, &days), vouched(screen, witnessed))
    };
    Ok(screen.answer(|| listed(&days), people))
}

/// Counts by officer and day, and marks the days that stand out.
pub fn days(found: &[Found]) -> Days {
    let mut days = Days::new();
    for Found { entry, .. } in found {
        let Actor::Officer(officer) = entry.by() else { continue };
        let day = CHINA.to_datetime(entry.at()).date();
        count(days.entry((officer.clone(), day)).or_default(), entry);
    }
    mark(&mut days);
    days
}

fn count(day: &mut Day, entry: &Entry) {
    match entry.act() {
        Act::CallsRefused { count, .. } => {
            day.refused += count;
            return;
        }
        Act::AlertRead { .. } => day.read += 1,
        Act::DisclosureCollected { .. } => day.contacts += 1,
        _ => {}
    }
    day.looks += 1;
    day.shown += entry.act().alerts().len() as u64;
}

fn mark(days: &mut Days) {
    let mut earlier: BTreeMap<AgencyId, [Vec<u64>; 2]> = BTreeMap::new();
    for ((officer, _), day) in days {
        let [shown, contacts] = earlier.entry(officer.clone()).or_default();
        day.unusual = stands_out(day.shown, shown, MORE_ALERTS)
            || stands_out(day.contacts, contacts, MORE_CONTACTS);
        shown.push(day.shown);
        contacts.push(day.contacts);
    }
}

fn stands_out(count: u64, past: &[u64], more: u64) -> bool {
    if past.len() < EARLIER_DAYS {
        return false;
    }
    let mut sorted = past.to_vec();
    sorted.sort_unstable();
    // The lower of the two middle ones.
    let usual = sorted[(sorted.len() - 1) / 2];
    count > usual.saturating_mul(TIMES) && count >= usual.saturating_add(more)
}

fn table(screen: &Screen, days: &Days) -> String {
    let mut table = screen.table(&[OFFICER, DAY, SHOWN, READ, CONTACTS, LOOKS, REFUSED, NOTE]);
    for ((officer, date), day) in days {
        let note = match day.unusual {
            true => screen.toned(screen.lang.say(UNUSUAL), Tone::Urgent),
            false => cell(""),
        };
        table.add_row([
            cell(officer.as_str()),
            cell(&date.to_string()),
            number_cell(day.shown),
            number_cell(day.read),
            number_cell(day.contacts),
            number_cell(day.looks),
            number_cell(day.refused),
            note,
        ]);
    }
    screen.draw(&table)
}

fn listed(days: &Days) -> Value {
    let day = |((officer, date), day): (&(AgencyId, Date), &Day)| {
        json!({
            "officer": officer,
            "day": date.to_string(),
            "alerts_shown": day.shown,
            "alerts_read": day.read,
            "contact_details": day.contacts,
            "looks": day.looks,
            "refused": day.refused,
            "unusual": day.unusual,
        })
    };
    json!({ "days": days.iter().map(day).collect::<Value>() })
}
