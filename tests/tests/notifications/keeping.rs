//! What was sent is kept as long as somebody may ask, and what was not until it is.

use gateway::notify::{
    deliveries::State,
    notice::{Kind, Notice},
    outbox,
};
use jiff::SignedDuration;
use tests::stubs::https::{Answer, HttpsStub};

use super::{FIRST, Post, SECOND, THIRD, notice, webhook};

const DAY: i64 = 24;

impl Post {
    /// Waits until exactly these alerts are in notifications of a state.
    async fn has(&self, state: State, alerts: &[&str]) {
        let started = std::time::Instant::now();
        loop {
            let listed = self.deliveries.list(&[state], 10).await.expect("read");
            let mut found: Vec<String> = listed.into_iter().flat_map(|one| one.alerts).collect();
            found.sort();
            if found == alerts {
                return;
            }
            assert!(started.elapsed().as_secs() < 60, "{state:?}: {found:?}, wanted {alerts:?}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// How many notices there are.
    async fn notices(&self) -> i64 {
        let count = sqlx::query_scalar("SELECT COUNT(*) FROM notice");
        count.fetch_one(self.deliveries.pool()).await.expect("counted")
    }

    async fn put_notice(&self, notice: &Notice) {
        let mut transaction = self.deliveries.pool().begin().await.expect("begun");
        outbox::put(&mut transaction, notice).await.expect("put");
        transaction.commit().await.expect("committed");
    }
}

#[tokio::test]
async fn what_was_sent_is_forgotten_after_ninety_days_and_what_is_parked_never() {
    let mut post = Post::new().await;
    let (good, gone) = (HttpsStub::start(&post.pki).await, HttpsStub::start(&post.pki).await);
    let (good, gone) = (good.expect("a stub"), gone.expect("a stub"));
    gone.answer(Answer::Status(410, "", "gone"));
    let parks = webhook("gone", &gone, "kinds = [\"returned\"]");
    post.send(&(webhook("good", &good, "") + &parks));
    post.put(FIRST, Kind::Assigned).await;
    post.put(SECOND, Kind::Returned).await;
    post.has(State::Sent, &[SECOND, FIRST]).await;
    post.has(State::Parked, &[SECOND]).await;
    post.pass(2 * DAY);
    post.put(THIRD, Kind::Assigned).await;
    post.has(State::Sent, &[SECOND, FIRST, THIRD]).await;

    // The first two were sent 91 days ago, and the third 89.
    post.pass(89 * DAY);
    post.has(State::Sent, &[THIRD]).await;
    post.has(State::Parked, &[SECOND]).await;
    assert_eq!(post.notices().await, 2, "what is parked is still there to be told");
    gone.answer(Answer::Status(204, "", ""));
    let parked = post.deliveries.parked(&[]).await.expect("read");
    post.deliveries.retry(&parked, *post.now.borrow()).await.expect("written");
    post.has(State::Sent, &[SECOND, THIRD]).await;
    let told = gone.inbox.at_least(2).await.expect("sent after all");
    assert_eq!(told[0].body, told[1].body);

    post.pass(91 * DAY);
    post.has(State::Sent, &[]).await;
    assert_eq!(post.notices().await, 0);
    assert_eq!(good.inbox.all().len(), 3, "nothing was sent twice");
}

#[tokio::test]
async fn a_reminder_of_what_is_due_later_is_not_sent_again_when_the_first_one_is_forgotten() {
    let mut post = Post::new().await;
    let stub = HttpsStub::start(&post.pki).await.expect("a stub");
    post.send(&webhook("desk", &stub, ""));
    let begun = *post.now.borrow();
    let due_at = Some(begun + SignedDuration::from_hours(200 * DAY));
    let reminder = Notice { due_at, ..notice(FIRST, Kind::DueSoon, begun) };
    post.put_notice(&reminder).await;
    post.has(State::Sent, &[FIRST]).await;
    post.pass(91 * DAY);
    post.has(State::Sent, &[]).await;
    post.put_notice(&reminder).await;
    post.put(SECOND, Kind::Assigned).await;
    post.has(State::Sent, &[SECOND]).await;
    assert_eq!(stub.inbox.all().len(), 2, "the reminder once, and the other");
    post.pass(110 * DAY);
    post.has(State::Sent, &[]).await;
    assert_eq!(post.notices().await, 0, "it is over");
}
