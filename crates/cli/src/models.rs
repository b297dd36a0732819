//! Object definitions from a folder, for the server.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use dunlin_lwm2m::model::{Models, Strictness};

use crate::object;

/// The definitions that dunlin brings along, and over them those of a folder and of its
/// `version_history/`. A file that does not load is told and left out.
pub(crate) fn load(folder: &Path) -> anyhow::Result<Models> {
    let mut models = Models::embedded();
    let mut files = object::definition_files(folder)?;
    let history = folder.join("version_history");
    if history.is_dir() {
        files.extend(object::definition_files(&history)?);
    }
    let mut loaded = 0;
    for file in files {
        let xml = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        match models.insert_xml(&xml, Strictness::Lenient) {
            Ok(count) => loaded += count,
            Err(error) => tracing::warn!("{} is left out: {error}", file.display()),
        }
    }
    if loaded == 0 {
        bail!(
            "no object definitions (such as 3303.xml) in the folder {}",
            folder.display()
        );
    }
    tracing::info!("{loaded} object definitions from {}", folder.display());
    Ok(models)
}

#[cfg(test)]
mod tests {
    use dunlin_lwm2m::ObjectVersion;

    use super::*;

    /// Exactly the announced version, else the highest minor of the same major, else none: the
    /// server then shows what formats tell by themselves.
    #[test]
    fn versions_of_a_folder_are_found() {
        let folder = std::env::temp_dir().join(format!("dunlin-models-{}", std::process::id()));
        let history = folder.join("version_history");
        fs::create_dir_all(&history).unwrap();
        let error = load(&folder).unwrap_err().to_string();
        assert!(error.contains("no object definitions"), "{error}");
        let device = fs::read_to_string(object::tests::objects_file("3.xml")).unwrap();
        let version = |version: &str, name: &str| {
            device
                .replace("<ObjectID>3<", "<ObjectID>33000<")
                .replace("<ObjectVersion>1.2<", &format!("<ObjectVersion>{version}<"))
                .replace("<Name>Device<", &format!("<Name>{name}<"))
        };
        fs::write(folder.join("33000.xml"), version("2.0", "New")).unwrap();
        fs::write(folder.join("33001.xml"), "no XML").unwrap();
        fs::write(history.join("33000-1_0.xml"), version("1.0", "Old")).unwrap();
        fs::write(history.join("33000-1_2.xml"), version("1.2", "Newer")).unwrap();
        let models = load(&folder);
        fs::remove_dir_all(&folder).unwrap();
        let models = models.unwrap();
        let name = |major, minor| {
            let version = ObjectVersion { major, minor };
            models
                .resolve(33000, version)
                .map(|object| object.name.as_str())
        };
        assert_eq!(name(1, 0), Some("Old"));
        assert_eq!(name(1, 1), Some("Newer"));
        assert_eq!(name(1, 7), Some("Newer"));
        assert_eq!(name(2, 1), Some("New"));
        assert_eq!(name(3, 0), None);
        assert!(models.latest(3).is_some(), "what comes along stays");
        assert!(models.latest(33001).is_none());
    }
}
