use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::{objects, root};

/// The program that `e2e/tools/build helm` builds.
fn helm(arguments: &[&str]) -> String {
    let print = Command::new(root().join("e2e/tools/build")).args(["--print", "helm"]).output().unwrap();
    let helm = Path::new(String::from_utf8(print.stdout).unwrap().trim()).join("helm");
    assert!(helm.exists(), "{} is missing; run: e2e/tools/build helm", helm.display());
    let output = Command::new(helm).args(arguments).current_dir(root()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "helm {}: {errors}{}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stdout)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn render(values: &Path) -> Vec<Value> {
    let values = values.display().to_string();
    let chart = ["template", "aurora-locus", "charts/aurora-locus", "--namespace", "aurora-system"];
    let text = helm(&[&chart[..], &["--kube-version", "1.33", "--values", &values]].concat());
    objects(&values, &text)
}

/// The file with the defaults, and the sets of values for tests.
fn sets() -> Vec<PathBuf> {
    let chart = root().join("charts/aurora-locus");
    let mut sets: Vec<_> = fs::read_dir(chart.join("ci")).unwrap().map(|entry| entry.unwrap().path()).collect();
    sets.push(chart.join("values.yaml"));
    sets
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

fn includes(labels: &Value, selector: &Value) -> bool {
    selector.as_object().unwrap().iter().all(|(key, value)| labels.get(key) == Some(value))
}

#[test]
fn every_set_of_values_gives_objects_that_fit_their_types() {
    for values in sets() {
        helm(&["lint", "--strict", "--quiet", "charts/aurora-locus", "--values", &values.display().to_string()]);
        let objects = render(&values);
        let [deployment] = of_kind(&objects, "Deployment")[..] else { panic!("{}", values.display()) };
        let selector = &deployment["spec"]["selector"]["matchLabels"];
        assert!(includes(&deployment["spec"]["template"]["metadata"]["labels"], selector));
        for job in of_kind(&objects, "Job") {
            let labels = &job["spec"]["template"]["metadata"]["labels"];
            assert!(!includes(labels, selector), "the Service must not select the pods of hooks: {job}");
        }
    }
}

#[test]
fn an_installation_for_some_namespaces_has_no_rights_to_other_ones() {
    let objects = render(&root().join("charts/aurora-locus/ci/namespaces.yaml"));
    let own: Vec<_> =
        objects.iter().filter(|object| object["metadata"]["annotations"]["helm.sh/hook"].is_null()).collect();
    let of_kind = |kind| own.iter().filter(move |object| object["kind"] == kind);
    let namespaces: BTreeSet<_> = of_kind("Role").map(|role| role["metadata"]["namespace"].as_str().unwrap()).collect();
    assert_eq!(namespaces, ["aurora-system", "tenant-a", "tenant-b"].into());
    let resources: BTreeSet<_> = of_kind("ClusterRole")
        .flat_map(|role| role["rules"].as_array().unwrap())
        .flat_map(|rule| rule["resources"].as_array().unwrap())
        .map(|resource| resource.as_str().unwrap())
        .collect();
    let cluster_scoped =
        ["customresourcedefinitions", "namespaces", "pdsclasses", "pdshostnameclaims", "storageclasses"];
    assert_eq!(resources, cluster_scoped.into());
}

#[test]
fn the_schema_knows_the_values_that_the_chart_has() {
    let read = |name| fs::read_to_string(root().join("charts/aurora-locus").join(name)).unwrap();
    let values: Value = serde_saphyr::from_str(&read("values.yaml")).unwrap();
    let schema: Value = serde_json::from_str(&read("values.schema.json")).unwrap();
    same_keys("", &values, &schema);
}

fn same_keys(path: &str, values: &Value, schema: &Value) {
    // What Kubernetes defines, and maps, are not described key by key.
    let Some(properties) = schema["properties"].as_object().filter(|_| path != ".resources") else { return };
    assert_eq!(schema["additionalProperties"], false, "{path} takes unknown values");
    let known: BTreeSet<_> = properties.keys().filter(|key| *key != "global").collect();
    let values = values.as_object().unwrap();
    assert_eq!(known, values.keys().collect(), "values of {path}");
    for (key, value) in values {
        same_keys(&format!("{path}.{key}"), value, &properties[key]);
    }
}
