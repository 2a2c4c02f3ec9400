//! Figures as they are gathered, and the two formats that they are written in: `OpenMetrics` for who asks for it, and
//! else the text format that everything reads which speaks Prometheus.

use std::fmt::Error;

use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry as Exposition;

/// What a figure is, whatever its value: the row of the table that it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Figure {
    /// The whole name, as it is written in queries.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) labels: &'static [&'static str],
    pub(super) help: &'static str,
}

/// The kinds of figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It only grows, until the process ends. Its name ends with `_total`.
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    #[cfg(test)]
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A value.
#[derive(Clone, Debug)]
enum Value {
    Count(u64),
    CountOf(f64),
    Gauge(i64),
    GaugeOf(f64),
    Histogram { sum: f64, count: u64, buckets: Vec<(f64, u64)> },
}

/// The figures of one moment, those of one name together.
#[derive(Debug, Default)]
pub(super) struct Sheet(Vec<(&'static Figure, Vec<Sample>)>);

#[derive(Debug)]
struct Sample {
    labels: Vec<(&'static str, String)>,
    value: Value,
}

impl Sheet {
    fn add(&mut self, figure: &'static Figure, labels: &[&str], value: Value) {
        let names = figure.labels.iter().copied();
        let labels = names.zip(labels.iter().map(|label| (*label).to_owned())).collect();
        let at = self.0.iter().position(|(known, _)| known.name == figure.name).unwrap_or_else(|| {
            self.0.push((figure, Vec::new()));
            self.0.len() - 1
        });
        self.0[at].1.push(Sample { labels, value });
    }

    /// Adds a count. The labels come in the order of the table.
    pub(super) fn count(&mut self, figure: &'static Figure, labels: &[&str], count: u64) {
        self.add(figure, labels, Value::Count(count));
    }

    /// Adds a counter of something that has parts.
    pub(super) fn count_of(&mut self, figure: &'static Figure, labels: &[&str], count: f64) {
        self.add(figure, labels, Value::CountOf(count));
    }

    /// Adds what may rise and fall.
    pub(super) fn gauge(&mut self, figure: &'static Figure, labels: &[&str], value: impl TryInto<i64>) {
        self.add(figure, labels, Value::Gauge(value.try_into().unwrap_or(i64::MAX)));
    }

    /// The same of something that has parts.
    pub(super) fn gauge_of(&mut self, figure: &'static Figure, labels: &[&str], value: f64) {
        self.add(figure, labels, Value::GaugeOf(value));
    }

    /// Adds a histogram. The last bucket's end is infinite.
    pub(super) fn histogram(
        &mut self,
        figure: &'static Figure,
        labels: &[&str],
        (sum, count): (f64, u64),
        buckets: Vec<(f64, u64)>,
    ) {
        self.add(figure, labels, Value::Histogram { sum, count, buckets });
    }

    /// All of it.
    pub(super) fn write(self, format: Format) -> String {
        let mut exposition = Exposition::default();
        exposition.register_collector(Box::new(self));
        let mut text = String::new();
        // Writing to a text cannot fail.
        let _ = encode(&mut text, &exposition);
        match format {
            Format::OpenMetrics => text,
            Format::Text => as_text_format(&text),
        }
    }
}

impl Collector for Sheet {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        for (figure, samples) in &self.0 {
            let kind = match figure.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge => MetricType::Gauge,
                Kind::Histogram => MetricType::Histogram,
            };
            // The encoder ends counters with `_total` by itself.
            let name = figure.name.strip_suffix("_total").unwrap_or(figure.name);
            let mut family = encoder.encode_descriptor(name, figure.help, None, kind)?;
            for sample in samples {
                if sample.labels.is_empty() {
                    sample.value.encode(&mut family)?;
                } else {
                    sample.value.encode(&mut family.encode_family(&sample.labels)?)?;
                }
            }
        }
        Ok(())
    }
}

impl Value {
    fn encode(&self, encoder: &mut MetricEncoder<'_>) -> Result<(), Error> {
        match self {
            Self::Count(count) => encoder.encode_counter::<NoLabelSet, _, u64>(count, None),
            Self::CountOf(count) => encoder.encode_counter::<NoLabelSet, _, u64>(count, None),
            Self::Gauge(value) => encoder.encode_gauge(value),
            Self::GaugeOf(value) => encoder.encode_gauge(value),
            Self::Histogram { sum, count, buckets } => {
                encoder.encode_histogram::<NoLabelSet>(*sum, *count, buckets, None)
            }
        }
    }
}

/// The format of figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Format {
    /// Prometheus' own, version 0.0.4.
    Text,
    /// `OpenMetrics` 1.0.
    OpenMetrics,
}

impl Format {
    /// The one that a request asks for. Which of several it likes best does not matter: both say the same.
    pub(in super::super) fn wanted(request: &HeaderMap) -> Self {
        let accepted = request.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let mut accepted = accepted.flat_map(|value| value.split(','));
        let is_wanted = accepted.any(|range| range.trim().starts_with("application/openmetrics-text"));
        if is_wanted { Self::OpenMetrics } else { Self::Text }
    }

    /// Its type.
    pub(in super::super) fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        })
    }
}

/// What differs between the formats: a counter's description has its whole name in the older one, and no text an end.
fn as_text_format(open_metrics: &str) -> String {
    let counters: Vec<&str> =
        open_metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter")).collect();
    let mut text = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines().filter(|line| *line != "# EOF") {
        let described = ["# HELP ", "# TYPE "].into_iter().find_map(|start| Some((start, line.strip_prefix(start)?)));
        match described.and_then(|(start, rest)| Some((start, rest.split_once(' ')?))) {
            Some((start, (name, rest))) if counters.contains(&name) => {
                text.extend([start, name, "_total ", rest, "\n"]);
            }
            _ => text.extend([line, "\n"]),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTER: Figure =
        Figure { name: "x_requests_total", kind: Kind::Counter, labels: &["route"], help: "Requests" };
    const GAUGE: Figure = Figure { name: "x_age_seconds", kind: Kind::Gauge, labels: &[], help: "An age" };
    const HISTOGRAM: Figure = Figure { name: "x_took_seconds", kind: Kind::Histogram, labels: &[], help: "Times" };

    fn sheet() -> Sheet {
        let mut sheet = Sheet::default();
        sheet.count(&COUNTER, &["/a\"\\\n"], 3);
        sheet.gauge_of(&GAUGE, &[], 1.5);
        sheet.count(&COUNTER, &["/b"], 4);
        sheet.histogram(&HISTOGRAM, &[], (0.5, 3), vec![(0.1, 1), (f64::INFINITY, 2)]);
        sheet
    }

    #[test]
    fn both_formats_say_the_same() {
        let body = "x_requests_total{route=\"/a\\\"\\\\\\n\"} 3\nx_requests_total{route=\"/b\"} 4\n";
        let rest = "# HELP x_age_seconds An age\n# TYPE x_age_seconds gauge\nx_age_seconds 1.5\n\
                    # HELP x_took_seconds Times\n# TYPE x_took_seconds histogram\nx_took_seconds_sum 0.5\n\
                    x_took_seconds_count 3\nx_took_seconds_bucket{le=\"0.1\"} 1\nx_took_seconds_bucket{le=\"+Inf\"} 3\n";
        let open_metrics = format!("# HELP x_requests Requests\n# TYPE x_requests counter\n{body}{rest}# EOF\n");
        let text = format!("# HELP x_requests_total Requests\n# TYPE x_requests_total counter\n{body}{rest}");
        assert_eq!(sheet().write(Format::OpenMetrics), open_metrics);
        assert_eq!(sheet().write(Format::Text), text);
    }

    #[test]
    fn the_client_says_which_format() {
        let wanted =
            |accept: &'static str| Format::wanted(&HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]));
        // As Prometheus asks.
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.7,*/*;q=0.1";
        assert_eq!(wanted(prometheus), Format::OpenMetrics);
        assert_eq!(wanted("*/*"), Format::Text);
        assert_eq!(Format::wanted(&HeaderMap::new()), Format::Text);
    }
}
