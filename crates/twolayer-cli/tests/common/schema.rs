//! Whether a report is as docs/report.schema.json says.
//!
//! Of JSON Schema this knows the words that the file uses, and fails at any other.

use serde_json::{Map, Value};

/// The schema in the repository.
pub fn schema() -> Value {
    let text = include_str!("../../../../docs/report.schema.json");
    serde_json::from_str(text).unwrap()
}

/// Checks a report against one of the schema's definitions, or says where it differs.
pub fn check(report: &Value, definition: &str) -> Result<(), String> {
    let root = schema();
    let schema = &root["$defs"][definition];
    assert!(schema.is_object(), "no definition {definition}");
    conforms(&root, schema, report, "report")
}

fn conforms(root: &Value, schema: &Value, value: &Value, place: &str) -> Result<(), String> {
    let rules = schema.as_object().unwrap();
    for (rule, wanted) in rules {
        let holds = match rule.as_str() {
            "description" | "properties" => Ok(()),
            "$ref" => {
                let path = wanted.as_str().unwrap().strip_prefix('#').unwrap();
                conforms(root, root.pointer(path).unwrap(), value, place)
            }
            "type" => has_type(wanted, value),
            "const" => is(value == wanted, || format!("{value} is not {wanted}")),
            "enum" => {
                let known = wanted.as_array().unwrap().contains(value);
                is(known, || format!("{value} is none of {wanted}"))
            }
            "minimum" => {
                let least = wanted.as_f64().unwrap();
                is(value.as_f64().is_none_or(|v| v >= least), || {
                    format!("{value} < {least}")
                })
            }
            "minItems" => {
                let enough = value.as_array().unwrap().len() as u64 >= wanted.as_u64().unwrap();
                is(enough, || "too few".into())
            }
            "maxItems" => {
                let few = value.as_array().unwrap().len() as u64 <= wanted.as_u64().unwrap();
                is(few, || "too many".into())
            }
            "items" => {
                let mut items = value.as_array().unwrap().iter().enumerate();
                items.try_for_each(|(index, item)| {
                    conforms(root, wanted, item, &format!("{place}[{index}]"))
                })
            }
            "required" => {
                let mut names = wanted.as_array().unwrap().iter();
                let missing = names.find(|name| value.get(name.as_str().unwrap()).is_none());
                is(missing.is_none(), || format!("no {missing:?}"))
            }
            "additionalProperties" => {
                members(root, rules, wanted, value.as_object().unwrap(), place)
            }
            "oneOf" => {
                let cases = wanted.as_array().unwrap().iter();
                let tried: Vec<_> = cases.map(|s| conforms(root, s, value, place)).collect();
                let fitting = tried.iter().filter(|tried| tried.is_ok()).count();
                is(fitting == 1, || {
                    format!("{fitting} of these hold: {tried:?}")
                })
            }
            other => panic!("the word {other} is not known here"),
        };
        holds.map_err(|what| format!("{place}: {what}"))?;
    }
    Ok(())
}

fn is(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

fn has_type(wanted: &Value, value: &Value) -> Result<(), String> {
    let is_of = |name: &Value| match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        other => panic!("the type {other} is not known here"),
    };
    let fits = match wanted.as_array() {
        Some(names) => names.iter().any(is_of),
        None => is_of(wanted),
    };
    is(fits, || format!("{value} is no {wanted}"))
}

/// Members that `properties` names conform to what it says, others to `others`, which may be false.
fn members(
    root: &Value,
    rules: &Map<String, Value>,
    others: &Value,
    object: &Map<String, Value>,
    place: &str,
) -> Result<(), String> {
    let known = rules.get("properties");
    for (name, member) in object {
        let place = format!("{place}.{name}");
        match (known.and_then(|known| known.get(name)), others) {
            (Some(schema), _) => conforms(root, schema, member, &place)?,
            (None, Value::Bool(false)) => return Err(format!("{place} is not in the schema")),
            (None, schema) => conforms(root, schema, member, &place)?,
        }
    }
    Ok(())
}
