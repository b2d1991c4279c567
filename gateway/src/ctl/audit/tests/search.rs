//! Searches of every kind, against a scan of the whole log.

use clap::ValueEnum;
use jiff::Timestamp;
use proptest::prelude::*;
use proto::entry::Entry;

use super::Desk;
use crate::audit::{
    filter::{ActorKind, Chosen},
    liar::{Liar, Lie, at, entries, name},
};

/// Rarely asked for: what is asked for together seldom is in one entry.
fn seldom<T: Strategy>(what: T) -> impl Strategy<Value = Option<T::Value>> {
    prop::option::weighted(0.2, what)
}

fn choices() -> impl Strategy<Value = Chosen> {
    let time = || seldom((-5_i64..60).prop_map(at));
    let id = |ids: &'static [&'static str]| seldom(prop::sample::select(ids));
    let kinds = ActorKind::value_variants();
    let some = |id: Option<&str>| id.map(name);
    (
        (time(), time(), id(&["li-na", "wang-lei", "nobody"]), id(&["tax", "aid"])),
        (seldom(prop::sample::select(kinds)), id(&["5c5c", "5c5c01", "5c5c0", "0c5c"])),
        (
            id(&["cars", "homes"]),
            id(&["alert_read", "dry_run", "case_changed"]),
            id(&["needy", "other"]),
        ),
        id(&["AL-0000-0000-0000", "AL-0001-0000-0000", "AL-9999-0000-0000"]),
    )
        .prop_map(move |(who, (actor, disclosure), (dataset, action, rule), alert)| {
            let (from, until, officer, agency) = who;
            Chosen {
                from,
                until,
                actor,
                officer: some(officer),
                agency: some(agency),
                dataset: dataset.map(name),
                action: action.map(str::to_owned),
                alert: alert.map(name),
                disclosure: disclosure.map(str::to_owned),
                rule: rule.map(name),
                ..Chosen::default()
            }
        })
        .prop_filter("a span of time", |chosen| chosen.check().is_ok())
}

/// An actor is a word, or has its kind as a key.
fn is_of(by: &serde_json::Value, kind: ActorKind) -> bool {
    let kind = kind.to_possible_value().expect("one of the words");
    by == kind.get_name() || by.get(kind.get_name()).is_some()
}

/// A scan of the JSON itself, which shares no code with the search.
fn naive(entries: &[Vec<u8>], chosen: &Chosen) -> Vec<u64> {
    let mut found = vec![];
    for (index, bytes) in (0..).zip(entries) {
        let text = String::from_utf8_lossy(bytes);
        let json: serde_json::Value = serde_json::from_slice(bytes).expect("JSON");
        let at: Timestamp = json["at"].as_str().and_then(|at| at.parse().ok()).expect("a time");
        let act = json["act"].as_object().expect("an object").keys().next().expect("one").clone();
        let quoted = |text: &str, id: &str| text.contains(&format!("\"{id}\""));
        let body = json["act"].to_string();
        let good = chosen.from.is_none_or(|from| at >= from)
            && chosen.until.is_none_or(|until| at < until)
            && chosen.actor.is_none_or(|kind| is_of(&json["by"], kind))
            && chosen.officer.as_ref().is_none_or(|id| json["by"]["officer"] == id.as_str())
            && chosen.agency.as_ref().is_none_or(|id| quoted(&text, id.as_str()))
            && chosen.dataset.as_ref().is_none_or(|id| quoted(&body, id.as_str()))
            && chosen.action.as_ref().is_none_or(|word| act == *word)
            && chosen.alert.as_ref().is_none_or(|id| quoted(&body, id.as_str()))
            && chosen
                .disclosure
                .as_ref()
                .is_none_or(|id| body.contains(&format!("disclosure\":\"{id}")))
            && chosen.rule.as_ref().is_none_or(|id| quoted(&body, id.as_str()));
        if good {
            found.push(index);
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_search_takes_what_a_scan_of_the_json_takes(chosen in choices()) {
        let entries = entries(66);
        let takes = |bytes: &Vec<u8>| chosen.takes(&Entry::parse(bytes).expect("an entry"));
        let taken = (0..).zip(&entries).filter(|(_, bytes)| takes(bytes)).map(|(index, _)| index);
        prop_assert_eq!(taken.collect::<Vec<u64>>(), naive(&entries, &chosen));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_search_finds_what_a_scan_of_the_whole_log_finds(chosen in choices(), size in 1_u64..60) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let found = runtime.expect("a runtime").block_on(async {
            let answer = Desk::new().ask(Liar::with(size, Lie::Nothing), &chosen).await;
            answer.expect("proved").found.iter().map(|found| found.index).collect::<Vec<_>>()
        });
        prop_assert_eq!(found, naive(&entries(size), &chosen));
    }
}
