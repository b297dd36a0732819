//! Prints `src/definition/objects.rs`, generated from the files in `objects/`.

use dunlin_lwm2m::model::{Models, generate};

fn main() {
    let models = Models::embedded();
    print!(
        "{}",
        generate::objects_module(models.iter_latest().map(AsRef::as_ref))
    );
}
