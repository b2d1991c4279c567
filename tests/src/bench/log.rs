//! The access log (PROTOCOL.md section 17.7): appending beside a bare loop that writes and syncs the
//! same bytes, and verification beside hashing the same bytes.

use std::{
    fs::{self, File},
    hint::black_box,
    io::Write,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use clap::Args;
use gateway::{
    audit::{log::AccessLog, tile_files::TileFiles},
    clock::Clock,
};
use proto::{
    log_verification,
    note::KeyName,
    signing::SigningKey,
    tile::{Tile, TileKind, WIDTH, push_entry, split_entries},
    tiled_tree::TileSource,
};
use sha2::{Digest, Sha256};
use tokio::{runtime::Runtime, task::JoinSet};

use crate::report::{Compared, Measured, Report};

const WRITERS: [usize; 3] = [1, 16, 256];
/// Half of the limit takes twice the time.
const APPEND_GOAL: f64 = 2.0;
const VERIFY_GOAL: f64 = 1.5;
/// Threads that sync tiles, as in the log.
const TOGETHER: usize = 4;
/// Callers that append the entries to be verified do so in these portions.
const PORTION: usize = 1000;

/// How much to measure.
#[derive(Args)]
pub struct Arguments {
    /// Where the log is written: the limit is this disk's.
    #[arg(long, default_value = ".")]
    directory: PathBuf,
    /// For how long to append with each number of writers.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Entries to verify.
    #[arg(long, default_value_t = 1_000_000)]
    entries: u64,
    /// Bytes of an entry.
    #[arg(long, default_value_t = 300)]
    size: usize,
    /// Turns of hashing and verifying; the figures are the quickest.
    #[arg(long, default_value_t = 10)]
    turns: usize,
}

/// Appends, then verifies.
pub fn run(arguments: &Arguments) -> anyhow::Result<Report> {
    let mut report = Report { benchmark: "log", measured: Vec::new(), compared: Vec::new() };
    let runtime = Runtime::new()?;
    let _entered = runtime.enter();
    // Nothing is removed before the end: a file system may be slow to make files where it has just removed
    // as many.
    let directory = tempfile::tempdir_in(&arguments.directory)?;
    for writers in WRITERS {
        let directory = directory.path().join(writers.to_string());
        append((arguments, &directory), &runtime, writers, &mut report)?;
    }
    report.measured.push(Measured {
        what: "nothing but making and syncing the tiles of as many entries".into(),
        value: bare_tiles(arguments, &directory.path().join("tiles"))?,
        unit: "entries/s",
    });
    verify((arguments, &directory.path().join("verify")), &runtime, &mut report)?;
    Ok(report)
}

fn open(data_dir: &Path) -> anyhow::Result<AccessLog> {
    let origin: KeyName = "bench/log".parse().expect("a name");
    let key = SigningKey::from_seed(&[1; 32].into());
    Ok(AccessLog::open(data_dir, origin, key, Clock::system())?)
}

fn entry(number: u64, size: usize) -> Vec<u8> {
    let mut entry = number.to_string().into_bytes();
    entry.resize(size, b'.');
    entry
}

fn append(
    (arguments, directory): (&Arguments, &Path),
    runtime: &Runtime,
    writers: usize,
    report: &mut Report,
) -> anyhow::Result<()> {
    fs::create_dir(directory)?;
    let time = Duration::from_secs(arguments.seconds);
    let mut bare = BareLoop::new(&directory.join("bare"), writers, arguments.size)?;
    let before = bare.entries_per_second(time / 2)?;
    let log = open(directory)?;
    let began = Instant::now();
    let mut latencies = runtime.block_on(callers(&log, writers, began + time, arguments.size))?;
    let rate = latencies.len() as f64 / began.elapsed().as_secs_f64();
    let unsealed = log.size() - log.checkpoint().size();
    runtime.block_on(log.close());
    // The disk is not the same from one second to the next: the limit is taken before and after.
    let limit = (before + bare.entries_per_second(time / 2)?) / 2.0;
    latencies.sort_unstable();
    let at = |part: usize| latencies[(latencies.len() * part / 100).min(latencies.len() - 1)];
    let mut figure = |what: &str, value, unit| {
        let what = format!("{writers} writers: {what}");
        report.measured.push(Measured { what, value, unit });
    };
    figure("the limit", limit, "entries/s");
    figure("appended", rate, "entries/s");
    figure("p50", at(50).as_secs_f64() * 1e3, "ms");
    figure("p99", at(99).as_secs_f64() * 1e3, "ms");
    figure("not yet under a checkpoint at the end", unsealed as f64, "entries");
    report.compared.push(Compared::new(
        format!("append, per entry, {writers} writers"),
        format!("write and sync {writers} entries at a time"),
        [1e6 / limit, 1e6 / rate],
        APPEND_GOAL,
    ));
    Ok(())
}

/// So many callers that append until the time is over; how long each append took.
async fn callers(
    log: &AccessLog,
    writers: usize,
    until: Instant,
    size: usize,
) -> anyhow::Result<Vec<Duration>> {
    let mut tasks = JoinSet::new();
    for _ in 0..writers {
        tasks.spawn(caller(log.clone(), until, size));
    }
    let mut latencies = Vec::new();
    while let Some(task) = tasks.join_next().await {
        latencies.extend(task??);
    }
    Ok(latencies)
}

/// One entry after another.
async fn caller(log: AccessLog, until: Instant, size: usize) -> anyhow::Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    while Instant::now() < until {
        let asked = Instant::now();
        log.append(vec![entry(latencies.len() as u64, size)]).await?;
        latencies.push(asked.elapsed());
    }
    Ok(latencies)
}

/// Nothing but writing and syncing, as many entries at a time as there are writers.
struct BareLoop {
    file: File,
    bytes: Vec<u8>,
    writers: usize,
}

impl BareLoop {
    fn new(path: &Path, writers: usize, size: usize) -> anyhow::Result<Self> {
        let mut bytes = Vec::new();
        for number in 0..writers {
            push_entry(&mut bytes, &entry(number as u64, size))?;
        }
        Ok(Self { file: File::create(path)?, bytes, writers })
    }

    fn entries_per_second(&mut self, time: Duration) -> anyhow::Result<f64> {
        let began = Instant::now();
        let mut entries = 0;
        while began.elapsed() < time {
            self.file.write_all(&self.bytes)?;
            self.file.sync_data()?;
            entries += self.writers;
        }
        Ok(entries as f64 / began.elapsed().as_secs_f64())
    }
}

/// How many entries' tiles the disk takes in a second: two new files for every 256 entries, each of them
/// synced, by as many threads as the log has for it.
fn bare_tiles(arguments: &Arguments, directory: &Path) -> anyhow::Result<f64> {
    let width = usize::from(WIDTH);
    let bundle = vec![b'.'; width * (arguments.size + 2)];
    let hashes = vec![b'.'; width * 32];
    fs::create_dir(directory)?;
    let time = Duration::from_secs(arguments.seconds);
    let began = Instant::now();
    let make = &|thread: usize| -> anyhow::Result<usize> {
        let mut made = 0;
        while began.elapsed() < time {
            for (name, bytes) in [("entries", &bundle), ("hashes", &hashes)] {
                let mut file = File::create(directory.join(format!("{name}-{thread}-{made}")))?;
                file.write_all(bytes)?;
                file.sync_data()?;
            }
            made += 1;
        }
        Ok(made)
    };
    let made = thread::scope(|scope| {
        let threads: Vec<_> = (0..TOGETHER).map(|it| scope.spawn(move || make(it))).collect();
        threads.into_iter().map(|it| it.join().expect("no panic")).sum::<anyhow::Result<usize>>()
    })?;
    Ok((made * width) as f64 / began.elapsed().as_secs_f64())
}

fn verify(
    (arguments, directory): (&Arguments, &Path),
    runtime: &Runtime,
    report: &mut Report,
) -> anyhow::Result<()> {
    fs::create_dir(directory)?;
    let log = open(directory)?;
    runtime.block_on(async {
        let mut numbers = (0..arguments.entries).peekable();
        while numbers.peek().is_some() {
            let portion = numbers.by_ref().take(PORTION);
            log.append(portion.map(|number| entry(number, arguments.size)).collect()).await?;
        }
        log.close().await;
        anyhow::Ok(())
    })?;
    let checkpoint = log.checkpoint().head();
    anyhow::ensure!(checkpoint.size == arguments.entries, "every entry is under the checkpoint");
    let tiles = TileFiles::in_directory(directory.join("log"));
    let (mut hashing, mut verifying) = (Vec::new(), Vec::new());
    for _ in 0..arguments.turns.max(1) {
        hashing.push(time(|| hash(&tiles, checkpoint.size))?);
        verifying.push(time(|| {
            let seen = |_, entry: &[u8]| {
                black_box(entry);
            };
            Ok(log_verification::verify(&tiles, &checkpoint, None, seen)?)
        })?);
    }
    let quickest = |times: Vec<Duration>| times.into_iter().min().unwrap_or_default();
    let (hashing, verifying) = (quickest(hashing), quickest(verifying));
    let each = |time: Duration| time.as_secs_f64() * 1e6 / arguments.entries as f64;
    report.measured.push(Measured {
        what: format!("verify of {} entries", arguments.entries),
        value: verifying.as_secs_f64(),
        unit: "s",
    });
    report.compared.push(Compared::new(
        "verify, per entry".into(),
        "read the entries and hash each with SHA-256, on one core".into(),
        [each(hashing), each(verifying)],
        VERIFY_GOAL,
    ));
    Ok(())
}

fn time(work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Duration> {
    let began = Instant::now();
    work()?;
    Ok(began.elapsed())
}

/// Reads every entry and hashes it, and nothing else.
fn hash(tiles: &TileFiles, size: u64) -> anyhow::Result<()> {
    for number in 0.. {
        let Some(tile) = Tile::in_tree(TileKind::Entries, number, size) else { break };
        let bundle = tiles.read(tile)?;
        for entry in split_entries(&bundle, tile.width.into())? {
            black_box(Sha256::digest(entry));
        }
    }
    Ok(())
}
