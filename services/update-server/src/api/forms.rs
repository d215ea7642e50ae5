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

/// The kind of a text.
const TEXT: &str = "string";

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
    [stored(), lists(), opaque(), sent()].into_iter().flatten().collect()
}

/// A form and its name.
type Named = (&'static str, Value);

fn owned(forms: Vec<Named>) -> Vec<(String, Value)> {
    forms.into_iter().map(|(name, form)| (name.to_owned(), form)).collect()
}

/// What is stored, each after a value of its type.
fn stored() -> Vec<(String, Value)> {
    let app = AppId::stored("x".to_owned());
    let application = Application {
        id: app.clone(),
        product_id: None,
        label: String::new(),
        description: String::new(),
        created_at: Timestamp::UNIX_EPOCH,
    };
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
    let group = Group::new(app.clone(), GroupId::stored("x".to_owned()), "x");
    let package = Package::new(PackageId::stored("x".to_owned()), app, "1.0.0", Arch::All);
    let machine = like(&MachineId::stored("x".to_owned()));
    let instance = json!({ "machine": machine, "version": { "type": TEXT } });
    owned(vec![
        ("Application", like(&application)),
        ("Group", like(&group)),
        ("Policy", like(&Policy::default())),
        ("Channel", like(&channel)),
        ("Package", like(&package)),
        ("Instance", json!({ "type": "object", "properties": instance })),
    ])
}

/// Parts of lists.
fn lists() -> Vec<(String, Value)> {
    let lists = [
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
    ];
    owned(lists.map(|(name, one)| (name, list(one))).to_vec())
}

/// Answers of which only is said that they are objects.
fn opaque() -> Vec<(String, Value)> {
    let names = ["Event", "Activity", "AuditEntry", "User", "Token", "Counts", "Explanation", "Me"];
    owned(names.map(|name| (name, json!({ "type": "object" }))).to_vec())
}

/// What is sent to change something, and what is answered then.
fn sent() -> Vec<(String, Value)> {
    let error = object(&[("kind", TEXT), ("message", TEXT)], &["kind", "message"]);
    owned(vec![
        ("NewGroup", new_group()),
        ("NewChannel", new_channel()),
        ("NewPackage", new_package()),
        ("FloorReason", object(&[("reason", TEXT)], &[])),
        ("Alias", object(&[("alias", TEXT)], &["alias"])),
        ("Pin", object(&[("version", TEXT)], &[])),
        ("NewUser", object(&[("name", TEXT), ("role", TEXT)], &["name", "role"])),
        ("NewRole", object(&[("app", TEXT), ("role", TEXT)], &[])),
        ("NewToken", new_token()),
        ("Secret", object(&[("token", "object"), ("secret", TEXT)], &[])),
        ("Error", json!({ "type": "object", "properties": { "error": error } })),
    ])
}

fn new_group() -> Value {
    json!({ "type": "object", "properties": {
        "id": { "type": TEXT }, "label": { "type": TEXT }, "description": { "type": TEXT }, "track": { "type": TEXT },
        "channel": { "type": TEXT }, "policy": { "$ref": "#/components/schemas/Policy" } } })
}

fn new_channel() -> Value {
    let fields = [
        ("label", TEXT),
        ("arch", TEXT),
        ("color", TEXT),
        ("package", TEXT),
        ("publish", "boolean"),
        ("upstream", TEXT),
    ];
    object(&fields, &["label"])
}

fn new_package() -> Value {
    let fields = [
        ("version", TEXT),
        ("arch", TEXT),
        ("kind", TEXT),
        ("url", TEXT),
        ("file", TEXT),
        ("size", "integer"),
        ("sha1", TEXT),
        ("sha256", TEXT),
        ("release_notes", TEXT),
        ("description", TEXT),
        ("no_backoff", "boolean"),
        ("is_delta", "boolean"),
        ("files", "array"),
    ];
    object(&fields, &["version", "url", "file", "size"])
}

fn new_token() -> Value {
    let fields = [("label", TEXT), ("scopes", "array"), ("expires_at", TEXT)];
    object(&fields, &["label", "scopes"])
}
