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
    witness::{cosigning::Witness, own_act::OwnAct},
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
pub struct Source {
    /// Where it is published.
    pub publication: Arc<Publication>,
    /// Remembers what was sent.
    pub witness: Arc<Witness>,
    /// The dataset.
    pub dataset: DatasetId,
    /// The scope.
    pub scope: Scope,
}

/// A cross-check dataset.
pub struct SealedSource(Source);

/// A watch dataset.
pub struct ReleasedSource(Source);

impl SealedSource {
    /// For a dataset in the scope that was asked for.
    pub fn new(source: Source) -> Self {
        Self(source)
    }
}

impl ReleasedSource {
    /// For a dataset in the scope that was asked for.
    pub fn new(source: Source) -> Self {
        Self(source)
    }
}

impl Source {
    fn state(&self) -> Result<DatasetState, Status> {
        let present = self.publication.scope();
        if present != self.scope || self.publication.is_over() {
            let (got, expected) = (self.scope.to_string(), "in a later epoch".to_owned());
            return Err(refusal::scope(&ScopeError::Other { got, expected }));
        }
        let state = self.publication.state(&self.dataset);
        state.ok_or_else(|| refusal::unknown_dataset("such"))
    }

    /// Sends a group that the gateway's log must account for, unless it is empty: noted before its end
    /// can arrive, and taken back where it was broken off.
    fn remembered(
        &self,
        act: OwnAct,
        empty: bool,
        send: impl FnOnce() -> Result<ControlFlow<()>, Status>,
    ) -> Result<ControlFlow<()>, Status> {
        if empty {
            return send();
        }
        let new = self.witness.note(act.clone()).map_err(|error| refusal::acts(&error))?;
        let sent = send();
        if new && !matches!(sent, Ok(ControlFlow::Continue(()))) {
            self.witness.acts.forget(&act).map_err(|error| refusal::acts(&error))?;
        }
        sent
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
        let place = Place { cursor: head.cursor(), as_of: head.as_of };
        let act = OwnAct::sync(self.0.scope.epoch, &self.0.dataset, place.cursor);
        let send = || group.send(resume, emit).map_err(|error| refusal::store(&error));
        let sent = self.0.remembered(act, after == Some(place.cursor), send)?;
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
        let act = OwnAct::release(self.0.scope.epoch, &self.0.dataset, place.cursor);
        let send = || Ok(group.send(resume, emit));
        let sent = self.0.remembered(act, after == Some(place.cursor), send)?;
        Ok(sent.is_continue().then_some(place))
    }
}
