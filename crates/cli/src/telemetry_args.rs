//! How a run can be watched from outside.

use cabotage_core::Result;
use cabotage_engine::Stop;
use cabotage_telemetry::{MetricsAddress, MetricsServer, Notifier, Watched};
use clap::Args;

use crate::progress::Reporter;

#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct TelemetryArgs {
    /// Serve metrics for Prometheus at http://ADDR/metrics during the run: 127.0.0.1:9090, [::1]:9090; port 0: a free one
    #[arg(long, value_name = "ADDR")]
    metrics: Option<MetricsAddress>,
    /// Let --metrics serve other machines, whoever they are
    #[arg(long, requires = "metrics")]
    metrics_allow_remote: bool,
}

impl TelemetryArgs {
    /// Whether metrics are asked for.
    pub(crate) fn serves_metrics(self) -> bool {
        self.metrics.is_some()
    }

    /// Takes the address of the metrics, and tells it: before anything else is done.
    ///
    /// # Errors
    /// `InvalidConfig` for an address that can't be had.
    pub(crate) async fn start(self, reporter: &Reporter) -> Result<Telemetry> {
        let notifier = Notifier::of_process();
        let Some(address) = self.metrics else { return Ok(Telemetry { metrics: None, notifier }) };
        let server = MetricsServer::bind(address.check(self.metrics_allow_remote)?).await?;
        reporter.say(&format!("metrics are at {}", server.url()));
        Ok(Telemetry { metrics: Some(server), notifier })
    }
}

/// What tells of a run while it goes on.
#[derive(Debug)]
pub(crate) struct Telemetry {
    metrics: Option<MetricsServer>,
    /// To systemd, where it started this process.
    notifier: Option<Notifier>,
}

impl Telemetry {
    /// Tells of the run; never ends.
    pub(crate) async fn follow(self, watched: Watched, stop: &Stop) {
        let serve = async {
            if let Some(server) = self.metrics {
                tokio::join!(server.serve(&watched), watched.pulse.follow(&watched));
            }
        };
        let notify = async {
            if let Some(notifier) = self.notifier {
                notifier.follow(&watched, stop).await;
            }
        };
        tokio::join!(serve, notify, std::future::pending::<()>());
    }
}
