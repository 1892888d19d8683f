use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::{Args, Command as Program};
use operator_controller::options::{CONTROLLER_NAME, Options};
use operator_controller::run::lease_name;
use serde_json::{Value, json};

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
    render_with(&["--values", &values.display().to_string()])
}

/// The objects of the chart with values from the arguments.
fn render_with(arguments: &[&str]) -> Vec<Value> {
    let chart = ["template", "aurora-locus", "charts/aurora-locus", "--namespace", "aurora-system"];
    let text = helm(&[&chart[..], &["--kube-version", "1.33"], arguments].concat());
    objects(&arguments.join(" "), &text)
}

/// The objects of the chart with a set of values from its folder `ci`.
fn render_set(name: &str) -> Vec<Value> {
    render(&root().join(format!("charts/aurora-locus/ci/{name}.yaml")))
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

/// The only object of a kind.
fn only<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let found = of_kind(objects, kind);
    let [object] = found[..] else { panic!("{} of {kind}", found.len()) };
    object
}

/// The Job that Helm runs at an event.
fn hook<'a>(objects: &'a [Value], event: &str) -> &'a Value {
    let jobs = of_kind(objects, "Job");
    jobs.into_iter().find(|job| job["metadata"]["annotations"]["helm.sh/hook"] == event).unwrap()
}

fn container(workload: &Value) -> &Value {
    &workload["spec"]["template"]["spec"]["containers"][0]
}

/// A variable of the operator.
fn variable<'a>(workload: &'a Value, name: &str) -> &'a Value {
    let variables = container(workload)["env"].as_array().unwrap();
    variables.iter().find(|variable| variable["name"] == name).map_or(&Value::Null, |variable| &variable["value"])
}

/// The paths of all fields with one of these names.
fn paths(path: &str, value: &Value, names: &[&str]) -> Vec<String> {
    let below = |key: String, value| paths(&format!("{path}.{key}"), value, names);
    match value {
        Value::Object(fields) => {
            let named = fields.keys().filter(|key| names.contains(&key.as_str())).map(|key| format!("{path}.{key}"));
            named.chain(fields.iter().flat_map(|(key, value)| below(key.clone(), value))).collect()
        }
        Value::Array(items) => items.iter().enumerate().flat_map(|(at, value)| below(at.to_string(), value)).collect(),
        _ => Vec::new(),
    }
}

fn includes(labels: &Value, selector: &Value) -> bool {
    selector.as_object().unwrap().iter().all(|(key, value)| labels.get(key) == Some(value))
}

#[test]
fn every_set_of_values_gives_objects_that_fit_their_types() {
    for values in sets() {
        helm(&["lint", "--strict", "--quiet", "charts/aurora-locus", "--values", &values.display().to_string()]);
        let objects = render(&values);
        let deployment = only(&objects, "Deployment");
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
    let objects = render_set("namespaces");
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
    let cluster_scoped = [
        "customresourcedefinitions",
        "namespaces",
        "pdsbucketclaims",
        "pdsclasses",
        "pdshostnameclaims",
        "storageclasses",
    ];
    assert_eq!(resources, cluster_scoped.into());
}

/// The names of the variables are in two places: the chart, and the operator's options.
#[test]
fn values_reach_the_operator_and_its_jobs() {
    let objects = render_set("namespaces");
    let operator = only(&objects, "Deployment");
    assert_eq!(variable(operator, "OPERATOR_MAX_ROLLOUTS"), "3");
    for workload in [operator, hook(&objects, "pre-install,pre-upgrade"), hook(&objects, "post-delete")] {
        assert_eq!(variable(workload, "OPERATOR_CONTROLLER_NAME"), "team.example/aurora-locus");
        assert_eq!(variable(workload, "OPERATOR_NAMESPACES"), "tenant-a,tenant-b");
    }
    let class = only(&objects, "PdsClass");
    assert_eq!(
        (&class["metadata"]["name"], &class["spec"]["controllerName"]),
        (&json!("team"), &json!("team.example/aurora-locus"))
    );
    assert_eq!(variable(only(&render_set("everything"), "Deployment"), "OPERATOR_CONCURRENCY"), "64");

    let options = Options::augment_args(Program::new("operator"));
    let known: BTreeSet<_> = options.get_arguments().filter_map(|option| option.get_env()?.to_str()).collect();
    for workload in of_kind(&objects, "Deployment").into_iter().chain(of_kind(&objects, "Job")) {
        for set in container(workload)["env"].as_array().unwrap() {
            let name = set["name"].as_str().unwrap();
            assert!(known.contains(name) || name == "RUST_LOG", "the operator does not read {name}");
        }
    }
}

#[test]
fn the_operator_may_renew_the_lease_that_it_holds() {
    for (set, controller) in [("openshift", CONTROLLER_NAME), ("namespaces", "team.example/aurora-locus")] {
        let objects = render_set(set);
        let mut rules = of_kind(&objects, "Role").into_iter().flat_map(|role| role["rules"].as_array().unwrap());
        let renewal = rules.find(|rule| rule["resources"] == json!(["leases"]) && !rule["resourceNames"].is_null());
        let renewal = renewal.unwrap();
        assert_eq!(renewal["resourceNames"], json!([lease_name(controller)]), "{set}");
        assert_eq!(renewal["verbs"], json!(["get", "update"]));
    }
}

#[test]
fn definitions_come_before_the_operator_and_finalizers_go_after_it() {
    let objects = render_set("namespaces");
    assert_eq!(container(hook(&objects, "pre-install,pre-upgrade"))["args"], json!(["crd", "--apply"]));
    assert_eq!(container(hook(&objects, "post-delete"))["args"], json!(["release"]));
    assert!(of_kind(&render_set("single"), "Job").is_empty());
}

/// F53 and the same for the operator's own pods.
#[test]
fn pods_of_the_operator_that_are_not_ready_leave_a_node() {
    let objects = render_with(&[]);
    let budget = &only(&objects, "PodDisruptionBudget")["spec"];
    assert_eq!((&budget["maxUnavailable"], &budget["unhealthyPodEvictionPolicy"]), (&json!(1), &json!("AlwaysAllow")));
    let labels = &only(&objects, "Deployment")["spec"]["template"]["metadata"]["labels"];
    assert!(includes(labels, &budget["selector"]["matchLabels"]));
    assert!(of_kind(&render_set("single"), "PodDisruptionBudget").is_empty(), "one pod could never be evicted");
}

#[test]
fn metrics_are_read_by_those_whom_the_values_name() {
    let policy = |arguments: &[&str]| {
        let objects = render_with(arguments);
        let labels = &only(&objects, "Deployment")["spec"]["template"]["metadata"]["labels"];
        let policy = &only(&objects, "NetworkPolicy")["spec"];
        assert_eq!(policy["policyTypes"], json!(["Ingress"]));
        assert!(includes(labels, &policy["podSelector"]["matchLabels"]));
        policy["ingress"].clone()
    };
    let from = |peers: Value| json!([{"from": peers, "ports": [{"port": "http", "protocol": "TCP"}]}]);
    let labelled = json!([{"namespaceSelector": {"matchLabels": {"metrics": "enabled"}}}]);
    assert_eq!(policy(&[]), from(labelled));
    let block = r#"[{"ipBlock": {"cidr": "10.1.2.0/24"}}]"#;
    let named = policy(&["--set-json", &format!("networkPolicy.metricsFrom={block}")]);
    assert_eq!(named, from(serde_json::from_str(block).unwrap()));
    assert_eq!(policy(&["--set-json", "networkPolicy.metricsFrom=[]"]), json!([]), "nobody");
    let off = render_with(&["--set", "networkPolicy.enabled=false"]);
    assert!(of_kind(&off, "NetworkPolicy").is_empty());
}

/// OpenShift refuses pods that ask for a user or a group outside of their namespace's range.
#[test]
fn on_openshift_the_platform_chooses_user_and_group() {
    let fixed = |objects: &[Value]| -> Vec<String> {
        objects.iter().flat_map(|object| paths("", object, &["runAsUser", "runAsGroup", "fsGroup"])).collect()
    };
    let objects = render_set("openshift");
    assert_eq!(fixed(&objects), [""; 0]);
    assert_eq!(only(&objects, "PdsClass")["spec"]["runAs"], "Platform");
    for workload in of_kind(&objects, "Deployment").into_iter().chain(of_kind(&objects, "Job")) {
        assert_eq!(workload["spec"]["template"]["spec"]["securityContext"]["runAsNonRoot"], true);
    }
    assert_eq!(fixed(&render_with(&[])).len(), 6, "user and group of the Deployment and of two Jobs");
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
