//! `alerts watch`: changes as they happen, without a gap over lost connections.
//!
//! Where to go on and how long to wait is `resume`'s to decide.

use std::io::Write;

use proto::wire::{
    Alert, AlertFilter, AlertState, WatchAlertsRequest, watch_alerts_response::Event,
};
use tokio::time::{sleep, timeout};
use tonic::transport::Channel;

use crate::{
    alerts::{due_text, region, state_text},
    connection::Gateway,
    failure::Failure,
    json,
    moment::clock_face,
    output::{Form, Screen, harmless, write_out},
    resume::{Pace, Resume},
    rules::Names,
    words::Phrase,
};

const LOST: Phrase = ("连接已断开，正在重新连接：", "The connection is lost; connecting again: ");
const ENDED: Phrase = ("网关结束了数据流", "the gateway ended the stream");
const BACK: Phrase = ("连接已恢复。", "The connection is back.");
const BEHIND: Phrase = (
    "网关的修订号小于已看到的修订号，其存储可能已从备份恢复；请不带 --resume-after 重新开始。",
    "The gateway is at an earlier revision than the last one seen here: its store may have been restored from a copy; start again without --resume-after.",
);

/// A watch and where it writes.
pub struct Watch<'a, D, E, O, N> {
    /// Opens a new connection.
    pub dial: D,
    /// Finds out more about one that was closed.
    pub explain: E,
    /// For whom changes are written.
    pub screen: &'a Screen,
    /// Which alerts.
    pub filter: AlertFilter,
    /// How long to wait for what.
    pub pace: Pace,
    /// Changes, one a line.
    pub out: O,
    /// Words about the connection.
    pub notices: N,
}

impl<D, E, O, N> Watch<'_, D, E, O, N>
where
    D: AsyncFn() -> Result<Channel, Failure>,
    E: AsyncFn(Failure) -> Failure,
    O: Write,
    N: Write,
{
    /// Shows changes after `revision` until something fails that waiting will not mend, or the
    /// first connection cannot be made.
    ///
    /// # Errors
    /// [`Failure`]; it never ends otherwise.
    pub async fn run(mut self, revision: u64) -> Result<(), Failure> {
        if self.filter.states.is_empty() {
            // Who follows an alert wants to know that it is withdrawn.
            self.filter.states = ALL_STATES.map(i32::from).to_vec();
        }
        let mut resume = Resume::after(revision);
        loop {
            let failure = match self.follow(&mut resume).await {
                Ok(()) => Failure::Closed(self.screen.lang.say(ENDED).into()),
                Err(failure) => (self.explain)(failure).await,
            };
            if !resume.has_been_open() || !failure.may_pass() {
                return Err(failure);
            }
            if resume.lost() {
                let lang = self.screen.lang;
                self.notice(&format!("{}{}", lang.say(LOST), failure.cause(lang)));
            }
            sleep(resume.wait(&self.pace)).await;
        }
    }

    /// One connection, until its stream ends.
    async fn follow(&mut self, resume: &mut Resume) -> Result<(), Failure> {
        let mut gateway = Gateway::over((self.dial)().await?);
        let names = match self.screen.form {
            Form::Json => Names::default(),
            Form::Plain | Form::Terminal { .. } => Names::fetch(&mut gateway).await,
        };
        let filter = Some(self.filter.clone());
        let request = WatchAlertsRequest { filter, resume_after: resume.ask() };
        let opening = timeout(self.pace.silence, gateway.staff.watch_alerts(request)).await;
        let mut stream = opening.map_err(|_| Failure::Deadline)??.into_inner();
        if resume.opened() {
            self.notice(self.screen.lang.say(BACK));
        }
        loop {
            let message = timeout(self.pace.silence, stream.message()).await;
            match message.map_err(|_| Failure::Deadline)?? {
                None => return Ok(()),
                Some(response) => self.take(response.event, resume, &names)?,
            }
        }
    }

    fn take(
        &mut self,
        event: Option<Event>,
        resume: &mut Resume,
        names: &Names,
    ) -> Result<(), Failure> {
        match event {
            Some(Event::Alert(alert)) => {
                let news = resume.change(alert.revision);
                if news {
                    let line = self.line(&alert, names);
                    write_out(&mut self.out, &line)?;
                }
            }
            Some(Event::Heartbeat(heartbeat)) => {
                let forgotten = resume.heartbeat(heartbeat.revision);
                if forgotten {
                    self.notice(self.screen.lang.say(BEHIND));
                }
            }
            // Of a newer gateway: it shows that the connection lives, and nothing else.
            None => {}
        }
        Ok(())
    }

    fn line(&self, alert: &Alert, names: &Names) -> String {
        let lang = self.screen.lang;
        if self.screen.form == Form::Json {
            return format!("{}\n", json::alert(alert));
        }
        let parts = [
            &clock_face(alert.changed_at.as_ref()),
            &state_text(alert, self.screen),
            names.rule(&alert.rule, lang),
            region(alert, self.screen),
            &due_text(alert, self.screen),
            &alert.id,
            &format!("#{}", alert.revision),
        ];
        format!("{}\n", harmless(&parts.join("  ")))
    }

    /// Nobody may be reading these, which is no reason to end the watch.
    fn notice(&mut self, text: &str) {
        let _ = writeln!(self.notices, "{text}");
    }
}

const ALL_STATES: [AlertState; 4] =
    [AlertState::Open, AlertState::Pending, AlertState::Incomplete, AlertState::Withdrawn];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fake::{Fake, Script, Served, alert, beat, changed},
        output::tests::screen,
        words::Lang,
    };
    use proto::fault::Reason;
    use std::time::Duration;

    const QUICK: Pace = Pace {
        first: Duration::ZERO,
        longest: Duration::ZERO,
        silence: Duration::from_millis(200),
    };

    /// The failure that ended the watch, what it wrote, and what it said.
    async fn watched(served: &Served, form: Form, revision: u64) -> (Failure, String, String) {
        let (mut out, mut notices) = (vec![], vec![]);
        let watch = Watch {
            dial: async || served.channel().await,
            explain: async |failure| failure,
            screen: &screen(form, Lang::En),
            filter: AlertFilter::default(),
            pace: QUICK,
            out: &mut out,
            notices: &mut notices,
        };
        let failure = watch.run(revision).await.expect_err("the script ends with a refusal");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        (failure, text(out), text(notices))
    }

    fn ids(out: &str) -> Vec<String> {
        let id = |line| {
            let alert: serde_json::Value = serde_json::from_str(line).expect("one object a line");
            alert["id"].as_str().expect("an id").to_owned()
        };
        out.lines().map(id).collect()
    }

    #[tokio::test]
    async fn after_a_lost_connection_it_goes_on_where_it_was_and_says_so() {
        let first = vec![changed(alert("a-1", 5)), beat(5), changed(alert("a-2", 9))];
        let second = vec![changed(alert("a-2", 9)), changed(alert("a-3", 10))];
        let served = Fake::with_streams([Script::Ends(first), Script::Ends(second)]).serve().await;
        let (failure, out, notices) = watched(&served, Form::Json, 4).await;
        assert_eq!(ids(&out), ["a-1", "a-2", "a-3"], "nothing twice and nothing missing");
        let asked: Vec<u64> = served.asked().iter().map(|asked| asked.resume_after).collect();
        assert_eq!(asked, [4, 9, 10]);
        assert_eq!(failure.exit_code(), 1);
        let said: Vec<&str> = notices.lines().collect();
        assert!(said[0].starts_with("The connection is lost"), "{notices}");
        assert_eq!(said[1], "The connection is back.");
    }

    #[tokio::test]
    async fn a_silent_connection_counts_as_lost_and_heartbeats_print_nothing() {
        let silent = Script::Hangs(vec![beat(1)]);
        let served = Fake::with_streams([silent, Script::Ends(vec![beat(1)])]).serve().await;
        let (_, out, notices) = watched(&served, Form::Plain, 0).await;
        assert_eq!(out, "");
        assert!(notices.contains("the gateway is silent"), "{notices}");
        assert_eq!(served.asked().len(), 3);
    }

    #[tokio::test]
    async fn an_outage_of_the_gateway_does_not_end_the_watch() {
        let outage = Err(Reason::StoreUnavailable.status("the disk is full"));
        let scripts = [Script::Ends(vec![outage]), Script::Ends(vec![changed(alert("a-1", 1))])];
        let served = Fake::with_streams(scripts).serve().await;
        let (_, out, notices) = watched(&served, Form::Json, 0).await;
        assert_eq!(ids(&out), ["a-1"]);
        assert!(notices.contains("the disk is full"), "{notices}");
    }

    #[tokio::test]
    async fn who_watches_is_told_of_withdrawn_alerts_too() {
        let served = Fake::with_streams([Script::Ends(vec![])]).serve().await;
        watched(&served, Form::Plain, 0).await;
        let withdrawn = AlertState::Withdrawn as i32;
        let filter = served.asked()[0].filter.clone().expect("a filter");
        assert!(filter.states.contains(&withdrawn));
    }

    #[tokio::test]
    async fn a_gateway_restored_from_a_copy_is_noticed() {
        let served = Fake::with_streams([Script::Ends(vec![beat(3), beat(3)])]).serve().await;
        let (_, _, notices) = watched(&served, Form::Plain, 900).await;
        assert_eq!(notices.matches("earlier revision").count(), 1, "{notices}");
    }

    #[tokio::test]
    async fn a_refused_watch_ends_at_once() {
        let served = Fake::default().serve().await;
        let (failure, _, notices) = watched(&served, Form::Plain, 0).await;
        assert_eq!(failure.reason(), "NOT_PERMITTED");
        assert_eq!(notices, "");
    }
}
