//! When everything is read again: manifest, TLS files, salts, grants and sources; at the start, by the
//! clock, when somebody asks, and when a grant came.
//!
//! The present epoch comes first and waits for no other: a later one is read beside it.

use std::sync::Arc;

use rustls::ServerConfig;
use tokio::{
    sync::{Notify, watch},
    task::spawn_blocking,
};
use tokio_util::sync::CancellationToken;

use crate::{
    config::Config,
    epochs::Epochs,
    evaluating::Evaluations,
    key_holder::holder::KeyHolder,
    publication::{Publication, Reload},
    server::read_tls,
};

/// What is read again, and who asks for it.
pub(crate) struct Reloads {
    pub(crate) config: Config,
    pub(crate) epochs: Arc<Epochs>,
    pub(crate) evaluations: Evaluations,
    pub(crate) key_holder: Option<Arc<KeyHolder>>,
    pub(crate) tls: watch::Sender<Arc<ServerConfig>>,
    pub(crate) reload: Arc<Notify>,
    pub(crate) granted: Arc<Notify>,
}

impl Reloads {
    /// Reads again whenever it is time, until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let later = LaterEpochs::default();
        tokio::select! {
            () = self.present_epoch(&later) => {}
            () = later.run(&self.epochs, self.key_holder.as_ref()) => {}
            () = stop.cancelled() => {}
        }
    }

    async fn present_epoch(&self, later: &LaterEpochs) {
        let mut which = Reload::All;
        let mut timer = tokio::time::interval(self.config.reload_every);
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        timer.tick().await;
        loop {
            self.take_over().await;
            self.evaluations.follow(&self.epochs.publications());
            let present = self.epochs.present();
            match read_tls(&self.config, &present.agency()) {
                Ok(tls) => drop(self.tls.send_replace(tls)),
                Err(error) => tracing::error!(problem = %error, "the last TLS files stay in use"),
            }
            later.ask(&which);
            publish(present, which).await;
            which = tokio::select! {
                biased;
                _ = timer.tick() => Reload::All,
                () = self.reload.notified() => Reload::All,
                () = self.granted.notified() => Reload::Granted,
            };
        }
    }

    async fn take_over(&self) {
        let epochs = self.epochs.clone();
        if let Ok(Err(error)) = spawn_blocking(move || epochs.take_over()).await {
            tracing::error!(problem = %error, "the epochs that were open stay so");
        }
    }
}

/// Epochs after the present one. What is asked for while they are being read is read once after it.
#[derive(Default)]
struct LaterEpochs {
    all: Notify,
    granted: Notify,
}

impl LaterEpochs {
    fn ask(&self, which: &Reload) {
        match which {
            Reload::Granted => self.granted.notify_one(),
            Reload::All | Reload::Only(_) => self.all.notify_one(),
        }
    }

    async fn run(&self, epochs: &Arc<Epochs>, key_holder: Option<&Arc<KeyHolder>>) {
        loop {
            let which = tokio::select! {
                biased;
                () = self.all.notified() => Reload::All,
                () = self.granted.notified() => Reload::Granted,
            };
            for publication in epochs.publications().into_iter().skip(1) {
                publish(publication, which.clone()).await;
            }
            let (epochs, key_holder) = (epochs.clone(), key_holder.cloned());
            let forget = move || {
                if let Err(error) = epochs.forget_ended() {
                    tracing::error!(problem = %error, "an ended epoch is not deleted yet");
                }
                let oldest = epochs.present().scope().epoch;
                if let Some(Err(error)) = key_holder.map(|holder| holder.forget_before(oldest)) {
                    tracing::error!(problem = %error, "seeds of ended epochs are not deleted yet");
                }
            };
            if spawn_blocking(forget).await.is_err() {
                tracing::error!("deleting ended epochs failed");
            }
        }
    }
}

async fn publish(publication: Arc<Publication>, which: Reload) {
    let epoch = publication.scope().epoch;
    let reload = move || publication.reload(&which, &mut |_, _, _| {});
    match spawn_blocking(reload).await {
        Ok(Ok(reports)) => {
            for (dataset, _) in reports.iter().filter(|(_, report)| report.is_ok()) {
                tracing::info!(epoch, %dataset, "read and published");
            }
        }
        Ok(Err(error)) => {
            tracing::error!(epoch, problem = %error, "everything stays as it was published");
        }
        Err(_) => tracing::error!(epoch, "a reload failed; what was published stays"),
    }
}
