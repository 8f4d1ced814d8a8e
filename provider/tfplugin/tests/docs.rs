//! The registry's pages.

mod common;

use std::fs;

use common::toy::Toy;

#[test]
fn pages_of_the_toys() {
    let examples = tempfile::tempdir().unwrap();
    let dir = examples.path().join("resources/toy_ami");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("resource.tf"), "resource \"toy_ami\" \"a\" {}\n").unwrap();
    fs::write(dir.join("import.sh"), "terraform import toy_ami.a ami-1\n").unwrap();
    let pages = tfplugin::docs::render(Toy, examples.path()).unwrap();
    assert!(pages.keys().eq([
        "docs/data-sources/lookup.md",
        "docs/functions/digest.md",
        "docs/functions/merge.md",
        "docs/index.md",
        "docs/resources/ami.md",
        "docs/resources/image.md",
        "docs/resources/thing.md",
    ]));
    insta::assert_snapshot!("ami", pages["docs/resources/ami.md"]);
    insta::assert_snapshot!("thing", pages["docs/resources/thing.md"]);
    insta::assert_snapshot!("merge", pages["docs/functions/merge.md"]);
    insta::assert_snapshot!("index", pages["docs/index.md"]);
    assert_eq!(pages, tfplugin::docs::render(Toy, examples.path()).unwrap());
}

#[test]
fn an_unreadable_example_is_an_error() {
    let examples = tempfile::tempdir().unwrap();
    fs::create_dir_all(examples.path().join("provider/provider.tf")).unwrap();
    let error = tfplugin::docs::render(Toy, examples.path()).unwrap_err();
    assert!(error.to_string().contains("provider.tf"), "{error}");
}

#[test]
fn schemas_are_without_fault() {
    tfplugin::testing::check_schemas(Toy).unwrap();
}
