//! Settings of logs.

use operator_api::{LogFormat, PdsClass, PdsInstanceSpec};

use super::said::Said;

pub(super) fn setting(name: &str, spec: &PdsInstanceSpec, class: &PdsClass) -> Option<String> {
    let log = Said::of(spec, class, |spec| spec.log.as_ref(), |defaults| defaults.log.as_ref());
    match name {
        "PDS_LOG_FORMAT" => log.find(|log| log.format).map(|format| match format {
            LogFormat::Json => "json".into(),
            LogFormat::Text => "text".into(),
        }),
        "RUST_LOG" => log.find(|log| log.level.clone()),
        _ => None,
    }
}
