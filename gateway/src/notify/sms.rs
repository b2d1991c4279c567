//! SMS through an HTTP gateway: the configured fields, with what may be told in the place of their
//! placeholders, as JSON or as a form.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reqwest::{
    Response, Url,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue},
};
use serde::Deserialize;

use super::{
    channel::{Failed, Problem},
    http::{self, Endpoint},
    message::{Lang, Message, Template},
};

/// An answer is read so far, in bytes.
const ANSWER: usize = 64 << 10;

/// How the fields are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// A JSON object.
    #[default]
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
}

/// An SMS gateway.
pub struct Sms {
    /// Where it is.
    pub endpoint: Endpoint,
    /// What it is told.
    pub fields: BTreeMap<String, Template>,
    /// How.
    pub form: Form,
    /// What its `Authorization` header is.
    pub authorization: Option<HeaderValue>,
    /// A text in the answers by which it says that it took a message; many answer 200 to everything.
    pub accepted: Option<String>,
    /// The language of what stands for a placeholder.
    pub lang: Lang,
}

impl Sms {
    /// Posts a message.
    ///
    /// # Errors
    /// [`Failed`].
    pub async fn send(&self, message: &Message, now: Timestamp) -> Result<(), Failed> {
        let (kind, body) = self.body(message);
        let mut request = self.endpoint.post().header(CONTENT_TYPE, kind).body(body);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        let answer = http::send(request, now).await?;
        match &self.accepted {
            Some(text) if !says(answer, text.as_bytes()).await? => {
                Err(Failed::ForGood(Problem::NotAccepted))
            }
            _ => Ok(()),
        }
    }

    fn body(&self, message: &Message) -> (&'static str, String) {
        let fields = self.fields.iter();
        let fields: BTreeMap<&str, String> =
            fields.map(|(name, text)| (&name[..], message.filled(text, self.lang))).collect();
        match self.form {
            Form::Json => {
                let text = serde_json::to_string(&fields).expect("texts with names that are texts");
                ("application/json", text)
            }
            Form::Form => {
                let mut query = Url::parse("form:").expect("a constant");
                query.query_pairs_mut().extend_pairs(fields);
                let text = query.query().unwrap_or_default().to_owned();
                ("application/x-www-form-urlencoded", text)
            }
        }
    }
}

/// Whether a text is in the answer.
async fn says(mut answer: Response, text: &[u8]) -> Result<bool, Failed> {
    let mut read = vec![];
    while let Some(more) = answer.chunk().await.map_err(|error| http::problem(&error))? {
        read.extend_from_slice(&more[..more.len().min(ANSWER - read.len())]);
        if read.len() == ANSWER {
            break;
        }
    }
    Ok(read.windows(text.len()).any(|window| window == text))
}

#[cfg(test)]
mod tests {
    use super::{super::message::tests::message, *};

    fn sms(form: Form) -> Sms {
        let field = |text| Template::new(text).expect("a template");
        Sms {
            endpoint: Endpoint::new("https://sms.example/send", None).expect("an address"),
            fields: [
                ("phone".into(), field("02512345")),
                ("text".into(), field("【民政】{alert} \"{street}\"")),
            ]
            .into(),
            form,
            authorization: None,
            accepted: None,
            lang: Lang::Zh,
        }
    }

    #[test]
    fn fields_are_quoted_as_their_form_demands() {
        let message = message(&["AL-0123-ABCD-XYZ9"]);
        let (kind, json) = sms(Form::Json).body(&message);
        assert_eq!(kind, "application/json");
        let text = r#"{"phone":"02512345","text":"【民政】AL-0123-ABCD-XYZ9 \"320104002\""}"#;
        assert_eq!(json, text);
        let (kind, form) = sms(Form::Form).body(&message);
        assert_eq!(kind, "application/x-www-form-urlencoded");
        let text = "phone=02512345&text=%E3%80%90%E6%B0%91%E6%94%BF%E3%80%91AL-0123-ABCD-XYZ9+%22320104002%22";
        assert_eq!(form, text);
    }
}
