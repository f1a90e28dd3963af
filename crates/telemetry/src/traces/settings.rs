//! What the environment says of the export.

use cabotage_core::{Error, ErrorKind, Result};
use cabotage_http::Endpoint;

/// Where spans go.
#[derive(Debug)]
pub(super) struct Settings {
    /// Scheme and authority alone: the exporter knows the path.
    pub server: Endpoint,
    /// Whether requests carry headers of the user's, which may be secrets.
    pub has_headers: bool,
    /// Whether `service.name` is told.
    pub names_service: bool,
}

impl Settings {
    /// None where nothing is to be exported.
    pub(super) fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>> {
        // An empty variable is as good as none: so says the specification.
        let told = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let of_traces = |name: &str| {
            let own = format!("OTEL_EXPORTER_OTLP_TRACES_{name}");
            told(&own).map(|value| (own, value)).or_else(|| {
                let common = format!("OTEL_EXPORTER_OTLP_{name}");
                told(&common).map(|value| (common, value))
            })
        };
        if told("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        let exporter = told("OTEL_TRACES_EXPORTER");
        let Some((_, endpoint)) = of_traces("ENDPOINT").filter(|_| exporter.as_deref() != Some("none"))
        else {
            return Ok(None);
        };
        if let Some(exporter) = exporter.filter(|exporter| exporter != "otlp") {
            return Err(cannot("OTEL_TRACES_EXPORTER", &exporter, "otlp"));
        }
        if let Some((name, protocol)) = of_traces("PROTOCOL").filter(|(_, value)| value != "http/protobuf") {
            return Err(cannot(&name, &protocol, "http/protobuf"));
        }
        if let Some((name, compression)) = of_traces("COMPRESSION") {
            return Err(cannot(&name, &compression, "nothing"));
        }
        Ok(Some(Self {
            server: server_of(&endpoint)?,
            has_headers: of_traces("HEADERS").is_some(),
            names_service: told("OTEL_SERVICE_NAME").is_some()
                || told("OTEL_RESOURCE_ATTRIBUTES").is_some_and(|value| value.contains("service.name=")),
        }))
    }
}

fn server_of(endpoint: &str) -> Result<Endpoint> {
    // The whole address first, whose refusals say what is wrong with it.
    let whole = Endpoint::parse(endpoint)?;
    Endpoint::parse(&format!("{}://{}", whole.scheme(), whole.authority()))
}

fn cannot(name: &str, value: &str, known: &str) -> Error {
    let value = cabotage_core::display_text(value);
    Error::new(ErrorKind::InvalidConfig, format!("{name} is {value}, which this program doesn't know"))
        .help(format!("it knows {known} there; OTEL_TRACES_EXPORTER=none exports nothing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Option<Settings>> {
        Settings::read(|name| {
            variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
        })
    }

    const HERE: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318/base");

    #[test]
    fn nothing_is_exported_unless_asked_for() {
        assert!(read(&[]).unwrap().is_none());
        assert!(read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]).unwrap().is_none());
        assert!(read(&[HERE, ("OTEL_SDK_DISABLED", "True")]).unwrap().is_none());
        assert!(read(&[HERE, ("OTEL_TRACES_EXPORTER", "none")]).unwrap().is_none());
        assert!(read(&[HERE, ("OTEL_SDK_DISABLED", "false")]).unwrap().is_some());
    }

    #[test]
    fn the_variables_of_traces_go_before_the_common_ones() {
        let own = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://collector.example/v1/traces");
        let settings = read(&[HERE, own, ("OTEL_EXPORTER_OTLP_HEADERS", "a=b")]).unwrap().unwrap();
        assert_eq!(settings.server.authority(), "collector.example");
        assert_eq!(settings.server.base_path(), "");
        assert!(settings.has_headers && !settings.names_service);
        let settings = read(&[HERE, ("OTEL_RESOURCE_ATTRIBUTES", "service.name=x")]).unwrap().unwrap();
        assert!(settings.names_service && !settings.has_headers);
    }

    #[test]
    fn what_cannot_be_done_is_refused_by_name() {
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_TRACES_EXPORTER", "zipkin"),
        ] {
            let error = read(&[HERE, (name, value)]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfig);
            let text = error.to_string();
            assert!(text.contains(name) && text.contains(value), "{text}");
        }
        let error = read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318")]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
    }
}
