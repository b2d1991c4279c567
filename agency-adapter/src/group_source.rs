//! Where the groups of a stream come from: the version log for `Sync`, memory for `Release`.

use std::{ops::ControlFlow, sync::Arc};

use jiff::Timestamp;
use proto::{
    cursor::Cursor,
    name::DatasetId,
    scope::{Scope, ScopeError},
    wire,
};
use tonic::Status;

use crate::{
    dataset_state::{Content, DatasetState, Problem},
    publication::Publication,
    refusal,
    released_group::ReleasedGroup,
    resume::Resume,
    sealed_group::SealedGroup,
};

/// What a group brings the gateway to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The log and version.
    pub cursor: Cursor,
    /// As old as it is.
    pub as_of: Timestamp,
}

/// Takes frames; breaks off when nobody wants them any more.
pub type Emit<'e, F> = &'e mut dyn FnMut(F) -> ControlFlow<()>;

/// A dataset whose groups can be sent. Every method may block on the store.
pub trait GroupSource: Send + Sync + 'static {
    /// A frame of the stream.
    type Frame: Send + 'static;

    /// Where the next group for a gateway at `after` leads, without sending it.
    ///
    /// # Errors
    /// The refusal to send.
    fn place(&self, after: Option<Cursor>) -> Result<Place, Status>;

    /// Emits the next group for a gateway at `after`; `None` if that was broken off.
    ///
    /// # Errors
    /// The refusal to send.
    fn send(
        &self,
        after: Option<Cursor>,
        emit: Emit<'_, Self::Frame>,
    ) -> Result<Option<Place>, Status>;
}

/// One dataset of the publication, in the scope the gateway asked for.
struct Source {
    publication: Arc<Publication>,
    dataset: DatasetId,
    scope: Scope,
}

/// A cross-check dataset.
pub struct SealedSource(Source);

/// A watch dataset.
pub struct ReleasedSource(Source);

impl SealedSource {
    /// For a dataset in the scope that was asked for.
    pub fn new(publication: Arc<Publication>, dataset: DatasetId, scope: Scope) -> Self {
        Self(Source { publication, dataset, scope })
    }
}

impl ReleasedSource {
    /// For a dataset in the scope that was asked for.
    pub fn new(publication: Arc<Publication>, dataset: DatasetId, scope: Scope) -> Self {
        Self(Source { publication, dataset, scope })
    }
}

impl Source {
    fn state(&self) -> Result<DatasetState, Status> {
        let present = self.publication.scope();
        if present != self.scope {
            let (got, expected) = (self.scope.to_string(), present.to_string());
            return Err(refusal::scope(&ScopeError::Other { got, expected }));
        }
        let state = self.publication.state(&self.dataset);
        state.ok_or_else(|| refusal::unknown_dataset("such"))
    }

    fn not_loaded(&self, state: &DatasetState) -> Status {
        let problem = state.problem.as_ref().map(Problem::for_gateway);
        refusal::not_loaded(&self.dataset, problem)
    }
}

impl GroupSource for SealedSource {
    type Frame = wire::SyncFrame;

    fn place(&self, after: Option<Cursor>) -> Result<Place, Status> {
        let state = self.0.state()?;
        let Content::Sealed = state.content else { return Err(self.0.not_loaded(&state)) };
        let head = self.0.publication.store().head(&self.0.dataset);
        let head = head.map_err(|error| refusal::store(&error))?;
        let head = head.ok_or_else(|| self.0.not_loaded(&state))?;
        Resume::new(after, head.cursor(), head.kept_since())
            .map_err(|error| refusal::from_the_future(&error))?;
        Ok(Place { cursor: head.cursor(), as_of: head.as_of })
    }

    fn send(
        &self,
        after: Option<Cursor>,
        emit: Emit<'_, wire::SyncFrame>,
    ) -> Result<Option<Place>, Status> {
        let reading = self.0.publication.store().reading(&self.0.dataset);
        let reading = reading.map_err(|error| refusal::store(&error))?;
        // Only now: rows of another scope are never in the store before the scope was changed here.
        self.place(after)?;
        let reading = reading.ok_or_else(refusal::internal)?;
        let head = reading.head();
        let resume = Resume::new(after, head.cursor(), head.kept_since())
            .map_err(|error| refusal::from_the_future(&error))?;
        let agency = self.0.publication.agency();
        let group = SealedGroup {
            scope: &self.0.scope,
            agency: &agency.id,
            dataset: &self.0.dataset,
            reading: &reading,
        };
        let sent = group.send(resume, emit).map_err(|error| refusal::store(&error))?;
        let place = Place { cursor: head.cursor(), as_of: head.as_of };
        Ok(sent.is_continue().then_some(place))
    }
}

impl GroupSource for ReleasedSource {
    type Frame = wire::ReleaseFrame;

    fn place(&self, after: Option<Cursor>) -> Result<Place, Status> {
        let state = self.0.state()?;
        let Content::Released(released) = &state.content else {
            return Err(self.0.not_loaded(&state));
        };
        Resume::new(after, released.cursor(), released.kept_since())
            .map_err(|error| refusal::from_the_future(&error))?;
        Ok(Place { cursor: released.cursor(), as_of: released.as_of })
    }

    fn send(
        &self,
        after: Option<Cursor>,
        emit: Emit<'_, wire::ReleaseFrame>,
    ) -> Result<Option<Place>, Status> {
        let state = self.0.state()?;
        let Content::Released(released) = &state.content else {
            return Err(self.0.not_loaded(&state));
        };
        let resume = Resume::new(after, released.cursor(), released.kept_since())
            .map_err(|error| refusal::from_the_future(&error))?;
        let agency = self.0.publication.agency();
        let group = ReleasedGroup {
            scope: &self.0.scope,
            agency: &agency.id,
            dataset: &self.0.dataset,
            released,
        };
        let place = Place { cursor: released.cursor(), as_of: released.as_of };
        Ok(group.send(resume, emit).is_continue().then_some(place))
    }
}
