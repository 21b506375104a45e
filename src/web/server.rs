//! The HTTP server: `/metrics`, `/healthz`, `/readyz`.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::health::Health;
use super::metrics::Metrics;

#[derive(Clone)]
struct Pages {
    health: Arc<Health>,
    metrics: Arc<Metrics>,
}

/// Serves until told to stop.
pub async fn serve(listener: TcpListener, health: Arc<Health>, metrics: Arc<Metrics>, stop: CancellationToken) {
    let pages = Router::new()
        .route("/metrics", get(show_metrics))
        .route("/healthz", get(|State(pages): State<Pages>| async move { verdict(pages.health.alive()) }))
        .route("/readyz", get(|State(pages): State<Pages>| async move { verdict(pages.health.ready()) }))
        .with_state(Pages { health, metrics });
    let served = axum::serve(listener, pages).with_graceful_shutdown(stop.cancelled_owned()).await;
    if let Err(error) = served {
        tracing::error!(%error, "metrics and health are no longer served");
    }
}

async fn show_metrics(State(pages): State<Pages>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], pages.metrics.render())
}

fn verdict(verdict: Result<(), String>) -> (StatusCode, String) {
    match verdict {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason + "\n"),
    }
}
