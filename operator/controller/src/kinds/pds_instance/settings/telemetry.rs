//! Settings of logs and traces.

use kube::ResourceExt;
use operator_api::{LogFormat, PdsClass, PdsInstance, Sampler};

use super::said::Said;

pub(super) fn setting(name: &str, pds: &PdsInstance, class: &PdsClass) -> Option<String> {
    log(name, pds, class).or_else(|| traces(name, pds, class))
}

fn log(name: &str, pds: &PdsInstance, class: &PdsClass) -> Option<String> {
    let log = Said::of(&pds.spec, class, |spec| spec.log.as_ref(), |defaults| defaults.log.as_ref());
    match name {
        "PDS_LOG_FORMAT" => log.find(|log| log.format).map(|format| match format {
            LogFormat::Json => "json".into(),
            LogFormat::Text => "text".into(),
        }),
        "RUST_LOG" => log.find(|log| log.level.clone()),
        "PDS_LOG_SAMPLE" => {
            let one_in = log.find(|log| log.sample.as_ref()?.one_in).map(|one_in| one_in.to_string());
            let methods = log.find(|log| log.sample.as_ref()?.methods.as_ref());
            let methods = methods.into_iter().flatten().map(|(method, part)| format!("{method}={part}"));
            let items: Vec<_> = one_in.into_iter().chain(methods).collect();
            (!items.is_empty()).then(|| items.join(","))
        }
        "PDS_SLOW_QUERY_MS" => log.find(|log| log.slow_query_ms).map(|ms| ms.to_string()),
        _ => None,
    }
}

/// The headers come from a Secret. Without an endpoint the other fields say nothing.
fn traces(name: &str, pds: &PdsInstance, class: &PdsClass) -> Option<String> {
    let traces = Said::of(&pds.spec, class, |spec| spec.traces.as_ref(), |defaults| defaults.traces.as_ref());
    let endpoint = traces.find(|traces| traces.endpoint.clone())?;
    match name {
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(endpoint),
        "OTEL_SERVICE_NAME" => {
            let own = || format!("{}/{}", pds.namespace().unwrap_or_default(), pds.name_any());
            Some(traces.find(|traces| traces.service_name.clone()).unwrap_or_else(own))
        }
        "OTEL_TRACES_SAMPLER" => traces.find(|traces| traces.sampler).map(|sampler| word(sampler).into()),
        "OTEL_TRACES_SAMPLER_ARG" => traces.find(|traces| traces.ratio.clone()),
        _ => None,
    }
}

fn word(sampler: Sampler) -> &'static str {
    match sampler {
        Sampler::AlwaysOn => "always_on",
        Sampler::AlwaysOff => "always_off",
        Sampler::TraceIdRatio => "traceidratio",
        Sampler::ParentBasedAlwaysOn => "parentbased_always_on",
        Sampler::ParentBasedAlwaysOff => "parentbased_always_off",
        Sampler::ParentBasedTraceIdRatio => "parentbased_traceidratio",
    }
}
