//! What a target is told: per notice the alert's number, the street, the due time and a link; nothing else
//! there is (PROTOCOL.md section 22.1).
//!
//! Owns the sentences and the placeholders. How they travel is the channels' business.

use jiff::{Timestamp, tz::Offset};
use serde::Deserialize;

use super::notice::{Kind, Notice, NotificationId};
use crate::{label::Label, regions::Regions};

const CHINA: Offset = Offset::constant(8);
/// How many digits of a region's code name a street.
const STREET: usize = 9;
const PLACEHOLDERS: [&str; 4] = ["{alert}", "{street}", "{due}", "{link}"];

/// The language of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lang {
    /// Chinese.
    #[default]
    Zh,
    /// English.
    En,
}

/// One notice, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What about.
    pub kind: Kind,
    /// The alert's number.
    pub alert: String,
    /// The street.
    pub street: String,
    /// By when.
    pub due_at: Option<Timestamp>,
    /// Where to read on; empty where the target has no link.
    pub link: String,
}

/// One or several notices to one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The same for every attempt.
    pub id: NotificationId,
    /// When the last notice in it was made.
    pub made_at: Timestamp,
    /// Its notices, the first due first; never empty.
    pub lines: Vec<Line>,
}

/// Text with placeholders for what may be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(String);

impl Template {
    /// Checks that no other placeholders are in it.
    ///
    /// # Errors
    /// Names the placeholder that there is not.
    pub fn new(text: &str) -> Result<Self, String> {
        for (at, _) in text.match_indices('{') {
            let word: String = text[at + 1..]
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect();
            let braced = format!("{{{word}}}");
            let placeholder = !word.is_empty() && text[at..].starts_with(&braced);
            if placeholder && !PLACEHOLDERS.contains(&&braced[..]) {
                return Err(format!("{braced} is no placeholder: {} are", PLACEHOLDERS.join(", ")));
            }
        }
        Ok(Self(text.into()))
    }

    /// The text of a link to an alert.
    pub fn link(&self, alert: &str) -> String {
        self.0.replace("{alert}", alert)
    }

    /// Whether it tells a link.
    pub fn has_link(&self) -> bool {
        self.0.contains("{link}")
    }
}

impl Message {
    /// Puts notices into words.
    pub fn new(
        id: NotificationId,
        notices: &[Notice],
        link: Option<&Template>,
        street: impl Fn(&str) -> String,
    ) -> Self {
        let line = |notice: &Notice| Line {
            kind: notice.kind,
            alert: notice.alert.to_string(),
            street: street(notice.region.as_str()),
            due_at: notice.due_at,
            link: link.map_or_else(String::new, |link| link.link(notice.alert.as_str())),
        };
        let mut lines: Vec<Line> = notices.iter().map(line).collect();
        lines.sort_by(|a, b| {
            let due = |line: &Line| line.due_at.unwrap_or(Timestamp::MAX);
            (due(a), &a.alert, a.kind).cmp(&(due(b), &b.alert, b.kind))
        });
        let made_at = notices.iter().map(|notice| notice.made_at).max();
        Self { id, made_at: made_at.unwrap_or(Timestamp::UNIX_EPOCH), lines }
    }

    /// A template with this message's values. Of several notices it tells the first due, and how many
    /// more there are.
    pub fn filled(&self, template: &Template, lang: Lang) -> String {
        let Some(first) = self.lines.first() else { return String::new() };
        let alert = match (self.lines.len() - 1, lang) {
            (0, _) => first.alert.clone(),
            (more, Lang::Zh) => format!("{} 等 {} 件", first.alert, more + 1),
            (more, Lang::En) => format!("{} and {more} more", first.alert),
        };
        let due = clock_face(first.due_at);
        let values = [alert.as_str(), first.street.as_str(), due.as_str(), first.link.as_str()];
        // One pass: a value is never read as a placeholder.
        let mut text = String::new();
        let mut rest = &template.0[..];
        while let Some(at) = rest.find('{') {
            let found = PLACEHOLDERS.iter().zip(values).find(|(p, _)| rest[at..].starts_with(**p));
            let (skip, value) = found.map_or((1, "{"), |(placeholder, v)| (placeholder.len(), v));
            text += &rest[..at];
            text += value;
            rest = &rest[at + skip..];
        }
        text + rest
    }

    /// What it is about, on one line.
    pub fn subject(&self, lang: Lang) -> String {
        match (&self.lines[..], lang) {
            ([line], _) => format!("{} {}", what(line.kind, lang), line.alert),
            (lines, Lang::Zh) => format!("{} 件待办", lines.len()),
            (lines, Lang::En) => format!("{} cases wait", lines.len()),
        }
    }

    /// All notices, for people.
    pub fn text(&self, lang: Lang) -> String {
        self.lines.iter().map(|line| line.text(lang)).collect::<Vec<_>>().join("\r\n")
    }
}

impl Line {
    fn text(&self, lang: Lang) -> String {
        let (what, due) = (what(self.kind, lang), clock_face(self.due_at));
        let text = match lang {
            Lang::Zh => format!("{what}：{}，街道 {}，期限 {due}", self.alert, self.street),
            Lang::En => format!("{what}: {}, street {}, due {due}", self.alert, self.street),
        };
        if self.link.is_empty() { text } else { format!("{text} {}", self.link) }
    }
}

/// The street of a region: by its name, or by its code where none is known.
pub fn street(regions: &Regions, region: &str, lang: Lang) -> String {
    let code = &region[..region.len().min(STREET)];
    match regions.name(code) {
        Some(Label { zh, en }) => match lang {
            Lang::Zh => zh,
            Lang::En => en,
        },
        None if code.is_empty() => "-".into(),
        None => code.into(),
    }
}

fn what(kind: Kind, lang: Lang) -> &'static str {
    let (zh, en) = match kind {
        Kind::Assigned => ("新的待办", "A case for you"),
        Kind::DueSoon => ("即将到期", "Due soon"),
        Kind::Escalated => ("逾期上报", "Overdue, escalated"),
        Kind::Returned => ("退回待转办", "Returned, to be given to somebody else"),
        Kind::DisclosureToApprove => ("待审批的信息披露", "A disclosure to approve"),
    };
    match lang {
        Lang::Zh => zh,
        Lang::En => en,
    }
}

/// Day and minute in China.
fn clock_face(at: Option<Timestamp>) -> String {
    at.map_or("-".into(), |at| CHINA.to_datetime(at).strftime("%Y-%m-%d %H:%M").to_string())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{
        super::notice::{notification_id, tests::notice},
        *,
    };

    fn unnamed(region: &str) -> String {
        street(&Regions::default(), region, Lang::En)
    }

    /// A message with one line for each alert, due in this order.
    pub(crate) fn message(alerts: &[&str]) -> Message {
        let notices = alerts.iter().zip(0..);
        let notices: Vec<Notice> = notices
            .map(|(alert, at)| notice(alert, 1, Kind::Assigned, 1_795_500_000 + at))
            .collect();
        let link = Template::new("https://desk.example/alerts/{alert}").expect("a template");
        Message::new(notification_id("desk", &notices), &notices, Some(&link), unnamed)
    }

    #[test]
    fn a_template_tells_an_alert_its_street_its_due_time_and_a_link_and_has_no_other_placeholder() {
        let template =
            Template::new("请处理 {alert}，{street}，{due} 前：{link} {\"a\":1}{").expect("good");
        let text = message(&["AL-0123-ABCD-XYZ9"]).filled(&template, Lang::Zh);
        let expected = "请处理 AL-0123-ABCD-XYZ9，320104002，2026-11-24 15:00 前：\
                        https://desk.example/alerts/AL-0123-ABCD-XYZ9 {\"a\":1}{";
        assert_eq!(text, expected);
        for bad in ["{name}", "x {rule} y", "{Alert}"] {
            assert!(Template::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn of_several_notices_a_template_tells_the_first_due_and_how_many_more_there_are() {
        let both = message(&["AL-0123-ABCD-XYZ9", "AL-0000-0000-0000"]);
        let template = Template::new("{alert}").expect("good");
        assert_eq!(both.filled(&template, Lang::En), "AL-0123-ABCD-XYZ9 and 1 more");
        assert_eq!(both.filled(&template, Lang::Zh), "AL-0123-ABCD-XYZ9 等 2 件");
        assert_eq!(both.text(Lang::En).lines().count(), 2);
    }

    #[test]
    fn a_case_without_a_region_or_a_due_time_says_so() {
        let mut bare = notice("AL-0123-ABCD-XYZ9", 1, Kind::Returned, 0);
        (bare.region, bare.due_at) = (Default::default(), None);
        let text = Message::new(HexBytes([0; 16]), &[bare], None, unnamed).text(Lang::En);
        let expected = "Returned, to be given to somebody else: AL-0123-ABCD-XYZ9, street -, due -";
        assert_eq!(text, expected);
    }

    use proto::hex_bytes::HexBytes;
}
