//! The name of a method of the protocol, as the access log has it. Which there are, and who may call
//! them, is the gateway's business.

use serde::{Deserialize, Serialize};

/// A method of the protocol, `MatchService/ListAlerts`: one that exists, as who writes it makes sure.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MethodName(Box<str>);

impl MethodName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for MethodName {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let word = |text: &str| {
            !text.is_empty() && text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphabetic())
        };
        match text.split_once('/') {
            Some((service, method)) if word(service) && word(method) => Ok(Self(text.into())),
            _ => Err("a method is written Service/Method"),
        }
    }
}

impl From<MethodName> for String {
    fn from(name: MethodName) -> Self {
        name.0.into()
    }
}
