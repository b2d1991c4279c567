//! Webhooks by the Standard Webhooks specification: `webhook-id`, `webhook-timestamp` and
//! `webhook-signature` over the bytes that are sent (PROTOCOL.md section 22.3).

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use ring::hmac;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{
    channel::Failed,
    http::{self, Endpoint},
    message::{Line, Message},
};

const PREFIX: &str = "whsec_";
/// How long a secret is, in bytes.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;

/// An address with the secrets that its messages are signed with: one, or while it is replaced two.
pub struct Webhook {
    endpoint: Endpoint,
    secrets: Vec<Secret>,
}

/// What a message is signed with.
pub struct Secret(Zeroizing<Vec<u8>>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// Reads `whsec_` and the base64 of 24 to 64 bytes.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(BASE64_STANDARD.decode(text.strip_prefix(PREFIX)?).ok()?);
        LENGTHS.contains(&bytes.len()).then_some(Self(bytes))
    }

    /// The signature of a message, as one word of the header.
    fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut signing = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &self.0));
        signing.update(format!("{id}.{timestamp}.").as_bytes());
        signing.update(body);
        format!("v1,{}", BASE64_STANDARD.encode(signing.sign()))
    }
}

impl Webhook {
    /// Signs with all of `secrets`.
    pub fn new(endpoint: Endpoint, secrets: Vec<Secret>) -> Self {
        Self { endpoint, secrets }
    }

    /// Posts a message. The id is the same at every attempt, the timestamp is the attempt's.
    ///
    /// # Errors
    /// [`Failed`].
    pub async fn send(&self, message: &Message, now: Timestamp) -> Result<(), Failed> {
        let (id, timestamp) = (format!("msg_{}", message.id), now.as_second());
        let body = body(message).to_string().into_bytes();
        let signatures: Vec<String> =
            self.secrets.iter().map(|secret| secret.sign(&id, timestamp, &body)).collect();
        let request = self
            .endpoint
            .post()
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signatures.join(" "))
            .body(body);
        http::send(request, now).await.map(drop)
    }
}

fn body(message: &Message) -> Value {
    let (kind, data) = match &message.lines[..] {
        [line] => (event(line), data(line)),
        lines => {
            let notices: Vec<Value> = lines
                .iter()
                .map(|line| json!({ "type": event(line), "data": data(line) }))
                .collect();
            ("case.digest".into(), json!({ "notices": notices }))
        }
    };
    json!({ "type": kind, "timestamp": message.made_at.to_string(), "data": data })
}

fn event(line: &Line) -> String {
    format!("case.{}", line.kind.word())
}

fn data(line: &Line) -> Value {
    let due = line.due_at.map(|at| at.to_string());
    json!({ "alert": line.alert, "street": line.street, "due": due, "link": line.link })
}

#[cfg(test)]
mod tests {
    use super::{super::message::tests::message, *};

    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

    #[test]
    fn a_signature_is_the_published_one() {
        // The example of the reference implementations at standardwebhooks.com.
        let secret = Secret::parse(SECRET).expect("a secret");
        let body = br#"{"email":"test@example.com","username":"test_user"}"#;
        assert_eq!(
            secret.sign("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1_649_367_553, body),
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="
        );
    }

    #[test]
    fn an_independent_implementation_signs_our_messages_alike() {
        let body = body(&message(&["AL-0123-ABCD-XYZ9", "AL-0000-0000-0000"])).to_string();
        let ours = Secret::parse(SECRET).expect("a secret").sign("msg_1", 7, body.as_bytes());
        let theirs = standardwebhooks::Webhook::new(SECRET).expect("a secret");
        assert_eq!(theirs.sign("msg_1", 7, body.as_bytes()).ok(), Some(ours));
    }

    #[test]
    fn a_secret_that_is_too_short_or_no_secret_at_all_is_refused_and_none_is_ever_shown() {
        let short = format!("{PREFIX}{}", BASE64_STANDARD.encode([1; 23]));
        for bad in ["", "whsec_", "C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "whsec_*", &short] {
            assert!(Secret::parse(bad).is_none(), "{bad}");
        }
        assert_eq!(format!("{:?}", Secret::parse(SECRET)), "Some(Secret)");
    }

    #[test]
    fn a_message_has_a_type_a_time_and_the_four_things_that_may_be_told() {
        let one = body(&message(&["AL-0123-ABCD-XYZ9"]));
        let expected = json!({
            "type": "case.assigned",
            "timestamp": "2026-11-24T06:00:00Z",
            "data": {
                "alert": "AL-0123-ABCD-XYZ9",
                "street": "320104002",
                "due": "2026-11-24T07:00:00Z",
                "link": "https://desk.example/alerts/AL-0123-ABCD-XYZ9",
            },
        });
        assert_eq!(one, expected);
    }
}
