//! `notifications`: what officers were told of cases, or not yet, and having it tried again.

use clap::{Args, Subcommand, ValueEnum};
use proto::wire::{
    ListNotificationsRequest, ListNotificationsResponse, Notification, NotificationState,
    RetryNotificationsRequest,
};
use serde_json::{Value, json};

use crate::{
    connection::{Gateway, answer, asking},
    failure::Failure,
    json::named,
    moment::{ago, due, rfc3339},
    output::{Screen, Tone, cell, number_cell},
    words::{self, Phrase, UNKNOWN_WORD},
};

const NOTIFICATION: Phrase = ("通知编号", "notification");
const TARGET: Phrase = ("接收方", "target");
const ATTEMPTS: Phrase = ("次数", "attempts");
const NEXT: Phrase = ("下次发送", "next attempt");
const MADE: Phrase = ("生成时间", "made");
const PROBLEM: Phrase = ("上次失败原因", "last problem");
const MORE: Phrase =
    ("还有更多通知；请加大 --limit。", "There are more notifications; raise --limit to see them.");
const RETRIED: Phrase = ("重新发送的通知", "notifications tried again");

/// Commands about notifications.
#[derive(Debug, Subcommand)]
pub enum NotificationsCommand {
    /// Those that wait or are parked; with --state others / 待发送和已搁置的通知
    List {
        /// Which of them.
        #[command(flatten)]
        chosen: Chosen,
    },
    /// Have parked ones tried again, all or some / 重发已搁置的通知
    Retry {
        /// Their ids; none for all / 通知编号；不填则为全部
        #[arg(value_parser = notification_id)]
        ids: Vec<Id>,
    },
}

/// Which notifications.
#[derive(Debug, Default, Args)]
pub struct Chosen {
    /// Only in these states / 状态
    #[arg(long, value_enum, value_delimiter = ',', num_args = 1..)]
    state: Vec<StateName>,
    /// At most this many, the newest / 最多条数
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
}

/// A notification's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StateName {
    /// It will be tried / 待发送
    Waiting,
    /// The other side has it / 已发送
    Sent,
    /// Refused, or tried often enough / 已搁置
    Parked,
}

/// A notification's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Id([u8; 16]);

/// Does what the command says.
///
/// # Errors
/// [`Failure`].
pub async fn run(
    command: NotificationsCommand,
    gateway: &mut Gateway,
    screen: &Screen,
) -> Result<String, Failure> {
    match command {
        NotificationsCommand::List { chosen } => {
            let states = chosen.state.iter().map(|state| state.to_wire().into()).collect();
            let request = ListNotificationsRequest { states, limit: chosen.limit };
            let response = answer(gateway.admin.list_notifications(asking(request))).await?;
            Ok(screen.answer(|| list_json(&response), || table(screen, &response)))
        }
        NotificationsCommand::Retry { ids } => {
            let ids = ids.into_iter().map(|id| id.0.to_vec()).collect();
            let request = RetryNotificationsRequest { ids };
            let retried = answer(gateway.admin.retry_notifications(asking(request))).await?.retried;
            let card = || screen.card(&[(RETRIED, retried.to_string())]);
            Ok(screen.answer(|| json!({ "retried": retried }), card))
        }
    }
}

impl StateName {
    fn to_wire(self) -> NotificationState {
        match self {
            Self::Waiting => NotificationState::Waiting,
            Self::Sent => NotificationState::Sent,
            Self::Parked => NotificationState::Parked,
        }
    }
}

fn notification_id(text: &str) -> Result<Id, String> {
    let mut id = Id([0; 16]);
    let read = hex::decode_to_slice(text, &mut id.0);
    read.map(|()| id).map_err(|_| "a notification's id is 32 hexadecimal digits".into())
}

fn table(screen: &Screen, response: &ListNotificationsResponse) -> String {
    let (lang, now) = (screen.lang, (screen.clock)());
    let headings =
        [NOTIFICATION, TARGET, words::STATE, words::ALERT, MADE, ATTEMPTS, NEXT, PROBLEM];
    let mut table = screen.table(&headings);
    for notification in &response.notifications {
        let (word, tone) = state(notification.state);
        table.add_row([
            cell(&hex::encode(&notification.id)),
            cell(&notification.target),
            screen.toned(lang.say(word), tone),
            cell(&notification.alerts.join(" ")),
            cell(&ago(notification.made_at.as_ref(), now, lang)),
            number_cell(notification.attempts.into()),
            cell(&due(notification.next_at.as_ref(), now, lang)),
            cell(&problem(&notification.problem, screen)),
        ]);
    }
    let more = if response.more { lang.say(MORE) } else { "" };
    format!("{}\n{more}", screen.draw(&table))
}

fn state(number: i32) -> (Phrase, Tone) {
    match NotificationState::try_from(number) {
        Ok(NotificationState::Waiting) => (("待发送", "waiting"), Tone::Doubtful),
        Ok(NotificationState::Sent) => (("已发送", "sent"), Tone::Good),
        Ok(NotificationState::Parked) => (("已搁置", "parked"), Tone::Urgent),
        Ok(NotificationState::Unspecified) | Err(_) => (UNKNOWN_WORD, Tone::Doubtful),
    }
}

/// A problem's word (PROTOCOL.md section 22.4) for people; one that this program does not know as it is.
fn problem(word: &str, screen: &Screen) -> String {
    let phrase = match word {
        "unreachable" => ("无法连接", "no connection"),
        "timeout" => ("没有按时答复", "no answer in time"),
        "tls" => ("证书未通过核验", "its certificate does not verify"),
        "not accepted" => ("短信网关未接受", "not accepted by the SMS gateway"),
        other => return other.to_owned(),
    };
    screen.lang.say(phrase).into()
}

fn list_json(response: &ListNotificationsResponse) -> Value {
    json!({
        "notifications": response.notifications.iter().map(one_json).collect::<Value>(),
        "more": response.more,
    })
}

fn one_json(notification: &Notification) -> Value {
    json!({
        "id": hex::encode(&notification.id),
        "target": notification.target,
        "state": named(notification.state, NotificationState::as_str_name),
        "alerts": notification.alerts,
        "attempts": notification.attempts,
        "next_at": rfc3339(notification.next_at.as_ref()),
        "made_at": rfc3339(notification.made_at.as_ref()),
        "problem": notification.problem,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        output::{Form, tests::screen},
        words::Lang,
    };

    #[test]
    fn a_parked_notification_says_to_whom_about_what_and_why() {
        let parked = Notification {
            id: vec![0xab; 16],
            target: "street-desk".into(),
            state: NotificationState::Parked.into(),
            alerts: vec!["AL-0123-ABCD-XYZ9".into()],
            attempts: 10,
            problem: "unreachable".into(),
            ..Default::default()
        };
        let response = ListNotificationsResponse { notifications: vec![parked], more: true };
        let zh = table(&screen(Form::Plain, Lang::Zh), &response);
        for words in ["street-desk", "已搁置", "AL-0123-ABCD-XYZ9", "无法连接", "--limit"] {
            assert!(zh.contains(words), "{words} in {zh}");
        }
        let json = list_json(&response);
        assert_eq!(json["notifications"][0]["state"], "NOTIFICATION_STATE_PARKED");
        assert_eq!(json["notifications"][0]["id"], "ab".repeat(16));
    }

    #[test]
    fn an_id_is_what_the_list_shows() {
        assert_eq!(notification_id(&"ab".repeat(16)), Ok(Id([0xab; 16])));
        assert!(notification_id("AL-0123-ABCD-XYZ9").is_err());
    }
}
