//! Notices reach webhooks, SMS gateways and mail servers over real TLS: signed, again where they must be, once
//! where they may be, and never with more in them than they may tell.

mod crash;
mod keeping;
mod telling;
mod ways;

use std::{
    fs, num::NonZeroU8, os::unix::fs::PermissionsExt, path::Path, sync::Arc, time::Duration,
};

use gateway::{
    audit::{log::AccessLog, log_key, recorder::Recorder, witnesses::Witnesses},
    clock::Clock,
    database,
    notify::{
        deliveries::{Deliveries, Notification, State},
        notice::{Kind, Notice},
        outbox,
        sender::Sender,
        target,
        target_file::FileTarget,
    },
    regions::Regions,
};
use jiff::{SignedDuration, Timestamp};
use proto::{act::Act, case_event::Tier, entry::Entry, manifest::LogTrust, quorum};
use serde::Deserialize;
use serde_json::Value;
use tests::{
    pki::Pki,
    stubs::https::{Answer, HttpsStub, Received},
};
use tokio::{sync::watch, task::JoinHandle};

const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const OLD_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

const REGIONS: &str = "code,zh,en,valid_from,valid_until,merged_into\n\
                       320104,秦淮区,Qinhuai,,,\n320104002,夫子庙街道,Fuzimiao,,,\n";

#[derive(Deserialize)]
struct Configured {
    notify: Vec<FileTarget>,
}

/// An outbox whose sender runs, under a clock turned by hand.
struct Post {
    pki: Pki,
    deliveries: Deliveries,
    recorder: Recorder,
    now: watch::Sender<Timestamp>,
    sending: Option<JoinHandle<()>>,
    dir: tempfile::TempDir,
}

impl Post {
    async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let pki = Pki::new("demo");
        fs::write(dir.path().join("trust.pem"), pki.trust_pem()).expect("written");
        secret(&dir.path().join("new.secret"), SECRET);
        secret(&dir.path().join("old.secret"), OLD_SECRET);
        let start = "2026-11-24T04:00:00Z".parse().expect("a time");
        let (now, clock) = Clock::manual(start);
        let origin = quorum::origin(&"demo".parse().expect("a name"));
        let key = log_key::create(dir.path()).expect("made");
        let key = log_key::read(dir.path(), &LogTrust { key, quorum: NonZeroU8::MIN });
        let key = key.expect("the same");
        let log = AccessLog::open(dir.path(), origin.clone(), key, clock).expect("a log");
        let recorder =
            Recorder::new(log, origin, Arc::new(Witnesses::new(dir.path(), None, Arc::default())));
        let pool = database::open(&dir.path().join("alerts.sqlite")).await.expect("a file");
        let deliveries = Deliveries::new(pool);
        Self { pki, deliveries, recorder, now, sending: None, dir }
    }

    /// Starts to send to the targets of these `[[notify]]` tables.
    fn send(&mut self, tables: &str) {
        let configured: Configured = toml::from_str(tables).expect("tables");
        let targets = target::read(configured.notify, self.dir.path()).expect("targets");
        let (sender, clock) = Clock::manual(*self.now.borrow());
        self.now = sender;
        let (deliveries, recorder) = (self.deliveries.clone(), self.recorder.clone());
        let regions = Arc::new(Regions::parse(REGIONS).expect("regions"));
        let sender = Sender { deliveries, targets, regions, recorder, clock };
        self.sending = Some(tokio::spawn(sender.run()));
    }

    fn pass(&self, hours: i64) {
        self.now.send_modify(|now| *now += SignedDuration::from_hours(hours));
    }

    /// Puts a notice into the outbox, as a desk does.
    async fn put(&self, alert: &str, kind: Kind) {
        self.put_all(&[(alert, kind)]).await;
    }

    /// Puts several, all or none.
    async fn put_all(&self, notices: &[(&str, Kind)]) {
        let mut transaction = self.deliveries.pool().begin().await.expect("begun");
        for (alert, kind) in notices {
            let notice = notice(alert, *kind, *self.now.borrow());
            outbox::put(&mut transaction, &notice).await.expect("put");
        }
        transaction.commit().await.expect("committed");
    }

    /// The only notification there is, once it looks so.
    async fn becomes(&self, good: impl Fn(&Notification) -> bool) -> Notification {
        let started = std::time::Instant::now();
        loop {
            let all = [State::Waiting, State::Sent, State::Parked];
            let list = self.deliveries.list(&all, 10).await.expect("read");
            if let [one] = &list[..]
                && good(one)
            {
                return one.clone();
            }
            assert!(started.elapsed() < Duration::from_secs(60), "{list:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn is(&self, state: State) -> Notification {
        self.becomes(|one| one.state == state).await
    }

    /// What the log tells of sending.
    async fn logged(&self) -> Vec<Act> {
        let mut acts = vec![];
        for index in 0..self.recorder.log().size() {
            let bytes = self.recorder.log().entry(index).await.expect("an entry");
            acts.push(Entry::parse(&bytes).expect("an entry").act().clone());
        }
        acts
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        if let Some(sending) = &self.sending {
            sending.abort();
        }
    }
}

fn secret(path: &Path, text: &str) {
    fs::write(path, format!("{text}\n")).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("set");
}

fn notice(alert: &str, kind: Kind, now: Timestamp) -> Notice {
    Notice {
        alert: alert.parse().expect("an id"),
        event: 2,
        kind,
        tier: Tier::Worker,
        region: "320104002003".parse().expect("a code"),
        due_at: Some(now + SignedDuration::from_hours(24)),
        made_at: now,
    }
}

const FIRST: &str = "AL-0123-ABCD-XYZ9";
const SECOND: &str = "AL-0000-1111-2222";
const THIRD: &str = "AL-3333-4444-5555";

fn webhook(name: &str, stub: &HttpsStub, more: &str) -> String {
    format!(
        "[[notify]]\nname = \"{name}\"\nlink = \"https://desk.example/{{alert}}\"\n{more}\n\
         [notify.webhook]\nurl = \"{}\"\nsecrets = [\"new.secret\"]\ntrust = \"trust.pem\"\n",
        stub.url("/hook")
    )
}

/// What a signature must be, by HMAC-SHA256 (RFC 2104) over what the specification says.
fn signature(secret: &str, request: &Received) -> String {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let key = BASE64_STANDARD.decode(secret.trim_start_matches("whsec_")).expect("base64");
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &key);
    let mut signed =
        format!("{}.{}.", request.headers["webhook-id"], request.headers["webhook-timestamp"])
            .into_bytes();
    signed.extend(&request.body);
    format!("v1,{}", BASE64_STANDARD.encode(ring::hmac::sign(&key, &signed)))
}

fn body(request: &Received) -> Value {
    serde_json::from_slice(&request.body).expect("JSON")
}

#[tokio::test]
async fn a_webhook_is_logged_then_signed_with_every_secret_and_tells_four_things() {
    let mut post = Post::new().await;
    let stub = HttpsStub::start(&post.pki).await.expect("a stub");
    let both = webhook("desk", &stub, "").replace("[\"new", "[\"old.secret\", \"new");
    post.send(&both);
    post.put(FIRST, Kind::Assigned).await;
    let sent = post.is(State::Sent).await;
    let request = stub.inbox.all().pop().expect("it came");
    let signatures = format!("{} {}", signature(OLD_SECRET, &request), signature(SECRET, &request));
    assert_eq!(request.headers["webhook-signature"], signatures);
    assert_eq!(request.headers["webhook-id"], format!("msg_{}", sent.id));
    let expected = serde_json::json!({
        "type": "case.assigned",
        "timestamp": "2026-11-24T04:00:00Z",
        "data": {
            "alert": FIRST,
            "street": "秦淮区夫子庙街道",
            "due": "2026-11-25T04:00:00Z",
            "link": format!("https://desk.example/{FIRST}"),
        },
    });
    assert_eq!(body(&request), expected);
    let act = Act::NotificationSent {
        notification: sent.id,
        target: "desk".parse().expect("a name"),
        alerts: vec![FIRST.parse().expect("an id")],
        attempt: 1,
    };
    assert_eq!(post.logged().await, [act]);
    post.put(FIRST, Kind::Assigned).await;
    post.put(SECOND, Kind::Assigned).await;
    let all = stub.inbox.at_least(2).await.expect("the next one");
    assert_eq!(body(&all[1])["data"]["alert"], SECOND, "the same notice again is the same");
}

#[tokio::test]
async fn what_may_pass_is_tried_again_when_the_target_wishes_under_the_same_id() {
    let mut post = Post::new().await;
    let stub = HttpsStub::start(&post.pki).await.expect("a stub");
    stub.answer(Answer::Status(503, "retry-after: 7200\r\n", "busy"));
    post.send(&webhook("desk", &stub, ""));
    let begun = *post.now.borrow();
    post.put(FIRST, Kind::DueSoon).await;
    let failed = post.becomes(|one| !one.problem.is_empty()).await;
    assert_eq!(
        (failed.state, failed.attempts, &failed.problem[..]),
        (State::Waiting, 1, "http 503")
    );
    assert_eq!(failed.next_at, begun + SignedDuration::from_hours(2));
    stub.answer(Answer::Status(204, "", ""));
    post.pass(2);
    post.is(State::Sent).await;
    let requests = stub.inbox.all();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].headers["webhook-id"], requests[1].headers["webhook-id"]);
    assert_eq!(requests[0].body, requests[1].body);
    assert_ne!(requests[0].headers["webhook-timestamp"], requests[1].headers["webhook-timestamp"]);
    assert_eq!(requests[1].headers["webhook-signature"], signature(SECRET, &requests[1]));
}

#[tokio::test]
async fn what_is_refused_for_good_is_parked_at_once_and_sent_when_somebody_says_so() {
    let mut post = Post::new().await;
    let stub = HttpsStub::start(&post.pki).await.expect("a stub");
    stub.answer(Answer::Status(410, "", "gone"));
    post.send(&webhook("desk", &stub, ""));
    post.put(FIRST, Kind::Returned).await;
    let parked = post.is(State::Parked).await;
    assert_eq!((parked.attempts, &parked.problem[..]), (1, "http 410"));
    assert_eq!(parked.alerts, [FIRST]);
    let acts = post.logged().await;
    assert!(matches!(&acts[..], [_, Act::NotificationParked { .. }]), "{acts:?}");
    stub.answer(Answer::Status(200, "", ""));
    let ids = post.deliveries.parked(&[parked.id]).await.expect("read");
    assert_eq!(ids, [parked.id]);
    post.deliveries.retry(&ids, *post.now.borrow()).await.expect("written");
    post.is(State::Sent).await;
    let requests = stub.inbox.all();
    assert_eq!(requests[0].headers["webhook-id"], requests[1].headers["webhook-id"]);
}

#[tokio::test]
async fn after_ten_attempts_a_notification_is_parked_and_still_there() {
    let mut post = Post::new().await;
    let stub = HttpsStub::start(&post.pki).await.expect("a stub");
    stub.answer(Answer::Status(500, "", ""));
    post.send(&webhook("desk", &stub, ""));
    post.put(FIRST, Kind::Escalated).await;
    for attempt in 1..=10 {
        post.becomes(|one| one.attempts == attempt && !one.problem.is_empty()).await;
        post.pass(31);
    }
    let parked = post.is(State::Parked).await;
    assert_eq!((parked.attempts, &parked.problem[..]), (10, "http 500"));
    assert_eq!(stub.inbox.all().len(), 10);
}

#[tokio::test]
async fn a_target_that_never_answers_delays_no_other() {
    let mut post = Post::new().await;
    let (slow, quick) = (HttpsStub::start(&post.pki).await, HttpsStub::start(&post.pki).await);
    let (slow, quick) = (slow.expect("a stub"), quick.expect("a stub"));
    slow.answer(Answer::Silence);
    post.send(&(webhook("slow", &slow, "") + &webhook("quick", &quick, "")));
    post.put(FIRST, Kind::Assigned).await;
    slow.inbox.at_least(1).await.expect("it hangs");
    post.put(SECOND, Kind::Assigned).await;
    let quick = quick.inbox.at_least(2).await.expect("both");
    assert_eq!(body(&quick[1])["data"]["alert"], SECOND);
    assert_eq!(slow.inbox.all().len(), 1, "still at the first");
}

#[tokio::test]
async fn a_target_is_told_what_it_wants_and_nothing_else() {
    let mut post = Post::new().await;
    let (here, there) = (HttpsStub::start(&post.pki).await, HttpsStub::start(&post.pki).await);
    let (here, there) = (here.expect("a stub"), there.expect("a stub"));
    let wish = "kinds = [\"escalated\"]\ntiers = [\"worker\"]\nregions = [\"320104\"]";
    let elsewhere = webhook("there", &there, "regions = [\"320105\"]");
    post.send(&(webhook("here", &here, wish) + &elsewhere));
    post.put(FIRST, Kind::Assigned).await;
    post.put(SECOND, Kind::Escalated).await;
    let told = here.inbox.at_least(1).await.expect("the escalated one");
    assert_eq!(body(&told[0])["data"]["alert"], SECOND);
    post.is(State::Sent).await;
    assert_eq!(there.inbox.all(), []);
}

#[tokio::test]
async fn a_digest_is_one_message_in_its_period_with_all_that_came_since() {
    let mut post = Post::new().await;
    let stub = HttpsStub::start(&post.pki).await.expect("a stub");
    post.send(&webhook("desk", &stub, "digest = \"1h\""));
    post.put(FIRST, Kind::Assigned).await;
    stub.inbox.at_least(1).await.expect("the first at once");
    post.put_all(&[(THIRD, Kind::Returned), (SECOND, Kind::Assigned)]).await;
    post.pass(1);
    let requests = stub.inbox.at_least(2).await.expect("the digest");
    let digest = body(&requests[1]);
    assert_eq!(digest["type"], "case.digest");
    let told = |n: usize| digest["data"]["notices"][n]["data"]["alert"].clone();
    assert_eq!((told(0), told(1)), (SECOND.into(), THIRD.into()));
    assert_eq!(digest["data"]["notices"][1]["type"], "case.returned");
}
