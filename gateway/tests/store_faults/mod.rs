//! The store of alerts, cases and all that commits with them, under a fault at every single write of a
//! life in which everything happens: the power fails, or the disk takes no more.

mod files;
mod life;
mod office;
mod power;
mod refused;

use std::sync::Arc;

use files::Files;
use life::{Act, life};
use office::{House, World};

/// The store is folded into one file when its `-wal` file has grown beyond this.
const FOLD: usize = 400 << 10;

/// The store after one act, with all that the gateway then did by itself.
struct Moment {
    act: Option<Act>,
    world: World,
    contents: Vec<String>,
    /// How long the `-wal` file is.
    length: usize,
}

/// A part of the life, between two times at which the `-wal` file is empty.
struct Part {
    /// The files at its end, before the store is folded.
    files: Files,
    /// The store after that.
    folded: Vec<u8>,
    /// The first is how the part begins.
    moments: Vec<Moment>,
}

/// Lives the life once and notes all of it.
async fn live(house: &House) -> Vec<Part> {
    let directory = files::directory();
    let now = "2026-03-02T02:00:00Z".parse().expect("a time");
    let begin = World { now, orders: Arc::default() };
    let office = house.office(directory.path(), &begin).await;
    let moment = async |act| Moment {
        act,
        world: office.world(),
        contents: office.contents().await,
        length: Files::read(directory.path()).wal.len(),
    };
    let (mut parts, mut moments) = (vec![], vec![moment(None).await]);
    let acts = life();
    for (number, act) in acts.iter().enumerate() {
        act.happen(&office).await.unwrap_or_else(|error| panic!("{act:?}: {error}"));
        moments.push(moment(Some(act.clone())).await);
        let last = number + 1 == acts.len();
        if last || moments.last().is_some_and(|moment| moment.length > FOLD) {
            let files = Files::read(directory.path());
            let fold = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&office.pool);
            fold.await.expect("folded");
            let folded = Files::read(directory.path());
            assert!(folded.wal.is_empty(), "all of it is folded");
            let next = vec![moment(None).await];
            let moments = std::mem::replace(&mut moments, next);
            parts.push(Part { files, folded: folded.store, moments });
        }
    }
    office.leave().await;
    parts
}
