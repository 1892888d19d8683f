//! Reading, refusing, rendering.

// tidy: long because every setting stands here once with another value than its default

use std::collections::BTreeMap;
use std::time::Duration;

use rstest::rstest;
use secrecy::ExposeSecret;

use super::*;
use crate::secrets::local;

const SECRETS: &[(&str, &str)] = &[
    ("PDS_JWT_SECRET", "0123456789abcdef"),
    ("PDS_ADMIN_PASSWORD", "correct horse"),
    ("PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX", "11ff11ff11ff11ff11ff11ff11ff11ff11ff11ff11ff11ff11ff11ff11ff11ff"),
    ("PDS_KEY_ENCRYPTION_KEY", "22ff22ff22ff22ff22ff22ff22ff22ff22ff22ff22ff22ff22ff22ff22ff22ff"),
];

fn read(pairs: &[(&str, &str)]) -> Result<(Settings, Secrets), Errors> {
    let map: BTreeMap<&str, &str> = SECRETS.iter().chain(pairs).copied().collect();
    Settings::from_env(|name| map.get(name).map(ToString::to_string))
}

fn problems(pairs: &[(&str, &str)]) -> Vec<String> {
    read(pairs).expect_err("these settings are wrong").0.iter().map(ToString::to_string).collect()
}

#[test]
fn every_default_is_allowed_and_every_variable_is_read() {
    assert_eq!(table::broken_defaults(), Vec::<&str>::new());
    let lookup = |_: &str| None;
    let mut reader = reader::Reader::new(&lookup);
    let _ = Settings::read_with_secrets(&mut reader);
    let mut read = reader.names_read().to_vec();
    read.sort_unstable();
    let mut declared: Vec<_> = VARIABLES.iter().map(|variable| variable.name).collect();
    declared.sort_unstable();
    assert_eq!(read, declared, "each declared variable is read exactly once");
}

#[test]
fn secrets_alone_are_enough_for_localhost() {
    let (settings, secrets) = read(&[]).unwrap();
    assert_eq!(settings.service.public_url(), "http://localhost:2583");
    assert_eq!(settings.service.did.as_str(), "did:web:localhost");
    assert_eq!(settings.identity.handle_domains, [".test"]);
    assert_eq!(secrets.database.expose(), "sqlite://./data/pds.sqlite");
    assert!(matches!(&settings.blob.store, BlobStore::Disk(disk) if disk.location.ends_with("data/blobs")));
}

#[test]
fn a_public_host_is_reached_by_https() {
    let (settings, _) = read(&[("PDS_HOSTNAME", "PDS.Example.com")]).unwrap();
    assert_eq!(settings.service.public_url(), "https://pds.example.com");
    assert_eq!(settings.identity.handle_domains, [".pds.example.com"]);
    assert!(settings.outbound_allow().is_empty());
}

#[test]
fn all_problems_come_at_once_and_name_variable_value_and_rule() {
    let text = read(&[("PDS_PORT", "http"), ("PDS_DEV_MODE", "maybe"), ("PDS_ADMIN_PASSWORD", "short")]);
    let text = text.unwrap_err().to_string();
    assert!(text.starts_with("3 settings are wrong:"), "{text}");
    assert!(text.contains("PDS_PORT=\"http\": is not a port; allowed: 0 to 65535"), "{text}");
    assert!(text.contains("PDS_DEV_MODE=\"maybe\""), "{text}");
    assert!(text.contains("PDS_ADMIN_PASSWORD: has 5 characters"), "{text}");
    assert!(!text.contains("short"), "{text}");
}

#[rstest]
#[case(&[("PDS_BLOBSTORE_S3_REGION", "eu-1")], "PDS_BLOBSTORE_S3_BUCKET")]
#[case(&[("PDS_BLOBSTORE_S3_BUCKET", "blobs"), ("PDS_BLOBSTORE_DISK_LOCATION", "/b")], "PDS_BLOBSTORE_DISK_LOCATION")]
#[case(&[("PDS_BLOBSTORE_S3_BUCKET", "Blobs")], "PDS_BLOBSTORE_S3_BUCKET=\"Blobs\"")]
#[case(&[("PDS_BLOBSTORE_S3_BUCKET", "blobs"), ("PDS_BLOBSTORE_S3_ACCESS_KEY_ID", "id")], "PDS_BLOBSTORE_S3_SECRET_ACCESS_KEY")]
#[case(&[("PDS_BLOBSTORE_S3_CHECKSUM", "when_required")], "PDS_BLOBSTORE_S3_BUCKET")]
#[case(&[("PDS_BLOBSTORE_S3_BUCKET", "blobs"), ("PDS_BLOBSTORE_S3_CHECKSUM", "md5")], "PDS_BLOBSTORE_S3_CHECKSUM=\"md5\"")]
#[case(&[("PDS_BLOBSTORE_TYPE", "s3")], "PDS_BLOBSTORE_S3_BUCKET: is required because PDS_BLOBSTORE_TYPE is s3")]
#[case(&[("PDS_BLOBSTORE_TYPE", "disk"), ("PDS_BLOBSTORE_S3_BUCKET", "blobs")], "PDS_BLOBSTORE_TYPE=\"disk\": contradicts PDS_BLOBSTORE_S3_*")]
#[case(&[("PDS_BLOBSTORE_TYPE", "disk"), ("PDS_BLOBSTORE_S3_ENDPOINT", "http://s3")], "PDS_BLOBSTORE_TYPE=\"disk\": contradicts PDS_BLOBSTORE_S3_*")]
#[case(&[("PDS_BLOBSTORE_TYPE", "tape")], "PDS_BLOBSTORE_TYPE=\"tape\": is not a kind of blob store; allowed: disk or s3")]
#[case(&[("PDS_BLOB_REDIRECT", "presigned")], "PDS_BLOB_REDIRECT=\"presigned\": requires an S3 bucket")]
#[case(&[("PDS_BLOB_REDIRECT", "cdn")], "PDS_BLOB_CDN_URL_PATTERN: is required")]
#[case(&[("PDS_BLOB_CDN_URL_PATTERN", "https://cdn.example.com/{did}")], "PDS_BLOB_CDN_URL_PATTERN")]
#[case(&[("PDS_BLOB_CDN_URL_PATTERN", "ftp://cdn.example.com/{did}/{cid}")], "PDS_BLOB_CDN_URL_PATTERN")]
#[case(&[("PDS_BLOB_UPLOAD_MEMORY", "1MiB")], "PDS_BLOB_UPLOAD_MEMORY=\"1048576\"")]
#[case(&[("PDS_SERVICE_HANDLE_DOMAINS", "example.com")], "PDS_SERVICE_HANDLE_DOMAINS=\"example.com\"")]
#[case(&[("PDS_SERVICE_HANDLE_DOMAINS", ".pds.internal")], "PDS_SERVICE_HANDLE_DOMAINS")]
#[case(&[("RATE_LIMIT_DISTRIBUTED", "true")], "RATE_LIMIT_DISTRIBUTED=\"true\": requires REDIS_URL")]
#[case(&[("CACHE_ENABLED", "true")], "CACHE_ENABLED=\"true\": requires REDIS_URL")]
#[case(&[("CACHE_ENABLED", "false"), ("REDIS_URL", "redis://redis"), ("RATE_LIMIT_DISTRIBUTED", "true")], "RATE_LIMIT_DISTRIBUTED=\"true\": requires Redis, which CACHE_ENABLED=false turns off")]
#[case(&[("REDIS_POOL_SIZE", "0")], "REDIS_POOL_SIZE=\"0\"")]
#[case(&[("RATE_LIMIT_ADMIN_BURST", "0")], "RATE_LIMIT_ADMIN_BURST")]
#[case(&[("REDIS_URL", "https://:hunter2@redis")], "REDIS_URL: has a scheme that is neither redis nor rediss")]
#[case(&[("REDIS_URL", "redis://redis/main")], "REDIS_URL")]
#[case(&[("PDS_REDIS_SCRATCH_ADDRESS", "redis")], "PDS_REDIS_SCRATCH_ADDRESS")]
#[case(&[("CACHE_KEY_PREFIX", "{a}")], "CACHE_KEY_PREFIX")]
#[case(&[("PDS_TLS_CERT_FILE", "/tls.crt")], "PDS_TLS_KEY_FILE")]
#[case(&[("PDS_METRICS_PORT", "2583")], "PDS_METRICS_PORT=\"2583\"")]
#[case(&[("PDS_PORT", "tcp://10.0.0.1:2583")], "PDS_PORT=\"tcp://10.0.0.1:2583\": looks like a Kubernetes service link")]
#[case(&[("PDS_HOSTNAME", "https://pds.example.com")], "PDS_HOSTNAME")]
#[case(&[("PDS_SERVICE_DID", "did:key:z123")], "PDS_SERVICE_DID")]
#[case(&[("PDS_HOSTNAME", "a.example"), ("PDS_SERVICE_DID", "did:web:a.example%3A8080")], "PDS_SERVICE_DID")]
#[case(&[("PDS_DID_PLC_URL", "ftp://plc.test")], "PDS_DID_PLC_URL")]
#[case(&[("PDS_DID_CACHE_STALE_TTL", "2d")], "PDS_DID_CACHE_STALE_TTL")]
#[case(&[("CACHE_DID_DOC_TTL", "2d")], "CACHE_DID_DOC_TTL=\"172800\": is longer than PDS_DID_CACHE_MAX_TTL")]
#[case(&[("DATABASE_TYPE", "postgres")], "DATABASE_TYPE=\"postgres\": requires PDS_DATABASE_URL, which is not set; allowed: sqlite")]
#[case(&[("DATABASE_TYPE", "sqlite"), ("PDS_DATABASE_URL", "postgres://u:hunter2@db/pds")], "DATABASE_TYPE=\"sqlite\": contradicts PDS_DATABASE_URL; allowed: postgres")]
#[case(&[("DATABASE_TYPE", "postgres"), ("DATABASE_URL", "sqlite://pds.sqlite")], "DATABASE_TYPE=\"postgres\": contradicts DATABASE_URL; allowed: sqlite")]
#[case(&[("DATABASE_TYPE", "mysql")], "DATABASE_TYPE=\"mysql\": is not a kind of database; allowed: sqlite or postgres")]
#[case(&[("DATABASE_URL", "mysql://root:hunter2@db")], "DATABASE_URL: ")]
#[case(&[("LOG_LEVEL", "loud")], "LOG_LEVEL=\"loud\": is not a log level; allowed: fatal, error")]
#[case(&[("PDS_LOG_SAMPLE", "sync.getBlob=2")], "PDS_LOG_SAMPLE=\"sync.getBlob=2\": \"sync.getBlob=2\" does not end with a fraction")]
#[case(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector/?key=a")], "OTEL_EXPORTER_OTLP_ENDPOINT=\"http://collector/?key=a\": has a query or a fragment")]
#[case(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://collector")], "OTEL_EXPORTER_OTLP_ENDPOINT=\"ftp://collector\": is neither http nor https")]
#[case(&[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")], "OTEL_EXPORTER_OTLP_PROTOCOL=\"grpc\": is not a protocol that this server speaks; allowed: http/protobuf")]
#[case(&[("OTEL_EXPORTER_OTLP_HEADERS", "hunter2")], "OTEL_EXPORTER_OTLP_HEADERS: contains an item without =")]
#[case(&[("OTEL_TRACES_SAMPLER", "sometimes")], "OTEL_TRACES_SAMPLER=\"sometimes\": is not a sampler")]
#[case(&[("OTEL_TRACES_SAMPLER_ARG", "2")], "OTEL_TRACES_SAMPLER_ARG=\"2\": is out of range; allowed: 0 to 1")]
#[case(&[("LOG_ENABLED", "maybe")], "LOG_ENABLED=\"maybe\"")]
#[case(&[("POSTGRES_MIN_CONNECTIONS", "9"), ("POSTGRES_MAX_CONNECTIONS", "3")], "POSTGRES_MIN_CONNECTIONS=\"9\"")]
#[case(&[("PDS_DATABASE_URL", "mysql://root:hunter2@db")], "PDS_DATABASE_URL")]
#[case(&[("PDS_DATABASE_URL", "sqlite::memory:")], "PDS_DATABASE_URL")]
#[case(&[("PDS_JWT_SECRET_FILE", "/nowhere")], "PDS_JWT_SECRET: both")]
#[case(&[("PDS_CA_FILE", "/nowhere/ca.pem")], "PDS_CA_FILE=\"/nowhere/ca.pem\": cannot be read")]
#[case(&[("PDS_CA_FILE", "/dev/null")], "PDS_CA_FILE=\"/dev/null\": has no certificate")]
#[case(&[("PDS_CA_FILE", "/dev/null"), ("PDS_CA_SHA256", "0000000000000000000000000000000000000000000000000000000000000000")], "PDS_CA_FILE=\"/dev/null\": has the SHA-256 e3b0c442")]
#[case(&[("PDS_CA_SHA256", "AB")], "PDS_CA_SHA256")]
#[case(&[("PDS_OUTBOUND_ALLOW", "10.0.0.0/40")], "PDS_OUTBOUND_ALLOW")]
#[case(&[("PDS_BSKY_APP_VIEW_URL", "https://api.example.com")], "PDS_BSKY_APP_VIEW_DID: is required together with PDS_BSKY_APP_VIEW_URL")]
#[case(&[("PDS_MOD_SERVICE_DID", "did:web:mod.example.com")], "PDS_MOD_SERVICE_URL: is required")]
#[case(&[("PDS_REPORT_SERVICE_URL", "https://mod.example.com/path"), ("PDS_REPORT_SERVICE_DID", "did:web:mod.example.com")], "PDS_REPORT_SERVICE_URL=\"https://mod.example.com/path\"")]
#[case(&[("PDS_BSKY_APP_VIEW_CDN_URL_PATTERN", "https://cdn.example.com/%s/%s")], "PDS_BSKY_APP_VIEW_CDN_URL_PATTERN")]
#[case(&[("PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX", "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")], "PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX")]
#[case(&[("PDS_EMAIL_FROM_ADDRESS", "pds@example.com")], "PDS_EMAIL_SMTP_URL: is required together with PDS_EMAIL_FROM_ADDRESS")]
#[case(&[("PDS_EMAIL_SMTP_URL", "smtp://relay")], "PDS_EMAIL_FROM_ADDRESS: is required together with PDS_EMAIL_SMTP_URL")]
#[case(&[("PDS_MODERATION_EMAIL_SMTP_URL", "smtp://relay")], "PDS_MODERATION_EMAIL_ADDRESS: is required")]
#[case(&[("PDS_MODERATION_EMAIL_ADDRESS", "mods@example.com")], "PDS_MODERATION_EMAIL_SMTP_URL: is required")]
#[case(&[("PDS_EMAIL_SMTP_URL", "https://u:hunter2@relay"), ("PDS_EMAIL_FROM_ADDRESS", "pds@example.com")], "PDS_EMAIL_SMTP_URL: has a scheme that is neither smtp nor smtps")]
#[case(&[("PDS_EMAIL_SMTP_URL", "smtp://relay"), ("PDS_EMAIL_FROM_ADDRESS", "Example <pds>")], "PDS_EMAIL_FROM_ADDRESS=\"Example <pds>\"")]
#[case(&[("PDS_ENTRYWAY_URL", "https://entryway.example.com")], "PDS_ENTRYWAY_URL: is for a PDS behind an entryway")]
#[case(&[("PDS_ENTRYWAY_ADMIN_TOKEN_FILE", "/run/hunter2")], "PDS_ENTRYWAY_ADMIN_TOKEN: is for a PDS behind an entryway")]
#[case(&[("PDS_PLC_ROTATION_KEY_KMS_KEY_ID", "alias/pds")], "PDS_PLC_ROTATION_KEY_KMS_KEY_ID=\"alias/pds\": is set together with PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX")]
#[case(&[("PDS_SQLITE_DISABLE_WAL_AUTO_CHECKPOINT", "true")], "PDS_SQLITE_DISABLE_WAL_AUTO_CHECKPOINT: leaves checkpoints")]
#[case(&[("PDS_JOB_LEASE", "2s")], "PDS_JOB_LEASE=\"2s\": is out of range; allowed: 3s to 1h")]
#[case(&[("PDS_JOB_MAILS_INTERVAL", "0")], "PDS_JOB_MAILS_INTERVAL=\"0\": is out of range; allowed: 1s to 30d")]
#[case(&[("PDS_REQUIRE_CONFIRMED_EMAIL", "post,login")], "PDS_REQUIRE_CONFIRMED_EMAIL=\"post,login\"")]
#[case(&[("PDS_EMAIL_LANGUAGE", "../en")], "PDS_EMAIL_LANGUAGE=\"../en\"")]
fn one_wrong_setting_is_one_problem(#[case] pairs: &[(&str, &str)], #[case] expected: &str) {
    let problems = problems(pairs);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert!(problems[0].starts_with(expected), "{problems:#?}");
    assert!(!problems[0].contains("hunter2"));
}

#[test]
fn the_rotation_key_is_in_the_settings_or_in_kms() {
    const ARN: &str = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let with = |id: &'static str, skipped: &'static str| {
        let found = move |name: &str| {
            let secret = SECRETS.iter().find(|(secret, _)| *secret == name && name != skipped);
            let secret = secret.map(|(_, value)| *value);
            secret.or((name == var::PLC_ROTATION_KEY_KMS_KEY_ID).then_some(id)).map(str::to_owned)
        };
        (Settings::from_env(found), Settings::migration_from_env(found))
    };
    let (read, migration) = with(ARN, var::PLC_ROTATION_KEY);
    let (settings, secrets) = read.unwrap();
    let RotationKey::Kms(id) = &secrets.plc_rotation_key else { panic!("{secrets:?}") };
    assert_eq!((id.as_str(), id.region()), (ARN, Some("eu-central-1")));
    assert_eq!(settings.render()[var::PLC_ROTATION_KEY_KMS_KEY_ID], ARN);
    assert_eq!(migration.unwrap().keys.unwrap().fingerprint(), secrets.data_keys().fingerprint());

    for (id, skipped, problem) in [
        (
            ARN,
            "",
            "PDS_PLC_ROTATION_KEY_KMS_KEY_ID=\"arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab\": is set together",
        ),
        (
            "pds",
            var::PLC_ROTATION_KEY,
            "PDS_PLC_ROTATION_KEY_KMS_KEY_ID=\"pds\": is no name of a key in AWS KMS; allowed: the ID",
        ),
        ("", var::PLC_ROTATION_KEY, "PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX: is not set; allowed: 64 hex digits"),
    ] {
        let (read, migration) = with(id, skipped);
        let problems: Vec<_> = read.unwrap_err().0.iter().map(ToString::to_string).collect();
        assert!(problems.len() == 1 && problems[0].starts_with(problem), "{problems:?}");
        assert_eq!(migration.unwrap_err().0.len(), 1);
    }
}

#[test]
fn missing_secrets_are_all_named() {
    let errors = Settings::from_env(|_| None).unwrap_err();
    let names: Vec<_> = errors.0.iter().map(|problem| problem.variable).collect();
    assert_eq!(names, [var::JWT_SECRET, var::ADMIN_PASSWORD, var::PLC_ROTATION_KEY, var::KEY_ENCRYPTION_KEY]);
}

#[rstest]
#[case("PDS_ID_RESOLVER_TIMEOUT", "250", Duration::from_millis(250))]
#[case("PDS_ID_RESOLVER_TIMEOUT", "2s", Duration::from_secs(2))]
#[case("PDS_ID_RESOLVER_TIMEOUT", "1h", Duration::from_secs(3600))]
fn durations_have_units(#[case] name: &str, #[case] text: &str, #[case] expected: Duration) {
    assert_eq!(read(&[(name, text)]).unwrap().0.identity.resolver_timeout, expected);
}

#[test]
fn postgres_times_are_seconds_and_sizes_have_units() {
    let times = [("POSTGRES_IDLE_TIMEOUT", "90"), ("POSTGRES_MAX_LIFETIME", "120"), ("PDS_BLOB_UPLOAD_LIMIT", "50MiB")];
    let (settings, _) = read(&times).unwrap();
    assert_eq!(settings.database.idle_timeout, Duration::from_secs(90));
    assert_eq!(settings.database.max_lifetime, Duration::from_secs(120));
    assert_eq!(settings.blob.upload_limit, 50 << 20);
    assert_eq!(problems(&[("PDS_BLOB_UPLOAD_LIMIT", "5 parsec")]).len(), 1);
}

#[test]
fn a_value_may_come_from_a_file() {
    let file = std::env::temp_dir().join(format!("pds-config-{}", std::process::id()));
    std::fs::write(&file, "did:plc:ewvi7nxzyoun6zhxrhs64oiz\n").unwrap();
    let result = read(&[("PDS_SERVICE_DID_FILE", file.to_str().unwrap())]);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(result.unwrap().0.service.did.as_str(), "did:plc:ewvi7nxzyoun6zhxrhs64oiz");
}

#[rstest]
#[case(&[])]
#[case(&[
    ("PDS_HOSTNAME", "alice.pds.test"), ("PDS_PORT", "443"), ("PDS_TLS_CERT_FILE", "/tls/tls.crt"),
    ("PDS_TLS_KEY_FILE", "/tls/tls.key"), ("PDS_SERVICE_HANDLE_DOMAINS", ".alice.pds.test, .example.org"),
    ("PDS_DID_PLC_URL", "http://plc.infra.svc:2582"), ("PDS_OUTBOUND_ALLOW", "10.96.0.0/12,.pds.test,fd00::1"),
    ("PDS_RECOVERY_DID_KEY", "did:key:zQ3shZc2QzApp2oymGvQbzP8eKheVshBHbU4ZYjeXqwSKEn6N"),
    ("PDS_HANDLE_BACKUP_NAMESERVERS", "9.9.9.9,[::1]:5353"), ("PDS_TRUSTED_PROXIES", "none"),
    ("POSTGRES_MAX_CONNECTIONS", "12"), ("POSTGRES_CONNECT_TIMEOUT", "1500ms"), ("PDS_LOG_FORMAT", "text"),
    ("PDS_BLOBSTORE_S3_BUCKET", "alice-blobs"), ("PDS_BLOBSTORE_S3_ENDPOINT", "http://s3:7070"),
    ("PDS_BLOBSTORE_S3_REGION", "eu-central-1"), ("PDS_CRAWLERS", "https://relay.example,https://two.example"),
    ("PDS_JOB_LEASE", "10s"), ("PDS_JOB_ACCOUNT_PURGE_INTERVAL", "2h"), ("PDS_JOB_BLOB_ORPHAN_SWEEP_INTERVAL", "2h"),
    ("PDS_JOB_BLOB_STORE_CHECK_INTERVAL", "30s"), ("PDS_JOB_CRAWL_INTERVAL", "30s"), ("PDS_JOB_DATABASE_MAINTENANCE_INTERVAL", "2d"),
    ("PDS_JOB_EVENT_RETENTION_INTERVAL", "1m"), ("PDS_JOB_EXPIRED_IMPORTS_INTERVAL", "1m"), ("PDS_JOB_HEALTH_CHECK_INTERVAL", "1m"),
    ("PDS_JOB_IDENTITY_CHANGES_INTERVAL", "1m"), ("PDS_JOB_MAILS_INTERVAL", "1m"), ("PDS_JOB_RESERVATIONS_INTERVAL", "1m"),
    ("PDS_JOB_SESSION_CLEANUP_INTERVAL", "2h"), ("PDS_JOB_SUSPENSION_CLEANUP_INTERVAL", "2m"),
    ("PDS_INVITE_REQUIRED", "false"), ("PDS_INVITE_INTERVAL", "7d"), ("PDS_INVITE_EPOCH", "1700000000000"),
    ("PDS_CONTACT_EMAIL_ADDRESS", "ops@example.com"),
    ("PDS_PRIVACY_POLICY_URL", "https://example.com/privacy?v=1"), ("PDS_DEV_MODE", "1"),
    ("PDS_RATE_LIMITS_ENABLED", "true"), ("RATE_LIMIT_UNAUTHENTICATED_BURST", "7"), ("RATE_LIMIT_DISTRIBUTED", "false"),
    ("PDS_RATE_LIMIT_BYPASS_IPS", "10.0.0.0/8"), ("CACHE_KEY_PREFIX", "alice:"),
    ("PDS_BLOBSTORE_S3_CHECKSUM", "when_supported"), ("PDS_BLOBSTORE_S3_PUBLIC_ENDPOINT", "https://s3.example.com"),
    ("PDS_BLOB_REDIRECT", "presigned"), ("PDS_ACCOUNT_QUOTA_BYTES", "2GiB"), ("PDS_ACCOUNT_DELETE_GRACE_MS", "1d"),
    ("PDS_EMAIL_SMTP_URL", "smtps://u:p@relay"), ("PDS_EMAIL_FROM_ADDRESS", "A <a@example.com>"), ("PDS_EMAIL_LANGUAGE", "pt-BR"),
    ("PDS_MODERATION_EMAIL_SMTP_URL", "smtp://relay"), ("PDS_MODERATION_EMAIL_ADDRESS", "m@example.com"),
    ("PDS_EMAIL_DISABLE_CONFIRMATION_LINK", "true"), ("PDS_EMAIL_TEMPLATES_DIRECTORY", "/mail"), ("PDS_REQUIRE_CONFIRMED_EMAIL", "post, invite"),
    ("PDS_BLOB_UPLOAD_MEMORY", "32MiB"), ("PDS_RECORD_RULES_FILE", "/etc/pds/rules.json"), ("PDS_LEXICON_RESOLVER_TIMEOUT", "2s"),
    ("PDS_BSKY_APP_VIEW_URL", "http://appview.svc:2584"), ("PDS_BSKY_APP_VIEW_DID", "did:web:api.example.com"),
    ("PDS_BSKY_APP_VIEW_CDN_URL_PATTERN", "https://cdn.example.com/%s/plain/%s/%s"), ("PDS_MOD_SERVICE_URL", "https://mod.example.com"),
    ("PDS_MOD_SERVICE_DID", "did:web:mod.example.com"), ("PDS_REPORT_SERVICE_URL", "https://report.example.com"),
    ("PDS_REPORT_SERVICE_DID", "did:web:report.example.com"), ("PDS_DISABLE_SSRF_PROTECTION", "false"),
    ("CACHE_DID_DOC_TTL", "60"), ("CACHE_ENABLED", "false"), ("REDIS_POOL_SIZE", "3"), ("LOG_LEVEL", "warn"), ("PDS_BLOBSTORE_TYPE", "s3"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.svc:4318"), ("OTEL_SERVICE_NAME", "alice's pds"),
    ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "0.25"), ("OTEL_EXPORTER_OTLP_HEADERS", "a=b"),
    ("PDS_SLOW_QUERY_MS", "0"), ("PDS_LOG_SAMPLE", "10,sync.getBlob=0.01"),
    ("PDS_PROXY_ALLOW_HTTP2", "true"), ("PDS_PROXY_HEADERS_TIMEOUT", "5s"), ("PDS_PROXY_MAX_RETRIES", "2"), ("PDS_PROXY_MAX_CALLS", "7"),
])]
#[case(&[("PDS_BLOB_REDIRECT", "cdn"), ("PDS_BLOB_CDN_URL_PATTERN", "https://cdn.example.com/{did}/{cid}")])]
fn rendered_settings_are_read_as_the_same_settings(#[case] pairs: &[(&str, &str)]) {
    let (settings, _) = read(pairs).unwrap();
    let rendered = settings.render();
    let again = Settings::from_values(|name| rendered.get(name).cloned()).unwrap();
    assert_eq!(again, settings);
    assert!(rendered.keys().all(|name| VARIABLES.iter().any(|v| v.name == *name && !v.secret)));
}

/// The operator renders the path of a file that only the pod has.
#[test]
fn a_file_of_certificates_is_read_where_secrets_are() {
    let named = |name: &str| (name == var::CA_FILE).then(|| "/nowhere/ca.pem".to_owned());
    let settings = Settings::from_values(named).unwrap();
    assert_eq!(settings.render()[var::CA_FILE], "/nowhere/ca.pem");
    assert!(Settings::migration_from_env(named).unwrap_err().to_string().contains("PDS_CA_FILE"));
}

/// Otherwise every release with a new setting would change the ConfigMap, and thereby restart the pods, of every instance.
#[test]
fn only_what_differs_from_its_default_is_rendered() {
    let rendered = |pairs| read(pairs).unwrap().0.render();
    assert_eq!(rendered(&[]), BTreeMap::new());
    assert_eq!(rendered(&[("PDS_PORT", "2583"), ("PDS_LOG_FORMAT", "json")]), BTreeMap::new());
    // Computed from the host name and the endpoint.
    let told = [
        ("PDS_HOSTNAME", "pds.example.com"),
        ("PDS_SERVICE_DID", "did:web:pds.example.com"),
        ("PDS_SERVICE_HANDLE_DOMAINS", ".pds.example.com"),
        ("PDS_BLOBSTORE_S3_BUCKET", "blobs"),
        ("PDS_BLOBSTORE_S3_ENDPOINT", "http://minio:9000"),
        ("PDS_BLOBSTORE_S3_FORCE_PATH_STYLE", "true"),
        ("PDS_RATE_LIMITS_ENABLED", "true"),
    ];
    let names: Vec<_> = rendered(&told).into_keys().collect();
    assert_eq!(names, ["PDS_BLOBSTORE_S3_BUCKET", "PDS_BLOBSTORE_S3_ENDPOINT", "PDS_HOSTNAME"]);
    let differing = [("PDS_BLOBSTORE_S3_FORCE_PATH_STYLE", "false"), ("PDS_RATE_LIMITS_ENABLED", "false")];
    let all: Vec<_> = told[..5].iter().chain(&differing).copied().collect();
    assert!(differing.iter().all(|(name, value)| rendered(&all)[name] == *value));
}

#[test]
fn s3_at_a_short_or_numeric_host_uses_path_style() {
    let style = |endpoint| {
        let (settings, _) =
            read(&[("PDS_BLOBSTORE_S3_BUCKET", "blobs"), ("PDS_BLOBSTORE_S3_ENDPOINT", endpoint)]).unwrap();
        matches!(settings.blob.store, BlobStore::S3(s3) if s3.force_path_style)
    };
    assert!(style("http://minio:9000") && style("http://10.1.2.3") && style("http://[::1]:9000"));
    assert!(!style("https://s3.example.com"));
}

#[rstest]
#[case(None, None, S3Checksum::WhenSupported)]
#[case(Some("https://account.r2.cloudflarestorage.com"), Some("auto"), S3Checksum::WhenRequired)]
#[case(Some("https://account.eu.r2.cloudflarestorage.com"), Some("auto"), S3Checksum::WhenRequired)]
#[case(Some("https://s3.us-west-004.backblazeb2.com"), Some("us-west-004"), S3Checksum::WhenRequired)]
#[case(Some("https://s3.eu-central-1.wasabisys.com"), Some("eu-central-1"), S3Checksum::WhenRequired)]
#[case(Some("https://s3.wasabisys.com"), None, S3Checksum::WhenRequired)]
#[case(Some("https://fra1.digitaloceanspaces.com"), None, S3Checksum::WhenRequired)]
#[case(Some("http://minio:9000"), None, S3Checksum::WhenRequired)]
fn an_endpoint_says_what_its_vendor_needs(
    #[case] endpoint: Option<&str>,
    #[case] region: Option<&str>,
    #[case] checksum: S3Checksum,
) {
    let mut pairs = vec![("PDS_BLOBSTORE_S3_BUCKET", "blobs")];
    pairs.extend(endpoint.map(|endpoint| ("PDS_BLOBSTORE_S3_ENDPOINT", endpoint)));
    let BlobStore::S3(s3) = read(&pairs).unwrap().0.blob.store else { panic!("not S3") };
    assert_eq!((s3.region.as_deref(), s3.checksum), (region, checksum));
}

#[test]
fn reports_go_to_the_moderation_service_and_any_address_is_for_development() {
    let moderation = [("PDS_MOD_SERVICE_URL", "https://mod.test"), ("PDS_MOD_SERVICE_DID", "did:web:mod.test")];
    let (settings, _) = read(&moderation).unwrap();
    assert!(settings.services.report.is_some() && settings.services.report == settings.services.moderation);
    assert!(settings.services.app_view.is_none() && !settings.proxying.any_address);
    assert!(read(&[("PDS_DEV_MODE", "1")]).unwrap().0.proxying.any_address);
}

#[test]
fn limits_are_on_unless_in_dev_mode_and_as_told() {
    let enabled = |pairs| read(pairs).unwrap().0.rate_limits.enabled;
    assert!(enabled(&[]) && enabled(&[("PDS_DEV_MODE", "1"), ("PDS_RATE_LIMITS_ENABLED", "1")]));
    assert!(!enabled(&[("PDS_DEV_MODE", "1")]) && !enabled(&[("PDS_RATE_LIMITS_ENABLED", "0")]));
}

#[test]
fn redis_has_two_names_of_which_the_url_wins() {
    let redis = |pairs| read(pairs).unwrap().1.redis;
    let scratch = [("PDS_REDIS_SCRATCH_ADDRESS", "[::1]:6379"), ("PDS_REDIS_SCRATCH_PASSWORD", "hunter@2")];
    assert!(redis(&[]).is_none());
    let shown = redis(&scratch).unwrap();
    assert_eq!(shown.expose(), "redis://:hunter%402@[::1]:6379");
    assert_eq!(format!("{shown} {shown:?}"), "redis://[::1]:6379 RedisUrl(redis://[::1]:6379)");
    let both = [scratch[0], ("REDIS_URL", "rediss://u:p@redis.test:6380/2"), ("RATE_LIMIT_DISTRIBUTED", "true")];
    assert_eq!(redis(&both).unwrap().expose(), "rediss://u:p@redis.test:6380/2");
}

#[test]
fn of_two_names_the_first_counts_and_the_other_is_named_if_it_differs() {
    let url = |pairs: &[(&str, &str)]| read(pairs).unwrap().1.database.expose();
    assert_eq!(url(&[("DATABASE_URL", "sqlite://b.sqlite"), ("DATABASE_TYPE", "sqlite")]), "sqlite://b.sqlite");
    let both = [("PDS_DATABASE_URL", "postgres://db/a"), ("DATABASE_URL", "sqlite://b.sqlite")];
    assert_eq!(url(&both), "postgres://db/a");
    let fresh = |pairs: &[(&str, &str)]| read(pairs).unwrap().0.identity.did_cache_stale_ttl;
    assert_eq!(fresh(&[]), Duration::from_secs(3600));
    assert_eq!(fresh(&[("CACHE_DID_DOC_TTL", "60")]), Duration::from_secs(60));
    assert_eq!(fresh(&[("CACHE_DID_DOC_TTL", "60"), ("PDS_DID_CACHE_STALE_TTL", "5000")]), Duration::from_secs(5));
    let filter = |pairs: &[(&str, &str)]| read(pairs).unwrap().0.log.filter;
    assert_eq!(filter(&[]), "info");
    assert_eq!(filter(&[("LOG_LEVEL", "Fatal"), ("LOG_ENABLED", "T")]), "error");
    assert_eq!(filter(&[("LOG_LEVEL", "debug"), ("LOG_ENABLED", "0")]), "off");
    assert_eq!(filter(&[("LOG_LEVEL", "silent")]), "off");
    assert_eq!(filter(&[("LOG_LEVEL", "debug"), ("LOG_ENABLED", "false"), ("RUST_LOG", "warn")]), "warn");

    let ignored = |pairs: &[(&str, &str)]| -> Vec<_> {
        let map: BTreeMap<&str, &str> = pairs.iter().copied().collect();
        overruled(|name| map.get(name).map(ToString::to_string)).iter().map(|found| (found.name, found.by)).collect()
    };
    assert_eq!(ignored(&both), [("DATABASE_URL", "PDS_DATABASE_URL")]);
    assert!(ignored(&[("DATABASE_URL", "sqlite://a"), ("PDS_DATABASE_URL", "sqlite:a")]).is_empty());
    let times = |ms| [("CACHE_DID_DOC_TTL", "60"), ("PDS_DID_CACHE_STALE_TTL", ms)];
    assert_eq!(ignored(&times("5000")), [("CACHE_DID_DOC_TTL", "PDS_DID_CACHE_STALE_TTL")]);
    assert!(ignored(&times("60000")).is_empty());
    let redis = |url| [("REDIS_URL", url), ("PDS_REDIS_SCRATCH_ADDRESS", "redis:6379")];
    assert_eq!(ignored(&redis("redis://other:6379")), [("PDS_REDIS_SCRATCH_ADDRESS", "REDIS_URL")]);
    assert!(ignored(&redis("redis://redis:6379")).is_empty());
    let log = |filter| [("RUST_LOG", filter), ("LOG_LEVEL", "info"), ("LOG_ENABLED", "false")];
    assert_eq!(ignored(&log("warn")), [("LOG_LEVEL", "RUST_LOG"), ("LOG_ENABLED", "RUST_LOG")]);
    assert_eq!(ignored(&log("info")), [("LOG_ENABLED", "RUST_LOG")]);
}

#[test]
fn a_kind_that_agrees_changes_nothing() {
    let s3 = [("PDS_BLOBSTORE_TYPE", "s3"), ("PDS_BLOBSTORE_S3_BUCKET", "blobs")];
    assert_eq!(read(&s3).unwrap().0, read(&s3[1..]).unwrap().0);
    let disk = [("PDS_BLOBSTORE_TYPE", "disk"), ("DATABASE_TYPE", "sqlite"), ("CACHE_ENABLED", "false")];
    assert_eq!(read(&disk[..2]).unwrap().0, read(&[]).unwrap().0);
    let redis = [("CACHE_ENABLED", "true"), ("REDIS_URL", "redis://redis")];
    assert!(read(&redis).unwrap().1.redis.is_some());
    assert!(read(&[redis[1], disk[2]]).unwrap().1.redis.is_none());
}

#[test]
fn secrets_do_not_show() {
    let url = "postgres://pds:hunter2@db.svc:5432/pds?sslmode=require";
    let (settings, secrets) = read(&[("PDS_DATABASE_URL", url)]).unwrap();
    let shown = format!("{settings:?} {secrets:?} {}", secrets.database);
    assert!(shown.contains("postgres://db.svc:5432/pds"));
    for secret in ["hunter2", "correct horse", "0123456789abcdef", "11ff", "22ff"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    assert_eq!(secrets.database.expose(), url);
}

#[test]
fn missing_secrets_are_generated_kept_and_read_again() {
    let mut next = 0_u8;
    let random = |bytes: &mut [u8]| {
        bytes.fill_with(|| {
            next = next.wrapping_add(1);
            next
        })
    };
    let given = |name: &str| (name == var::JWT_SECRET).then(|| "0123456789abcdef".to_owned());

    let made = local::generate_missing(given, random);
    assert!(!made.contains_key(var::JWT_SECRET) && made.len() == 3);

    let kept = local::parse(&local::render(&made)).unwrap();
    let (_, secrets) =
        Settings::from_env(|name| given(name).or_else(|| Some(kept.get(name)?.expose_secret().to_owned()))).unwrap();
    let RotationKey::Local(rotation) = &secrets.plc_rotation_key else { panic!("in KMS") };
    assert_eq!(rotation.expose_secret(), made[var::PLC_ROTATION_KEY].expose_secret());
    let in_kms = |name: &str| (name == var::PLC_ROTATION_KEY_KMS_KEY_ID).then(|| "alias/pds".to_owned());
    assert!(!local::generate_missing(in_kms, |_| ()).contains_key(var::PLC_ROTATION_KEY));
    assert!(local::generate_missing(|name| Some(kept.get(name)?.expose_secret().to_owned()), |_| ()).len() == 1);
    assert_eq!(local::parse("# ok\n\nPDS_PORT=1\n").unwrap_err(), 3);
}

#[test]
fn only_sqlite_keeps_its_own_secrets() {
    let with = |url: &'static str| move |name: &str| (name == var::DATABASE_URL).then(|| url.to_owned());
    assert_eq!(local::file(|_| None), Some("./data/secrets.env".into()));
    assert_eq!(local::file(with("sqlite:///var/pds.db")), Some("./data/secrets.env".into()));
    assert_eq!(local::file(with("postgres://db/pds")), None);
    assert_eq!(local::file(with("nonsense")), None);
}

#[test]
fn a_migration_needs_the_database_alone() {
    let lookup = |name: &str| (name == var::DATABASE_URL).then(|| "postgres://db/pds".to_owned());
    let migration = Settings::migration_from_env(lookup).unwrap();
    assert_eq!(migration.database.connections(4), 9);
    assert!(!migration.url.is_sqlite() && migration.keys.is_none());
}

#[test]
fn a_migration_takes_both_keys_or_none() {
    let with = |names: &'static [&'static str]| {
        let key = |name: &str| SECRETS.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Settings::migration_from_env(move |name| names.contains(&name).then(|| key(name)).flatten())
    };
    let keys = with(&[var::PLC_ROTATION_KEY, var::KEY_ENCRYPTION_KEY]).unwrap().keys.unwrap();
    assert_eq!(keys.fingerprint(), read(&[]).unwrap().1.data_keys().fingerprint());
    let errors = with(&[var::PLC_ROTATION_KEY]).unwrap_err().to_string();
    let needed = "PDS_KEY_ENCRYPTION_KEY: is required together with PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX";
    assert!(errors.contains(needed), "{errors}");
}

#[rstest]
#[case("postgres://pds:hunter2/x@db:5432/pds", "percent-encoded")]
#[case("postgres://pds:12/hunter2@db/pds", "percent-encoded")]
#[case("postgres://pds:12#hunter2@db/pds", "percent-encoded")]
#[case("postgres://pds:12?hunter2@db/pds", "percent-encoded")]
#[case("postgres://pds:hunter2#x@db/pds", "percent-encoded")]
#[case("postgres://pds:hunter2@x@db/pds", "percent-encoded")]
#[case("postgres://pds:hunter2%x@db/pds", "percent-encoded")]
// A password that would choose the server: the rest of the URL becomes a parameter.
#[case("postgres://pds:hunter2@other:1/evil?x=@db:5432/pds", "percent-encoded")]
#[case("postgres://pds:hunter2[@db/pds", "percent-encoded")]
#[case("postgres://pds:hünter2@db/pds", "percent-encoded")]
#[case("postgres://pds:hunter2@db/pds/more", "database name")]
#[case("postgres://pds:hunter2@db:many/pds", "port")]
#[case("postgres://pds:hunter2@:5432/pds", "has no host")]
#[case("postgres://pds:hunter2@/pds", "has no host")]
#[case("postgres:pds:hunter2@db/pds", "is not a URL")]
#[case("pds:hunter2@db/pds", "is not a URL")]
fn a_database_url_that_is_read_in_several_ways_is_refused_without_its_text(#[case] url: &str, #[case] why: &str) {
    let problems = problems(&[("PDS_DATABASE_URL", url)]);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert!(problems[0].starts_with("PDS_DATABASE_URL: ") && problems[0].contains(why), "{problems:#?}");
    assert!(problems[0].contains("postgres://USER:PASSWORD@HOST:PORT/DATABASE"), "{problems:#?}");
    assert!(!problems[0].contains("hunter2") && !problems[0].contains("nter2"), "{problems:#?}");
}

#[rstest]
#[case("postgres://pds:p%40ss%2Fword%25@db.svc:5432/pds?sslmode=verify-full")]
#[case("postgresql://pds@[::1]:5432/pds")]
#[case("postgres://postgres@127.0.0.1:5432/postgres")]
#[case("postgres://db")]
#[case("postgres:///pds?host=/run/postgresql&user=pds%40local")]
#[case("postgres://pds:it's(fine)*+,;=!$&:@db/pds")]
fn a_database_url_that_is_encoded_is_taken(#[case] url: &str) {
    assert_eq!(DatabaseUrl::parse(url).unwrap().expose(), url);
}

#[test]
fn unknown_names_are_listed_with_the_nearest_known() {
    let names = ["PATH", "PDS_HOSTNAME", "PDS_HOSTNMAE", "PDS_JWT_SECRET_FILE", "PDS_SMTP", "PDS_PORT_2583_TCP_ADDR"];
    let unknown = unknown_names(names);
    let found: Vec<_> = unknown.iter().map(|u| (u.name.as_str(), u.nearest)).collect();
    assert_eq!(found, [("PDS_HOSTNMAE", Some("PDS_HOSTNAME")), ("PDS_SMTP", None)]);
}

/// What `dist/config/env.js` of `@atproto/pds` 0.5.35 reads.
const OF_THE_REFERENCE: &str = "ACCEPTING_REPO_IMPORTS ACCOUNT_DB_LOCATION ACTOR_STORE_CACHE_SIZE ACTOR_STORE_DIRECTORY \
    ADMIN_PASSWORD BACKGROUND_DARK_URL BACKGROUND_LIGHT_URL BLOBSTORE_DISK_LOCATION BLOBSTORE_DISK_TMP_LOCATION \
    BLOBSTORE_S3_ACCESS_KEY_ID BLOBSTORE_S3_BUCKET BLOBSTORE_S3_ENDPOINT BLOBSTORE_S3_FORCE_PATH_STYLE BLOBSTORE_S3_REGION \
    BLOBSTORE_S3_REQUEST_TIMEOUT_MS BLOBSTORE_S3_SECRET_ACCESS_KEY BLOBSTORE_S3_UPLOAD_TIMEOUT_MS BLOB_UPLOAD_LIMIT \
    BSKY_APP_VIEW_CDN_URL_PATTERN BSKY_APP_VIEW_DID BSKY_APP_VIEW_URL CONTACT_EMAIL_ADDRESS CRAWLERS DATA_DIRECTORY DEV_MODE \
    DID_CACHE_DB_LOCATION DID_CACHE_MAX_TTL DID_CACHE_STALE_TTL DID_PLC_URL DISABLE_SSRF_PROTECTION DPOP_SECRET \
    EMAIL_DISABLE_CONFIRMATION_LINK EMAIL_FROM_ADDRESS EMAIL_SMTP_URL ENABLE_DID_DOC_WITH_SESSION ENTRYWAY_ADMIN_TOKEN ENTRYWAY_DID \
    ENTRYWAY_JWT_VERIFY_KEY_K256_PUBLIC_KEY_HEX ENTRYWAY_PLC_ROTATION_KEY ENTRYWAY_URL ERROR_COLOR FETCH_MAX_RESPONSE_SIZE \
    HANDLE_BACKUP_NAMESERVERS HCAPTCHA_SECRET_KEY HCAPTCHA_SITE_KEY HCAPTCHA_TOKEN_SALT HOME_URL HOSTNAME ID_RESOLVER_TIMEOUT \
    INFO_COLOR INVITE_EPOCH INVITE_INTERVAL INVITE_REQUIRED JWT_SECRET LEXICON_AUTHORITY_DID LOGO_URL MAX_REPO_IMPORT_SIZE \
    MAX_SUBSCRIPTION_BUFFER MODERATION_EMAIL_ADDRESS MODERATION_EMAIL_SMTP_URL MOD_SERVICE_DID MOD_SERVICE_URL \
    OAUTH_TRUSTED_CLIENTS PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX PLC_ROTATION_KEY_KMS_KEY_ID PORT PRIMARY_COLOR PRIVACY_POLICY_URL \
    PROXY_ALLOW_HTTP2 PROXY_BODY_TIMEOUT PROXY_HEADERS_TIMEOUT PROXY_MAX_RESPONSE_SIZE PROXY_MAX_RETRIES PROXY_PREFER_COMPRESSED \
    RATE_LIMITS_ENABLED RATE_LIMIT_BYPASS_IPS RATE_LIMIT_BYPASS_KEY RECOVERY_DID_KEY REDIS_SCRATCH_ADDRESS REDIS_SCRATCH_PASSWORD \
    REPORT_SERVICE_DID REPORT_SERVICE_URL REPO_BACKFILL_LIMIT_MS SEQUENCER_DB_LOCATION SERVICE_DID SERVICE_HANDLE_DOMAINS \
    SERVICE_NAME SQLITE_DISABLE_WAL_AUTO_CHECKPOINT SUCCESS_COLOR SUPPORT_URL TERMS_OF_SERVICE_URL VERSION WARNING_COLOR";

#[test]
fn every_setting_of_the_reference_has_its_meaning_or_a_reason() {
    let names: Vec<_> = OF_THE_REFERENCE.split_whitespace().map(|name| format!("PDS_{name}")).collect();
    let is_ours = |name: &str| VARIABLES.iter().any(|variable| variable.name == name);
    for name in &names {
        let is_theirs = REFERENCE.iter().any(|setting| setting.name == name);
        assert!(is_ours(name) != is_theirs, "{name}");
    }
    assert!(REFERENCE.iter().all(|setting| names.iter().any(|name| name == setting.name)));
    assert!(REFERENCE.is_sorted_by_key(|setting| setting.name));
    assert_eq!(unknown_names(&names), []);
    let ignored: Vec<_> = ignored_names(&names).iter().map(|setting| setting.name).collect();
    assert!(ignored.contains(&"PDS_LOGO_URL") && !ignored.contains(&"PDS_ENTRYWAY_URL"), "{ignored:?}");
    assert!(read(&[("PDS_SQLITE_DISABLE_WAL_AUTO_CHECKPOINT", "false"), ("PDS_LOGO_URL", "x")]).is_ok());
}

#[test]
fn outbound_rules_cover_a_name_and_all_below_it() {
    let rule: AllowRule = ".pds.test".parse().unwrap();
    assert!(rule.allows_host("pds.test") && rule.allows_host("Alice.pds.test."));
    assert!(!rule.allows_host("evilpds.test") && !rule.allows_address("127.0.0.1".parse().unwrap()));
    let network: AllowRule = "10.96.0.0/12".parse().unwrap();
    assert!(network.allows_address("10.96.4.1".parse().unwrap()));
    assert!(network.allows_address("::ffff:10.96.4.1".parse().unwrap()));
    assert!(!network.allows_address("10.112.0.1".parse().unwrap()));
    assert!("0.0.0.0/0".parse::<Cidr>().unwrap().contains("8.8.8.8".parse().unwrap()));
}

#[test]
fn dev_mode_reaches_loopback() {
    let (settings, _) = read(&[("PDS_DEV_MODE", "true"), ("PDS_HOSTNAME", "pds.test")]).unwrap();
    assert_eq!(settings.service.public_url(), "http://pds.test:2583");
    assert!(settings.outbound_allow().iter().any(|rule| rule.allows_address("127.0.0.1".parse().unwrap())));
}
