//! The pages of the documentation.

use std::path::Path;

use nodeimage_provider::Nodeimage;

#[test]
fn they_render_and_every_attribute_is_described() {
    tfplugin::testing::check_schemas(Nodeimage).unwrap();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let pages = nodeimage_provider::docs(&examples).unwrap();
    for (page, words) in [
        ("docs/index.md", "sources"),
        ("docs/resources/image.md", "min_memory"),
        ("docs/resources/file.md", "disk_digest"),
        ("docs/data-sources/latest.md", "architectures"),
        ("docs/functions/image_id.md", "Every reference must be"),
    ] {
        let text = pages.get(page).unwrap_or_else(|| {
            let names: Vec<_> = pages.keys().collect();
            panic!("{page} is not among {names:?}")
        });
        assert!(text.contains(words), "{page} lacks {words:?}:\n{text}");
        assert!(text.starts_with("---\npage_title: "), "{page}");
        assert!(text.len() < 500_000, "the registry refuses {page}");
        for line in text.lines().filter(|line| line.starts_with("- `")) {
            assert!(
                line.contains(") "),
                "{page}: an attribute without words: {line}"
            );
        }
    }
    let image = &pages["docs/resources/image.md"];
    assert!(image.contains("Sensitive"), "{image}");
}
