//! The file of a host's own rules for records, at the start. AL-REP-4

use super::process::run;

#[test]
fn mistakes_in_the_file_of_rules_stop_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let rules = r#"{"allow": ["app.bsky.*", "App.Bsky.feed"], "maxBytes": {"app.*": 0}, "denied": []}"#;
    std::fs::write(folder.path().join("rules.json"), rules).unwrap();
    let output = run(folder.path(), &["serve"], &[("PDS_RECORD_RULES_FILE", "rules.json")]);
    let printed = String::from_utf8_lossy(&output.stderr).replace("\\\"", "\"");
    assert!(!output.status.success(), "{printed}");
    for part in [
        "PDS_RECORD_RULES_FILE",
        "rules.json",
        "allow[1]: \"App.Bsky.feed\"",
        "maxBytes[\"app.*\"] must be a whole number from 1 to",
        "\"denied\" is no rule",
    ] {
        assert!(printed.contains(part), "{part} is not in {printed}");
    }
}
