//! The forms of bodies and answers, for the OpenAPI document. Those of what is stored are made from a value of its type, so
//! that a field that is added appears by itself.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    ids::{AppId, ChannelId, GroupId, MachineId, PackageId},
    policy::Policy,
    store::{Application, Arch, Channel, Group, Package},
};

/// A form after a value: objects by their fields, an array by its first entry.
fn of(value: &Value) -> Value {
    match value {
        Value::Null => json!({}),
        Value::Bool(_) => json!({ "type": "boolean" }),
        Value::Number(number) if number.is_f64() => json!({ "type": "number" }),
        Value::Number(_) => json!({ "type": "integer" }),
        Value::String(_) => json!({ "type": "string" }),
        Value::Array(items) => {
            json!({ "type": "array", "items": items.first().map(of).unwrap_or_else(|| json!({})) })
        }
        Value::Object(fields) => {
            let fields: Map<String, Value> =
                fields.iter().map(|(name, value)| (name.clone(), of(value))).collect();
            json!({ "type": "object", "properties": fields })
        }
    }
}

fn like(value: &impl Serialize) -> Value {
    of(&json!(value))
}

fn list(name: &str) -> Value {
    let items =
        json!({ "type": "array", "items": { "$ref": format!("#/components/schemas/{name}") } });
    json!({ "type": "object", "properties": { "items": items, "total": { "type": "integer" } } })
}

fn object(fields: &[(&str, &str)], required: &[&str]) -> Value {
    let fields: Map<String, Value> =
        fields.iter().map(|(name, kind)| ((*name).to_owned(), json!({ "type": kind }))).collect();
    json!({ "type": "object", "properties": fields, "required": required, "additionalProperties": false })
}

/// All forms by name.
pub(super) fn forms() -> Map<String, Value> {
    let app = AppId::stored("x".to_owned());
    let application = Application {
        id: app.clone(),
        product_id: None,
        label: String::new(),
        description: String::new(),
        created_at: Timestamp::UNIX_EPOCH,
    };
    let group = Group::new(app.clone(), GroupId::stored("x".to_owned()), "x");
    let channel = Channel {
        id: ChannelId::stored("x".to_owned()),
        app: app.clone(),
        label: String::new(),
        arch: Arch::All,
        color: String::new(),
        package: None,
        publish: true,
        upstream: String::new(),
        created_at: Timestamp::UNIX_EPOCH,
        changed_at: Timestamp::UNIX_EPOCH,
    };
    let package = Package::new(PackageId::stored("x".to_owned()), app, "1.0.0", Arch::All);
    let machine = MachineId::stored("x".to_owned());
    let mut forms = Map::new();
    let mut put = |name: &str, form: Value| drop(forms.insert(name.to_owned(), form));
    put("Application", like(&application));
    put("Group", like(&group));
    put("Policy", like(&Policy::default()));
    put("Channel", like(&channel));
    put("Package", like(&package));
    put(
        "Instance",
        json!({ "type": "object", "properties": { "machine": like(&machine), "version": { "type": "string" } } }),
    );
    for (list_of, one) in [
        ("Applications", "Application"),
        ("Groups", "Group"),
        ("Channels", "Channel"),
        ("Packages", "Package"),
        ("Instances", "Instance"),
        ("Events", "Event"),
        ("Activities", "Activity"),
        ("AuditEntries", "AuditEntry"),
        ("Users", "User"),
        ("Tokens", "Token"),
    ] {
        put(list_of, list(one));
    }
    for name in ["Event", "Activity", "AuditEntry", "User", "Token", "Counts", "Explanation", "Me"]
    {
        put(name, json!({ "type": "object" }));
    }
    let text = "string";
    put(
        "NewGroup",
        json!({ "type": "object", "properties": {
        "id": { "type": text }, "label": { "type": text }, "description": { "type": text }, "track": { "type": text },
        "channel": { "type": text }, "policy": { "$ref": "#/components/schemas/Policy" } } }),
    );
    put(
        "NewChannel",
        object(
            &[
                ("label", text),
                ("arch", text),
                ("color", text),
                ("package", text),
                ("publish", "boolean"),
                ("upstream", text),
            ],
            &["label"],
        ),
    );
    put(
        "NewPackage",
        object(
            &[
                ("version", text),
                ("arch", text),
                ("kind", text),
                ("url", text),
                ("file", text),
                ("size", "integer"),
                ("sha1", text),
                ("sha256", text),
                ("release_notes", text),
                ("description", text),
                ("no_backoff", "boolean"),
                ("is_delta", "boolean"),
                ("files", "array"),
            ],
            &["version", "url", "file", "size"],
        ),
    );
    put("FloorReason", object(&[("reason", text)], &[]));
    put("Alias", object(&[("alias", text)], &["alias"]));
    put("Pin", object(&[("version", text)], &[]));
    put("NewUser", object(&[("name", text), ("role", text)], &["name", "role"]));
    put("NewRole", object(&[("app", text), ("role", text)], &[]));
    put(
        "NewToken",
        object(&[("label", text), ("scopes", "array"), ("expires_at", text)], &["label", "scopes"]),
    );
    put("Secret", object(&[("token", "object"), ("secret", text)], &[]));
    put(
        "Error",
        json!({ "type": "object", "properties": { "error": object(&[("kind", text), ("message", text)], &["kind", "message"]) } }),
    );
    forms
}
