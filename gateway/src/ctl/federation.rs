//! `agencies`, `datasets` and `grants`: who takes part, and how fresh what they supplied is.

use comfy_table::Cell;
use proto::wire::{
    DatasetKind, DatasetStatus, Freshness, ListAgenciesRequest, ListAgenciesResponse,
    ListDatasetsRequest, ListDatasetsResponse, ListGrantsRequest, ListGrantsResponse, LogWitnesses,
    Suite,
};

use crate::{
    connection::{Gateway, answer, asking},
    failure::Failure,
    json,
    moment::ago,
    output::{Screen, Tone, cell, grouped, number_cell},
    words,
};

/// `agencies`.
///
/// # Errors
/// [`Failure`].
pub async fn agencies(gateway: &mut Gateway, screen: &Screen) -> Result<String, Failure> {
    let response = answer(gateway.admin.list_agencies(asking(ListAgenciesRequest {}))).await?;
    Ok(screen.answer(|| json::agencies(&response), || agency_table(screen, &response)))
}

/// `datasets`.
///
/// # Errors
/// [`Failure`].
pub async fn datasets(gateway: &mut Gateway, screen: &Screen) -> Result<String, Failure> {
    let response = answer(gateway.admin.list_datasets(asking(ListDatasetsRequest {}))).await?;
    let people = || {
        let (scope, releases) = (scope_line(screen, &response), release_line(screen, &response));
        format!("{scope}{releases}{}", dataset_table(screen, &response))
    };
    Ok(screen.answer(|| json::datasets(&response), people))
}

/// `grants`.
///
/// # Errors
/// [`Failure`].
pub async fn grants(gateway: &mut Gateway, screen: &Screen) -> Result<String, Failure> {
    let response = answer(gateway.admin.list_grants(asking(ListGrantsRequest {}))).await?;
    Ok(screen.answer(|| json::grants(&response), || grant_table(screen, &response)))
}

fn agency_table(screen: &Screen, response: &ListAgenciesResponse) -> String {
    let lang = screen.lang;
    let headings = [
        words::AGENCY,
        words::CONNECTION,
        words::SINCE,
        words::DATASETS,
        words::ADDRESS,
        words::PROBLEM,
    ];
    let mut table = screen.table(&headings);
    for status in &response.agencies {
        let (connection, tone) = if status.connected {
            (words::CONNECTED, Tone::Good)
        } else {
            (words::DISCONNECTED, Tone::Urgent)
        };
        table.add_row([
            cell(&status.agency),
            screen.toned(lang.say(connection), tone),
            cell(&ago(status.since.as_ref(), (screen.clock)(), lang)),
            number_cell(status.datasets.into()),
            cell(&status.address),
            cell(if status.problem.is_empty() { &status.witness_problem } else { &status.problem }),
        ]);
    }
    let table = screen.draw(&table);
    match &response.witnesses {
        Some(witnesses) => format!("{table}\n{}", witness_card(screen, witnesses)),
        None => table,
    }
}

fn witness_card(screen: &Screen, witnesses: &LogWitnesses) -> String {
    let lang = screen.lang;
    let text = lang
        .say(words::COSIGNED)
        .replace("{log}", &witnesses.log_size.to_string())
        .replace("{cosigned}", &witnesses.cosigned_size.to_string())
        .replace("{at}", &ago(witnesses.cosigned_at.as_ref(), (screen.clock)(), lang))
        .replace("{connected}", &witnesses.connected.to_string())
        .replace("{needed}", &witnesses.needed.to_string());
    let mut lines = vec![(words::LOG, text)];
    if !witnesses.well {
        lines.push((words::WITNESS, lang.say(words::BEHIND).to_owned()));
    }
    screen.card(&lines)
}

fn scope_line(screen: &Screen, response: &ListDatasetsResponse) -> String {
    let Some(scope) = &response.scope else { return String::new() };
    let suite = match Suite::try_from(scope.suite) {
        Ok(Suite::SaltedHash) => "salted-hash",
        Ok(Suite::Oprf) => "oprf",
        Ok(Suite::Unspecified) | Err(_) => "-",
    };
    let card = screen.card(&[
        (words::PROGRAMME, scope.programme.clone()),
        (words::EPOCH, scope.epoch.to_string()),
        (words::SUITE, suite.into()),
    ]);
    format!("{card}\n\n")
}

/// What a gateway that was started lately still waits for; nothing where it has everybody.
fn release_line(screen: &Screen, response: &ListDatasetsResponse) -> String {
    let watch = response.datasets.iter().filter(|line| line.kind() == DatasetKind::Watch);
    let (all, released) = (watch.clone(), watch.filter(|line| line.as_of.is_some()));
    let (all, released) = (all.count(), released.count());
    if released == all {
        return String::new();
    }
    let text = screen.lang.say(words::RELEASES);
    let text = text.replace("{all}", &all.to_string()).replace("{in}", &released.to_string());
    format!("{text}\n\n")
}

fn freshness_cell(screen: &Screen, status: &DatasetStatus) -> Cell {
    let tone = match status.freshness() {
        Freshness::Fresh => Tone::Good,
        Freshness::Missing if status.arriving.is_none() => Tone::Urgent,
        _ => Tone::Doubtful,
    };
    let freshness = screen.lang.say(words::freshness(status.freshness));
    let Some(arriving) = status.arriving else { return screen.toned(freshness, tone) };
    let arriving = screen.lang.say(words::ARRIVING).replace("{count}", &grouped(arriving));
    screen.toned(&format!("{freshness} ({arriving})"), tone)
}

fn dataset_table(screen: &Screen, response: &ListDatasetsResponse) -> String {
    let lang = screen.lang;
    let headings = [
        words::DATASET,
        words::AGENCY,
        words::KIND,
        words::FRESHNESS,
        words::AS_OF,
        words::ROWS,
        words::UNOPENABLE,
        words::VERSION,
        words::PROBLEM,
    ];
    let mut table = screen.table(&headings);
    for status in &response.datasets {
        let version = status.cursor.as_ref().map_or("-".into(), |c| c.version.to_string());
        table.add_row([
            cell(&status.dataset),
            cell(&status.agency),
            cell(lang.say(words::kind(status.kind))),
            freshness_cell(screen, status),
            cell(&ago(status.as_of.as_ref(), (screen.clock)(), lang)),
            number_cell(status.rows),
            number_cell(status.unopenable),
            cell(&version),
            cell(&status.problem),
        ]);
    }
    screen.draw(&table)
}

fn grant_table(screen: &Screen, response: &ListGrantsResponse) -> String {
    let headings = [words::DATASET, words::OWNER, words::GRANTEE, words::STATE];
    let mut table = screen.table(&headings);
    for status in &response.grants {
        let state = match &status.problem[..] {
            "" => screen.toned(screen.lang.say(words::IN_USE), Tone::Good),
            problem => screen.toned(problem, Tone::Urgent),
        };
        table.add_row([cell(&status.dataset), cell(&status.owner), cell(&status.grantee), state]);
    }
    screen.draw(&table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        output::{Form, tests::screen},
        words::Lang,
    };
    use proto::wire::{AgencyStatus, Cursor, GrantStatus, Scope};

    #[test]
    fn a_missing_dataset_stands_out_and_says_why() {
        let status = DatasetStatus {
            dataset: "vehicle_registration".into(),
            agency: "public_security".into(),
            kind: DatasetKind::CrossCheck.into(),
            freshness: Freshness::Missing.into(),
            cursor: Some(Cursor { log: vec![1; 16], version: 4 }),
            rows: 9_500_000,
            problem: "root hash differs".into(),
            ..Default::default()
        };
        let scope = Scope { programme: "demo".into(), epoch: 3, suite: Suite::Oprf.into() };
        let response = ListDatasetsResponse { scope: Some(scope), datasets: vec![status] };
        let zh = screen(Form::Plain, Lang::Zh);
        let text = scope_line(&zh, &response) + &dataset_table(&zh, &response);
        for words in ["demo", "oprf", "比对", "未收到", "9,500,000", "root hash differs"] {
            assert!(text.contains(words), "{words} in {text}");
        }
    }

    #[test]
    fn after_a_restart_it_is_said_what_is_still_being_released() {
        let watch = |dataset: &str, arriving, as_of: Option<i64>| DatasetStatus {
            dataset: dataset.into(),
            kind: DatasetKind::Watch.into(),
            freshness: if as_of.is_some() { Freshness::Fresh } else { Freshness::Missing }.into(),
            as_of: as_of.map(|seconds| prost_types::Timestamp { seconds, nanos: 0 }),
            arriving,
            ..Default::default()
        };
        let list = |datasets| ListDatasetsResponse { scope: None, datasets };
        let part = list(vec![watch("ill", Some(12_000), None), watch("poor", None, Some(9))]);
        let en = screen(Form::Plain, Lang::En);
        let text = release_line(&en, &part) + &dataset_table(&en, &part);
        for words in ["1 of 2 watch datasets", "arriving, 12,000 so far", "as they stand"] {
            assert!(text.contains(words), "{words} in {text}");
        }
        let zh = screen(Form::Plain, Lang::Zh);
        assert!(release_line(&zh, &part).contains("监测数据集 2 个，已重新接收 1 个"));
        assert_eq!(release_line(&en, &list(vec![watch("poor", None, Some(9))])), "");
    }

    #[test]
    fn an_agency_that_is_away_says_since_when_and_why() {
        let status = AgencyStatus {
            agency: "tax".into(),
            problem: "Connection refused".into(),
            since: Some(prost_types::Timestamp { seconds: 1_795_500_000, nanos: 0 }),
            ..Default::default()
        };
        let witnesses = LogWitnesses { log_size: 9, needed: 2, ..Default::default() };
        let response = ListAgenciesResponse { agencies: vec![status], witnesses: Some(witnesses) };
        let text = agency_table(&screen(Form::Plain, Lang::En), &response);
        let behind = "the witnesses do not keep up";
        for words in ["not connected", "ago", "Connection refused", "0 of 9 entries", behind] {
            assert!(text.contains(words), "{words} in {text}");
        }
    }

    #[test]
    fn a_grant_is_in_use_or_has_a_problem() {
        let grant = |problem: &str| GrantStatus {
            dataset: "tax_income".into(),
            owner: "tax".into(),
            grantee: "health".into(),
            problem: problem.into(),
        };
        let response = ListGrantsResponse { grants: vec![grant(""), grant("bad signature")] };
        let text = grant_table(&screen(Form::Plain, Lang::En), &response);
        assert!(text.contains("in use") && text.contains("bad signature"), "{text}");
    }
}
