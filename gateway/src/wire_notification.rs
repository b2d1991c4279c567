//! Notifications as the protocol has them.

use proto::{
    hex_bytes::HexBytes,
    wire::{self, NotificationState},
};

use crate::{
    notify::{
        deliveries::{Notification, State},
        notice::NotificationId,
    },
    refusal::Refusal,
    wire_alert::timestamp,
};

const DEFAULT_LIMIT: u32 = 100;
const HIGHEST_LIMIT: u32 = 1000;

/// Which notifications are asked for, and how many of them.
///
/// # Errors
/// [`Refusal::Argument`].
pub fn asked(request: &wire::ListNotificationsRequest) -> Result<(Vec<State>, u32), Refusal> {
    let state = |number: &i32| match NotificationState::try_from(*number) {
        Ok(NotificationState::Waiting) => Ok(State::Waiting),
        Ok(NotificationState::Sent) => Ok(State::Sent),
        Ok(NotificationState::Parked) => Ok(State::Parked),
        Ok(NotificationState::Unspecified) | Err(_) => {
            Err(Refusal::Argument("states has a state that is none".into()))
        }
    };
    let states: Vec<State> = request.states.iter().map(state).collect::<Result<_, _>>()?;
    let unsettled = vec![State::Waiting, State::Parked];
    let limit = match request.limit {
        0 => DEFAULT_LIMIT,
        1..=HIGHEST_LIMIT => request.limit,
        _ => return Err(Refusal::Argument(format!("limit is above {HIGHEST_LIMIT}"))),
    };
    Ok((if states.is_empty() { unsettled } else { states }, limit))
}

/// The ids of notifications.
///
/// # Errors
/// [`Refusal::Argument`].
pub fn ids(ids: &[Vec<u8>]) -> Result<Vec<NotificationId>, Refusal> {
    let id = |bytes: &Vec<u8>| bytes[..].try_into().map(HexBytes);
    let ids = ids.iter().map(id).collect::<Result<_, _>>();
    ids.map_err(|_| Refusal::Argument("ids has an id that is not of 16 bytes".into()))
}

/// One notification.
pub fn notification(notification: &Notification) -> wire::Notification {
    let state = match notification.state {
        State::Waiting => NotificationState::Waiting,
        State::Sent => NotificationState::Sent,
        State::Parked => NotificationState::Parked,
    };
    let waits = notification.state == State::Waiting;
    wire::Notification {
        id: notification.id.0.to_vec(),
        target: notification.target.to_string(),
        state: state.into(),
        alerts: notification.alerts.clone(),
        attempts: notification.attempts,
        next_at: waits.then(|| timestamp(notification.next_at)),
        made_at: Some(timestamp(notification.made_at)),
        problem: notification.problem.clone(),
    }
}
