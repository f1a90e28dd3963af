//! Spans of a run on their way to an OpenTelemetry collector, by OTLP over HTTP (protobuf).
//!
//! The variables are those of the OpenTelemetry specification (SDK environment variables, OTLP exporter): what stands in none
//! of them has the specification's default.

mod client;
mod settings;

use std::time::Duration;

use cabotage_core::{Error, ErrorKind, Result};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::{Layer, Registry};

use client::ExportClient;
use settings::Settings;

/// How long the end of the process waits for what is still to be sent.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// The way to the collector.
#[derive(Debug)]
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// What the environment asks for: none without `OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, or
    /// with `OTEL_SDK_DISABLED=true` or `OTEL_TRACES_EXPORTER=none`.
    ///
    /// # Errors
    /// `InvalidConfig` for an endpoint, a protocol or an exporter that can't be had, and for headers that would go to another
    /// machine in plaintext.
    pub fn from_environment(service: &'static str, version: &'static str) -> Result<Option<Self>> {
        let Some(settings) = Settings::read(|name| std::env::var(name).ok())? else { return Ok(None) };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(ExportClient::new(&settings)?)
            .build()
            .map_err(|error| {
                Error::new(ErrorKind::InvalidConfig, "the spans of this run can't be exported as OTEL_* says")
                    .caused_by(error)
            })?;
        let mut resource =
            Resource::builder().with_attribute(opentelemetry::KeyValue::new("service.version", version));
        if !settings.names_service {
            resource = resource.with_service_name(service);
        }
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource.build())
            .build();
        Ok(Some(Self(provider)))
    }

    /// What takes the spans of this project's crates, and of no other.
    pub fn layer(&self) -> impl Layer<Registry> + Send + Sync + use<> {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("cabotage"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_filter(Targets::new().with_target("cabotage", tracing::Level::DEBUG))
    }

    /// Sends what is still to be sent, for at most 5 seconds.
    ///
    /// # Errors
    /// `Unreachable` when something could not be sent by then.
    pub fn finish(&self) -> Result<()> {
        self.0.shutdown_with_timeout(LAST_WORDS).map_err(|error| {
            Error::new(
                ErrorKind::Unreachable,
                "the last spans of this run did not reach the OpenTelemetry collector",
            )
            .caused_by(error)
        })
    }
}
