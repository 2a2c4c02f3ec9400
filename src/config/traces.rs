//! Whether there are traces, by the environment variables that OpenTelemetry has for it. What they say beyond that, the
//! SDK reads by itself (`telemetry::traces`).

/// Where traces go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Traces {
    /// Nowhere.
    Off,
    /// To a collector, whose URL can be shown: without userinfo and query.
    To(String),
    /// Nowhere, because of what is wrong with a variable.
    Wrong(String),
}

impl Traces {
    /// Reads the variables.
    pub(super) fn read(lookup: impl Fn(&str) -> Option<String>) -> Self {
        // An empty one counts as unset (the specification of OpenTelemetry's variables says so).
        let value = |name: &str| lookup(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let of_traces = |name: &str| {
            let special = format!("OTEL_EXPORTER_OTLP_TRACES_{name}");
            let general = format!("OTEL_EXPORTER_OTLP_{name}");
            value(&special).map(|text| (special, text)).or_else(|| value(&general).map(|text| (general, text)))
        };
        let is_disabled = value("OTEL_SDK_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true"));
        let exporter = value("OTEL_TRACES_EXPORTER").unwrap_or_else(|| "otlp".to_owned());
        if is_disabled || exporter.eq_ignore_ascii_case("none") {
            return Self::Off;
        }
        if !exporter.eq_ignore_ascii_case("otlp") {
            return Self::Wrong(format!(
                "OTEL_TRACES_EXPORTER is {exporter:?}, and there is only otlp here; write that, or none for no traces"
            ));
        }
        let Some((name, endpoint)) = of_traces("ENDPOINT") else { return Self::Off };
        if let Some((name, protocol)) = of_traces("PROTOCOL").filter(|(_, protocol)| protocol != "http/protobuf") {
            return Self::Wrong(format!(
                "{name} is {protocol:?}, and only http/protobuf is spoken here; collectors take that on port 4318"
            ));
        }
        let url = url::Url::parse(&endpoint).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        match url.filter(url::Url::has_host) {
            Some(mut url) => {
                // Neither fails where there is a host.
                let _ = url.set_username("");
                let _ = url.set_password(None);
                url.set_query(None);
                Self::To(url.to_string())
            }
            // It may hold a secret all the same.
            None => Self::Wrong(format!("{name} is no URL; write http://host:4318")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Traces {
        Traces::read(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn there_are_traces_where_a_collector_is_named() {
        let to = |url: &str| Traces::To(url.to_owned());
        let general = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
        assert_eq!(read(&[]), Traces::Off);
        assert_eq!(read(&[("OTEL_SERVICE_NAME", "x"), ("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]), Traces::Off);
        assert_eq!(read(&[general]), to("http://collector:4318/"));
        let special = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://user:pass@other/v1/traces?key=secret");
        assert_eq!(read(&[general, special]), to("https://other/v1/traces"));
        for off in [("OTEL_SDK_DISABLED", "True"), ("OTEL_TRACES_EXPORTER", "none")] {
            assert_eq!(read(&[general, off]), Traces::Off);
        }
        for on in [("OTEL_SDK_DISABLED", "no"), ("OTEL_TRACES_EXPORTER", "OTLP")] {
            assert_eq!(read(&[general, on]), to("http://collector:4318/"));
        }
    }

    #[test]
    fn what_is_wrong_is_named_and_never_quoted_where_it_may_be_a_secret() {
        let general = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317");
        let Traces::Wrong(grpc) = read(&[general, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]) else { panic!("wrong") };
        assert!(grpc.contains("OTEL_EXPORTER_OTLP_PROTOCOL") && grpc.contains("4318"), "{grpc}");
        assert_ne!(read(&[general, ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")]), Traces::Off);
        let Traces::Wrong(other) = read(&[general, ("OTEL_TRACES_EXPORTER", "zipkin")]) else { panic!("wrong") };
        assert!(other.contains("OTEL_TRACES_EXPORTER") && other.contains("otlp"), "{other}");
        for url in ["user:secret@collector:4318", "collector", "grpc://secret:4317"] {
            let Traces::Wrong(problem) = read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", url)]) else { panic!("{url}") };
            assert!(!problem.contains("secret"), "{problem}");
        }
    }
}
