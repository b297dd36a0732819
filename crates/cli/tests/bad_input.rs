//! The tables of bad inputs and of DTLS requirements in the book name tests that exist.

use std::fs;
use std::path::Path;

#[test]
fn every_test_in_the_table_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for page in ["bad-input.md", "dtls-requirements.md"] {
        let table = fs::read_to_string(root.join("docs/src").join(page)).unwrap();
        let mut named = 0;
        let mut missing = Vec::new();
        for reference in table.split('`').filter(|text| text.contains(".rs::")) {
            let (file, test) = reference.split_once("::").unwrap();
            let source = fs::read_to_string(root.join("crates").join(file)).unwrap_or_default();
            if !source.contains(&format!("#[test]\nfn {test}()"))
                && !source.contains(&format!("#[test]\n    fn {test}()"))
            {
                missing.push(reference);
            }
            named += 1;
        }
        assert!(named > 100, "{page} was not read: {named} tests in it");
        assert_eq!(missing, Vec::<&str>::new(), "{page}");
    }
}
