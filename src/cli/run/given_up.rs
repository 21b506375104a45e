//! Counts, now and then, the hosts that are given up.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::connections::Redis;
use crate::coordination::hosts;
use crate::web::metrics::Metrics;

const PERIOD: Duration = Duration::from_secs(10);

pub(super) async fn count(redis: Redis, metrics: Arc<Metrics>, stop: CancellationToken) {
    loop {
        // While Redis does not answer, what was known last stands.
        if let Ok(number) = hosts::given_up(&redis).await {
            metrics.hosts_given_up(number);
        }
        if stop.run_until_cancelled(tokio::time::sleep(PERIOD)).await.is_none() {
            return;
        }
    }
}
