//! Work orders, on disk: which case has which, which wait for one, and which go back to their hotline
//! (PROTOCOL.md section 20.4).
//!
//! An order is known by its dataset and number for ever. Its subject is empty once it was returned.

use jiff::Timestamp;
use proto::{
    alert_id::AlertId,
    case_event::{CaseEvent, ReturnReason, Urgency},
    name::DatasetId,
    subject::Subject,
    work_order::WorkOrder,
};
use sqlx::{Row, Sqlite, Transaction, sqlite::SqliteRow};

use super::{
    cases::{Cases, Result, number_of},
    lifecycle::Case,
};
use crate::{
    alerts::AlertsError,
    hotline::{
        open_orders::OpenOrder,
        returns::{self, ReturnedOrder, ReturnsError},
    },
};

impl Cases {
    /// Takes over a work order; whether it waits for a case. One that a case has stays where it is.
    ///
    /// # Errors
    /// [`AlertsError`].
    pub async fn put_order(&self, order: &OpenOrder) -> Result<bool> {
        sqlx::query(
            "INSERT INTO work_order (dataset, number, agency, urgency, subject, alert)
             VALUES ($1, $2, $3, $4, $5, '') ON CONFLICT (dataset, number) DO UPDATE
             SET subject = excluded.subject, urgency = excluded.urgency
             WHERE work_order.alert = '' AND work_order.subject <> ''
             AND work_order.subject <> excluded.subject",
        )
        .bind(order.dataset.as_str())
        .bind(order.order.number.cast_signed())
        .bind(order.agency.as_str())
        .bind(number_of(Some(order.order.urgency)))
        .bind(order.subject.to_string())
        .execute(&self.0)
        .await?;
        let waits = sqlx::query(
            "SELECT 1 FROM work_order
             WHERE dataset = $1 AND number = $2 AND alert = '' AND subject <> ''",
        );
        let waits = waits.bind(order.dataset.as_str()).bind(order.order.number.cast_signed());
        Ok(waits.fetch_optional(&self.0).await?.is_some())
    }

    /// Work orders about a person that no case has.
    ///
    /// # Errors
    /// [`AlertsError`].
    pub async fn new_orders(&self, subject: &Subject) -> Result<Vec<OpenOrder>> {
        let rows = sqlx::query(
            "SELECT * FROM work_order WHERE subject = $1 AND alert = '' ORDER BY dataset, number",
        );
        let rows = rows.bind(subject.to_string()).fetch_all(&self.0).await?;
        rows.iter().map(|row| order(row, *subject)).collect()
    }
}

/// What an event of a case means for work orders.
pub(super) async fn follow(
    transaction: &mut Transaction<'_, Sqlite>,
    (alert, case): (&AlertId, &Case),
    event: &CaseEvent,
    at: Timestamp,
) -> Result<()> {
    match event {
        CaseEvent::HelpRequested { dataset, order, .. } => {
            sqlx::query("UPDATE work_order SET alert = $1 WHERE dataset = $2 AND number = $3")
                .bind(alert.as_str())
                .bind(dataset.as_str())
                .bind(order.cast_signed())
                .execute(&mut **transaction)
                .await?;
        }
        // Nobody's any more, and known for ever; on its way to the hotline.
        CaseEvent::OrderReturned { dataset, order, reason } => {
            put_return(transaction, case, (dataset, *order), (*reason, at)).await?;
            sqlx::query("UPDATE work_order SET subject = '' WHERE dataset = $1 AND number = $2")
                .bind(dataset.as_str())
                .bind(order.cast_signed())
                .execute(&mut **transaction)
                .await?;
        }
        // The case in which this one goes on takes its orders over.
        CaseEvent::JoinedTo { .. } => {
            sqlx::query("UPDATE work_order SET alert = '' WHERE alert = $1 AND subject <> ''")
                .bind(alert.as_str())
                .execute(&mut **transaction)
                .await?;
        }
        _ => {}
    }
    Ok(())
}

async fn put_return(
    transaction: &mut Transaction<'_, Sqlite>,
    case: &Case,
    (dataset, number): (&DatasetId, u64),
    (reason, at): (ReturnReason, Timestamp),
) -> Result<()> {
    let order = case.orders.iter().find(|it| it.dataset == *dataset && it.order == number);
    let order = order.ok_or(AlertsError::Foreign)?;
    let hotline = (order.agency.clone(), order.dataset.clone());
    let order = ReturnedOrder::new(hotline, number, reason, at);
    let order = order.map_err(|_| AlertsError::Store(sqlx::Error::WorkerCrashed))?;
    returns::put(transaction, &order).await.map_err(|error| match error {
        ReturnsError::Store(error) => AlertsError::Store(error),
        ReturnsError::Foreign => AlertsError::Foreign,
    })
}

fn order(row: &SqliteRow, subject: Subject) -> Result<OpenOrder> {
    let text = |column: &str| row.try_get::<String, _>(column);
    let urgency: i64 = row.try_get("urgency")?;
    let known = [Urgency::Routine, Urgency::Urgent, Urgency::Emergency];
    let urgency = known.into_iter().find(|it| i64::from(number_of(Some(*it))) == urgency);
    let number = row.try_get::<i64, _>("number")?.cast_unsigned();
    Ok(OpenOrder {
        subject,
        agency: text("agency")?.parse().map_err(|_| AlertsError::Foreign)?,
        dataset: text("dataset")?.parse().map_err(|_| AlertsError::Foreign)?,
        order: WorkOrder { number, urgency: urgency.ok_or(AlertsError::Foreign)? },
    })
}
