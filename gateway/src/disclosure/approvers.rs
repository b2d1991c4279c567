//! How many must approve before the agency is asked: one, one more for a person whom the policy calls
//! vulnerable, and one less in an emergency (PROTOCOL.md section 21.2).
//!
//! By what the base knows of the person now. The agency counts anew, by its own mark.

use proto::subject::Subject;
use tokio::sync::mpsc;

use crate::{
    explanation::{self, Truth},
    policy_in_force::PolicyInForce,
    question::{self, Question},
};

/// How many for a subject. Where nobody can say now whether the person is vulnerable, as many as if so.
pub async fn needed(
    (policy, questions): (&PolicyInForce, &mpsc::Sender<Question>),
    subject: Subject,
    emergency: bool,
) -> u32 {
    let (policy, generation) = policy.current_with_generation();
    let truth = match policy.vulnerable.clone() {
        None => Truth::False,
        Some(vulnerable) => {
            let ask = question::ask(questions, generation, move |base, now| {
                let number = base.number(&subject);
                number.map_or(Truth::Unknown, |number| {
                    explanation::truth(&vulnerable, &base.facts(now), number as usize)
                })
            });
            ask.await.unwrap_or(Truth::Unknown)
        }
    };
    count(truth, emergency)
}

/// Unknown never counts as no.
fn count(vulnerable: Truth, emergency: bool) -> u32 {
    1 + u32::from(vulnerable != Truth::False) - u32::from(emergency)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_may_be_vulnerable_takes_one_more_and_an_emergency_one_less() {
        let counts = |truth| (count(truth, false), count(truth, true));
        assert_eq!(counts(Truth::False), (1, 0));
        assert_eq!(counts(Truth::True), (2, 1));
        assert_eq!(counts(Truth::Unknown), (2, 1));
    }
}
