//! Values of settings for traces.

use secrecy::SecretString;

use super::Codec;
use crate::choice::{OtlpProtocol, SamplerKind, SamplerRule};
use crate::otlp_headers::parse_otlp_headers;

pub(crate) const OTLP_PROTOCOL: Codec<OtlpProtocol> = Codec::new(
    "http/protobuf",
    |text| match text {
        "http/protobuf" => Ok(OtlpProtocol::HttpProtobuf),
        _ => Err("is not a protocol that this server speaks".into()),
    },
    |protocol| match protocol {
        OtlpProtocol::HttpProtobuf => "http/protobuf".into(),
    },
);

pub(crate) const OTLP_HEADERS: Codec<SecretString> = Codec {
    allowed: "names and values, separated by commas, with percent-encoded values: authorization=Bearer%20TOKEN,x-tenant=a",
    secret: true,
    parse: |text| parse_otlp_headers(text).map(|_| text.into()),
    render: |text| secrecy::ExposeSecret::expose_secret(text).to_owned(),
};

pub(crate) const SERVICE_NAME: Codec<String> = Codec::new(
    "1 to 128 printable ASCII characters",
    |text| match text.len() <= 128 && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
        true => Ok(text.to_owned()),
        false => Err("is longer, or contains another character".into()),
    },
    String::clone,
);

const SAMPLERS: [(&str, SamplerRule); 3] =
    [("always_on", SamplerRule::All), ("always_off", SamplerRule::None), ("traceidratio", SamplerRule::Ratio)];

pub(crate) const SAMPLER: Codec<SamplerKind> = Codec::new(
    "always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off or parentbased_traceidratio",
    |text| {
        let (follows_parent, name) = match text.strip_prefix("parentbased_") {
            Some(name) => (true, name),
            None => (false, text),
        };
        let found = SAMPLERS.iter().find(|(known, _)| *known == name);
        found.map(|(_, rule)| SamplerKind { follows_parent, rule: *rule }).ok_or_else(|| "is not a sampler".into())
    },
    |kind| {
        let name = SAMPLERS.iter().find(|(_, rule)| *rule == kind.rule).map_or("always_on", |(name, _)| name);
        format!("{}{name}", if kind.follows_parent { "parentbased_" } else { "" })
    },
);

/// In millionths.
pub(crate) const MILLIONTHS: Codec<u32> = Codec::new(
    "0 to 1",
    |text| {
        let part: f64 = text.parse().map_err(|_| "is not a number")?;
        if !(0.0..=1.0).contains(&part) {
            return Err("is out of range".into());
        }
        Ok((part * 1e6).round() as u32)
    },
    |millionths| (f64::from(*millionths) / 1e6).to_string(),
);
