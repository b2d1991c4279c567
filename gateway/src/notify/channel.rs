//! The three ways out, and how a sending can fail.

use std::{fmt, time::Duration};

use jiff::Timestamp;

use super::{message::Message, sms::Sms, smtp::Smtp, webhook::Webhook};

/// A way out.
pub enum Channel {
    /// Standard Webhooks.
    Webhook(Webhook),
    /// An HTTP SMS gateway.
    Sms(Sms),
    /// A mail server.
    Smtp(Smtp),
}

/// A sending that was not acknowledged. It may have arrived all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    /// It may go better another time.
    Now {
        /// What went wrong.
        problem: Problem,
        /// How long the other side asks to be left alone.
        rest: Option<Duration>,
    },
    /// It was refused, and would be again.
    ForGood(Problem),
}

/// What went wrong. Nothing that the other side wrote is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// No connection, or it broke.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// The other side did not prove who it is.
    Tls,
    /// The status of an HTTP answer.
    Http(u16),
    /// An HTTP answer without the text that is configured as that of an accepted message.
    NotAccepted,
    /// The code of an SMTP reply.
    Smtp(u16),
}

impl Channel {
    /// Sends a message; once it returns well, the other side has it.
    ///
    /// # Errors
    /// [`Failed`].
    pub async fn send(&self, message: &Message, now: Timestamp) -> Result<(), Failed> {
        match self {
            Self::Webhook(webhook) => webhook.send(message, now).await,
            Self::Sms(sms) => sms.send(message, now).await,
            Self::Smtp(smtp) => smtp.send(message).await,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable => f.write_str("unreachable"),
            Self::Timeout => f.write_str("timeout"),
            Self::Tls => f.write_str("tls"),
            Self::Http(status) => write!(f, "http {status}"),
            Self::NotAccepted => f.write_str("not accepted"),
            Self::Smtp(code) => write!(f, "smtp {code}"),
        }
    }
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Self::Now { problem, rest: None }
    }
}
