//! The fold of what the log says of cases (PROTOCOL.md section 19.7), against the store.

use std::collections::BTreeMap;

use gateway::{
    case::{cases::Cases, lifecycle::Case},
    database,
};
use proto::{act::Act, alert_id::AlertId, case_event::CaseEvent, entry::Actor};
use tests::{deployment::Deployment, log_reader, running::until, staff_client::StaffClient};

/// The cases that the log's entries come to; none of them tells of an event twice.
async fn folded(
    deployment: &Deployment,
    mut auditor: StaffClient,
) -> anyhow::Result<BTreeMap<AlertId, Case>> {
    let entries = log_reader::entries(&mut auditor, &deployment.manifest).await?;
    let mut told: Vec<(u64, AlertId, u64, CaseEvent, Actor)> = vec![];
    for (index, (_, entry)) in (0..).zip(&entries) {
        match entry.act() {
            Act::CaseChanged { alert, number, event } => {
                told.push((index, alert.clone(), *number, event.clone(), entry.by().clone()));
            }
            Act::Failed { first, end } => told.retain(|(at, ..)| !(first..end).contains(&at)),
            Act::CasesFollowed { after } => told.retain(|(at, ..)| at < after),
            _ => {}
        }
    }
    let mut cases = BTreeMap::new();
    for (_, alert, number, event, by) in told {
        let next = match cases.get(&alert) {
            None => Case::begin(&event),
            Some(case) => Case::apply(case, &event, &by),
        };
        let next = next.unwrap_or_else(|refused| panic!("{alert} {number}: {refused}"));
        assert_eq!(next.number, number, "{alert}");
        cases.insert(alert, next);
    }
    Ok(cases)
}

/// The store's cases, all of them, are what the log's entries come to.
pub async fn the_log_reproduces_the_store(deployment: &Deployment, auditor: &StaffClient) {
    let path = deployment.dir.join("gateway/data/alerts.sqlite");
    let database = database::open(&path).await.expect("opens");
    let cases = Cases::new(database.clone());
    // Entries are shown once a checkpoint is over them.
    let differing = || async {
        let mut folded = folded(deployment, auditor.clone()).await?;
        let alerts: Vec<String> =
            sqlx::query_scalar("SELECT alert FROM cases").fetch_all(&database).await?;
        let mut differing = vec![];
        for alert in alerts {
            let alert: AlertId = alert.parse()?;
            let (stored, told) = (cases.get(&alert).await?, folded.remove(&alert));
            if stored != told {
                differing.push((alert, stored, told));
            }
        }
        differing.extend(folded.into_iter().map(|(alert, case)| (alert, None, Some(case))));
        Ok(differing)
    };
    let same = until(differing, Vec::is_empty).await;
    same.expect("one is the fold of the other");
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM cases")
        .fetch_one(&database)
        .await
        .expect("counted");
    assert_ne!(count, 0, "there is something to compare");
}
