//! One disclosure, and how far it has come.

use jiff::Timestamp;
use proto::{
    disclosure::{Application, OfficerSignature},
    disclosure_request::DisclosureRequest,
    fault::Reason,
    name::AgencyId,
    wire::{self, DisclosureState},
};

/// How far a disclosure has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It waits for an approver, or for one more.
    Asked,
    /// It is on its way to the agency.
    Carried,
    /// The answer waits for the officer.
    Answered,
    /// The officer has it.
    Collected,
    /// The agency refused, or the time ran out.
    Declined,
    /// An approver refused.
    Refused,
}

/// A disclosure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disclosure {
    /// Request and signatures; without a proof.
    pub application: Application,
    /// Who approved, in the order of the approvals.
    pub approvers: Vec<AgencyId>,
    /// How many must have approved before the agency is asked.
    pub approvers_needed: u32,
    /// Where the case is.
    pub region: String,
    /// How far it has come.
    pub stage: Stage,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// The log's entry that it is carried, where there is one for these approvers.
    pub entry: Option<u64>,
    /// Why the agency did not answer.
    pub reason: Option<Reason>,
    /// The answer, which nobody here can open; until it is collected.
    pub answer: Option<wire::DiscloseResponse>,
    /// Of an emergency that nobody has reviewed: by when somebody must.
    pub review_due_at: Option<Timestamp>,
}

impl Stage {
    const ALL: [Self; 6] = [
        Self::Asked,
        Self::Carried,
        Self::Answered,
        Self::Collected,
        Self::Declined,
        Self::Refused,
    ];

    /// The number that stands for it on the wire and in the store.
    pub fn number(self) -> i32 {
        let state = match self {
            Self::Asked => DisclosureState::Asked,
            Self::Carried => DisclosureState::Carried,
            Self::Answered => DisclosureState::Answered,
            Self::Collected => DisclosureState::Collected,
            Self::Declined => DisclosureState::Declined,
            Self::Refused => DisclosureState::Refused,
        };
        state.into()
    }

    /// The stage with this number.
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.number() == number)
    }
}

impl Disclosure {
    /// A new one, which is on its way already where nobody need approve; of an emergency, to be reviewed by
    /// then.
    pub fn asked(
        application: Application,
        approvers_needed: u32,
        region: String,
        now: Timestamp,
        review_due_at: Timestamp,
    ) -> Self {
        let emergency = application.request.emergency;
        Self {
            application,
            approvers: vec![],
            approvers_needed,
            region,
            stage: if approvers_needed == 0 { Stage::Carried } else { Stage::Asked },
            asked_at: now,
            entry: None,
            reason: None,
            answer: None,
            review_due_at: emergency.then_some(review_due_at),
        }
    }

    /// The request.
    pub fn request(&self) -> &DisclosureRequest {
        &self.application.request
    }

    /// Whether the request is good no more.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.request().expires_at <= now
    }

    /// Whether who asks, or approved it already, is this officer: then somebody else is needed.
    pub fn is_by(&self, officer: &AgencyId) -> bool {
        self.request().officer == *officer || self.approvers.contains(officer)
    }

    /// Somebody approves; where that is enough, it is on its way.
    pub fn approved(&mut self, by: AgencyId, approval: OfficerSignature) {
        self.application.approvals.push(approval);
        self.approvers.push(by);
        if self.count() >= self.approvers_needed {
            (self.stage, self.entry) = (Stage::Carried, None);
        }
    }

    /// What the agency's refusal makes of it: one more approver may help, anything else ends it.
    pub fn declined(&mut self, reason: Reason) {
        self.stage = match reason {
            Reason::TooFewApprovers => Stage::Asked,
            _ => Stage::Declined,
        };
        if self.stage == Stage::Asked {
            self.approvers_needed = self.count() + 1;
        }
        (self.reason, self.answer) = (Some(reason), None);
    }

    fn count(&self) -> u32 {
        u32::try_from(self.approvers.len()).expect("approvers are officers, and few")
    }

    /// As staff see it.
    pub fn to_wire(&self) -> wire::Disclosure {
        let moment = |at: Timestamp| prost_types::Timestamp {
            seconds: at.as_second(),
            nanos: at.subsec_nanosecond(),
        };
        wire::Disclosure {
            state: self.stage.number(),
            request: self.request().to_bytes(),
            officer: Some((&self.application.officer).into()),
            asked_at: Some(moment(self.asked_at)),
            approvers: self.approvers.iter().map(ToString::to_string).collect(),
            reason: self.reason.map_or("", Reason::as_str).to_owned(),
            review_due_at: self.review_due_at.map(moment),
            approvers_needed: self.approvers_needed,
        }
    }
}
