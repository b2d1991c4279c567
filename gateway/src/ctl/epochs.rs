//! `epochs`: which key period is in force, and how far the next one has come.

use proto::wire::{EpochDataset, EpochGap, EpochStatus, ListEpochsRequest, ListEpochsResponse};

use crate::{
    connection::{Gateway, answer, asking},
    failure::Failure,
    json,
    moment::clock_face,
    output::{Screen, Tone, cell, number_cell},
    words::{self, Phrase},
};

/// `epochs`.
///
/// # Errors
/// [`Failure`].
pub async fn epochs(gateway: &mut Gateway, screen: &Screen) -> Result<String, Failure> {
    let response = answer(gateway.admin.list_epochs(asking(ListEpochsRequest {}))).await?;
    Ok(screen.answer(|| json::epochs(&response), || all(screen, &response)))
}

fn all(screen: &Screen, response: &ListEpochsResponse) -> String {
    let epochs = response.epochs.iter().map(|epoch| {
        let card = card(screen, epoch);
        // The epoch in force is `datasets`' business.
        if epoch.in_force { card } else { format!("{card}\n\n{}", table(screen, &epoch.datasets)) }
    });
    epochs.collect::<Vec<_>>().join("\n\n")
}

fn card(screen: &Screen, epoch: &EpochStatus) -> String {
    let lang = screen.lang;
    let number = epoch.scope.as_ref().map_or("-".into(), |scope| scope.epoch.to_string());
    let state = if epoch.in_force { words::IN_FORCE } else { words::NEXT_EPOCH };
    let mut lines = vec![
        (words::EPOCH, number),
        (words::STATE, lang.say(state).to_owned()),
        (words::ENDS, clock_face(epoch.ends.as_ref())),
    ];
    if !epoch.in_force {
        let whole = epoch.datasets.iter().filter(|dataset| is_whole(dataset)).count();
        lines.push((words::WHOLE, format!("{whole} / {}", epoch.datasets.len())));
    }
    if !epoch.waiting_for.is_empty() {
        lines.push((words::WAITING_FOR, epoch.waiting_for.join("; ")));
    }
    screen.card(&lines)
}

fn table(screen: &Screen, datasets: &[EpochDataset]) -> String {
    let headings =
        [words::DATASET, words::AGENCY, words::ROWS, words::EXPECTED, words::STATE, words::PROBLEM];
    let mut table = screen.table(&headings);
    for dataset in datasets {
        let tone = if is_whole(dataset) { Tone::Good } else { Tone::Doubtful };
        table.add_row([
            cell(&dataset.dataset),
            cell(&dataset.agency),
            number_cell(dataset.rows),
            number_cell(dataset.expected),
            screen.toned(screen.lang.say(gap(dataset.gap)), tone),
            cell(&dataset.problem),
        ]);
    }
    screen.draw(&table)
}

fn is_whole(dataset: &EpochDataset) -> bool {
    dataset.gap == i32::from(EpochGap::Unspecified)
}

fn gap(number: i32) -> Phrase {
    match EpochGap::try_from(number) {
        Ok(EpochGap::Unspecified) => ("齐备", "whole"),
        Ok(EpochGap::NotArrived) => ("未收到", "nothing arrived"),
        Ok(EpochGap::Stale) => ("过期", "stale"),
        Ok(EpochGap::NotGranted) => {
            ("提供方尚未延续授权（grant --renew）", "its owner has not renewed its grants")
        }
        Ok(EpochGap::GrantNotUsed) => {
            ("监测部门尚未使用授权", "a watch agency does not use its grant yet")
        }
        Err(_) => words::UNKNOWN_WORD,
    }
}

#[cfg(test)]
mod tests {
    use proto::wire::Scope;

    use super::*;
    use crate::{
        output::{Form, tests::screen},
        words::Lang,
    };

    #[test]
    fn what_is_missing_in_the_next_epoch_is_told_with_its_reason() {
        let dataset = |id: &str, gap: EpochGap| EpochDataset {
            dataset: id.into(),
            agency: "police".into(),
            rows: 7,
            expected: 9_500_000,
            gap: gap.into(),
            ..Default::default()
        };
        let epoch = |number, in_force| EpochStatus {
            scope: Some(Scope { programme: "demo".into(), epoch: number, suite: 1 }),
            in_force,
            datasets: vec![
                dataset("cars", EpochGap::NotGranted),
                dataset("homes", EpochGap::Unspecified),
            ],
            ..Default::default()
        };
        let mut next = epoch(2, false);
        next.waiting_for.push("aid: no connection".into());
        let response = ListEpochsResponse { epochs: vec![epoch(1, true), next] };
        let text = all(&screen(Form::Plain, Lang::En), &response);
        for words in ["in force", "1 / 2", "not renewed", "9,500,000", "aid: no connection"] {
            assert!(text.contains(words), "{words} in {text}");
        }
        let text = all(&screen(Form::Plain, Lang::Zh), &response);
        assert!(text.contains("尚未延续授权") && text.contains("齐备"), "{text}");
    }
}
