use std::fs;

use super::*;

fn values(pairs: &[(&str, &str)]) -> Values {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

const RESET: &[(&str, &str)] =
    &[("host", "pds.test"), ("handle", "<b>.pds.test"), ("code", "ABCDE-23456"), ("minutes", "15")];

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

#[test]
fn html_is_escaped_and_text_is_not() {
    let templates = Templates::load(None, "en").unwrap();
    let mail = templates.render(Kind::ResetPassword, "en", &values(RESET)).unwrap();
    assert!(mail.text.contains("ABCDE-23456") && mail.text.contains("<b>.pds.test"), "{}", mail.text);
    assert!(mail.html.contains("ABCDE-23456") && mail.html.contains("&lt;b&gt;.pds.test"), "{}", mail.html);
    assert!(!mail.subject.is_empty() && !mail.text.contains("Subject:"));
    // Nothing is fetched when a mail is opened, so that nobody learns when and where.
    assert!(!mail.html.contains("src=") && !mail.html.contains("url("), "{}", mail.html);
}

#[test]
fn a_folder_replaces_and_translates() {
    let files = [
        ("de/reset-password.txt", "Subject: Neues Passwort\n\nCode: {{ code }}\n"),
        ("de/reset-password.html", "{% extends \"layout.html\" %}{% block body %}<p>{{ code }}</p>{% endblock %}"),
        ("en/layout.html", "<html lang=\"x\">{% block body %}{% endblock %}</html>"),
        ("..data/ignored", "as Kubernetes mounts a ConfigMap"),
    ];
    let folder = folder(&files);
    let templates = Templates::load(Some(folder.path()), "en").unwrap();
    let language = |header: &str| templates.language(Kind::ResetPassword, &Languages::parse(header));
    assert_eq!((language("de-AT,de;q=0.9"), language("fr"), language("")), ("de".into(), "en".into(), "en".into()));
    // Only this kind is translated.
    assert_eq!(templates.language(Kind::SignIn, &Languages::parse("de")), "en");
    let mail = templates.render(Kind::ResetPassword, "de", &values(RESET)).unwrap();
    assert_eq!((mail.subject.as_str(), mail.text.as_str()), ("Neues Passwort", "Code: ABCDE-23456"));
    assert_eq!(mail.html, "<html lang=\"x\"><p>ABCDE-23456</p></html>");
    assert_eq!(
        Templates::load(Some(folder.path()), "de").unwrap().language(Kind::ResetPassword, &Languages::default()),
        "de"
    );
}

#[test]
fn a_mistake_stops_the_start_and_is_named() {
    for (files, problem) in [
        (vec![("en/reset-pasword.txt", "Subject: x\n\ny")], "reset-pasword.txt is no template"),
        (vec![("reset-password.txt", "Subject: x\n\ny")], "reset-password.txt is no template"),
        (vec![("de/sign-in.txt", "Subject: x\n\ny")], "the language de has sign-in.txt without"),
        (vec![("en/sign-in.txt", "{{ code }")], "the template en/sign-in.txt"),
        (vec![("en/sign-in.txt", "Subject: x\n\n{{ kode }}")], "the template en/sign-in.txt"),
        (vec![("en/sign-in.txt", "Your code: {{ code }}")], "does not begin with a line"),
    ] {
        let error = Templates::load(Some(folder(&files).path()), "en").unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
    assert!(Templates::load(None, "de").unwrap_err().to_string().contains("no templates of the language de"));
    let large = " ".repeat(usize::try_from(LARGEST).unwrap() + 1);
    let error = Templates::load(Some(folder(&[("en/sign-in.txt", &large)]).path()), "en").unwrap_err().to_string();
    assert!(error.contains("too large"), "{error}");
}

/// A handle or a subject of a person must not become a header of a mail.
#[test]
fn a_subject_is_one_line() {
    assert_eq!(split("Subject: a\rBcc: b\n\ntext"), None);
    assert_eq!(split("Subject:  \n\ntext"), None);
    assert_eq!(split("Subject: a\ntext"), None);
    assert_eq!(split("Subject: a\n\ntext"), Some(("a".to_owned(), "text".to_owned())));
}
