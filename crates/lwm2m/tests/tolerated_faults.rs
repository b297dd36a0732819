//! The page of the book lists exactly the faults that are tolerated.

use dunlin_lwm2m::registration::Fault;

const PAGE: &str = include_str!("../../../docs/src/tolerated-faults.md");

#[test]
fn the_page_lists_every_fault_in_its_words() {
    let told: Vec<&str> = PAGE
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next())
        .filter(|first| *first != "Told as")
        .collect();
    let all: Vec<&str> = Fault::ALL.iter().map(|fault| fault.text()).collect();
    assert_eq!(told, all);
}
