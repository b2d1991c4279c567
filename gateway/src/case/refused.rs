//! Why an event cannot follow in a case, in words for who wanted it.

use proto::name::AgencyId;

use super::lifecycle::Stage;

/// Why an event cannot follow. The case stays as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not in this stage.
    #[error("the case is {}", .0.word())]
    Stage(Stage),
    /// Somebody else is to take it.
    #[error("{0} is to take the case: ask the supervisor to assign it to you")]
    AnothersToTake(AgencyId),
    /// Only an officer takes cases and asks for disclosures.
    #[error("the case is not yours")]
    NotTheirs,
    /// Who asked for the disclosure has the case no more.
    #[error("the case is with another officer than the one who asked")]
    AnothersNow,
    /// It is with a tier as high already.
    #[error("the case is escalated already")]
    Escalated,
    /// It has the order.
    #[error("the case has this work order already")]
    HasOrder,
    /// It does not have the order, or not any more.
    #[error("the case has no such work order, or it was returned already")]
    NoOrder,
    /// Nobody asked for it, or it was given.
    #[error("no such disclosure is under way in the case")]
    NoDisclosure,
    /// Relief was given before the papers, once.
    #[error("relief was given before the papers already")]
    Relieved,
    /// No papers are missing.
    #[error("no papers are missing in the case")]
    NoPapers,
    /// Papers are missing.
    #[error("papers are missing in the case: complete them first")]
    PapersMissing,
    /// It was withdrawn already.
    #[error("the case is marked already: its facts are gone")]
    FactsGone,
}
