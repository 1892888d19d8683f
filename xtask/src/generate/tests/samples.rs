use std::fs;

use super::{objects, root};

#[test]
fn samples_fit_their_types() {
    let mut count = 0;
    for entry in fs::read_dir(root().join("config/samples")).unwrap() {
        let path = entry.unwrap().path();
        assert_ne!(
            objects(&path.display().to_string(), &fs::read_to_string(&path).unwrap()),
            [] as [serde_json::Value; 0]
        );
        count += 1;
    }
    assert!(count >= 6, "only {count} samples");
}

#[test]
fn the_class_of_the_test_platform_fits_its_type() {
    let path = root().join("e2e/platform/pdsclass.yaml");
    objects("e2e/platform/pdsclass.yaml", &fs::read_to_string(path).unwrap());
}
