//! Settings of traces. The headers of requests to the collector are a secret.

use url::Url;

use crate::choice::{OtlpProtocol, SamplerKind};
use crate::reader::Reader;
use crate::rendered::Rendered;
use crate::table::setting;

/// Which requests are traced, and where traces are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traces {
    /// The collector. `None`: nothing is traced.
    pub endpoint: Option<Url>,
    pub protocol: OtlpProtocol,
    /// Name of this server in traces.
    pub service_name: String,
    pub sampler: SamplerKind,
    /// The part of the requests that a sampler by ratio takes, in millionths.
    pub ratio_millionths: u32,
}

impl Traces {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            endpoint: reader.optional(&setting::OTEL_EXPORTER_OTLP_ENDPOINT),
            protocol: reader.value(&setting::OTEL_EXPORTER_OTLP_PROTOCOL),
            service_name: reader.value(&setting::OTEL_SERVICE_NAME),
            sampler: reader.value(&setting::OTEL_TRACES_SAMPLER),
            ratio_millionths: reader.value(&setting::OTEL_TRACES_SAMPLER_ARG),
        }
    }

    pub(super) fn render(&self, out: &mut Rendered) {
        let Self { endpoint, protocol, service_name, sampler, ratio_millionths } = self;
        out.put_some(&setting::OTEL_EXPORTER_OTLP_ENDPOINT, endpoint.as_ref());
        out.put(&setting::OTEL_EXPORTER_OTLP_PROTOCOL, protocol);
        out.put(&setting::OTEL_SERVICE_NAME, service_name);
        out.put(&setting::OTEL_TRACES_SAMPLER, sampler);
        out.put(&setting::OTEL_TRACES_SAMPLER_ARG, ratio_millionths);
    }
}
