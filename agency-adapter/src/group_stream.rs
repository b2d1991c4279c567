//! A stream of groups to the gateway: the first at once, another whenever there is a later version
//! or the source was read again.

use std::{ops::ControlFlow, sync::Arc};

use proto::{cursor::Cursor, fault::Reason};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::{
    group_source::{GroupSource, Place},
    refusal,
};

/// Frames of about a megabyte each that may wait for a slow gateway.
const FRAMES_WAITING: usize = 2;

/// What a stream of one source's frames is to tonic.
pub type GroupStream<F> = ReceiverStream<Result<F, Status>>;

/// Starts a stream for a gateway at `after`. It ends when the gateway goes, the scope changes or
/// `stop` is cancelled.
///
/// # Errors
/// The refusal, if not even a first group can be sent.
pub async fn start<S: GroupSource>(
    source: S,
    after: Option<Cursor>,
    (changes, stop): (watch::Receiver<u64>, CancellationToken),
) -> Result<GroupStream<S::Frame>, Status> {
    let source = Arc::new(source);
    place(&source, after).await?;
    let (frames, receiver) = mpsc::channel(FRAMES_WAITING);
    tokio::spawn(run(source, after, frames, changes, stop));
    Ok(ReceiverStream::new(receiver))
}

async fn run<S: GroupSource>(
    source: Arc<S>,
    mut after: Option<Cursor>,
    frames: mpsc::Sender<Result<S::Frame, Status>>,
    mut changes: watch::Receiver<u64>,
    stop: CancellationToken,
) {
    let mut last: Option<Place> = None;
    loop {
        changes.borrow_and_update();
        let due = match place(&source, after).await {
            Ok(place) => Some(place) != last,
            // Withdrawn until somebody mends it; the gateway keeps what it has, ever staler.
            Err(status) if is_not_loaded(&status) => false,
            Err(status) => return refuse(&frames, status).await,
        };
        if due {
            match send(source.clone(), after, frames.clone()).await {
                Ok(Some(place)) => (after, last) = (Some(place.cursor), Some(place)),
                Ok(None) => return,
                Err(status) => return refuse(&frames, status).await,
            }
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = stop.cancelled() => return,
            () = frames.closed() => return,
        }
    }
}

async fn refuse<F>(frames: &mpsc::Sender<Result<F, Status>>, status: Status) {
    // A gateway that is gone needs no refusal.
    let _ = frames.send(Err(status)).await;
}

async fn place<S: GroupSource>(source: &Arc<S>, after: Option<Cursor>) -> Result<Place, Status> {
    let source = source.clone();
    let place = tokio::task::spawn_blocking(move || source.place(after)).await;
    place.map_err(|_| refusal::internal())?
}

async fn send<S: GroupSource>(
    source: Arc<S>,
    after: Option<Cursor>,
    frames: mpsc::Sender<Result<S::Frame, Status>>,
) -> Result<Option<Place>, Status> {
    let sent = tokio::task::spawn_blocking(move || {
        source.send(after, &mut |frame| match frames.blocking_send(Ok(frame)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        })
    });
    sent.await.map_err(|_| refusal::internal())?
}

fn is_not_loaded(status: &Status) -> bool {
    proto::fault::reason_of(status).as_deref() == Some(Reason::NotLoaded.as_str())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use jiff::Timestamp;
    use tokio_stream::StreamExt;

    use super::*;
    use crate::group_source::Emit;

    /// Sends the second of its place as many times as its version.
    struct Fake(Arc<Mutex<Option<Place>>>);

    impl GroupSource for Fake {
        type Frame = i64;

        fn place(&self, _: Option<Cursor>) -> Result<Place, Status> {
            let place = *self.0.lock().expect("nobody panics");
            place.ok_or_else(|| Reason::NotLoaded.status("nothing"))
        }

        fn send(
            &self,
            after: Option<Cursor>,
            emit: Emit<'_, i64>,
        ) -> Result<Option<Place>, Status> {
            let place = self.place(after)?;
            for _ in 0..place.cursor.version {
                if emit(place.as_of.as_second()).is_break() {
                    return Ok(None);
                }
            }
            Ok(Some(place))
        }
    }

    fn place(version: u32, second: i64) -> Option<Place> {
        let as_of = Timestamp::from_second(second).expect("a moment");
        Some(Place { cursor: Cursor { log: [1; 16], version }, as_of })
    }

    #[tokio::test]
    async fn a_group_follows_every_later_version_or_reading_until_the_end() {
        let present = Arc::new(Mutex::new(None));
        let (publish, stop) = (watch::Sender::new(0), CancellationToken::new());
        let begin = || start(Fake(present.clone()), None, (publish.subscribe(), stop.clone()));
        assert!(begin().await.is_err(), "nothing to send");

        let set = |place| {
            *present.lock().expect("nobody panics") = place;
            publish.send_modify(|count| *count += 1);
        };
        set(place(3, 10));
        let mut stream = begin().await.expect("started");
        for _ in 0..3 {
            assert_eq!(stream.next().await.expect("a frame").expect("good"), 10);
        }
        set(None);
        set(place(1, 20));
        assert_eq!(stream.next().await.expect("a frame").expect("good"), 20, "only read again");
        stop.cancel();
        assert!(stream.next().await.is_none());
    }
}
