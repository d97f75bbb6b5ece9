//! The batch file as a JSON Schema for editors, generated from the types that the file is decoded into.

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::file::BatchFile;
use crate::schema::readable;

/// JSON Schema (draft 2020-12) of a batch file.
#[must_use]
pub fn schema() -> Value {
    let mut schema =
        SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<BatchFile>().to_value();
    schema["title"] = json!("ctp10 batch");
    // Rules that the types do not contain.
    schema["properties"]["name"]["pattern"] = json!(r"^(?!-|queue-)[a-z0-9-]+$");
    schema["properties"]["items"]["minItems"] = json!(1);
    schema["properties"]["suspend_when"]["type"] = json!("object");
    readable(schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_reference_for_batch_files_is_current() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/batch.schema.json");
        let text = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == text,
            "`docs/batch.schema.json` is not current: UPDATE_DOCS=1 cargo test the_committed_reference"
        );
    }

    #[test]
    fn the_schema_knows_every_key_of_a_batch_file_and_no_other() {
        let schema = schema();
        for name in ["name", "items", "notify", "defaults", "max_consecutive_failures"] {
            assert!(schema["properties"][name]["description"].is_string(), "{name}");
        }
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["required"], json!(["name", "items"]));
    }
}
