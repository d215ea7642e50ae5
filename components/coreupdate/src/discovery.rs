//! The discovery document: the API described in Google's format (`discovery#restDescription`), for client generators.

use serde_json::{Map, Value, json};

use crate::method::{BASE_PATH, METHODS, Method, Required};
use crate::schema::{Kind, SCHEMAS};

/// Where clients of Google's endpoints look for it.
pub const PATH: &str = "/_ah/api/discovery/v1/apis/update/v1/rest";

/// The document of a server at `root`, such as `https://updates.example`, without a slash at its end.
pub fn document(root: &str) -> Value {
    json!({
        "kind": "discovery#restDescription",
        "discoveryVersion": "v1",
        "id": "update:v1",
        "name": "update",
        "version": "v1",
        "description": "Update management",
        "protocol": "rest",
        "rootUrl": format!("{root}/_ah/api/"),
        "servicePath": "update/v1/",
        "basePath": BASE_PATH,
        "baseUrl": format!("{root}{BASE_PATH}"),
        "batchPath": "batch",
        "parameters": {
            "alt": { "type": "string", "location": "query", "default": "json", "enum": ["json"] },
            "fields": { "type": "string", "location": "query" },
            "prettyPrint": { "type": "boolean", "location": "query", "default": "true" },
        },
        "schemas": SCHEMAS.iter().map(|(name, properties)| ((*name).to_owned(), schema(name, properties))).collect::<Map<_, _>>(),
        "resources": resources(),
    })
}

fn schema(name: &str, properties: &[(&str, Kind)]) -> Value {
    let properties: Map<String, Value> =
        properties.iter().map(|(name, kind)| ((*name).to_owned(), property(*kind))).collect();
    json!({ "id": name, "type": "object", "properties": properties })
}

fn property(kind: Kind) -> Value {
    match kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::Time => json!({ "type": "string", "format": "date-time" }),
        Kind::Long => json!({ "type": "string", "format": "int64" }),
        Kind::Int => json!({ "type": "integer", "format": "int32" }),
        Kind::Double => json!({ "type": "number", "format": "double" }),
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::One(name) => json!({ "$ref": name }),
        Kind::Many(name) => json!({ "type": "array", "items": { "$ref": name } }),
    }
}

/// The calls, nested by the parts of their names.
fn resources() -> Value {
    let mut root = json!({});
    for method in METHODS {
        for id in [method.id].iter().chain(method.aliases) {
            let parts: Vec<&str> = id.split('.').skip(1).collect();
            let Some((name, parents)) = parts.split_last() else { continue };
            let mut node = &mut root;
            for parent in parents {
                node = &mut node["resources"][*parent];
            }
            node["methods"][*name] = describe(method, id);
        }
    }
    root["resources"].take()
}

fn describe(method: &Method, id: &str) -> Value {
    let mut parameters = Map::new();
    for name in method.path_parameters() {
        parameters.insert(
            name.to_owned(),
            json!({ "type": "string", "required": true, "location": "path" }),
        );
    }
    for parameter in method.query {
        let mut described = json!({ "type": parameter.kind, "location": "query" });
        if !parameter.format.is_empty() {
            described["format"] = json!(parameter.format);
        }
        if parameter.required == Required::Yes {
            described["required"] = json!(true);
        }
        parameters.insert(parameter.name.to_owned(), described);
    }
    let mut described = json!({
        "id": id,
        "path": method.path,
        "httpMethod": method.verb.as_str(),
        "description": method.about,
        "parameters": parameters,
        "parameterOrder": method.path_parameters().collect::<Vec<_>>(),
        "response": { "$ref": method.response },
    });
    if let Some(request) = method.request {
        described["request"] = json!({ "$ref": request, "parameterName": "resource" });
    }
    described
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(node: &Value) -> usize {
        let own = node["methods"].as_object().map_or(0, Map::len);
        own + node["resources"].as_object().map_or(0, |inner| inner.values().map(count).sum())
    }

    #[test]
    fn every_call_is_described_under_each_of_its_names() {
        let document = document("https://updates.example");
        assert_eq!(count(&document), 44);
        let rollup = &document["resources"]["group"]["resources"]["requests"]["resources"]["events"]
            ["methods"]["rollup"];
        assert_eq!(rollup["id"], "update.group.requests.events.rollup");
        assert_eq!(rollup["parameterOrder"], json!(["appId", "groupId", "dateStart", "dateEnd"]));
        assert_eq!(
            rollup["parameters"]["resolution"],
            json!({ "type": "string", "format": "int64", "location": "query" })
        );
        let get = &document["resources"]["group"]["resources"]["percent"]["methods"]["get"];
        assert_eq!(get["path"], "apps/{appId}/groups/{id}");
    }

    #[test]
    fn addresses_are_those_of_the_server() {
        let document = document("https://updates.example");
        assert_eq!(document["baseUrl"], "https://updates.example/_ah/api/update/v1/");
        assert_eq!(document["rootUrl"], "https://updates.example/_ah/api/");
    }

    #[test]
    fn forms_are_described() {
        let document = document("");
        assert_eq!(
            document["schemas"]["Frame"]["properties"]["duration"],
            json!({ "type": "string", "format": "int64" })
        );
        assert_eq!(
            document["schemas"]["GroupList"]["properties"]["items"]["items"]["$ref"],
            "Group"
        );
    }
}
